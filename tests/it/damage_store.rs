//! Damage to the store: `verify` names every snapshot concerned and no other, `thaw` refuses those, and the next freeze of the
//! same content makes them whole again.
//!
//! `BOTTLE_FREEZE_FAULTS=long` flips 300 bits, and cuts or removes 100 objects. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::library::{Reader, named_objects, snapshots, stored_objects};
use crate::support::{World, names_in, random_bytes, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The flips, and the cuts and missing objects, of one round.
const FLIPS: u64 = 6;
const OTHERS: u64 = 2;

/// What the VMs held when they were frozen: the name of a VM, and a file of its guest.
type Frozen = (&'static str, Vec<u8>);

/// A library, and what is in it.
struct Ground {
    world: World,
    frozen: Vec<Frozen>,
    random: Random,
}

impl Ground {
    /// Two snapshots of one VM, and one each of two others; all have something in common.
    fn new() -> Self {
        let (world, mut frozen) = (World::new(), Vec::new());
        let shared = random_bytes(3 << 19);
        for vm in ["a", "b", "c"] {
            world.vm(vm).stopped();
            world.write_guest(vm, "root/0-shared", &shared);
        }
        for vm in ["a", "a", "b", "c"] {
            frozen.push((vm, random_bytes(5 << 18)));
        }
        let ground = Self { world, frozen, random: Random::new() };
        ground.freeze_all();
        ground
    }

    /// Freezes each VM with the content that it had. Their names.
    fn freeze_all(&self) -> Vec<String> {
        let freeze = |(vm, content): &Frozen| {
            self.world.write_guest(vm, "root/1-own", content);
            for name in ["0-shared", "1-own"] {
                let file = File::open(self.world.path(&format!("fake/vms/{vm}/disk/root/{name}"))).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
            }
            stdout(&self.world.run(&format!("freeze {vm} -q")).success()).trim().to_owned()
        };
        self.frozen.iter().map(freeze).collect()
    }

    fn any_object(&mut self) -> PathBuf {
        let all = stored_objects(&self.world);
        all[usize::try_from(self.random.below(all.len() as u64)).unwrap()].clone()
    }

    fn flip(&mut self) -> String {
        let path = self.any_object();
        let mut bytes = fs::read(&path).unwrap();
        let bit = self.random.below(bytes.len() as u64 * 8);
        bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        format!("bit {bit} of {}", path.display())
    }

    /// Cuts an object, or removes all names of it, or one: then the store has it still.
    fn cut_or_remove(&mut self) -> String {
        let path = self.any_object();
        let name = path.file_name().unwrap().to_owned();
        let folders = snapshots(&self.world).into_values().map(|folder| folder.join("objects").join(&name));
        match self.random.below(3) {
            0 => {
                let length = self.random.below(fs::metadata(&path).unwrap().len());
                File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
                format!("{length} bytes of {}", path.display())
            }
            1 => {
                folders.chain([path.clone()]).for_each(|path| drop(fs::remove_file(path)));
                format!("no {}", path.display())
            }
            _ => {
                let one = folders.into_iter().find(|path| path.exists());
                if let Some(one) = &one {
                    fs::remove_file(one).unwrap();
                }
                format!("{one:?} only in the store")
            }
        }
    }

    /// The snapshots that cannot be whole, by what is in their folders and in the store.
    fn concerned(&self) -> BTreeSet<String> {
        let store = self.world.path("home/library/store/objects");
        let is_whole = |folder: &Path| {
            // A fresh one: damage does not change the number of a file.
            let mut reader = Reader::default();
            let objects = named_objects(folder);
            objects.iter().all(|name| {
                let places = [folder.join("objects"), store.clone()];
                places.iter().any(|place| reader.check_object(&place.join(name)).is_ok())
            })
        };
        snapshots(&self.world).into_iter().filter(|(_, folder)| !is_whole(folder)).map(|(name, _)| name).collect()
    }

    /// Flips a bit in an index, and back again.
    fn flip_in_an_index(&mut self) {
        let all = snapshots(&self.world);
        let (name, folder) = all.iter().nth(usize::try_from(self.random.below(all.len() as u64)).unwrap()).unwrap();
        let (path, whole) = (folder.join("index.json"), fs::read(folder.join("index.json")).unwrap());
        let (mut bytes, bit) = (whole.clone(), usize::try_from(self.random.below(whole.len() as u64 * 8)).unwrap());
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        let damage = [format!("bit {bit} of {}", path.display())];
        assert_eq!(self.damaged(&damage), BTreeSet::from([name.clone()]), "{damage:#?}");
        self.world.run(&format!("create x --from {name}")).code(10);
        fs::write(&path, whole).unwrap();
    }

    fn round(&mut self) {
        let whole = snapshots(&self.world);
        self.flip_in_an_index();
        let mut damage: Vec<String> = (0..FLIPS).map(|_| self.flip()).collect();
        damage.extend((0..OTHERS).map(|_| self.cut_or_remove()));
        let concerned = self.concerned();
        let thaws: Vec<(String, bool)> = [&concerned, &whole.keys().cloned().collect()]
            .iter()
            .filter_map(|names| names.first().map(|name| (name.clone(), concerned.contains(name))))
            .collect();
        self.world.warm();
        for (name, is_damaged) in thaws {
            let run = self.world.run(&format!("create x --from {name}"));
            let status = run.get_output().status.code();
            assert_eq!(status, Some(if is_damaged { 10 } else { 0 }), "{damage:#?}: {name}: {}", stderr(&run));
            assert_eq!(self.world.commands().contains(&"machine create".to_owned()), !is_damaged, "{damage:#?}");
            if !is_damaged {
                self.world.run("rm x --yes").success();
            }
            self.world.forget_calls();
        }
        assert_eq!(self.damaged(&damage), concerned, "{damage:#?}");
        let again = self.freeze_all();
        assert_eq!(self.damaged(&damage), BTreeSet::new(), "after the next freezes: {damage:#?}");
        for name in again {
            self.world.run(&format!("snapshot rm {name} --yes")).success();
        }
        assert_eq!(snapshots(&self.world), whole);
        assert_eq!(self.damaged(&damage), BTreeSet::new(), "{damage:#?}");
        let mut reader = Reader::default();
        for folder in whole.values() {
            reader.check(folder).unwrap();
        }
    }

    /// What `snapshot verify` calls damaged.
    fn damaged(&self, damage: &[String]) -> BTreeSet<String> {
        let run = self.world.run("snapshot verify --all --json");
        let reports: Vec<Value> = serde_json::from_str(&stdout(&run)).unwrap();
        let damaged: BTreeSet<_> = reports
            .iter()
            .filter(|report| report["error"]["exit_status"] == 10)
            .map(|report| report["reference"].as_str().unwrap().to_owned())
            .collect();
        let status = if damaged.is_empty() { 0 } else { 3 };
        assert_eq!(run.get_output().status.code(), Some(status), "{damage:#?}: {}", stderr(&run));
        damaged
    }
}

#[test]
fn damaged_objects_are_found_refused_and_made_whole_by_the_next_freeze() {
    let mut ground = Ground::new();
    for _ in 0..if is_long() { 50 } else { 2 } {
        ground.round();
    }
}

#[test]
fn a_snapshot_without_the_folder_of_its_objects_is_made_whole_from_the_store() {
    // A link to an object in a folder that is missing was tried again and again.
    let world = World::new();
    world.vm("a").stopped();
    world.write_guest("a", "root/notes", random_bytes(3 << 20));
    world.run("freeze a").success();
    world.run("freeze a").success();
    for (name, folder) in snapshots(&world) {
        let before = names_in(&folder.join("objects"));
        fs::remove_dir_all(folder.join("objects")).unwrap();
        for line in ["snapshot files a -r", "snapshot diff a", "freeze a --if-changed"] {
            assert!(world.run(line).get_output().status.code().is_some(), "{line} did not end");
        }
        world.run(&format!("snapshot verify {name}")).success();
        assert_eq!(names_in(&folder.join("objects")), before);
        world.run(&format!("thaw {name} b --no-start")).success();
        world.run("rm b --yes").success();
    }
}

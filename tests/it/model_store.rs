//! Random sequences of commands on the library, compared with a model that keeps a whole copy of each snapshot.
//!
//! `BOTTLE_FREEZE_FAULTS=long` tries them for 20 seconds; `SEED` repeats one.

use crate::fuzz::explore;
use crate::support::library::{Reader, artifact, named_objects, snapshots, stored_objects};
use crate::support::{World, stderr, stdout};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

const VMS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Step {
    /// Of this VM, whose disk has this content, with this tag.
    Freeze(usize, u64, usize),
    Tag(Index, usize),
    Remove(Index),
    Prune(usize, usize),
    Export(Index),
    /// Of what was exported last, as this VM.
    Import(usize),
    /// Flips a bit of an object.
    Damage(Index, Index),
    /// Removes an object from the store, but not from the snapshots.
    Forget(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<Index>;
    prop_oneof![
        6 => (0_usize..2, 0_u64..5, 0_usize..3).prop_map(|(vm, content, tag)| Step::Freeze(vm, content, tag)),
        2 => (any(), 0_usize..3).prop_map(|(which, tag)| Step::Tag(which, tag)),
        3 => any().prop_map(Step::Remove),
        1 => (0_usize..2, 1_usize..3).prop_map(|(vm, kept)| Step::Prune(vm, kept)),
        2 => any().prop_map(Step::Export),
        2 => (0_usize..2).prop_map(Step::Import),
        2 => (any(), any()).prop_map(|(object, bit)| Step::Damage(object, bit)),
        1 => any().prop_map(Step::Forget),
    ]
}

/// Bytes that no compression makes fewer: the same for a seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(byte).take(bytes).collect()
}

/// A whole copy of a snapshot.
#[derive(Clone)]
struct Copy {
    artifact: Vec<u8>,
    objects: BTreeSet<String>,
    tags: BTreeSet<String>,
}

/// A library, and what it must hold.
struct Model {
    world: World,
    copies: BTreeMap<String, Copy>,
    /// The snapshots of each VM, the oldest first.
    order: BTreeMap<String, Vec<String>>,
    damaged: BTreeSet<String>,
    /// What was exported last: its id, and the copy of it.
    exported: Option<(String, Copy)>,
}

impl Model {
    fn new() -> Self {
        let world = World::new();
        for vm in VMS {
            world.vm(vm).stopped();
        }
        let (copies, order, damaged) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { world, copies, order, damaged, exported: None }
    }

    fn run(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            self.check(step);
        }
        for (name, copy) in &self.copies {
            if !self.is_damaged(copy) {
                assert!(artifact(&self.world, name) == copy.artifact, "{name} is another");
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Freeze(vm, content, tag) => self.freeze(VMS[*vm], *content, *tag),
            Step::Import(vm) => self.import(&format!("i{vm}")),
            Step::Tag(which, tag) => {
                let Some(name) = self.pick(*which) else { return };
                self.world.run(&format!("snapshot tag {name} t{tag} --force")).success();
                self.tag(&name, *tag);
            }
            Step::Remove(which) => {
                let Some(name) = self.pick(*which) else { return };
                self.world.run(&format!("snapshot rm {name} --yes")).success();
                self.forget(&name);
            }
            Step::Prune(vm, kept) => {
                let vm = VMS[*vm];
                self.world.run(&format!("snapshot prune {vm} --keep-last {kept} --yes"));
                for name in self.pruned(vm, *kept) {
                    self.forget(&name);
                }
            }
            Step::Export(which) => {
                let Some(name) = self.pick(*which) else { return };
                let copy = self.copies[&name].clone();
                let run = self.world.run(&format!("snapshot export {name} -o x.tar --force"));
                if self.is_damaged(&copy) {
                    run.code(10);
                } else {
                    run.success();
                    self.exported = Some((name.split_once('@').unwrap().1.to_owned(), copy));
                }
            }
            Step::Damage(which, bit) => self.damage(*which, *bit),
            Step::Forget(which) => {
                let all = stored_objects(&self.world);
                if !all.is_empty() {
                    fs::remove_file(which.get(&all)).unwrap();
                }
            }
        }
    }

    /// What a prune removes: neither what has a tag, nor the newest that is whole.
    fn pruned(&self, vm: &str, kept: usize) -> Vec<String> {
        let all = self.order.get(vm).cloned().unwrap_or_default();
        let newest_whole = all.iter().rev().find(|name| !self.is_damaged(&self.copies[*name])).cloned();
        let old = all.iter().take(all.len().saturating_sub(kept));
        let goes = |name: &&String| self.copies[*name].tags.is_empty() && Some(*name) != newest_whole.as_ref();
        old.filter(goes).cloned().collect()
    }

    fn freeze(&mut self, vm: &str, content: u64, tag: usize) {
        // The first is the same in all, and each has one that another VM has.
        for (name, seed, bytes) in [("0", 99, 1_400_000), ("1", content, 700_000), ("2", content + 1, 700_000)] {
            self.world.write_guest(vm, &format!("root/{name}"), noise(seed, bytes));
            let file = File::open(self.world.path(&format!("fake/vms/{vm}/disk/root/{name}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(content)).unwrap();
        }
        let name = stdout(&self.world.run(&format!("freeze {vm} -q -t t{tag} --force")).success()).trim().to_owned();
        let copy = Copy { artifact: artifact(&self.world, &name), objects: self.objects(&name), tags: BTreeSet::new() };
        self.add(&name, copy);
        self.tag(&name, tag);
    }

    fn import(&mut self, vm: &str) {
        let Some((id, mut copy)) = self.exported.clone() else { return };
        let (name, run) = (format!("{vm}@{id}"), self.world.run(&format!("snapshot import x.tar --as {vm}")));
        if self.copies.contains_key(&name) {
            run.code(7);
            return;
        }
        run.success();
        let taken = self.copies.iter().filter(|(name, _)| name.starts_with(&format!("{vm}@")));
        let taken: BTreeSet<String> = taken.flat_map(|(_, copy)| copy.tags.clone()).collect();
        copy.tags.retain(|tag| !taken.contains(tag));
        assert_eq!(self.objects(&name), copy.objects, "{name} has other objects than what was exported");
        self.add(&name, copy);
    }

    fn damage(&mut self, which: Index, bit: Index) {
        let all = stored_objects(&self.world);
        if all.is_empty() {
            return;
        }
        let path = which.get(&all);
        let mut bytes = fs::read(path).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, bytes).unwrap();
        if Reader::default().check_object(path).is_err() {
            self.damaged.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }

    fn objects(&self, name: &str) -> BTreeSet<String> {
        named_objects(&snapshots(&self.world)[name])
    }

    /// A new snapshot heals what it has in common with others.
    fn add(&mut self, name: &str, copy: Copy) {
        self.damaged.retain(|object| !copy.objects.contains(object));
        self.copies.insert(name.to_owned(), copy);
        self.order.entry(vm(name).to_owned()).or_default().push(name.to_owned());
    }

    fn forget(&mut self, name: &str) {
        self.copies.remove(name);
        self.order.get_mut(vm(name)).unwrap().retain(|other| other != name);
        let copies = &self.copies;
        self.damaged.retain(|object| copies.values().any(|copy| copy.objects.contains(object)));
    }

    fn tag(&mut self, name: &str, tag: usize) {
        let tag = format!("t{tag}");
        for (_, copy) in self.copies.iter_mut().filter(|(other, _)| vm(other) == vm(name)) {
            copy.tags.remove(&tag);
        }
        self.copies.get_mut(name).unwrap().tags.insert(tag);
    }

    fn pick(&self, which: Index) -> Option<String> {
        let names: Vec<&String> = self.copies.keys().collect();
        (!names.is_empty()).then(|| (*which.get(&names)).clone())
    }

    fn is_damaged(&self, copy: &Copy) -> bool {
        copy.objects.iter().any(|object| self.damaged.contains(object))
    }

    /// The library lists the same, and calls damaged what is.
    fn check(&self, step: &Step) {
        let listed: Value = serde_json::from_str(&stdout(&self.world.run("snapshot ls --json").success())).unwrap();
        let entry = |one: &Value| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            let tags = one["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned());
            (format!("{}@{}", text("vm"), text("id")), tags.collect())
        };
        let listed: BTreeMap<String, BTreeSet<String>> = listed.as_array().unwrap().iter().map(entry).collect();
        assert_eq!(
            listed,
            self.copies.iter().map(|(name, copy)| (name.clone(), copy.tags.clone())).collect(),
            "{step:?}"
        );
        for (name, copy) in &self.copies {
            let run = self.world.run(&format!("snapshot verify {name}"));
            let expected = if self.is_damaged(copy) { 10 } else { 0 };
            assert_eq!(run.get_output().status.code(), Some(expected), "{step:?}: {name}: {}", stderr(&run));
        }
        let is_owned = |path: &Path| fs::metadata(path).unwrap().nlink() > 1;
        let is_swept = matches!(step, Step::Freeze(..) | Step::Remove(_) | Step::Prune(..) | Step::Import(_));
        let unused = stored_objects(&self.world).into_iter().filter(|path| !is_owned(path));
        assert!(!is_swept || unused.count() == 0, "{step:?}");
    }
}

/// The VM of a `VM@ID`.
fn vm(name: &str) -> &str {
    name.split_once('@').unwrap().0
}

#[test]
fn the_library_holds_what_a_model_with_whole_copies_holds() {
    explore(1, &prop::collection::vec(step(), 1..14), |steps| {
        Model::new().run(&steps);
        Ok(())
    });
}

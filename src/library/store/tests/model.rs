//! Sequences of freezes, removals and sweeps, compared with a model, and several at a time.

use super::super::sweep;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Debug, Clone)]
enum Step {
    /// A snapshot with these chunks.
    Freeze(Vec<u64>),
    Remove(usize),
    /// A removal that is killed after so many objects.
    Kill(usize, usize),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(0_u64..8, 0..5).prop_map(Step::Freeze),
        2 => (0_usize..9).prop_map(Step::Remove),
        1 => (0_usize..9, 0_usize..4).prop_map(|(which, after)| Step::Kill(which, after)),
        1 => Just(Step::Sweep),
    ]
}

fn chunks(seeds: &[u64]) -> [Source; 1] {
    // Each chunk has a size of its own.
    let part = |seed: &u64| [Ok(noise(*seed, 5000 + usize::try_from(*seed).unwrap())), Err((1 << 20) - 5000 - seed)];
    [disk(seeds.iter().flat_map(part).collect())]
}

/// The snapshots of a library, as whole copies.
#[derive(Default)]
struct Model {
    snapshots: BTreeMap<String, (Vec<Source>, Index)>,
    made: usize,
}

impl Model {
    fn name(&self, which: usize) -> Option<String> {
        self.snapshots.keys().nth(which % self.snapshots.len().max(1)).cloned()
    }

    /// Every snapshot is whole, and each object of the snapshots is in the store.
    fn check(&self, library: &Library) {
        for (name, (sources, index)) in &self.snapshots {
            library.verify(name, index).unwrap();
            assert!(contents(&library.artifact(name, index))[0].1 == sources[0].content());
            assert!(library.names(&format!("{name}/objects")).iter().all(|name| library.names("store").contains(name)));
        }
    }

    /// And the store has no others.
    fn check_swept(&self, library: &Library) {
        let names = self.snapshots.keys().flat_map(|name| library.names(&format!("{name}/objects")));
        assert_eq!(library.names("store"), names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    }
}

fn bytes(library: &Library) -> u64 {
    let length = |name: &String| fs::metadata(library.folder("store").join(name)).unwrap().len();
    library.names("store").iter().map(length).sum()
}

fn run(steps: &[Step]) {
    let (library, mut model, mut is_swept) = (Library::new(), Model::default(), true);
    for step in steps {
        let before = bytes(&library);
        match step {
            Step::Freeze(seeds) => {
                let (name, sources) = (format!("snapshot-{}", model.made), chunks(seeds));
                let (index, added) = library.freeze(&name, &sources).unwrap();
                assert_eq!(bytes(&library), before + added.bytes);
                model.made += 1;
                model.snapshots.insert(name, (sources.to_vec(), index));
            }
            Step::Remove(which) => {
                let Some(name) = model.name(*which) else { continue };
                let unique = unique_bytes(&library.folder(&name));
                let freed = sweep::remove_objects_in(Some(&library.store()), &library.folder(&name)).unwrap();
                assert_eq!((freed, bytes(&library)), (unique, before - unique));
                fs::remove_dir(library.folder(&name)).unwrap();
                model.snapshots.remove(&name);
            }
            Step::Kill(which, after) => {
                let Some(name) = model.name(*which) else { continue };
                for object in library.names(&format!("{name}/objects")).iter().take(*after) {
                    fs::remove_file(library.folder(&name).join(OBJECTS).join(object)).unwrap();
                }
                model.snapshots.remove(&name);
                is_swept = false;
            }
            Step::Sweep => {
                for left in library.names("").iter().filter(|name| name.starts_with("snapshot-")) {
                    if !model.snapshots.contains_key(left) {
                        sweep::remove_objects_in(Some(&library.store()), &library.folder(left)).unwrap();
                    }
                }
                sweep::sweep_in(&library.store()).unwrap();
                is_swept = true;
            }
        }
        model.check(&library);
        if is_swept {
            model.check_swept(&library);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn snapshots_stay_whole_and_nothing_else_stays(steps in prop::collection::vec(step(), 1..14)) {
        run(&steps);
    }
}

#[test]
fn a_second_name_that_a_killed_run_left_keeps_no_object() {
    // Folders list their files in any order.
    for seed in 0..8 {
        let library = Library::new();
        library.freeze("one", &chunks(&[seed, seed + 8])).unwrap();
        let names = library.names("one/objects");
        for (folder, name) in [("store", &names[0]), ("one/objects", &names[1])] {
            let folder = library.folder(folder);
            fs::hard_link(folder.join(name), folder.join(".bottle-freeze-a1b2c3")).unwrap();
        }
        sweep::remove_objects_in(Some(&library.store()), &library.folder("one")).unwrap();
        assert_eq!(library.names("store").len(), 2, "the object with two names, and its second name");
        sweep::sweep_in(&library.store()).unwrap();
        assert_eq!(library.names("store"), Vec::<String>::new());
    }
}

#[test]
fn freezes_removals_and_sweeps_at_the_same_time_leave_whole_snapshots() {
    let (library, next) = (Library::new(), AtomicUsize::new(0));
    let work = |round: usize| {
        let name = format!("snapshot-{}", next.fetch_add(1, SeqCst));
        let seeds: Vec<u64> = (0..6).map(|at| ((round * 7 + at * 5) % 12) as u64).collect();
        let (index, _) = library.freeze(&name, &chunks(&seeds)).unwrap();
        library.verify(&name, &index).unwrap();
        if round % 3 == 0 {
            sweep::sweep_in(&library.store()).unwrap();
        }
        library.verify(&name, &index).unwrap();
        sweep::remove_objects_in(Some(&library.store()), &library.folder(&name)).unwrap();
    };
    let left = AtomicUsize::new(40);
    crate::threads::side_by_side(3, || {
        while let Ok(round) = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            work(round);
        }
    });
    sweep::sweep_in(&library.store()).unwrap();
    assert_eq!(library.names("store"), Vec::<String>::new());
}

//! `snapshot ls --tree`: each snapshot under the one that it descends from.

use crate::library::Stored;
use crate::terminal;
use std::collections::{HashMap, HashSet};

/// What is drawn before the only child of a snapshot, which stays in its column; before the last of several, and the others;
/// and below both.
struct Branches {
    only: &'static str,
    last: &'static str,
    other: &'static str,
    below_last: &'static str,
    below_other: &'static str,
}

const DRAWN: Branches =
    Branches { only: "↳ ", last: "└─ ", other: "├─ ", below_last: "   ", below_other: "│  " };
const ASCII: Branches = Branches { only: "> ", last: "`- ", other: "|- ", below_last: "   ", below_other: "|  " };

/// The snapshots in the order of the tree, each with the branches before it. One whose parent is not among them is a root.
pub fn grow<'a>(all: &[&'a Stored]) -> Vec<(String, &'a Stored)> {
    let branches = if terminal::is_utf8() { DRAWN } else { ASCII };
    let numbers: HashMap<String, usize> =
        all.iter().enumerate().map(|(number, one)| (one.reference(), number)).collect();
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (number, one) in all.iter().enumerate() {
        let parent = one.metadata.parent.as_ref().and_then(|parent| numbers.get(parent));
        children.entry(parent.copied()).or_default().push(number);
    }
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    let roots = children.remove(&None).unwrap_or_default();
    // Imported snapshots may claim a circle, which has no root: it begins at its oldest.
    for root in roots.into_iter().chain(0..all.len()) {
        let mut stack = vec![(root, String::new(), String::new())];
        while let Some((number, before, below)) = stack.pop() {
            let Some(one) = all.get(number).filter(|_| seen.insert(number)) else { continue };
            rows.push((before, *one));
            let under = children.remove(&Some(number)).unwrap_or_default();
            if let [child] = under[..] {
                stack.push((child, format!("{below}{}", branches.only), below));
                continue;
            }
            for (place, child) in under.into_iter().rev().enumerate() {
                let (before, lower) = match place {
                    0 => (branches.last, branches.below_last),
                    _ => (branches.other, branches.below_other),
                };
                stack.push((child, format!("{below}{before}"), format!("{below}{lower}")));
            }
        }
    }
    rows
}

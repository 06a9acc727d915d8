//! Lists of things: without duplicates, and processed in parallel.

use crate::threads;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Removes duplicates (things with the same `key`), and keeps the order.
pub fn once<T, K: Ord>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(key(one))).collect()
}

/// Removes duplicate words.
pub fn distinct(words: &[String]) -> Vec<String> {
    once(words.iter().cloned(), Clone::clone)
}

/// Calls `each` for every item, `jobs` at a time. The results are in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(jobs: usize, items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let work = || {
        loop {
            let at = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = each(item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    threads::side_by_side(jobs.clamp(1, items.len().max(1)) - 1, work);
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many of `count` to process at a time: the number that the user `asked` for, or half of the cores.
pub fn jobs(asked: Option<u16>, count: usize) -> usize {
    let half = || (threads::cores() / 2).max(1);
    // To count the cores takes a dozen system calls: skipped for one VM.
    if count < 2 { 1 } else { asked.map_or_else(half, usize::from) }
}

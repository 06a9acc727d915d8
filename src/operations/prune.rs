//! Decides which snapshots stay, and removes the others.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::store::Seen;
use crate::library::{Entry, Lock, Metadata, Policy, Removal, Stored, Tag, catalog, freed_in_order};
use crate::operations::{lock, packed, verify};
use crate::terminal::Warnings;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a snapshot is kept that the policy does not keep.
pub const TAGGED: &str = "it has a tag";

/// Which snapshots stay.
#[derive(Debug, Default)]
pub struct Rules {
    /// For each VM by itself; an empty one keeps all.
    pub policy: Policy,
    /// A snapshot with no other tags than these may go.
    pub tags: Vec<Tag>,
    /// The most bytes that the library may take: the oldest snapshots go until it takes no more.
    pub max_bytes: Option<u64>,
}

/// A snapshot, and why it is kept. Without a reason it is to be removed.
pub struct Decided {
    /// The snapshot.
    pub one: Stored,
    /// For people.
    pub reasons: Vec<String>,
}

impl Decided {
    fn goes(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether it may go for its size, whatever else keeps it.
    fn may_go(&self, tags: &[Tag]) -> bool {
        !self.goes() && !has_other_tag(&self.one, tags)
    }
}

/// What was decided.
pub struct Decisions {
    /// About each snapshot: by VM, newest first.
    pub all: Vec<Decided>,
    /// Of each VM that loses one: the newest that is whole, which stays whatever the rules say.
    newest_whole: BTreeMap<String, Stored>,
}

impl Decisions {
    /// Decides about these snapshots, oldest first, of one or several VMs.
    ///
    /// # Errors
    /// The library cannot be read, or it cannot be made as small as the rules say: that is a warning.
    pub fn make(app: &App, rules: &Rules, oldest_first: Vec<Stored>) -> Result<Self> {
        let mut vms: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
        for one in oldest_first.into_iter().rev() {
            vms.entry(one.metadata.vm.clone()).or_default().push(one);
        }
        let mut decisions = Self { all: Vec::new(), newest_whole: BTreeMap::new() };
        for (vm, newest_first) in vms {
            let mut decided = by_policy(rules, newest_first);
            if rules.max_bytes.is_some() || decided.iter().any(Decided::goes) {
                decisions.newest_whole.extend(keep_newest_whole(app, &mut decided).map(|whole| (vm, whole)));
            }
            decisions.all.extend(decided);
        }
        if let Some(limit) = rules.max_bytes {
            decisions.fit(app, &rules.tags, limit)?;
        }
        Ok(decisions)
    }

    /// Those to be removed.
    pub fn going(&self) -> impl Iterator<Item = &Stored> {
        self.all.iter().filter(|decided| decided.goes()).map(|decided| &decided.one)
    }

    /// Removes one of them, unless it got a tag or the newest whole one of its VM is gone.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove(&self, app: &App, one: &Entry, wait: Duration) -> Result<Removal> {
        let _held = self.newest_whole.get(one.vm()).map(|whole| hold(app, whole)).transpose()?;
        lock::remove(app, one, wait)
    }

    /// Has the oldest go until the library takes no more than `limit` bytes.
    fn fit(&mut self, app: &App, tags: &[Tag], limit: u64) -> Result<()> {
        let stays = |one: &Stored| self.newest_whole.get(&one.metadata.vm).is_some_and(|whole| is_same(whole, one));
        let may_go = |at: &usize| self.all.get(*at).is_some_and(|decided| decided.may_go(tags) && !stays(&decided.one));
        let mut oldest_first: Vec<usize> = (0..self.all.len()).filter(may_go).collect();
        oldest_first.sort_by_key(|at| self.all.get(*at).map(|decided| decided.one.metadata.order()));
        let named = |at: &usize| self.all.get(*at).map(|decided| decided.one.reference());
        let order: Vec<String> =
            self.going().map(Stored::reference).chain(oldest_first.iter().filter_map(named)).collect();
        let gone = self.going().count();
        let (all, freed) = freed_in_order(&catalog::list(None)?.0, &order);
        let mut left = freed.iter().take(gone).fold(all, |left, bytes| left.saturating_sub(*bytes));
        for (at, bytes) in oldest_first.into_iter().zip(freed.into_iter().skip(gone)) {
            if left <= limit {
                return Ok(());
            }
            self.all.get_mut(at).into_iter().for_each(|decided| decided.reasons.clear());
            left = left.saturating_sub(bytes);
        }
        if left > limit {
            let size = packed::size(left);
            let why = "what stays has a tag, or is the newest whole snapshot of its VM";
            Warnings::new(&app.terminal).warn(format!("the library will take {size}, which is more than asked: {why}"));
        }
        Ok(())
    }
}

/// After a freeze: removes the snapshots of the VM that the policy does not keep. What cannot be removed is a warning. The
/// `VM@ID` of those removed.
pub fn after_freeze(app: &App, vm: &str, policy: &Policy, warnings: &Warnings) -> Vec<String> {
    let decide = || {
        let rules = Rules { policy: policy.clone(), ..Rules::default() };
        Decisions::make(app, &rules, catalog::list(Some(vm))?.0)
    };
    let decisions = match decide() {
        Ok(decisions) => decisions,
        Err(failure) => {
            warnings.warn(format!("no snapshot was removed: {}", failure.what));
            return Vec::new();
        }
    };
    let remove = |one: &Stored| match decisions.remove(app, &Entry::from(one.clone()), Duration::ZERO) {
        Ok(Removal::Removed(freed)) => {
            app.terminal.note(&format!("removed {} ({} freed)", one.reference(), packed::size(freed)));
            Some(one.reference())
        }
        Ok(Removal::Tagged(_)) => None,
        Err(failure) => {
            warnings.warn(format!("{} was not removed: {}", one.reference(), failure.what));
            None
        }
    };
    decisions.going().filter_map(remove).collect()
}

fn by_policy(rules: &Rules, newest_first: Vec<Stored>) -> Vec<Decided> {
    let metadata: Vec<&Metadata> = newest_first.iter().map(|one| &one.metadata).collect();
    let reasons = if rules.policy.is_empty() {
        vec![vec!["it is not among the oldest".to_owned()]; metadata.len()]
    } else {
        rules.policy.reasons(&metadata, &TimeZone::system(), Timestamp::now())
    };
    let decided = newest_first.into_iter().zip(reasons).map(|(one, mut reasons)| {
        if reasons.is_empty() && has_other_tag(&one, &rules.tags) {
            reasons.push(TAGGED.to_owned());
        }
        Decided { one, reasons }
    });
    decided.collect()
}

fn has_other_tag(one: &Stored, tags: &[Tag]) -> bool {
    one.metadata.tags.iter().any(|tag| !tags.contains(tag))
}

fn is_same(one: &Stored, other: &Stored) -> bool {
    one.folder == other.folder
}

/// Keeps the newest of a VM's snapshots that is whole, and returns it.
fn keep_newest_whole(app: &App, newest_first: &mut [Decided]) -> Option<Stored> {
    let newest = newest_first.iter_mut().find(|decided| is_whole(app, &decided.one))?;
    if newest.goes() {
        newest.reasons.push("the newest that is whole".to_owned());
    }
    Some(newest.one.clone())
}

fn is_whole(app: &App, one: &Stored) -> bool {
    let verify = |_held| verify::snapshot(app, &one.folder, &one.metadata, &Seen::default());
    let check = || lock::reading(app, one).and_then(verify);
    app.terminal.during("check", &format!("checking {}", one.reference()), check).is_ok()
}

/// Keeps the newest whole snapshot from being removed. If it is gone, more would be lost than was decided.
fn hold(app: &App, whole: &Stored) -> Result<Option<Lock>> {
    if whole.is_gone() {
        let what = format!("{}, the newest that is whole, was removed or replaced in the meantime", whole.reference());
        return Err(Failure::new(Status::BadState, what).state("it was not removed").hint("run the prune again"));
    }
    lock::reading(app, whole)
}

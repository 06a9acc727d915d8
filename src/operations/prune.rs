//! Decides which snapshots stay, and removes the others.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::store::Seen;
use crate::library::{Broken, Entry, Lock, Metadata, Policy, Removal, Stored, Tag, catalog, freed_in_order};
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
    /// The library cannot be read, a signal came, or the library cannot be made as small as the rules say.
    pub fn make(app: &App, rules: &Rules, oldest_first: Vec<Stored>) -> Result<Self> {
        let mut vms: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
        for one in oldest_first.into_iter().rev() {
            vms.entry(one.metadata.vm.clone()).or_default().push(one);
        }
        let vms = vms.into_iter().map(|(vm, newest_first)| (vm, by_policy(rules, newest_first)));
        let mut vms: Vec<(String, Vec<Decided>)> = vms.collect();
        let going = |vms: &[(String, Vec<Decided>)]| {
            let all = vms.iter().flat_map(|(_, decided)| decided);
            all.filter(|decided| decided.goes()).map(|decided| decided.one.reference()).collect::<Vec<_>>()
        };
        let too_large = match rules.max_bytes {
            Some(limit) => Size::of_library()?.without(&going(&vms)).0 > limit,
            None => false,
        };
        let mut newest_whole = BTreeMap::new();
        for (vm, decided) in &mut vms {
            if too_large || decided.iter().any(Decided::goes) {
                newest_whole.extend(keep_newest_whole(app, decided)?.map(|whole| (vm.clone(), whole)));
            }
        }
        let all = vms.into_iter().flat_map(|(_, decided)| decided).collect();
        let mut decisions = Self { all, newest_whole };
        if let Some(limit) = rules.max_bytes.filter(|_| too_large) {
            decisions.fit(&rules.tags, limit)?;
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
        app.signals.check()?;
        let _held = self.newest_whole.get(one.vm()).map(|whole| hold(app, whole)).transpose()?;
        lock::remove(app, one, wait)
    }

    /// Has the oldest go until the library takes no more than `limit` bytes.
    fn fit(&mut self, tags: &[Tag], limit: u64) -> Result<()> {
        let stays = |one: &Stored| self.newest_whole.get(&one.metadata.vm).is_some_and(|whole| is_same(whole, one));
        let may_go = |at: &usize| self.all.get(*at).is_some_and(|decided| decided.may_go(tags) && !stays(&decided.one));
        let mut oldest_first: Vec<usize> = (0..self.all.len()).filter(may_go).collect();
        oldest_first.sort_by_key(|at| self.all.get(*at).map(|decided| decided.one.metadata.order()));
        let named = |at: &usize| self.all.get(*at).map(|decided| decided.one.reference());
        let gone: Vec<String> = self.going().map(Stored::reference).collect();
        let order = [&gone[..], &oldest_first.iter().filter_map(named).collect::<Vec<_>>()].concat();
        let (least, freed) = Size::of_library()?.without(&order);
        if least > limit {
            let what = format!("the library cannot be made smaller than {}", packed::size(least));
            let why = "what would stay has a tag, is damaged, or is the newest whole snapshot of its VM";
            return Err(Failure::new(Status::Failed, format!("{what}: {why}"))
                .state("nothing was removed")
                .hint("name tags whose snapshots may go, with --tag TAG, or give a larger --max-size"));
        }
        let mut left = freed.iter().skip(gone.len()).fold(least, |left, bytes| left.saturating_add(*bytes));
        for (at, bytes) in oldest_first.into_iter().zip(freed.into_iter().skip(gone.len())) {
            if left <= limit {
                break;
            }
            self.all.get_mut(at).into_iter().for_each(|decided| decided.reasons.clear());
            left = left.saturating_sub(bytes);
        }
        Ok(())
    }
}

/// What the library takes.
struct Size {
    all: Vec<Stored>,
    broken: Vec<Broken>,
}

impl Size {
    fn of_library() -> Result<Self> {
        let (all, broken) = catalog::list(None)?;
        Ok(Self { all, broken })
    }

    /// The bytes without these snapshots, and what the removal of each frees, in this order.
    fn without(&self, order: &[String]) -> (u64, Vec<u64>) {
        let (all, freed) = freed_in_order(&self.all, &self.broken, order);
        (freed.iter().fold(all, |left, bytes| left.saturating_sub(*bytes)), freed)
    }
}

/// After a freeze: removes the snapshots of the VM that the policy does not keep. What cannot be removed is a warning. The
/// `VM@ID` of those removed.
pub fn after_freeze(app: &App, vm: &str, policy: &Policy, warnings: &Warnings) -> Vec<String> {
    let decide = || {
        let rules = Rules { policy: policy.clone(), ..Rules::default() };
        Decisions::make(app, &rules, catalog::list(Some(vm))?.0)
    };
    let stays = |what: &str, failure: &Failure| warnings.warn(format!("{what} was not removed: {}", failure.what));
    let decisions = match decide() {
        Ok(decisions) => decisions,
        Err(failure) => {
            stays("what no --keep option keeps", &failure);
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
            stays(&one.reference(), &failure);
            None
        }
    };
    decisions.going().filter_map(remove).collect()
}

fn by_policy(rules: &Rules, newest_first: Vec<Stored>) -> Vec<Decided> {
    let metadata: Vec<&Metadata> = newest_first.iter().map(|one| &one.metadata).collect();
    let reasons = if rules.policy.is_empty() {
        vec![vec!["it fits in --max-size".to_owned()]; metadata.len()]
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
///
/// # Errors
/// One cannot be checked: that it is damaged is not known then.
fn keep_newest_whole(app: &App, newest_first: &mut [Decided]) -> Result<Option<Stored>> {
    for decided in newest_first {
        if is_whole(app, &decided.one)? {
            if decided.goes() {
                decided.reasons.push("the newest that is whole".to_owned());
            }
            return Ok(Some(decided.one.clone()));
        }
    }
    Ok(None)
}

fn is_whole(app: &App, one: &Stored) -> Result<bool> {
    let verify = |_held| verify::snapshot(app, &one.folder, &one.metadata, &Seen::default());
    let check = || lock::reading(app, one).and_then(verify);
    match app.terminal.during("check", &format!("checking {}", one.reference()), check) {
        Ok(_) => Ok(true),
        Err(failure) if [Status::Damaged, Status::NotFound].contains(&failure.status) => Ok(false),
        Err(failure) => Err(failure.and_state("nothing was removed")),
    }
}

/// Keeps the newest whole snapshot from being removed. If it is gone, more would be lost than was decided.
fn hold(app: &App, whole: &Stored) -> Result<Option<Lock>> {
    if whole.is_gone() {
        let what = format!("{}, the newest that is whole, was removed or replaced in the meantime", whole.reference());
        return Err(Failure::new(Status::BadState, what).state("it was not removed").hint("run the prune again"));
    }
    lock::reading(app, whole)
}

//! `snapshot`: the library, listed, checked, named and cleared.

use crate::app::App;
use crate::commands::{batch, verify};
use crate::error::{Failure, Result, Status};
use crate::library::{Broken, Entry, FindError, Metadata, Removal, Stored, Tag, check_words, store, sweep_library};
use crate::operations::resolve::{self, Asked};
use crate::operations::{lock, packed};
use crate::smolvm::{Name, end_helpers};
use crate::terminal::Warnings;
use crate::{cli, terminal};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// What is printed where there is no snapshot, or none of that VM.
pub fn no_snapshots(vm: Option<&Name>) -> String {
    let of = vm.map(|vm| format!(" of {vm}")).unwrap_or_default();
    format!("no snapshots{of}; make one with: bottle-freeze freeze {}", vm.map_or("VM", Name::as_str))
}

pub fn run(app: &App, command: &cli::Snapshot) -> Result<()> {
    match command {
        cli::Snapshot::Ls(args) => ls(app, args),
        cli::Snapshot::Show(args) => {
            terminal::json(&resolve::stored(&args.snapshot)?.metadata);
            Ok(())
        }
        cli::Snapshot::Verify(args) => check(app, args),
        cli::Snapshot::Tag(args) => tag(app, args),
        cli::Snapshot::Rm(args) => rm(app, args),
        cli::Snapshot::Push(args) => super::registry::push(app, args),
        cli::Snapshot::Pull(args) => super::registry::pull(app, args),
        cli::Snapshot::Export(args) => super::transport::export(app, args),
        cli::Snapshot::Import(args) => super::transport::import(app, args),
        cli::Snapshot::Prune(args) => super::prune::run(app, args),
    }
}

/// Warns of each folder in the library that is no snapshot; for programs, the entry of each.
pub fn warn_of<T>(broken: Vec<Broken>, entry: impl Fn(Broken, Vec<String>) -> T) -> Vec<T> {
    let each = |one: Broken| {
        let warnings = Warnings::new();
        warnings.warn(one.to_string());
        entry(one, warnings.list())
    };
    broken.into_iter().map(each).collect()
}

fn broken_entry(one: Broken, warnings: Vec<String>) -> Value {
    let reference = one.reference();
    batch::failed("reference", &reference, &Failure::from(FindError::Broken(one)).after(warnings))
}

fn ls(app: &App, args: &cli::SnapshotLs) -> Result<()> {
    let (mut all, broken) = store::list(args.vm.as_ref().map(crate::smolvm::Name::as_str))?;
    let broken = warn_of(broken, broken_entry);
    all.retain(|one| {
        let metadata = &one.metadata;
        args.tag.as_ref().is_none_or(|tag| metadata.tags.contains(tag))
            && args.label.as_ref().is_none_or(|(key, value)| metadata.labels.get(key) == Some(value))
    });
    match args.sort {
        // The library is listed in this order.
        cli::SnapshotOrder::Age => {}
        cli::SnapshotOrder::Size => all.sort_by_key(Stored::bytes),
        cli::SnapshotOrder::Vm => all.sort_by(|a, b| a.metadata.vm.cmp(&b.metadata.vm)),
    }
    if app.terminal.json {
        terminal::json(&all.iter().map(|one| json!(one.metadata)).chain(broken).collect::<Vec<_>>());
    } else if app.terminal.quiet {
        terminal::lines(all.iter().map(|one| terminal::one_line(&one.reference())));
    } else if all.is_empty() {
        app.terminal.note(&no_snapshots(args.vm.as_ref()));
    } else {
        terminal::table(&["SNAPSHOT", "TAGS", "AGE", "SIZE", "NOTE"], all.iter().map(row));
    }
    Ok(())
}

fn row(one: &Stored) -> Vec<String> {
    let metadata = &one.metadata;
    vec![
        one.reference(),
        list_tags(&metadata.tags),
        age(metadata),
        packed::size(one.bytes()).to_string(),
        metadata.note.clone().unwrap_or_default(),
    ]
}

/// Tags, as people read them.
pub fn list_tags(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
}

/// How long ago it was made, in its largest unit.
pub fn age(metadata: &Metadata) -> String {
    let created = humantime::parse_rfc3339(&metadata.created).ok();
    let Some(age) = created.and_then(|created| SystemTime::now().duration_since(created).ok()) else {
        return metadata.created.clone();
    };
    let long = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
    long.split(' ').next().unwrap_or_default().to_owned()
}

fn check(app: &App, args: &cli::SnapshotVerify) -> Result<()> {
    let all = if args.all {
        let (all, broken) = store::list(None)?;
        if all.is_empty() && broken.is_empty() {
            app.terminal.note(&no_snapshots(None));
        }
        all.into_iter().map(Asked::from).chain(broken.into_iter().map(Asked::from)).collect()
    } else {
        resolve::several(&args.snapshots, resolve::stored, Stored::reference)
    };
    let results = batch::one_by_one(batch::SNAPSHOTS, &all, |asked, _| {
        let one = asked.get()?;
        let _reading = lock::reading(app, one)?;
        let check = || verify::snapshot(&one.folder, &one.metadata);
        let (artifact, _) = app.terminal.during("check", &format!("checking {asked}"), check)?;
        app.terminal.result(asked, &format!("{asked} is whole"));
        let crc32 = format!("{:08x}", artifact.crc32);
        Ok(json!({"reference": one.reference(), "whole": true, "bytes": artifact.bytes, "crc32": crc32}))
    });
    let checked = all.into_iter().zip(results);
    let is_meant = |(asked, result): &(Asked<Stored>, Result<_>)| result.is_ok() || !args.all || !is_gone(asked);
    let (all, results): (Vec<_>, Vec<_>) = checked.filter(is_meant).unzip();
    batch::report(app, batch::SNAPSHOTS, args.snapshots.len() == 1, &all, &results);
    batch::verdict(batch::SNAPSHOTS, &all, results)
}

/// Whether it was removed after the library was listed: then it is no part of "all" any more.
fn is_gone(asked: &Asked<Stored>) -> bool {
    asked.get().is_ok_and(Stored::is_gone)
}

fn tag(app: &App, args: &cli::SnapshotTag) -> Result<()> {
    let one = resolve::stored(&args.snapshot)?;
    terminal::about("snapshot", one.reference());
    let _lock = lock::library(app, &one.metadata.vm)?;
    let mut metadata = one.again()?.metadata;
    free_tags(&metadata.vm, &metadata.id, &args.tags, args.force)?;
    metadata.tags.retain(|tag| !args.remove.contains(tag) && !args.tags.contains(tag));
    metadata.tags.extend(batch::once(args.tags.iter().cloned(), |tag| tag.as_str().to_owned()));
    if !args.tags.is_empty() {
        check_words(&metadata.tags, metadata.note.as_deref(), &metadata.labels)?;
    }
    write(&one, &metadata)?;
    let tags: Vec<&str> = metadata.tags.iter().map(Tag::as_str).collect();
    let text = match tags.last() {
        None => format!("{}: no tags", one.reference()),
        Some(last) => {
            let next = format!("thaw it with: bottle-freeze thaw {}@{last}", metadata.vm);
            format!("{}: {}; {next}", one.reference(), tags.join(", "))
        }
    };
    app.terminal.result(one.reference(), &text);
    app.terminal.report(&json!({"reference": one.reference(), "tags": tags}));
    Ok(())
}

/// Sees to it that no other snapshot of the VM has one of these tags: it is taken from it, if `force`.
pub fn free_tags(vm: &str, id: &str, tags: &[Tag], force: bool) -> Result<()> {
    let (all, _) = store::list(Some(vm))?;
    for other in store::tagged(&all, id, tags) {
        if !force {
            let what = format!("{} has that tag already", other.reference());
            return Err(Failure::new(Status::OutputExists, what).hint("move it with --force"));
        }
        other.untag(tags).map_err(|error| Failure::not_writable(&other.folder, &error))?;
    }
    Ok(())
}

fn write(one: &Stored, metadata: &Metadata) -> Result<()> {
    metadata.write(&one.folder).map_err(|error| Failure::not_writable(&one.folder, &error))
}

fn rm(app: &App, args: &cli::SnapshotRm) -> Result<()> {
    let all = resolve::several(&args.snapshots, resolve::entry, Entry::reference);
    let list: Vec<String> = all.iter().filter_map(|asked| asked.get().ok()).map(Entry::reference).collect();
    if !list.is_empty() {
        app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    }
    sweep_library(&end_helpers);
    let results = batch::one_by_one(batch::SNAPSHOTS, &all, |asked, _| {
        let one = asked.get()?;
        let bytes = one.bytes();
        if let Removal::Tagged(tags) = lock::remove(app, one, args.wait.wait)? {
            let what = format!("{asked} was given the tag {} meanwhile", list_tags(&tags));
            let failure = Failure::new(Status::BadState, what).state("it was not removed");
            return Err(failure.hint(format!("bottle-freeze snapshot rm {asked}")));
        }
        app.terminal.result(asked, &format!("removed {asked}"));
        Ok(json!({"reference": asked.to_string(), "bytes": bytes, "removed": true}))
    });
    batch::report(app, batch::SNAPSHOTS, args.snapshots.len() == 1, &all, &results);
    batch::verdict(batch::SNAPSHOTS, &all, results)
}

//! `snapshot export`: write a snapshot to one file, for machines without a registry.

use crate::app::App;
use crate::completion::Offer;
use crate::encryption::Recipient;
use crate::error::{Failure, Result, Status};
use crate::library::{self, ExportFile, Stored};
use crate::operations::scrub::{self, SCRUBS, Scrub, Scrubbed};
use crate::operations::{keys, leaks, lock, packed, resolve, verify};
use crate::publish::Existing;
use crate::quoted::quoted;
use crate::report::Exported;
use crate::stream;
use crate::terminal::Warnings;
use clap::ValueHint;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// What answers the question about secrets, or makes it needless.
const ALLOW: &str = "--allow-secrets answers this question, --recipient encrypts the export";

/// Write a snapshot to one file, to import it on another machine
///
/// The file is a tar of the snapshot's folder: the artifact and snapshot.json. With --recipient it is encrypted, in the format
/// of age: only the secret keys of its recipients decrypt it. Without, its files are searched for private keys, tokens,
/// credentials and histories first; what is found must be allowed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot export dev -o dev.tar\n  \
    bottle-freeze snapshot export dev@ready -o /media/usb/dev-ready.tar --force\n  \
    bottle-freeze snapshot export dev -o dev.tar.age -R team.pub\n  \
    bottle-freeze snapshot export dev -o - | ssh B bottle-freeze snapshot import -")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    #[arg(add = Offer::Snapshots)]
    pub snapshot: String,
    /// File to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Encrypt it for this public key: age1…, ssh-ed25519 … or ssh-rsa … (repeatable)
    #[arg(short, long = "recipient", value_name = "KEY", allow_hyphen_values = true)]
    pub recipients: Vec<String>,
    /// Encrypt it for the public keys in this file, one per line (repeatable)
    #[arg(short = 'R', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recipients_file: Vec<PathBuf>,
    /// Export it even if secrets are found in it, without a question
    #[arg(long)]
    pub allow_secrets: bool,
    /// Export a copy in which these files are empty (comma-separated or repeatable)
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(SCRUBS.map(|(name, _)| name)).try_map(|name| name.parse::<Scrub>()))]
    pub scrub: Vec<Scrub>,
    /// Replace the file
    #[arg(short, long)]
    pub force: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let to_stdout = stream::is_stream(&args.output);
    if to_stdout {
        may_write_to_stdout(app)?;
    }
    let one = resolve::readable(&args.snapshot)?;
    let _reading = lock::reading(app, &one)?;
    app.on_snapshot(&one.reference(), |app| {
        app.with_warnings(|warnings| {
            // Before the search, which takes long, and before the question.
            let existing = Existing::forced(args.force);
            let file = (!to_stdout).then(|| ExportFile::new(&args.output, existing)).transpose()?;
            let recipients = keys::recipients(&args.recipients, &args.recipients_file, &app.signals, warnings)?;
            if args.scrub.is_empty() {
                return export(app, args, file, &one, &recipients, None, warnings);
            }
            let copy = scrub::copy(app, &one, &args.scrub)?;
            export(app, args, file, &copy.stored, &recipients, Some(&copy), warnings)
        })
    })
}

/// Exports a snapshot, which may be `copied` by --scrub.
fn export(
    app: &App,
    args: &Args,
    file: Option<ExportFile>,
    one: &Stored,
    recipients: &[Recipient],
    copied: Option<&Scrubbed>,
    warnings: &Warnings,
) -> Result<()> {
    let (reference, to_stdout) = (one.reference(), file.is_none());
    let artifact = app
        .terminal
        .during("check", &format!("checking {reference}"), || verify::artifact(app, &one.folder, &one.metadata))?;
    let found = leaks::search(app, &reference, Some(one), &one.folder, &artifact.manifest)?;
    // What is encrypted is readable for its recipients only.
    let hint = scrub::hint(ALLOW, &found, Some(one), &args.scrub);
    found.confirm(app, args.allow_secrets || !recipients.is_empty(), &hint, warnings, "nothing was exported")?;
    app.terminal
        .during("export", &format!("exporting {reference}"), || match file {
            Some(file) => file.write(one, recipients, &app.signals),
            None => library::export_to_stdout(one, recipients, &app.signals),
        })
        .map_err(|error| {
            let failure = Failure::from(error);
            if to_stdout { failure.state("the stream holds only a part of the snapshot") } else { failure }
        })?;
    if to_stdout {
        return Ok(());
    }
    let (size, file) = (packed::size(one.bytes()), args.output.display().to_string());
    let (encrypted, identity) = encryption(recipients.len());
    let copy = scrub::describe(&one.metadata);
    let sums = Scrubbed::sums(copied);
    let next = format!("elsewhere: bottle-freeze snapshot import {}{identity}", quoted(&file));
    app.terminal
        .result(&args.output, &format!("exported {reference}{copy} as {file} ({size}){encrypted}{sums}; {next}"));
    app.terminal.report(&Exported {
        reference,
        to: file,
        bytes: one.bytes(),
        encrypted: !recipients.is_empty(),
        searched: scrub::searched(found, Some(one), copied),
        warnings: warnings.list(),
    });
    Ok(())
}

/// What is said of an export for so many recipients, and the option that imports it.
fn encryption(recipients: usize) -> (String, &'static str) {
    match recipients {
        0 => (String::new(), ""),
        1 => (", encrypted for one recipient".to_owned(), " --identity KEY_FILE"),
        number => (format!(", encrypted for {number} recipients"), " --identity KEY_FILE"),
    }
}

/// Checks that standard output can be a tar.
fn may_write_to_stdout(app: &App) -> Result<()> {
    if app.terminal.json {
        let what = "--json and -o - cannot both use standard output";
        return Err(Failure::new(Status::Usage, what).hint("leave out one of them"));
    }
    if io::stdout().is_terminal() {
        let what = "standard output is a terminal, and a snapshot is not text";
        return Err(Failure::new(Status::Usage, what).hint("redirect it, or name a file with -o FILE"));
    }
    Ok(())
}

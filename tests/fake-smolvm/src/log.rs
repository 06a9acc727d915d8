//! The call log: one JSON line per call in `calls.jsonl`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::json;

pub fn record_call(dir: &Path, argv: &[String]) -> Result<()> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut line = serde_json::to_vec(&json!({
        "argv": argv,
        "env": interesting_env(argv),
        "cwd": std::env::current_dir().unwrap_or_default().to_string_lossy(),
        "pid": std::process::id(),
        "pgid": rustix::process::getpgrp().as_raw_nonzero().get(),
        "time": time,
    }))?;
    line.push(b'\n');
    // A single write to a file opened for appending, so that lines of concurrent calls do not mix.
    OpenOptions::new().append(true).create(true).open(dir.join("calls.jsonl"))?.write_all(&line)?;
    Ok(())
}

fn interesting_env(argv: &[String]) -> BTreeMap<String, String> {
    let named = host_variables(argv);
    std::env::vars_os()
        .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(key, _)| {
            key.starts_with("SMOLVM")
                || key.starts_with("BOTTLE_FREEZE")
                || key == "TMPDIR"
                || key == "HOME"
                || named.contains(key)
        })
        .collect()
}

/// The host variables that the call passes on by name: `--secret-env GUEST=HOST` and `-e KEY`.
fn host_variables(argv: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut words = argv.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        match flag {
            "--secret-env" => {
                let value = value.or_else(|| words.next().cloned()).unwrap_or_default();
                names.extend(value.split_once('=').map(|(_, host)| host.to_owned()));
            }
            "-e" | "--env" => {
                names.push(value.or_else(|| words.next().cloned()).unwrap_or_default());
            }
            _ => {}
        }
    }
    names
}

//! Checks output for programs against the schemas: stdout of `--json`, and the lines on stderr of `--error-format json`
//! and `--progress=json`.

use jsonschema::{Registry, Validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The folder of the schemas.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The command in these words, as its man page is named: `snapshot-ls`.
pub fn command(words: &[&str]) -> String {
    let mut words = words.iter().skip_while(|word| !is_command(word)).filter(|word| !word.starts_with('-'));
    match (words.next(), words.next()) {
        (Some(group @ (&"snapshot" | &"engine")), Some(&"list")) => format!("{group}-ls"),
        (Some(group @ (&"snapshot" | &"engine")), Some(command)) => format!("{group}-{command}"),
        (Some(&"list"), _) => "ls".to_owned(),
        (Some(name), _) => (*name).to_owned(),
        (None, _) => String::new(),
    }
}

/// The name of the schema for the output of that command: its title has the command.
pub fn of_command(words: &[&str]) -> String {
    let name = command(words);
    let is_its = |schema: &Value| commands_of(schema).contains(&name);
    all().iter().find(|(_, schema)| is_its(schema)).map_or(name.clone(), |(schema, _)| schema.clone())
}

/// The commands in the title of a schema, as their man pages are named: `snapshot-import` and `snapshot-pull`, of
/// `bottle-freeze snapshot import, pull --json`.
fn commands_of(schema: &Value) -> Vec<String> {
    let title = schema["title"].as_str().unwrap_or_default();
    let Some(commands) = title.strip_prefix("bottle-freeze ").and_then(|rest| rest.strip_suffix(" --json")) else {
        return Vec::new();
    };
    let group = commands.split_once(' ').filter(|(group, _)| ["snapshot", "engine"].contains(group));
    let (prefix, names) = group.map_or((String::new(), commands), |(group, names)| (format!("{group}-"), names));
    names.split(", ").map(|name| format!("{prefix}{name}")).collect()
}

/// Every command, as its man page is named: `snapshot-ls`.
pub fn commands() -> Vec<String> {
    let pages = super::names_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    let name = |page: &String| Some(page.strip_prefix("bottle-freeze-")?.strip_suffix(".1")?.to_owned());
    let all: Vec<String> = pages.iter().filter_map(name).collect();
    let is_group = |name: &&String| all.iter().any(|other| other.starts_with(&format!("{name}-")));
    all.iter().filter(|name| !is_group(name)).cloned().collect()
}

fn is_command(word: &str) -> bool {
    word == "list" || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("man/bottle-freeze-{word}.1")).exists()
}

/// The words of a command, starting with its program.
pub fn words(command: &Command) -> Vec<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Checks everything that a run of `bottle-freeze` with these words printed for programs.
pub fn check(words: &[String], output: &Output) {
    let ours = words.iter().position(|word| word == env!("CARGO_BIN_EXE_bottle-freeze"));
    let Some(at) = ours else { return };
    let words: Vec<&str> = words[at + 1..].iter().map(String::as_str).take_while(|word| *word != "--").collect();
    if words.contains(&"--json") {
        check_stdout(&words, output);
    }
    let apart = |option: &str| words.windows(2).any(|two| two == [option, "json"]);
    let errors = words.contains(&"--error-format=json") || apart("--error-format");
    let events = words.contains(&"--progress=json") || apart("--progress");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = stderr.lines().filter(|line| (errors && events && !words.contains(&"exec")) || line.starts_with('{'));
    check_warnings(&words, output);
    let mut last_status = None;
    for line in lines.filter(|_| errors || events) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{words:?}: {line}: {error}"));
        last_status = value["error"]["exit_status"].as_i64().or(last_status);
        assert_valid(if value.get("error").is_some() { "error" } else { "progress" }, &value, &words);
    }
    // The status of exec is the guest's; the status of doctor is its result.
    let is_result = ["exec", "doctor"].iter().any(|command| words.contains(command));
    let status = output.status.code().filter(|_| errors && !is_result);
    if let Some(status @ 1..) = status {
        assert_eq!(last_status, Some(status.into()), "{words:?}: the last error has another status: {stderr}");
    }
}

/// Every printed warning is in the result it is about, and no other warning is. The result of a failure is its error,
/// which contains warnings only if errors are JSON.
fn check_warnings(words: &[&str], output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let Ok(result) = serde_json::from_str::<Value>(&stdout) else { return };
    if !words.contains(&"--json") || words.contains(&"exec") {
        return;
    }
    let entries = result.as_array().map_or(std::slice::from_ref(&result), Vec::as_slice);
    let mut kept: Vec<(Option<&str>, &str)> = Vec::new();
    // A snapshot.json has the warnings from its creation.
    for entry in entries.iter().filter(|entry| entry.get("tool_version").is_none()) {
        let texts = entry["warnings"].as_array().into_iter().flatten();
        kept.extend(texts.map(|text| (entry["vm"].as_str(), text.as_str().unwrap())));
    }
    let mut printed = 0;
    for line in stderr.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        if event["event"] == "warning" {
            let (vm, text) = (event["vm"].as_str(), event["message"].as_str().unwrap());
            let is_kept =
                |(of, kept): &(Option<&str>, &str)| *kept == text && (vm.is_none() || of.is_none() || *of == vm);
            assert!(kept.iter().any(is_kept), "{words:?}: this warning is not in its result: {line}\n{result:#}");
        } else if let Some(text) = line.strip_prefix("warning: ") {
            let is_kept = kept.iter().any(|(_, kept)| text.ends_with(kept.lines().next().unwrap()));
            assert!(is_kept, "{words:?}: this warning is not in the result: {line}\n{result:#}");
        } else {
            continue;
        }
        printed += 1;
    }
    assert_eq!(
        printed,
        kept.len(),
        "{words:?}: so many warnings were printed, and are in the result: {stderr}\n{result:#}"
    );
}

fn check_stdout(words: &[&str], output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    if stdout.is_empty() {
        assert!(!output.status.success(), "{words:?} printed no JSON");
        return;
    }
    let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{words:?}: {stdout}: {error}"));
    let name = of_command(words);
    let name = if name == "freeze" && words.contains(&"--dry-run") { "freeze-dry-run".into() } else { name };
    assert_valid(&name, &value, words);
}

/// The value matches that schema.
pub fn assert_valid(name: &str, value: &Value, of: &[&str]) {
    let problems: Vec<String> =
        validator(name).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{of:?} prints what schemas/{name}.json does not allow: {problems:#?}\n{value:#}");
}

/// Every schema, by its name.
pub fn all() -> &'static BTreeMap<String, Value> {
    static ALL: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let read = |name: String| {
            let text = fs::read(folder().join(&name)).unwrap();
            (name.trim_end_matches(".json").to_owned(), serde_json::from_slice(&text).unwrap())
        };
        super::names_in(&folder()).into_iter().map(read).collect()
    });
    &ALL
}

fn validator(name: &str) -> Arc<Validator> {
    static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
        let schemas = all().values().map(|schema| (schema["$id"].as_str().expect("an $id").to_owned(), schema.clone()));
        Registry::new().extend(schemas).unwrap().prepare().unwrap()
    });
    static BUILT: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || {
        let text = fs::read(folder().join(format!("{name}.json"))).unwrap_or_else(|_| panic!("no schemas/{name}.json"));
        let schema: Value = serde_json::from_slice(&text).unwrap();
        let options = jsonschema::options().should_validate_formats(true).with_registry(&REGISTRY);
        Arc::new(options.build(&schema).unwrap())
    };
    built.entry(name.to_owned()).or_insert_with(compile).clone()
}

//! The house: what each file of `src` may use, and how long it may be. CONTRIBUTING has the layout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src` from top to bottom: a room uses only itself and those that come later.
const FLOORS: [&str; 32] = [
    "main",
    "lib",
    "cli",
    "deferred",
    "commands",
    "operations",
    "completion",
    "app",
    "report",
    "error",
    "install",
    "schedule",
    "contents",
    "library",
    "terminal",
    "smolvm",
    "overlay",
    "ext4",
    "home",
    "publish",
    "files",
    "leaks",
    "tarball",
    "encryption",
    "stream",
    "signals",
    "threads",
    "clock",
    "chunk",
    "quoted",
    "status",
    "nearest",
];
/// The engine never prints, and the terminal knows neither the engine nor the library.
const STRANGERS: [(&str, &str); 3] = [("library", "terminal"), ("terminal", "smolvm"), ("terminal", "library")];

/// The files of `src` by their module paths: `["library", "catalog"]`; `[]` is lib.rs.
struct House(BTreeMap<Vec<String>, File>);

struct File {
    path: PathBuf,
    /// Without comments, imports and tests.
    code: String,
    imports: Vec<Import>,
}

struct Import {
    path: Vec<String>,
    name: String,
    is_public: bool,
}

impl House {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        Self(files(&src).into_iter().map(|path| (module(path.strip_prefix(&src).unwrap()), File::read(path))).collect())
    }

    /// The module in which the item of this path is defined, if it is one of ours: imports are followed.
    fn resolve(&self, from: &[String], path: &[String], depth: u8) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            name if self.0.contains_key(&[from, &[name.to_owned()]].concat()) => [from, &[name.to_owned()]].concat(),
            _ => return None,
        };
        while let Some((name, after)) = rest.split_first() {
            let inner = [&at[..], std::slice::from_ref(name)].concat();
            if name == "super" {
                at.pop();
            } else if self.0.contains_key(&inner) {
                at = inner;
            } else {
                let import = self.0.get(&at)?.imports.iter().find(|import| import.name == *name);
                let followed = import
                    .filter(|_| depth > 0)
                    .and_then(|import| self.resolve(&at, &[&import.path[..], after].concat(), depth - 1));
                return Some(followed.unwrap_or(at));
            }
            rest = after;
        }
        Some(at)
    }

    /// The modules that the items of a module use, without itself.
    fn uses(&self, from: &[String]) -> BTreeSet<Vec<String>> {
        let file = &self.0[from];
        // An item that is only passed on is none that is used.
        let imports = file.imports.iter().filter(|import| !import.is_public).map(|import| import.path.clone());
        let paths = imports.chain(paths(&file.code));
        let mut all: BTreeSet<_> = paths.filter_map(|path| self.resolve(from, &path, 8)).collect();
        all.remove(from);
        all
    }

    fn name(&self, module: &[String]) -> String {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        self.0[module].path.strip_prefix(src).unwrap().display().to_string()
    }
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let (mut code, mut imports, mut import) = (String::new(), Vec::new(), None::<String>);
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let is_import =
                ["use ", "pub use ", "pub(crate) use "].iter().any(|begin| line.trim_start().starts_with(begin));
            if is_import || import.is_some() {
                let whole = import.take().unwrap_or_default() + line.trim();
                match whole.strip_suffix(';') {
                    Some(whole) => {
                        let (before, tree) = whole.split_once("use ").unwrap();
                        expand(tree, &[], before.starts_with("pub"), &mut imports);
                    }
                    None => import = Some(whole + " "),
                }
            } else {
                code += line;
                code.push('\n');
            }
        }
        Self { path, code, imports }
    }
}

/// All `.rs` files in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// `library/catalog.rs` is `["library", "catalog"]`, `library/mod.rs` is `["library"]`.
fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// The paths of an import: `a::{b, c::d}` imports `a::b` and `a::c::d`.
fn expand(tree: &str, before: &[String], is_public: bool, all: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let path = [before, &segments(path)].concat();
        let group = group.trim().strip_suffix('}').unwrap();
        let mut depth = 0;
        for part in group.split(|c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        }) {
            expand(part, &path, is_public, all);
        }
    } else if !tree.is_empty() {
        let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
        let mut path = [before, &segments(path)].concat();
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = name.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
        all.push(Import { path, name, is_public });
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::")
        .map(|part| part.trim().trim_start_matches("r#").to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The paths of two segments or more that stand in code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let words = code.split(|c: char| !c.is_alphanumeric() && !"_:#".contains(c));
    words.map(|word| segments(word.trim_matches(':'))).filter(|path| path.len() > 1).collect()
}

fn floor(module: &[String]) -> usize {
    let room = module.first().map_or("lib", String::as_str);
    FLOORS
        .iter()
        .position(|floor| *floor == room)
        .unwrap_or_else(|| panic!("src/{room} has no floor in tests/it/house.rs"))
}

fn assert_none(what: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{what}: {offenders:#?}");
}

/// Whether a file may use another: it lies in the same room, or on a floor below.
fn may_use(from: &[String], to: &[String]) -> bool {
    let are_strangers = from.first().zip(to.first()).is_some_and(|(from, to)| STRANGERS.contains(&(from, to)));
    floor(from) <= floor(to) && !are_strangers
}

#[test]
fn no_file_uses_a_floor_above_its_own() {
    let house = House::read();
    let uses = house.0.keys().flat_map(|from| house.uses(from).into_iter().map(move |to| (from, to)));
    let climbs = uses.filter(|(from, to)| !may_use(from, to));
    let list: Vec<_> = climbs.map(|(from, to)| format!("{} uses {}", house.name(from), house.name(&to))).collect();
    assert_none("these files use what is above them", &list);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let house = House::read();
    // A climb is the failure of another test.
    let uses = |from: &Vec<String>| house.uses(from).into_iter().filter(|to| may_use(from, to)).collect();
    let uses: BTreeMap<_, BTreeSet<_>> = house.0.keys().map(|from| (from.clone(), uses(from))).collect();
    let mut reached = uses.clone();
    loop {
        let further =
            |all: &BTreeSet<Vec<String>>| all.iter().flat_map(|to| &reached[to]).chain(all).cloned().collect();
        let next: BTreeMap<_, BTreeSet<_>> = reached.iter().map(|(from, all)| (from.clone(), further(all))).collect();
        if next == reached {
            break;
        }
        reached = next;
    }
    let edges = uses.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    let in_circles = edges.filter(|(from, to)| reached[*to].contains(*from));
    let list: Vec<_> = in_circles.map(|(from, to)| format!("{} uses {}", house.name(from), house.name(to))).collect();
    assert_none("these files use each other in circles", &list);
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let house = House::read();
    let count = |file: &File| fs::read_to_string(&file.path).unwrap().lines().count();
    let limit = |module: &[String]| if module == ["smolvm"] { 149 } else { 400 };
    let too_long = house.0.iter().filter(|(module, file)| count(file) > limit(module));
    let list: Vec<_> =
        too_long.map(|(module, file)| format!("{} is too long: {} lines", house.name(module), count(file))).collect();
    assert_none("these files are too long", &list);
}

#[test]
fn no_function_is_longer_than_50_lines() {
    let house = House::read();
    let mut too_long = Vec::new();
    for (module, file) in &house.0 {
        let text = fs::read_to_string(&file.path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.contains('"')).collect();
            let is_function = words.iter().position(|word| *word == "fn").is_some_and(|at| {
                words[..at].iter().all(|word| word.starts_with("pub") || ["const", "unsafe", "async"].contains(word))
            });
            if !is_function || line.ends_with(['}', ';']) {
                continue;
            }
            let end = lines[start..].iter().position(|end| end.trim_end() == format!("{}}}", " ".repeat(indent)));
            let length = end.map_or(0, |end| end + 1);
            if length > 50 {
                let name = words.iter().skip_while(|word| **word != "fn").nth(1).unwrap_or(&"");
                let name = name.split(['(', '<']).next().unwrap();
                too_long.push(format!("{}: fn {name} is too long: {length} lines", house.name(module)));
            }
        }
    }
    assert_none("these functions are too long", &too_long);
}

//! Whether the user's shell completes this program's command line.

use std::fs;
use std::path::{Path, PathBuf};

/// How completion stands in the user's shell.
pub enum Completed {
    /// There, because of this file.
    By(PathBuf),
    /// Not there; this installs it.
    Missing { shell: String, mend: String },
    /// `$SHELL` is none that is known here.
    Unknown,
}

/// Looks where the shells look (their manuals, and `make install`), and into their start files.
pub fn look() -> Completed {
    let shell = std::env::var_os("SHELL").unwrap_or_default();
    let shell = Path::new(&shell).file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let home = dirs::home_dir().unwrap_or_default();
    let data = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
    let config = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let zsh = variable("ZDOTDIR").unwrap_or_else(|| home.clone());
    let (own, inside, start) = match shell.as_str() {
        "bash" => {
            let names = ["bash-completion/completions/bottle-freeze", "bash-completion/completions/bottle-freeze.bash"];
            let own = variable("BASH_COMPLETION_USER_DIR").unwrap_or_else(|| data.join("bash-completion"));
            (own.join("completions/bottle-freeze"), names, vec![home.join(".bashrc"), home.join(".bash_profile")])
        }
        "zsh" => {
            let names = ["zsh/site-functions/_bottle-freeze", "zsh/vendor-completions/_bottle-freeze"];
            (zsh.join(".zfunc/_bottle-freeze"), names, vec![zsh.join(".zshrc")])
        }
        "fish" => {
            let names = ["fish/vendor_completions.d/bottle-freeze.fish", "fish/completions/bottle-freeze.fish"];
            (config.join("fish/completions/bottle-freeze.fish"), names, vec![config.join("fish/config.fish")])
        }
        _ => return Completed::Unknown,
    };
    let shared = shared_folders(&data).into_iter().flat_map(|folder| inside.iter().map(move |name| folder.join(name)));
    let etc = [PathBuf::from("/etc/bash_completion.d/bottle-freeze")].into_iter().filter(|_| shell == "bash");
    let mut files = std::iter::once(own.clone()).chain(shared).chain(etc);
    if let Some(file) = files.find(|file| file.is_file()) {
        return Completed::By(file);
    }
    if let Some(file) = start.into_iter().find(|file| mentions(file)) {
        return Completed::By(file);
    }
    let folder = own.parent().unwrap_or(Path::new(".")).to_owned();
    let quoted =
        |path: &Path| shlex::try_quote(&path.to_string_lossy()).map(std::borrow::Cow::into_owned).unwrap_or_default();
    let load = if shell == "zsh" { "; in .zshrc, before compinit: fpath=(~/.zfunc $fpath)" } else { "" };
    let mend = format!("mkdir -p {} && bottle-freeze completions {shell} > {}{load}", quoted(&folder), quoted(&own));
    Completed::Missing { shell, mend }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn shared_folders(own: &Path) -> Vec<PathBuf> {
    let named = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let mut all = vec![own.to_owned()];
    all.extend(std::env::split_paths(&named));
    all.extend(["/usr/local/share", "/usr/share", "/opt/homebrew/share"].map(PathBuf::from));
    all
}

/// Whether a start file sources our completions, in one of the ways that `clap_complete` knows.
fn mentions(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_it = |line: &str| {
        line.contains("bottle-freeze completions") || line.contains("COMPLETE=") && line.contains("bottle-freeze")
    };
    text.lines().any(|line| !line.trim_start().starts_with('#') && is_it(line))
}

//! Whether the user's shell completes this program's command line.

use super::shells::quoted;
use std::fs;
use std::path::{Path, PathBuf};

/// How completion stands in the user's shell.
pub enum Completed {
    /// There, because of this file.
    By(PathBuf),
    /// Not there; this command installs it.
    Missing { shell: String, mend: String },
    /// `$SHELL` is none that is known here.
    Unknown,
}

/// Looks where the shells look (their manuals, and `make install`), and into their start files.
pub fn look() -> Completed {
    let shell = variable("SHELL").unwrap_or_default();
    let shell = shell.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let home = dirs::home_dir().unwrap_or_default();
    let config = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let zsh = variable("ZDOTDIR").unwrap_or_else(|| home.clone());
    let (names, start, line) = match shell {
        "bash" => (
            &["bash-completion/completions/bottle-freeze", "bash-completion/completions/bottle-freeze.bash"][..],
            home.join(".bashrc"),
            "source <(bottle-freeze completions bash)",
        ),
        "zsh" => (
            &["zsh/site-functions/_bottle-freeze", "zsh/vendor-completions/_bottle-freeze"][..],
            zsh.join(".zshrc"),
            "source <(bottle-freeze completions zsh)",
        ),
        "fish" => (
            &["fish/vendor_completions.d/bottle-freeze.fish", "fish/completions/bottle-freeze.fish"][..],
            config.join("fish/config.fish"),
            "bottle-freeze completions fish | source",
        ),
        _ => return Completed::Unknown,
    };
    let data = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    // Of its own accord zsh looks into no folder of the user's.
    let own = [config, data].into_iter().filter(|_| shell != "zsh");
    let folders: Vec<_> = own.chain(std::env::split_paths(&shared)).collect();
    let mut files = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    if let Some(file) = files.find(|file| file.is_file()) {
        return Completed::By(file);
    }
    if sources_it(&start) {
        return Completed::By(start);
    }
    let mend = format!("echo '{line}' >> {}", quoted(&start.to_string_lossy()));
    Completed::Missing { shell: shell.to_owned(), mend }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether a start file sources what `completions` prints.
fn sources_it(start: &Path) -> bool {
    let text = fs::read(start).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains("bottle-freeze completions"))
}

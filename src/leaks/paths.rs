//! Files that are known by their name: where programs keep credentials, histories and keys.

use super::credentials::{CREDENTIALS, Known};
use super::holds::Holds::{Any, Keys, Lines};
use super::holds::{
    Holds, has_hash, has_svn, is_filled, is_secret_line, is_secret_line_of_shell, is_secret_setting, is_typed,
};
use super::kind::Kind;
use super::kubernetes;
use super::scripts::is_secret_job;
use memchr::memmem;

/// Names of files with what was typed; some programs give theirs only in a folder.
const HISTORIES: [&str; 43] = [
    "/.Rhistory",
    "/.aider.chat.history.md",
    "/.aider.input.history",
    "/.ash_history",
    "/.bash_history",
    "/.claude/history.jsonl",
    "/.clickhouse-client-history",
    "/.codex/history.jsonl",
    "/.duckdb_history",
    "/.gdb_history",
    "/.histfile",
    "/.history",
    "/.ipython/profile_default/history.sqlite",
    "/.irb_history",
    "/.ksh_history",
    "/.local/share/atuin/history.db",
    "/.local/share/bash/history",
    "/.mongosh/mongosh_repl_history",
    "/.mysql_history",
    "/.mariadb_history",
    "/.node_repl_history",
    "/.octave_hist",
    "/.php_history",
    "/.psql_history",
    "/.pry_history",
    "/.python_history",
    "/.rediscli_history",
    "/.sh_history",
    "/.sqlite_history",
    "/.viminfo",
    "/.zhistory",
    "/.zsh_history",
    "/PSReadLine/ConsoleHost_history.txt",
    "/elvish/db.bolt",
    "/fish_history",
    "/.local/share/mc/history",
    "/.local/share/zsh/history",
    "/.local/state/bash/history",
    "/.local/state/zsh/history",
    "/nushell/history.sqlite3",
    "/nushell/history.txt",
    "/nvim/shada/main.shada",
    "/xonsh/xonsh-history.sqlite",
];
/// Folders in which agents keep what was typed and answered.
const CONVERSATIONS: [(&str, &str); 4] = [
    ("/.claude/projects/", ".jsonl"),
    ("/.codex/sessions/", ".jsonl"),
    ("/.gemini/tmp/", ".json"),
    ("/.local/share/opencode/storage/", ".json"),
];
/// Names of files in which shells find variables.
const SHELLS: [&str; 8] =
    [".bash_login", ".bash_profile", ".bashrc", ".envrc", ".profile", ".zprofile", ".zshenv", ".zshrc"];
/// Endings of stores of keys, if no package brings them.
const STORES: [&str; 5] = [".jks", ".kdbx", ".keystore", ".p12", ".pfx"];
/// What such a store is.
const STORE: (Kind, &str) = (Kind::Credentials, "a store of keys");

/// What a file is that has this path: its kind, what it is, and what it must hold to be a finding.
pub fn known(path: &[u8]) -> Option<(Kind, &'static str, Holds)> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let ends = |end: &str| path.ends_with(end.as_bytes());
    let is_below = |folder: &str| memmem::find(path, folder.as_bytes()).is_some();
    // xonsh has a file for each session.
    let is_session = is_below("/xonsh/history_json/") && ends(".json");
    if is_session || HISTORIES.iter().any(|end| ends(end)) {
        return Some((Kind::History, "a history of commands", Any));
    }
    if CONVERSATIONS.iter().any(|(folder, end)| is_below(folder) && ends(end)) {
        return Some((Kind::History, "a conversation with an agent", Any));
    }
    if name == b".lesshst" {
        return Some((Kind::History, "a history of what was searched for", Lines(is_typed)));
    }
    let is_authorized = ["/.ssh/authorized_keys", "/.ssh/authorized_keys2"].iter().any(|end| ends(end));
    if is_authorized || path == b"/etc/dropbear/authorized_keys" || path.starts_with(b"/etc/ssh/authorized_keys") {
        return Some((Kind::AuthorizedKeys, "public keys whose owners may log in", Lines(is_filled)));
    }
    let is_shadow = ["/etc/shadow", "/etc/gshadow"].iter().any(|file| is_it_or_backup(path, file));
    if is_shadow || name == b".htpasswd" {
        return Some((Kind::PasswordHashes, "hashes of passwords", Lines(has_hash)));
    }
    let is_shell = SHELLS.iter().any(|known| known.as_bytes() == name) || path.starts_with(b"/etc/profile.d/");
    if path.starts_with(b"/etc/systemd/system/") {
        return Some((Kind::Credentials, "variables with secret values", Lines(is_secret_setting)));
    }
    if path.starts_with(b"/var/spool/cron/") || path.starts_with(b"/etc/cron.d/") || path == b"/etc/crontab" {
        return Some((Kind::Credentials, "a password in a command", Lines(is_secret_job)));
    }
    if is_shell {
        return Some((Kind::Credentials, "variables with secret values", Lines(is_secret_line_of_shell)));
    }
    if is_env(name) || path == b"/etc/environment" {
        return Some((Kind::Credentials, "variables with secret values", Lines(is_secret_line)));
    }
    key(path, name).or_else(|| {
        let known = CREDENTIALS.iter().find(|Known(end, ..)| ends(end))?;
        Some((Kind::Credentials, known.2, known.1))
    })
}

/// What a file with a key is.
fn key(path: &[u8], name: &[u8]) -> Option<(Kind, &'static str, Holds)> {
    let is_below = |folder: &str| memmem::find(path, folder.as_bytes()).is_some();
    if name.starts_with(b"dropbear_") && name.ends_with(b"_host_key") {
        return Some((Kind::SshHostKey, "a host key of SSH", Any));
    }
    if path.ends_with(b"/.ssh/id_dropbear") || name.ends_with(b".key") && is_below("/private-keys-v1.d/") {
        return Some((Kind::PrivateKey, "a private key", Any));
    }
    if path.starts_with(b"/etc/wireguard/") && memmem::find(name, b"private").is_some() {
        return Some((Kind::PrivateKey, "a private key of WireGuard", Any));
    }
    if path.starts_with(b"/etc/wireguard/") {
        return Some((Kind::PrivateKey, "a private key of WireGuard", Keys(&["PrivateKey", "PresharedKey"])));
    }
    if path.starts_with(b"/etc/NetworkManager/system-connections/") {
        return Some((Kind::Credentials, "a password of a network", Keys(&["psk", "password", "secret"])));
    }
    if path.starts_with(b"/etc/apt/auth.conf.d/") {
        return Some((Kind::Credentials, "a password of apt", Keys(&["password"])));
    }
    if path.starts_with(b"/etc/kubernetes/") && name.ends_with(b".conf") {
        return Some((Kind::Credentials, kubernetes::WHAT, kubernetes::CREDENTIALS));
    }
    if is_below("/.subversion/auth/") {
        return Some((Kind::Credentials, "a password of Subversion", Lines(has_svn)));
    }
    let is_json = name.ends_with(b".json");
    if is_json && (is_below("/.aws/sso/cache/") || is_below("/.aws/cli/cache/")) {
        return Some((Kind::Credentials, "credentials of AWS", Keys(&["accessToken", "SecretAccessKey"])));
    }
    if is_json && is_below("/.config/gcloud/legacy_credentials/") {
        return Some((Kind::Credentials, "credentials of Google Cloud", Keys(&["refresh_token", "private_key"])));
    }
    let is_keyring = is_below("/keyrings/") && (name.ends_with(b".keyring") || name == b"user.keystore");
    // Elsewhere, as in /etc/pki/nssdb, it is almost always empty.
    let is_browser = name == b"key4.db" && (is_below("/.mozilla/") || is_below("/.thunderbird/"));
    if is_keyring || is_browser {
        return Some((STORE.0, STORE.1, Any));
    }
    None
}

/// What a file is that is a store of keys by its ending.
pub fn store(path: &[u8]) -> Option<(Kind, &'static str)> {
    // What only says whom to trust has no private key.
    let is_trust = memmem::find(path, b"trust").is_some();
    // Elasticsearch makes this one at its first start.
    let is_made = path == b"/usr/share/elasticsearch/config/elasticsearch.keystore";
    (!is_trust && !is_made && STORES.iter().any(|end| path.ends_with(end.as_bytes()))).then_some(STORE)
}

/// Whether it is this file, or the copy that a program makes before it changes it: `/etc/shadow-`.
fn is_it_or_backup(path: &[u8], file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    let backup = path.strip_prefix(b"/var/backups/").and_then(|name| name.strip_suffix(b".bak"));
    path.strip_suffix(b"-").unwrap_or(path) == file.as_bytes() || backup == Some(name.as_bytes())
}

/// `.env`, `.env.local`, `production.env` … but not the example of one.
fn is_env(name: &[u8]) -> bool {
    const EXAMPLES: [&[u8]; 5] = [b"example", b"sample", b"template", b"dist", b"defaults"];
    let is_example = EXAMPLES.iter().any(|word| memmem::find(name, word).is_some());
    let is_named = name == b".env" || name.starts_with(b".env.") || name.ends_with(b".env");
    is_named && !is_example
}

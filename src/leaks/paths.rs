//! Files that are known by their name: where programs keep credentials, histories and keys.

use super::kind::Kind;
use super::variables::is_secret_variable;
use memchr::memmem;

/// A file: how its path ends, and what one of its bytes must be if it is to hold a secret (nothing: it must not be empty).
struct Known(&'static str, &'static [&'static str], &'static str);

const CREDENTIALS: [Known; 46] = [
    Known("/.aws/credentials", &["aws_secret_access_key", "aws_session_token"], "credentials of AWS"),
    Known("/.azure/accessTokens.json", &["oken"], "credentials of Azure"),
    Known("/.azure/msal_token_cache.json", &["secret"], "credentials of Azure"),
    Known("/.azure/msal_token_cache.bin", &[], "credentials of Azure"),
    Known("/.azure/service_principal_entries.json", &["client_secret", "certificate"], "credentials of Azure"),
    Known("/.boto", &["secret_access_key", "gs_oauth2_refresh_token"], "credentials of boto"),
    Known("/.cargo/credentials", &["token"], "a token of Cargo"),
    Known("/.cargo/credentials.toml", &["token"], "a token of Cargo"),
    Known("/.claude/.credentials.json", &["accessToken"], "credentials of Claude Code"),
    Known("/.codex/auth.json", &["access_token", "OPENAI_API_KEY\": \""], "credentials of Codex"),
    Known("/.composer/auth.json", &["password", "token", "oauth"], "credentials of Composer"),
    Known("/.config/composer/auth.json", &["password", "token", "oauth"], "credentials of Composer"),
    Known("/.config/containers/auth.json", &["\"auth\": \"", "\"auth\":\""], "a login at a registry"),
    Known("/.config/gcloud/access_tokens.db", &[], "credentials of Google Cloud"),
    Known(
        "/.config/gcloud/application_default_credentials.json",
        &["refresh_token", "private_key"],
        "credentials of Google Cloud",
    ),
    Known("/.config/gcloud/credentials.db", &[], "credentials of Google Cloud"),
    Known("/.config/gh/hosts.yml", &["oauth_token"], "a token of GitHub"),
    Known("/.config/git/credentials", &["://"], "a password for git"),
    Known("/.config/glab-cli/config.yml", &["token: "], "a token of GitLab"),
    Known("/.config/hub", &["oauth_token"], "a token of GitHub"),
    Known("/.config/openstack/clouds.yaml", &["password:", "secret:"], "credentials of OpenStack"),
    Known(
        "/.config/rclone/rclone.conf",
        &["pass =", "token =", "secret_access_key =", "key ="],
        "credentials of rclone",
    ),
    Known("/.docker/config.json", &["\"auth\": \"", "\"auth\":\"", "identitytoken"], "a login at a registry"),
    Known("/.dockercfg", &["\"auth\""], "a login at a registry"),
    Known("/.gem/credentials", &["api_key"], "a key of RubyGems"),
    Known("/.git-credentials", &["://"], "a password for git"),
    Known("/.gradle/gradle.properties", &["assword=", "oken="], "credentials of Gradle"),
    Known("/.kube/config", &["client-key-data:", "token:", "password:"], "credentials of Kubernetes"),
    Known("/.m2/settings.xml", &["<password>"], "a password of Maven"),
    Known("/.my.cnf", &["password"], "a password of MySQL"),
    Known("/.netrc", &["password"], "passwords"),
    Known("/.npmrc", &["_authToken=", "_auth=", "_password="], "a token of npm"),
    Known("/.pgpass", &[":"], "a password of PostgreSQL"),
    Known("/.pypirc", &["password"], "a password of PyPI"),
    Known("/.s3cfg", &["secret_key"], "credentials of S3"),
    Known("/.terraform.d/credentials.tfrc.json", &["token"], "a token of Terraform"),
    Known("/.terraformrc", &["token"], "a token of Terraform"),
    Known("/.vault-token", &[], "a token of Vault"),
    Known("/.yarnrc.yml", &["npmAuthToken:", "npmAuthIdent:"], "a token of npm"),
    Known("/etc/docker/key.json", &["\"d\""], "a private key of Docker"),
    Known("/etc/krb5.keytab", &[], "keys of Kerberos"),
    Known("/etc/rancher/k3s/k3s.yaml", &["client-key-data:"], "credentials of Kubernetes"),
    Known("/etc/kubernetes/admin.conf", &["client-key-data:"], "credentials of Kubernetes"),
    Known("/secring.gpg", &[], "a private key of GnuPG"),
    Known("/var/lib/tailscale/tailscaled.state", &["key"], "a key of Tailscale"),
    Known("/.wgetrc", &["password"], "a password of wget"),
];

/// Names of files with what was typed.
const HISTORIES: [&str; 16] = [
    ".ash_history",
    ".bash_history",
    ".histfile",
    ".history",
    ".irb_history",
    ".mysql_history",
    ".node_repl_history",
    ".php_history",
    ".psql_history",
    ".python_history",
    ".rediscli_history",
    ".sh_history",
    ".sqlite_history",
    ".zhistory",
    ".zsh_history",
    "fish_history",
];

/// What a file with this path and text is known to hold.
pub fn find(path: &[u8], text: &[u8]) -> Option<(Kind, &'static str)> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if HISTORIES.iter().any(|known| known.as_bytes() == name) {
        return Some((Kind::History, "a history of commands"));
    }
    if path.ends_with(b"/.ssh/authorized_keys") || path.ends_with(b"/.ssh/authorized_keys2") {
        return has_key(text).then_some((Kind::AuthorizedKeys, "public keys whose owners may log in"));
    }
    let is_pgp = path.ends_with(b".key") && memmem::find(path, b"/private-keys-v1.d/").is_some();
    if is_pgp {
        return Some((Kind::PrivateKey, "a private key of GnuPG"));
    }
    if name.ends_with(b".p12") || name.ends_with(b".pfx") || name.ends_with(b".keyring") && is_in(path, b"/keyrings/") {
        return Some((Kind::Credentials, "a store of keys"));
    }
    if path == b"/etc/shadow" {
        return has_password(text).then_some((Kind::PasswordHashes, "hashes of passwords"));
    }
    if path.starts_with(b"/etc/wireguard/") && is_in(text, b"PrivateKey") {
        return Some((Kind::PrivateKey, "a private key of WireGuard"));
    }
    if is_env(name) {
        return lines(text).any(is_secret_line).then_some((Kind::Credentials, "variables with secret values"));
    }
    let known = CREDENTIALS.iter().find(|Known(end, ..)| path.ends_with(end.as_bytes()))?;
    let Known(_, parts, what) = known;
    let has_part = |part: &&str| lines(text).any(|line| !is_comment(line) && has_value(line, part));
    (parts.is_empty() || parts.iter().any(has_part)).then_some((Kind::Credentials, *what))
}

fn is_in(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b";")
}

/// Whether the line has this part, and what follows is not a variable that another file sets.
fn has_value(line: &[u8], part: &str) -> bool {
    let after = memmem::find(line, part.as_bytes()).and_then(|at| line.get(at.saturating_add(part.len())..));
    after.is_some_and(|after| !after.trim_ascii_start().starts_with(b"${"))
}

fn has_key(text: &[u8]) -> bool {
    lines(text).any(|line| !line.is_empty() && !is_comment(line))
}

/// Whether a user has a password: neither none, nor one that never fits.
fn has_password(text: &[u8]) -> bool {
    lines(text).any(|line| line.split(|byte| *byte == b':').nth(1).is_some_and(|hash| hash.starts_with(b"$")))
}

/// `.env`, `.env.local` … but not the example of one.
fn is_env(name: &[u8]) -> bool {
    const EXAMPLES: [&[u8]; 5] = [b"example", b"sample", b"template", b"dist", b"defaults"];
    let Some(rest) = name.strip_prefix(b".env") else { return false };
    rest.is_empty() || rest.starts_with(b".") && !EXAMPLES.iter().any(|word| is_in(rest, word))
}

fn is_secret_line(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let line = line.strip_prefix("export ").unwrap_or(&line);
    !line.starts_with('#') && line.split_once('=').is_some_and(|(name, value)| is_secret_variable(name, value))
}

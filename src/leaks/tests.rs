use super::*;

/// Bytes of these letters that look random.
fn random(letters: &[u8], length: usize) -> String {
    let mut state = 12_345_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
    };
    (0..length).map(|_| next()).collect()
}

const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";

fn pem(kind: &str) -> String {
    // In two parts, so that no search for secrets finds this file.
    format!("-----BEGIN {kind}PRIVATE {k}-----\n{}\n-----END {kind}PRIVATE {k}-----\n", random(WORD, 600), k = "KEY")
}

fn kind(path: &str, text: &str) -> Option<Kind> {
    find(path.as_bytes(), text.as_bytes()).map(|(kind, _)| kind)
}

#[test]
fn tokens_are_found_where_they_are_real() {
    let tokens = [
        format!("AKIA{}", random(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        format!("ghp_{}", random(WORD, 36)),
        format!("github_pat_{}", random(WORD, 82)),
        format!("glpat-{}", random(WORD, 20)),
        format!("npm_{}", random(WORD, 36)),
        format!("sk-ant-api03-{}", random(WORD, 95)),
        format!("hf_{}", random(&WORD[..52], 34)),
        format!("dop_v1_{}", random(HEX, 64)),
        format!("xoxb-{}-{}-{}", random(b"0123456789", 12), random(b"0123456789", 12), random(WORD, 24)),
        format!("sk_live_{}", random(WORD, 24)),
        format!("AGE-SECRET-KEY-1{}", random(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    ];
    for token in tokens {
        for text in [token.clone(), format!("key = \"{token}\";\n"), format!("A={token}\nB=1"), format!("{token}\\n")] {
            assert_eq!(kind("/root/notes.txt", &text), Some(Kind::Token), "{text}");
        }
        for text in [format!("x{token}"), format!("{token}{token}"), token[..token.len() - 1].to_owned()] {
            let is_open = token.starts_with("sk_live_") || token.starts_with("xoxb-") || token.starts_with("glpat-");
            assert!(kind("/root/notes.txt", &text).is_none() || is_open, "{text}");
        }
        assert_eq!(kind("/root/program", &format!("\0{token}")), None, "a program is no text");
    }
    for decoy in [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_000000000000000000000000000000000000",
        "glpat-xxxxxxxxxxxxxxxxxxxx",
        "sk_live_...",
        "hf_your_token_here",
        "https://example.org/AIza",
    ] {
        assert_eq!(kind("/root/README.md", decoy), None, "{decoy}");
    }
}

#[test]
fn private_keys_are_found_but_not_those_of_packages() {
    for of in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        assert_eq!(kind("/root/x", &pem(of)), Some(Kind::PrivateKey), "{of}");
        let json = format!("{{\"private_key\": \"{}\"}}", pem(of).replace('\n', "\\n"));
        assert_eq!(kind("/srv/account.json", &json), Some(Kind::PrivateKey), "{of}");
    }
    assert_eq!(kind("/etc/ssh/ssh_host_ed25519_key", &pem("OPENSSH ")), Some(Kind::SshHostKey));
    assert_eq!(kind("/usr/local/etc/x.key", &pem("")), Some(Kind::PrivateKey));
    for path in ["/usr/lib/python3/test.pem", "/srv/app/node_modules/tls/test/key.pem", "/root/go/pkg/mod/x/key.pem"] {
        assert_eq!(kind(path, &pem("")), None, "{path}");
    }
    let begin = pem("").lines().next().unwrap().to_owned();
    for text in [
        format!("if line == \"{begin}\" {{"),
        format!("{begin}\n...\n-----END PRIVATE {}-----", "KEY"),
        pem("").replace("PRIVATE", "PUBLIC"),
    ] {
        assert_eq!(kind("/root/x.rs", &text), None, "{text}");
    }
}

#[test]
fn files_are_known_by_their_paths_and_what_they_hold() {
    for (path, text, found) in [
        ("/root/.bash_history", "ls\n", Some(Kind::History)),
        ("/home/a/.local/share/fish/fish_history", "- cmd: ls", Some(Kind::History)),
        ("/root/.ssh/authorized_keys", "# none\n\n", None),
        ("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA a@b\n", Some(Kind::AuthorizedKeys)),
        ("/root/.aws/credentials", "[default]\naws_secret_access_key = x\n", Some(Kind::Credentials)),
        ("/root/.aws/credentials", "[default]\n# aws_secret_access_key = x\n", None),
        ("/root/.npmrc", "registry=https://x\n", None),
        ("/root/.npmrc", "//x/:_authToken=${NPM_TOKEN}\n", None),
        ("/root/.npmrc", "//x/:_authToken=abc\n", Some(Kind::Credentials)),
        ("/root/.docker/config.json", "{\"auths\": {}}", None),
        ("/root/.docker/config.json", "{\"auths\": {\"x\": {\"auth\": \"abc\"}}}", Some(Kind::Credentials)),
        ("/root/.netrc", "machine x login y password z\n", Some(Kind::Credentials)),
        ("/srv/app/.env", "PORT=80\n", None),
        ("/srv/app/.env", "export DB_PASSWORD='x1y2'\n", Some(Kind::Credentials)),
        ("/srv/app/.env.production", "API_KEY=x1y2\n", Some(Kind::Credentials)),
        ("/srv/app/.env.example", "API_KEY=x1y2\n", None),
        ("/srv/app/.env", "API_KEY=your-key\nTOKEN=\nPASSWORD_FILE=/run/x\n", None),
        ("/etc/shadow", "root:*:1:0:::::\n", None),
        ("/etc/shadow", "root:$y$j9T$x:1:0:::::\n", Some(Kind::PasswordHashes)),
        ("/root/.kube/config", "    client-key-data: LS0=\n", Some(Kind::Credentials)),
        ("/root/.gnupg/private-keys-v1.d/AB.key", "\0", Some(Kind::PrivateKey)),
        ("/root/x.p12", "\0", Some(Kind::Credentials)),
        ("/root/bash_history.md", "ls", None),
    ] {
        assert_eq!(kind(path, text), found, "{path}: {text}");
    }
}

#[test]
fn a_variable_is_secret_by_its_name_or_its_value() {
    for (name, value, is_secret) in [
        ("GITHUB_TOKEN", "x", true),
        ("db_password", "x", true),
        ("PATH", "/bin", false),
        ("TOKEN", "", false),
        ("TOKEN_FILE", "/run/secrets/x", false),
        ("EDITOR", "vi", false),
        ("MAX_TOKENS", "4096", false),
        ("TOKENIZERS_PARALLELISM", "false", false),
        ("TOKEN_EXPIRY", "3600", false),
        ("ACCESS_KEY_ID", "x", true),
        ("DATABASE_URL", "postgres://app:pw@db/main", true),
        ("DATABASE_URL", "postgres://app@db/main", false),
        ("GH_PAT", &format!("ghp_{}", random(WORD, 36)), true),
    ] {
        assert_eq!(is_secret_variable(name, value), is_secret, "{name}={value}");
    }
}

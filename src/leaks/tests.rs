use super::*;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Bytes of these letters that look random.
pub(super) fn random(letters: &[u8], length: usize) -> String {
    let mut state = 12_345_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
    };
    (0..length).map(|_| next()).collect()
}

pub(super) const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";

fn pem(kind: &str) -> String {
    // In two parts, so that no search for secrets finds this file.
    format!("-----BEGIN {kind}PRIVATE {k}-----\n{}\n-----END {kind}PRIVATE {k}-----\n", random(WORD, 600), k = "KEY")
}

pub(super) fn kind(path: &str, text: &str) -> Option<Kind> {
    find(path.as_bytes(), Some(text.as_bytes())).map(|(kind, _)| kind)
}

/// Tokens of no certain length.
const OPEN: [&str; 6] = ["sk_live_", "xoxb-", "glpat-", "tskey-", "sk-", "AccountKey"];

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
        format!("sk-ant-oat01-{}AA", random(WORD, 93)),
        format!("sk-ant-sid01-{}AA", random(WORD, 93)),
        format!("sk-{}T3BlbkFJ{}", random(WORD, 20), random(WORD, 20)),
        format!("sk-proj-{}T3BlbkFJ{}", random(WORD, 74), random(WORD, 74)),
        format!("dckr_pat_{}", random(WORD, 27)),
        format!("{}.atlasv1.{}", random(WORD, 14), random(WORD, 67)),
        format!("{}:AA{}", random(b"123456789", 10), random(WORD, 33)),
        format!("AccountKey={}==", random(WORD, 86)),
        format!("tskey-auth-{}CNTRL-{}", random(WORD, 11), random(WORD, 32)),
        format!("sbp_{}", random(HEX, 40)),
    ];
    for token in tokens {
        for text in [token.clone(), format!("key = \"{token}\";\n"), format!("A={token}\nB=1"), format!("{token}\\n")] {
            assert_eq!(kind("/root/notes.txt", &text), Some(Kind::Token), "{text}");
        }
        for text in [format!("x{token}"), format!("{token}{token}"), token[..token.len() - 1].to_owned()] {
            let is_open = OPEN.iter().any(|begin| token.starts_with(begin)) || token.contains(".atlasv1.");
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
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "sk-T3BlbkFJ",
        "sk-xxxxxxxxxxxxxxxxxxxxT3BlbkFJxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxx.atlasv1.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "dckr_pat_...",
    ] {
        assert_eq!(kind("/root/README.md", decoy), None, "{decoy}");
    }
}

#[test]
fn private_keys_are_found_but_not_those_of_packages() {
    let age = format!("AGE-SECRET-KEY-1{}", random(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58));
    assert_eq!(kind("/root/keys.txt", &format!("# created\n{age}\n")), Some(Kind::PrivateKey));
    assert_eq!(kind("/root/keys.txt", &age[..40]), None);
    for of in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        assert_eq!(kind("/root/x", &pem(of)), Some(Kind::PrivateKey), "{of}");
        let json = format!("{{\"private_key\": \"{}\"}}", pem(of).replace('\n', "\\n"));
        assert_eq!(kind("/srv/account.json", &json), Some(Kind::PrivateKey), "{of}");
    }
    assert_eq!(kind("/etc/ssh/ssh_host_ed25519_key", &pem("OPENSSH ")), Some(Kind::SshHostKey));
    let base64 = BASE64_STANDARD.encode(pem("RSA "));
    let lines: Vec<_> = base64.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for text in [format!("tls.key: {base64}\ntype: x\n"), format!("tls.key: |\n  {}\ntype: x\n", lines.join("\n  "))] {
        assert_eq!(kind("/srv/secret.yaml", &text), Some(Kind::PrivateKey), "{text}");
    }
    let certificate = BASE64_STANDARD.encode(pem("").replace("PRIVATE KEY", "CERTIFICATE"));
    for text in [certificate.as_str(), &base64[..100], &base64[1..], "LS0tLS1CRUdJTiB"] {
        assert_eq!(kind("/srv/secret.yaml", text), None, "{text}");
    }
    for path in ["/usr/local/etc/x.key", "/usr/src/app/key.pem", "/usr/app/key.pem", "/usr/share/nginx/html/key.pem"] {
        assert!(is_searched(path.as_bytes(), 100), "{path}");
        assert_eq!(kind(path, &pem("")), Some(Kind::PrivateKey), "{path}");
    }
    for path in [
        "/usr/src/linux-headers-6.1/key.pem",
        "/root/.pyenv/versions/3.12.1/lib/python3.12/test/key.pem",
        "/usr/lib/python3/test.pem",
        "/srv/app/node_modules/tls/test/key.pem",
        "/root/go/pkg/mod/x/key.pem",
        "/usr/local/go/src/crypto/tls/testdata/key.pem",
        "/usr/local/cargo/registry/src/x/key.pem",
        "/usr/local/rustup/toolchains/1.85/share/key.pem",
        "/usr/local/julia/share/key.pem",
    ] {
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
fn a_private_key_is_found_in_utf_16_too() {
    for mark in ["", "\u{feff}"] {
        let units: Vec<u16> = format!("{mark}{}", pem("RSA ")).encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for text in [little, big] {
            let found = find(b"/root/key.txt", Some(&text)).map(|(kind, _)| kind);
            assert_eq!(found, Some(Kind::PrivateKey), "{mark:?} {:?}", &text[..4]);
        }
    }
    let env: Vec<u8> = "\u{feff}A=1\r\nAPI_TOKEN=x1y2\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(find(b"/srv/.env", Some(&env)).map(|(kind, _)| kind), Some(Kind::Credentials));
    assert_eq!(kind("/root/program", "a\0b\0\0\0"), None);
}

#[test]
fn files_are_known_by_their_paths_and_what_they_hold() {
    for (path, text, found) in [
        ("/root/.bash_history", "ls\n", Some(Kind::History)),
        ("/home/a/.local/share/fish/fish_history", "- cmd: ls", Some(Kind::History)),
        ("/home/a/.local/state/bash/history", "ls\n", Some(Kind::History)),
        ("/home/a/.local/state/zsh/history", "ls\n", Some(Kind::History)),
        ("/root/.local/state/elvish/db.bolt", "\0", Some(Kind::History)),
        ("/root/.local/share/xonsh/history_json/xonsh-1a2b.json", "{}", Some(Kind::History)),
        ("/etc/gshadow", "adm:$6$x$y::\n", Some(Kind::PasswordHashes)),
        ("/root/.subversion/auth/svn.simple/0a", "K 8\npassword\nV 4\nx1y2\nEND\n", Some(Kind::Credentials)),
        ("/root/.subversion/auth/svn.simple/0a", "K 8\npasstype\nV 9\ngpg-agent\nEND\n", None),
        ("/root/.ssh/authorized_keys", "# none\n\n", None),
        ("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA a@b\n", Some(Kind::AuthorizedKeys)),
        ("/etc/dropbear/authorized_keys", "ssh-ed25519 AAAA a@b\n", Some(Kind::AuthorizedKeys)),
        ("/etc/ssh/authorized_keys/me", "ssh-ed25519 AAAA a@b\n", Some(Kind::AuthorizedKeys)),
        ("/etc/ssh/authorized_keys.d/me", "# none\n", None),
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
fn what_a_known_file_holds_is_read_as_its_program_reads_it() {
    for (path, text, found) in [
        ("/usr/src/app/.env", "DB_PASS=x1y2\n", Some(Kind::Credentials)),
        ("/srv/node_modules/x/.npmrc", "//x/:_authToken = abc\n", Some(Kind::Credentials)),
        ("/srv/node_modules/x/test.p12", "\0", None),
        ("/root/.npmrc", "//x/:_authToken = \"${NPM_TOKEN}\"\n", None),
        ("/etc/shadow-", "root:$y$j9T$x:1:0:::::\n", Some(Kind::PasswordHashes)),
        ("/var/backups/shadow.bak", "root:$y$j9T$x:1:0:::::\n", Some(Kind::PasswordHashes)),
        ("/etc/shadow", "me:!$6$x$y:1:0:::::\n", Some(Kind::PasswordHashes)),
        ("/etc/shadow", "root::0:::::\nme:!!:1:0:::::\nbin:!*:1::::::\n", None),
        ("/etc/gshadow", "adm:*::\nsudo:!::me\n", None),
        ("/etc/gshadow-", "adm:$6$x$y::\n", Some(Kind::PasswordHashes)),
        ("/etc/dropbear/dropbear_ed25519_host_key", "\0\0", Some(Kind::SshHostKey)),
        ("/srv/.envrc", "export PGPASSWORD=x1y2\n", Some(Kind::Credentials)),
        ("/srv/.envrc", "use flake\nexport TOKEN=$(pass show token)\n", None),
        ("/root/.bashrc", "export OPENAI_API_KEY=x1y2\n", Some(Kind::Credentials)),
        ("/root/.bashrc", "export TOKEN=`pass show x`\nTOKEN=$token\nexport PASS=\"$HOME/.pass\"\n", None),
        ("/etc/profile.d/x.sh", "API_TOKEN=$1$2\nDB_PASS=${x:-}\nTOKEN=$token; export TOKEN\n", None),
        ("/root/.zshrc", "DB_PASS='$ecret1'\n", Some(Kind::Credentials)),
        ("/root/.zshrc", "DB_PASS=$user:x1y2\n", Some(Kind::Credentials)),
        ("/srv/.env", "DB_PASS=$ecret1\n", Some(Kind::Credentials)),
        ("/root/.bashrc", "HISTSIZE=1000\nif [ \"$TOKEN\" = x ]; then\n", None),
        ("/root/.claude.json", "{\"numStartups\": 3, \"primaryApiKey\": null}", None),
        ("/root/.claude.json", "{\"primaryApiKey\": \"x\"}", Some(Kind::Credentials)),
        ("/root/.claude/projects/-srv/1.jsonl", "{}", Some(Kind::History)),
        ("/root/.codex/history.jsonl", "{}", Some(Kind::History)),
        ("/root/.lesshst", ".less-history-file:\n.search\n", None),
        ("/root/.lesshst", ".less-history-file:\n.search\n\"word\n", Some(Kind::History)),
        ("/root/.viminfo", "# viminfo\n", Some(Kind::History)),
        ("/root/.config/nushell/history.txt", "ls", Some(Kind::History)),
        ("/srv/.git/config", "[remote \"o\"]\n\turl = https://example.org/a.git\n", None),
        ("/srv/.git/config", "\turl = https://me:x1y2@example.org/a.git\n", Some(Kind::Credentials)),
        ("/etc/systemd/system/x.service", "Environment=PORT=80 \"API_TOKEN=x1y2\"\n", Some(Kind::Credentials)),
        ("/etc/systemd/system/x.service", "Environment=PORT=80\nExecStart=/x --token-file=/y\n", None),
        ("/srv/.htpasswd", "me:$apr1$x$y\n", Some(Kind::PasswordHashes)),
        ("/root/.pgpass", "db:5432:*:me:x1y2\n", Some(Kind::Credentials)),
        ("/root/.pgpass", "# host:port:database:user:password\n", None),
        ("/root/.m2/settings.xml", "<password>${env.PASSWORD}</password>", None),
        ("/root/.m2/settings.xml", "<password>x</password>", Some(Kind::Credentials)),
    ] {
        assert_eq!(kind(path, text), found, "{path}: {text}");
    }
}

#[test]
fn stores_and_secrets_that_programs_bring_are_no_findings() {
    for (path, text, found) in [
        ("/etc/ssl/truststore.jks", "\0", None),
        ("/usr/share/elasticsearch/config/elasticsearch.keystore", "\0", None),
        ("/usr/share/elasticsearch/config/certs/http.p12", "\0", Some(Kind::Credentials)),
        ("/etc/ppp/pap-secrets", "# IN\n*\thostname\t\"\"\t*\nguest\thostname\t\"*\"\t-\n", None),
        ("/etc/ppp/pap-secrets", "me * x1y2 *\n", Some(Kind::Credentials)),
        ("/etc/ppp/chap-secrets", "# client server secret addresses\n", None),
        ("/etc/ppp/chap-secrets", "me * \"x1 y2\"\n", Some(Kind::Credentials)),
        ("/etc/pki/nssdb/key4.db", "\0", None),
        ("/root/.pki/nssdb/key4.db", "\0", None),
        ("/root/.mozilla/firefox/a.default/key4.db", "\0", Some(Kind::Credentials)),
        ("/root/.thunderbird/a.default/key4.db", "\0", Some(Kind::Credentials)),
        ("/srv/app.jks", "\0", Some(Kind::Credentials)),
    ] {
        assert_eq!(kind(path, text), found, "{path}: {text}");
    }
}

#[test]
fn a_known_file_is_read_wherever_it_is_and_a_long_one_is_known_by_its_name() {
    for path in ["/usr/src/app/.env", "/usr/lib/x/.npmrc", "/srv/node_modules/x/.netrc", "/usr/share/x/.bash_history"] {
        assert!(is_searched(path.as_bytes(), 100), "{path}");
    }
    for path in ["/usr/lib/x/y.txt", "/srv/node_modules/x/y.js", "/usr/src/linux-headers-6.1/x.h", "/proc/1/environ"] {
        assert!(!is_searched(path.as_bytes(), 100), "{path}");
    }
    for (path, found) in [
        ("/srv/.env", Some(Kind::Credentials)),
        ("/root/.ssh/authorized_keys", Some(Kind::AuthorizedKeys)),
        ("/etc/shadow", Some(Kind::PasswordHashes)),
        ("/root/.bash_history", Some(Kind::History)),
        ("/srv/x.txt", None),
    ] {
        assert_eq!(find(path.as_bytes(), None).map(|(kind, _)| kind), found, "{path}");
    }
}

#[test]
fn what_is_known_beside_the_files_is_searched_too() {
    let token = format!("ghp_{}", random(WORD, 36));
    let all = serde_json::json!({
        "image": "alpine:3.20", "digest": format!("sha256:{}", random(HEX, 64)), "mode": "container",
        "cmd": ["server", "--port", "80", "--token-file", "/run/x", "--password", "x1y2"],
        "entrypoint": ["sh", "-c", "exec env DB_PASS='x1y2' server"],
        "note": format!("uses {token}"),
        "labels": {"team": "a", "api_token": "x1y2", "key": random(HEX, 64)},
        "machine": {"env": ["API_TOKEN", "EDITOR"], "secrets": ["DB_PASS"], "settings": {
            "health_cmd": "curl -H 'Authorization: Bearer abcdefghijklmnop1' http://localhost/",
            "workdir": "/srv",
        }},
        "sentences": ["its variables are stored: API_TOKEN, DB_PASS", "Bearer of news"],
        "deep": [[{"url": "postgres://a:x1y2@db/main"}]],
    });
    let mut found = Vec::new();
    find_in_json(&all, "", &mut |place, kind, _| found.push((place.to_owned(), kind)));
    found.sort();
    let places: Vec<_> = found.iter().map(|(place, kind)| (place.as_str(), *kind)).collect();
    assert_eq!(
        places,
        [
            ("cmd", Kind::Environment),
            ("deep.url", Kind::Environment),
            ("entrypoint", Kind::Environment),
            ("labels.api_token", Kind::Environment),
            ("machine.settings.health_cmd", Kind::Environment),
            ("note", Kind::Token),
        ]
    );
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    for (command, is_secret) in [
        ("mysqladmin -uroot -p$MYSQL_ROOT_PASSWORD ping", false),
        ("mysqladmin -uroot -p\"$MYSQL_ROOT_PASSWORD\" ping", false),
        ("psql --no-password mydb", false),
        ("docker login --password-stdin ghcr.io", false),
        ("docker build --secret id=x,src=y .", false),
        ("docker build --secret=id=x,src=y .", false),
        ("sh -c 'server --token $token'", false),
        ("server --token \"$token\" --password `cat /run/x`", false),
        ("curl -H \"Authorization: Bearer $token_of_the_server\" localhost", false),
        ("env API_TOKEN=$1$2 server", false),
        ("redis-server --requirepass hunter2", true),
        ("server --password '$ecret1'", true),
        ("server --db-password x1y2", true),
        ("env DB_PASS='$ecret1' server", true),
    ] {
        let words: Vec<_> = command.split(' ').collect();
        for value in [serde_json::json!(command), serde_json::json!(words)] {
            let mut found = false;
            find_in_json(&value, "health_cmd", &mut |_, _, _| found = true);
            assert_eq!(found, is_secret, "{value}");
        }
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

#[test]
fn names_of_variables_are_read_word_by_word() {
    for (name, value, is_secret) in [
        ("DB_PASS", "x1y2", true),
        ("PGPASSWORD", "x1y2", true),
        ("MYSQL_PWD", "x1y2", true),
        ("PASSPHRASE", "x1y2", true),
        ("dbPassword", "x1y2", true),
        ("ENCRYPTION_KEY", "x1y2", true),
        ("APP_KEY", "base64:x1y2", true),
        ("STRIPE_KEY", &random(WORD, 32), true),
        ("PASSWORD", "20251127", true),
        ("PASS", "2", false),
        ("SORT_KEY", "created_at", false),
        ("SSH_PUBLIC_KEY", &random(WORD, 32), false),
        ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568", false),
        ("AWS_SECRET_ACCESS_KEY", &format!("/Xb{}", random(WORD, 37)), true),
        ("AWS_SECRET_ACCESS_KEY", &format!("/Xb3/{}", random(WORD, 35)), true),
        ("API_TOKEN", "your-token", false),
        ("API_TOKEN", &format!("example ghp_{}", random(WORD, 36)), true),
        ("DB_PASSWORD", "yourmom123", true),
        ("DB_PASSWORD", "$DB_PASS", false),
        ("DB_PASSWORD", "$ecret1", true),
        ("DB_PASSWORD", "op://vault/db/password", false),
        ("TOKEN_URL", "x1y2", false),
        ("AUTH_TOKEN", "https://example.org/token", false),
        ("PASSWORD_RESET_ENABLED", "true", false),
        ("PASS_MAX_DAYS", "99999", false),
        ("SECRET_KEY", "/etc/ssl/private/key.pem", false),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/srv/App/key.json", false),
        ("PWD", "/Users/Me", false),
        ("OLDPWD", "/srv", false),
        ("SSH_AUTH_SOCK", "/tmp/ssh-XXXXabcdef/agent.123", false),
        ("GPG_TTY", "/dev/pts/0", false),
        ("SSH_ASKPASS", "ksshaskpass", false),
        ("COMPASS", "north", false),
        ("DATABASE_URL", "postgres://app:${PW}@db/main", false),
    ] {
        assert_eq!(is_secret_variable(name, value), is_secret, "{name}={value}");
    }
}

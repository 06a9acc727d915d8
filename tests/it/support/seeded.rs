//! Files with secrets, and others that look like some: what a search for secrets finds, misses, and must leave alone.

/// A random value, the same in each run.
fn random(letters: &[u8], length: usize) -> String {
    let mut state = 20_251_127_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
    };
    (0..length).map(|_| next()).collect()
}

const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"123456789";

/// A private key, in parts, so that no search for secrets finds this file.
fn pem(of: &str) -> String {
    format!("-----BEGIN {of}PRIVATE {k}-----\n{}\n-----END {of}PRIVATE {k}-----\n", random(WORD, 600), k = "KEY")
}

/// A JSON Web Token with this header and payload.
pub fn jwt(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()), random(WORD, 43))
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = |three: &[u8]| {
        let value = (0..3).fold(0_usize, |value, at| value << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        (0..=three.len()).map(move |at| char::from(DIGITS[value >> (18 - 6 * at) & 63])).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

/// A private key of RSA as a JSON Web Key.
fn jwk() -> String {
    format!("{{\"n\": \"{}\", \"e\": \"AQAB\", \"d\": \"{}\", \"kty\": \"RSA\"}}", random(WORD, 342), random(WORD, 341))
}

/// A file of Kubernetes that says how to reach a cluster as this user.
fn cluster(user: &str) -> String {
    format!("apiVersion: v1\nkind: Config\nclusters: []\nusers:\n- name: a\n  user:\n    {user}\n")
}

/// Paths, texts and kinds.
type Secrets = Vec<(&'static str, String, &'static str)>;

/// Files with secrets.
pub fn secrets() -> Secrets {
    [keys(), credentials(), variables(), commands(), histories(), tokens(), unknown()].concat()
}

fn keys() -> Secrets {
    let key = |path, of| (path, pem(of), "private-key");
    vec![
        key("/root/.ssh/id_ed25519", "OPENSSH "),
        key("/etc/nginx/tls.key", ""),
        key("/usr/src/app/certs/server.pem", "RSA "),
        key("/usr/share/nginx/html/backup.pem", "EC "),
        key("/root/go/src/app/key.pem", "ENCRYPTED "),
        ("/srv/account.json", format!("{{\"private_key\": \"{}\"}}", pem("").replace('\n', "\\n")), "private-key"),
        ("/root/.gnupg/private-keys-v1.d/A.key", "(private-key)".into(), "private-key"),
        ("/etc/wireguard/wg0.conf", format!("[Interface]\nPrivateKey = {}=\n", random(WORD, 43)), "private-key"),
        ("/etc/wireguard/privatekey", format!("{}=\n", random(WORD, 43)), "private-key"),
        (
            "/root/keys.txt",
            format!("AGE-SECRET-KEY-1{}\n", random(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
            "private-key",
        ),
        ("/etc/ssh/ssh_host_ed25519_key", pem("OPENSSH "), "ssh-host-key"),
        ("/etc/dropbear/dropbear_rsa_host_key", "\0\0\0\u{7}ssh-rsa".into(), "ssh-host-key"),
        ("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA me@host\n".into(), "authorized-keys"),
        ("/home/long/.ssh/authorized_keys", "# a long list\n".repeat(100_000), "authorized-keys"),
        (
            "/etc/letsencrypt/accounts/acme-v02.api.letsencrypt.org/directory/0a1b/private_key.json",
            jwk(),
            "private-key",
        ),
        ("/srv/k8s/secret.yaml", format!("data:\n  tls.key: {}\n", base64url(pem("RSA ").as_bytes())), "private-key"),
        ("/etc/dropbear/authorized_keys", "ssh-ed25519 AAAA me@host\n".into(), "authorized-keys"),
        ("/etc/ssh/authorized_keys/me", "ssh-ed25519 AAAA me@host\n".into(), "authorized-keys"),
        ("/etc/shadow", format!("root:$y$j9T${}:1:0:::::\n", random(WORD, 40)), "password-hashes"),
        ("/etc/shadow-", format!("bin:*:1::::::\nme:!$6${}:1:0:::::\n", random(WORD, 40)), "password-hashes"),
        ("/srv/app/.htpasswd", format!("me:$apr1$x${}\n", random(WORD, 22)), "password-hashes"),
        ("/etc/gshadow", format!("adm:$6${}::\n", random(WORD, 40)), "password-hashes"),
    ]
}

fn credentials() -> Secrets {
    let value = random(WORD, 32);
    [
        ("/root/.aws/credentials", format!("[default]\naws_secret_access_key = {value}\n")),
        ("/root/.aws/sso/cache/a1.json", format!("{{\"accessToken\": \"{value}\"}}")),
        ("/root/.azure/msal_token_cache.json", format!("{{\"AccessToken\": {{\"a\": {{\"secret\": \"{value}\"}}}}}}")),
        ("/root/.config/gcloud/application_default_credentials.json", format!("{{\"refresh_token\": \"{value}\"}}")),
        ("/root/.config/gcloud/legacy_credentials/me@x.org/adc.json", format!("{{\"refresh_token\": \"{value}\"}}")),
        ("/root/.config/gh/hosts.yml", format!("github.com:\n    oauth_token: {value}\n")),
        ("/root/.kube/config", format!("users:\n- name: a\n  user:\n    token: {value}\n")),
        ("/etc/kubernetes/super-admin.conf", cluster(&format!("client-key-data: {value}"))),
        ("/srv/k8s/cluster.yaml", cluster(&format!("token: {value}"))),
        ("/root/.docker/config.json", format!("{{\"auths\":{{\"ghcr.io\":{{\"auth\":\"{value}\"}}}}}}")),
        ("/root/.netrc", format!("machine x login y\n  password {value}\n")),
        ("/root/.pgpass", format!("db:5432:*:me:{value}\n")),
        ("/root/.my.cnf", format!("[client]\npassword={value}\n")),
        ("/root/.git-credentials", format!("https://me:{value}@github.com\n")),
        ("/srv/app/.git/config", format!("[remote \"origin\"]\n\turl = https://{value}@github.com/a/b.git\n")),
        ("/root/.config/pip/pip.conf", format!("[global]\nindex-url = https://me:{value}@pypi.x.org/\n")),
        ("/root/.npmrc", format!("//registry.npmjs.org/:_authToken = {value}\n")),
        ("/srv/app/node_modules/a/.npmrc", format!("//registry.npmjs.org/:_authToken={value}\n")),
        ("/root/.cargo/credentials.toml", format!("[registry]\ntoken = \"{value}\"\n")),
        ("/root/.pypirc", format!("[pypi]\nusername: me\npassword: {value}\n")),
        ("/root/.claude.json", format!("{{\"numStartups\":1,\"primaryApiKey\":\"{value}\"}}")),
        ("/root/.claude/.credentials.json", format!("{{\"claudeAiOauth\":{{\"accessToken\":\"{value}\"}}}}")),
        (
            "/root/.codex/auth.json",
            format!("{{\"OPENAI_API_KEY\": null, \"tokens\": {{\"access_token\": \"{value}\"}}}}"),
        ),
        ("/root/.gemini/oauth_creds.json", format!("{{\"refresh_token\": \"{value}\"}}")),
        ("/root/.cache/huggingface/token", value.clone()),
        ("/root/.config/rclone/rclone.conf", format!("[s3]\nsecret_access_key = {value}\n")),
        (
            "/root/.terraform.d/credentials.tfrc.json",
            format!("{{\"credentials\":{{\"x\":{{\"token\":\"{value}\"}}}}}}"),
        ),
        ("/root/.vault-token", value.clone()),
        ("/etc/NetworkManager/system-connections/home.nmconnection", format!("[wifi-security]\npsk={value}\n")),
        ("/root/.local/share/keyrings/login.keyring", "GnomeKeyring\n\0".into()),
        ("/srv/app/cert.p12", "\0".into()),
        ("/etc/ppp/chap-secrets", format!("me * {value} *\n")),
        ("/root/passwords.kdbx", "\0".into()),
        (
            "/root/.subversion/auth/svn.simple/0a1b",
            format!("K 8\npasstype\nV 6\nsimple\nK 8\npassword\nV 32\n{value}\nEND\n"),
        ),
        ("/root/.mozilla/firefox/a.default/key4.db", "SQLite format 3\0".into()),
    ]
    .map(|(path, text)| (path, text, "credentials"))
    .to_vec()
}

fn variables() -> Secrets {
    let value = random(WORD, 32);
    [
        ("/srv/app/.env", format!("PORT=80\nDB_PASS={value}\n")),
        ("/usr/src/app/.env", format!("PGPASSWORD={value}\n")),
        ("/usr/app/.env.production", format!("ENCRYPTION_KEY=/{value}\n")),
        ("/usr/share/nginx/html/.env", "MYSQL_PWD=20251127\n".into()),
        ("/srv/app/.envrc", format!("export STRIPE_KEY={value}\n")),
        ("/srv/app/production.env", format!("DATABASE_URL=postgres://app:{value}@db/main\n")),
        ("/srv/app/node_modules/a/.env", format!("PASSPHRASE={value}\n")),
        ("/srv/long/.env", format!("{}API_TOKEN={value}\n", "# a comment\n".repeat(100_000))),
        ("/root/.bashrc", format!("HISTSIZE=1000\nexport ANTHROPIC_API_KEY='{value}'\n")),
        ("/etc/systemd/system/app.service", format!("[Service]\nEnvironment=PORT=80 \"API_TOKEN={value}\"\n")),
        ("/etc/environment", format!("PATH=/bin\nSMTP_PASSWORD={value}\n")),
    ]
    .map(|(path, text)| (path, text, "credentials"))
    .to_vec()
}

fn commands() -> Secrets {
    let value = random(WORD, 32);
    [
        ("/srv/app/deploy.sh", format!("curl -u me:{value} https://example.org/\n")),
        ("/srv/app/release", format!("#!/usr/bin/env bash\ncurl -sSf \\\n  --user \"me:{value}\" $URL\n")),
        ("/srv/app/Dockerfile", format!("RUN git clone https://me:{value}@example.org/a.git\n")),
        ("/var/spool/cron/crontabs/root", format!("0 * * * * backup --password {value}\n")),
    ]
    .map(|(path, text)| (path, text, "credentials"))
    .to_vec()
}

fn histories() -> Secrets {
    [
        ("/root/.ash_history", "ls"),
        ("/root/.bash_history", "ls"),
        ("/root/.zsh_history", "ls"),
        ("/home/me/.local/state/bash/history", "ls"),
        ("/root/.local/share/fish/fish_history", "- cmd: ls"),
        ("/root/.config/nushell/history.txt", "ls"),
        ("/root/.local/state/elvish/db.bolt", "\0"),
        ("/root/.local/share/xonsh/history_json/xonsh-1a2b.json", "{}"),
        ("/root/.python_history", "print()"),
        ("/root/.psql_history", "select 1"),
        ("/root/.viminfo", "# viminfo\n:w\n"),
        ("/root/.lesshst", ".less-history-file:\n.search\n\"word\n"),
        ("/root/.claude/history.jsonl", "{}"),
        ("/root/.claude/projects/-srv-app/a.jsonl", "{}"),
        ("/root/.codex/history.jsonl", "{}"),
        ("/root/.codex/sessions/2026/11/27/a.jsonl", "{}"),
    ]
    .map(|(path, text)| (path, text.to_owned(), "history"))
    .to_vec()
}

fn tokens() -> Secrets {
    [
        ("/srv/t/aws.py", format!("key = 'AKIA{}'\n", random(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))),
        ("/srv/t/github.txt", format!("ghp_{}", random(WORD, 36))),
        ("/srv/t/github2.txt", format!("github_pat_{}", random(WORD, 82))),
        ("/srv/t/gitlab.yml", format!("token: glpat-{}\n", random(WORD, 20))),
        ("/srv/t/anthropic.json", format!("{{\"key\":\"sk-ant-api03-{}AA\"}}", random(WORD, 93))),
        ("/srv/t/claude.txt", format!("sk-ant-oat01-{}AA", random(WORD, 93))),
        ("/srv/t/session.txt", format!("sk-ant-sid01-{}AA", random(WORD, 93))),
        ("/srv/t/openai.txt", format!("sk-{}T3BlbkFJ{}", random(WORD, 20), random(WORD, 20))),
        ("/srv/t/openai2.txt", format!("sk-proj-{}T3BlbkFJ{}", random(WORD, 74), random(WORD, 74))),
        ("/srv/t/slack.txt", format!("xoxb-{0}-{0}-{1}", random(DIGITS, 12), random(WORD, 24))),
        ("/srv/t/stripe.js", format!("sk_live_{}", random(WORD, 24))),
        ("/srv/t/npm.txt", format!("npm_{}", random(WORD, 36))),
        ("/srv/t/docker.txt", format!("dckr_pat_{}", random(WORD, 27))),
        ("/srv/t/hf.txt", format!("hf_{}", random(&WORD[..52], 34))),
        ("/srv/t/azure.txt", format!("AccountName=a;AccountKey={}==;", random(WORD, 86))),
        ("/srv/t/telegram.py", format!("'{}:AA{}'", random(DIGITS, 10), random(WORD, 33))),
        ("/srv/t/terraform.tf", format!("\"{}.atlasv1.{}\"", random(WORD, 14), random(WORD, 67))),
        ("/srv/t/tailscale.sh", format!("tskey-auth-{}CNTRL-{}", random(WORD, 11), random(WORD, 32))),
        ("/srv/t/digitalocean.txt", format!("dop_v1_{}", random(HEX, 64))),
        ("/srv/t/jwt.txt", jwt(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"sub":"me","exp":1800000000}"#)),
    ]
    .map(|(path, text)| (path, text, "token"))
    .to_vec()
}

/// What is written in no known way.
fn unknown() -> Secrets {
    let value = random(WORD, 32);
    [
        ("/root/notes.txt", format!("the password of the router is {value}\n")),
        ("/srv/app/program", format!("\0\0ghp_{}", random(WORD, 36))),
    ]
    .map(|(path, text)| (path, text, "credentials"))
    .to_vec()
}

/// Files without a secret.
pub fn decoys() -> Vec<(&'static str, String)> {
    let begin = pem("").lines().next().unwrap().to_owned();
    vec![
        ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n".into()),
        ("/etc/gshadow-", "adm:*::\nsudo:!::me\n".into()),
        ("/var/backups/shadow.bak", "root:*:1:0:::::\nme:!!:1:0:::::\n".into()),
        ("/etc/mysql/debian.cnf", "[client]\npassword = \n".into()),
        ("/etc/profile.d/locale.sh", "export LANG=C.UTF-8\n".into()),
        ("/etc/ssl/certs/java/truststore.jks", "\0".into()),
        ("/root/.ssh/id_ed25519.pub", "ssh-ed25519 AAAA me@host\n".into()),
        ("/root/.ssh/known_hosts", format!("github.com ssh-rsa {}\n", random(WORD, 372))),
        ("/home/me/.ssh/authorized_keys", "# nothing\n".into()),
        ("/home/me/.aws/config", "[default]\nregion = eu-west-1\n".into()),
        ("/home/me/.docker/config.json", "{\"auths\": {\"ghcr.io\": {}}, \"credsStore\": \"pass\"}".into()),
        ("/home/me/.npmrc", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n".into()),
        ("/home/me/.yarnrc.yml", "npmAuthToken: \"${NPM_TOKEN}\"\n".into()),
        ("/home/me/.gitconfig", "[user]\n\temail = me@example.org\n".into()),
        ("/srv/other/.git/config", "[remote \"origin\"]\n\turl = git@github.com:a/b.git\n".into()),
        ("/home/me/.claude.json", "{\"numStartups\": 3, \"primaryApiKey\": null}".into()),
        ("/home/me/.codex/auth.json", "{\"OPENAI_API_KEY\": null}".into()),
        ("/home/me/.lesshst", ".less-history-file:\n.search\n".into()),
        ("/home/me/.bashrc", "PASS=$(pass show x)\n[ \"$TOKEN\" = x ] && TOKEN=\n".into()),
        ("/home/me/.profile", "TOKEN=`pass show x`\nDB_PASS=$pass\nexport API_KEY=\"$HOME/.key\"\n".into()),
        ("/etc/ppp/pap-secrets", "*\thostname\t\"\"\t*\nguest\thostname\t\"*\"\t-\n".into()),
        ("/usr/share/elasticsearch/config/elasticsearch.keystore", "\0".into()),
        ("/usr/local/go/src/crypto/tls/testdata/key.pem", pem("")),
        ("/usr/local/rustup/toolchains/1.85/share/key.pem", pem("")),
        ("/etc/pki/nssdb/key4.db", "SQLite format 3\0".into()),
        ("/home/me/.pgpass", "# host:port:database:user:password\n".into()),
        ("/srv/other/.env", decoy_variables()),
        ("/srv/other/.env.example", "API_TOKEN=x1y2z3\n".into()),
        ("/srv/other/.envrc", "use flake\ndotenv\n".into()),
        ("/srv/other/README.md", "AKIAIOSFODNN7EXAMPLE, ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, sk-...\n".into()),
        ("/srv/other/parser.rs", format!("if line == \"{begin}\" {{ parse() }}\n")),
        ("/srv/other/doc.md", format!("{begin}\n...\n-----END PRIVATE {}-----\n", "KEY")),
        ("/srv/other/cert.pem", pem("").replace("PRIVATE KEY", "CERTIFICATE")),
        ("/srv/other/public.pem", pem("").replace("PRIVATE", "PUBLIC")),
        ("/srv/other/jwks.json", jwk().replace("\"d\"", "\"x\"")),
        (
            "/srv/other/ca.yaml",
            format!("ca.crt: {}\n", base64url(pem("").replace("PRIVATE KEY", "CERTIFICATE").as_bytes())),
        ),
        ("/srv/other/cluster.yaml", cluster("exec:\n      command: aws-iam-authenticator")),
        ("/srv/other/skaffold.yaml", cluster("token: x1y2z3").replace("v1", "skaffold/v4beta1")),
        ("/etc/kubernetes/kubelet.conf", cluster("client-key: /var/lib/kubelet/pki/kubelet-client-current.pem")),
        ("/srv/other/jwt.md", jwt(r#"{"alg":"HS256"}"#, r#"{"sub":"1234567890","name":"John Doe"}"#)),
        ("/srv/other/state.json", format!("{{\"id\": \"{}\"}}", jwt(r#"{"kid":"a"}"#, r#"{"sub":"me"}"#))),
        ("/srv/other/deploy.sh", decoy_script()),
        ("/home/me/.subversion/auth/svn.simple/0a1b", "K 8\npasstype\nV 9\ngpg-agent\nEND\n".into()),
        ("/etc/cron.d/sysstat", "PATH=/usr/lib/sysstat:/usr/sbin\n5 * * * * root debian-sa1 1 1\n".into()),
        ("/srv/other/uuid.txt", "123e4567-e89b-12d3-a456-426614174000\n".into()),
        ("/srv/other/Cargo.lock", format!("checksum = \"{}\"\n", random(HEX, 64))),
        ("/srv/other/package-lock.json", format!("\"integrity\": \"sha512-{}==\"\n", random(WORD, 86))),
        ("/srv/other/bash_history.md", "ls\n".into()),
        ("/srv/other/node_modules/tls/test/key.pem", pem("")),
        ("/srv/other/node_modules/tls/test/key.p12", "\0".into()),
        ("/usr/lib/python3/test/keycert.pem", pem("")),
        ("/usr/lib/python3/dist-packages/aws/README", format!("AKIA{}", random(b"ABCDEFGHIJKLMNOP234567", 16))),
        ("/usr/share/doc/git/netrc.example", "machine x password y\n".into()),
        ("/usr/src/linux-headers-6.1/certs/signing_key.pem", pem("")),
        ("/root/.pyenv/versions/3.12.1/lib/python3.12/test/key.pem", pem("")),
        ("/root/.cargo/registry/src/x/test.key", pem("")),
    ]
}

fn decoy_script() -> String {
    "# curl -u me:x1y2z3 https://example.org\ncurl -u \"$USER:$PASSWORD\" $URL\ncurl -u me:${TOKEN} $URL\n\
     curl -u user:password $URL\ncurl -u \"me:$(pass show x)\" $URL\ncurl --user me $URL\ncurl -X POST -d user:x1y2 $URL\n\
     git clone https://$USER:$TOKEN@example.org/a.git\ngit clone https://user:pass@example.org/a.git\n\
     git clone https://me@example.org/a.git\ndocker run -u 1000:1000 x\n"
        .to_owned()
}

fn decoy_variables() -> String {
    "PORT=80\nMAX_TOKENS=4096\nTOKENIZERS_PARALLELISM=false\nTOKEN_URL=https://example.org/token\nTOKEN=\nAPI_KEY=your-key\n\
     DB_PASSWORD=${DB_PASS}\nPASSWORD_FILE=/run/secrets/db\nPASSWORD_RESET_ENABLED=true\nPASS_MAX_DAYS=99999\n\
     SECRET_KEY=changeme\nGPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568\nNEXT_PUBLIC_KEY=x\nSORT_KEY=created_at\n\
     DATABASE_URL=postgres://app@db/main\nSSH_AUTH_SOCK=/tmp/agent.1\nPWD=/srv\nOLDPWD=/root\n# DB_PASSWORD=x1y2\n\
     GOOGLE_APPLICATION_CREDENTIALS=/srv/key.json\nAPI_TOKEN= # fill it in\n"
        .to_owned()
}

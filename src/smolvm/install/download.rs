//! Gets pages and files: through the proxies and with the certificates that the environment names, bounded in size and
//! in silence, and left at once when a signal comes.

use super::index::{Page, Wheel};
use super::{InstallError, Result, url};
use crate::interrupt;
use rustls::crypto::ring;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Larger than this no page of an index is (PyPI's of this package: 92 kB), and no wheel (44 MB).
const PAGE_LIMIT: u64 = 16 << 20;
const WHEEL_LIMIT: u64 = 1 << 30;
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);

/// The public index, where the environment names no other.
const PYPI: &str = "https://pypi.org/simple";
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// The index to ask: the one that pip or uv are told to ask, in this order, or PyPI.
pub fn index_url() -> String {
    let named =
        ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"].iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|url| !url.is_empty()).unwrap_or_else(|| PYPI.to_owned())
}

/// What asks. An index that speaks TLS is never left for a place that does not.
pub fn agent(index: &str) -> Result<Agent> {
    let tls = TlsConfig::builder()
        .root_certs(roots()?)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .https_only(index.starts_with("https://"))
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .user_agent(concat!("bottle-freeze/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.into())
}

/// Who is trusted: the certificates that `$SSL_CERT_FILE` or pip's `$PIP_CERT` name, or those of the system.
fn roots() -> Result<RootCerts> {
    let named = ["SSL_CERT_FILE", "PIP_CERT"].iter().filter_map(std::env::var_os).find(|path| !path.is_empty());
    let Some(path) = named else { return Ok(RootCerts::PlatformVerifier) };
    let shown = path.to_string_lossy().into_owned();
    let bad = |why: String| InstallError::Download { url: shown.clone(), why: format!("no certificates in it: {why}") };
    let pem = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() { Err(bad("it is empty".into())) } else { Ok(certificates.into()) }
}

/// The index's page of the package.
pub fn page(agent: &Agent, index: &str, tick: &mut dyn FnMut()) -> Result<Page> {
    let asked = format!("{}/smolmachines/", index.trim_end_matches('/'));
    let mut text = Vec::new();
    let head = get(agent, &asked, PAGE_LIMIT, tick, &mut |bytes| {
        text.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(Page { is_json: head.kind.contains("json"), url: with_login(&head.url, &asked), text: lossy(&text) })
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The same URL, with the login of `asked` if it is of the same host: what is on a page that needs one needs it too.
fn with_login(url: &str, asked: &str) -> String {
    match (url::authority(url), url::authority(asked), url.split_once("://")) {
        ((host, None), (same, Some(login)), Some((scheme, rest))) if host == same => {
            format!("{scheme}://{login}@{rest}")
        }
        _ => url.to_owned(),
    }
}

/// Gets a wheel into a file that is not there yet, and checks that it is the one that the index promised.
pub fn file(agent: &Agent, wheel: &Wheel, target: &Path, tick: &mut dyn FnMut()) -> Result<()> {
    let not_writable = |source| InstallError::NotWritable { path: target.to_owned(), source };
    let mut file = File::create_new(target).map_err(not_writable)?;
    let (mut hasher, mut count) = (Sha256::new(), 0);
    let limit = wheel.bytes.unwrap_or(WHEEL_LIMIT).min(WHEEL_LIMIT);
    get(agent, &wheel.url, limit, tick, &mut |bytes| {
        hasher.update(bytes);
        count += bytes.len() as u64;
        file.write_all(bytes).map_err(not_writable)
    })?;
    let strange = |why: String| Err(InstallError::Strange { name: wheel.name.clone(), why });
    if let Some(promised) = wheel.bytes.filter(|bytes| *bytes != count) {
        return strange(format!("it has {count} bytes, not the {promised} that the index tells"));
    }
    match base16ct::lower::encode_string(&hasher.finalize()) {
        hash if hash == wheel.sha256 => Ok(()),
        hash => strange(format!("its SHA-256 is {hash}, not {} as the index tells", wheel.sha256)),
    }
}

/// What a server said before the content.
struct Head {
    url: String,
    kind: String,
}

enum Event {
    Head(Head),
    Bytes(Vec<u8>),
    Failed(String),
    Done,
}

/// Asks for `url` in another thread, which a signal need not wait for, and keeps what comes.
fn get(
    agent: &Agent,
    url: &str,
    limit: u64,
    tick: &mut dyn FnMut(),
    keep: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Head> {
    let failed = |why: String| InstallError::Download { url: url::shown(url), why };
    let (send, events) = mpsc::sync_channel(16);
    let (agent, asked) = (agent.clone(), url.to_owned());
    thread::spawn(move || {
        let last = receive(&agent, &asked, limit, &send).map_or_else(Event::Failed, |()| Event::Done);
        let _ = send.send(last);
    });
    let (mut head, mut quiet) = (None, Duration::ZERO);
    loop {
        tick();
        if let Some(signal) = interrupt::pending() {
            return Err(InstallError::Interrupted(signal));
        }
        match events.recv_timeout(TICK) {
            Ok(Event::Head(told)) => head = Some(told),
            Ok(Event::Bytes(bytes)) => keep(&bytes)?,
            Ok(Event::Failed(why)) => return Err(failed(why)),
            Ok(Event::Done) => return head.ok_or_else(|| failed("there was no answer".into())),
            Err(RecvTimeoutError::Disconnected) => return Err(failed("it was given up".into())),
            Err(RecvTimeoutError::Timeout) => {
                quiet += TICK;
                if quiet > 2 * SILENCE {
                    return Err(failed(format!("the server says nothing any more for {} s", quiet.as_secs())));
                }
                continue;
            }
        }
        quiet = Duration::ZERO;
    }
}

fn receive(agent: &Agent, url: &str, limit: u64, send: &mpsc::SyncSender<Event>) -> std::result::Result<(), String> {
    use ureq::ResponseExt;
    let mut answer = agent.get(url).header("Accept", ACCEPT).call().map_err(|error| error.to_string())?;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let head = Head { url: answer.get_uri().to_string(), kind };
    // Nobody listens any more: there was a signal, or what came could not be kept.
    let gone = |_| "it was given up".to_owned();
    send.send(Event::Head(head)).map_err(gone)?;
    let mut body = answer.body_mut().as_reader().take(limit + 1);
    let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
    loop {
        let read = body.read(&mut buffer).map_err(|error| format!("it broke off after {count} bytes: {error}"))?;
        count += read as u64;
        if count > limit {
            return Err(format!("it is larger than {limit} bytes"));
        }
        if read == 0 {
            return Ok(());
        }
        send.send(Event::Bytes(buffer[..read].to_vec())).map_err(gone)?;
    }
}

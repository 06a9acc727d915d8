//! Downloads pages and files, with limits on size and on silence; a signal ends a download at once.

use super::error::{InstallError, Result};
use super::index::{Page, Wheel};
use super::url;
use crate::chunk;
use crate::library::hash_file;
use crate::signals::Signals;
use crate::threads;
use rustls::crypto::ring;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol, ResponseExt};

/// The most bytes of a page of an index (PyPI's of this package has 92 kB), and of a wheel (44 MB).
const PAGE_LIMIT: u64 = 16 << 20;
const WHEEL_LIMIT: u64 = 1 << 30;
/// How long a server may send nothing.
const SILENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);

/// The public index, unless the environment names another.
const PYPI: &str = "https://pypi.org/simple";
/// The JSON of PEP 691, which PyPI and its mirrors send if asked for it.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json";

/// The variables that name a proxy, in the order of ureq.
const PROXIES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// The index to ask: that of pip, or PyPI.
pub fn index_url() -> String {
    std::env::var("PIP_INDEX_URL").ok().filter(|url| !url.is_empty()).unwrap_or_else(|| PYPI.to_owned())
}

/// The HTTP client. It uses the proxy that the environment names, and trusts what the system trusts (or `$SSL_CERT_FILE`).
/// From an index with TLS it follows no redirect to a place without.
///
/// # Errors
/// The environment names a proxy that cannot be used.
pub fn agent(index: &str) -> Result<Agent> {
    check_proxy().map_err(|why| InstallError::Download { url: url::shown(index), why })?;
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .https_only(index.starts_with("https://"))
        .user_agent(concat!("bottle-freeze/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.into())
}

/// Checks the proxy that the environment names, if any: ureq would silently go on without it.
fn check_proxy() -> std::result::Result<(), String> {
    let value = |name: &&'static str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some((name, value)) = PROXIES.iter().find_map(|name| Some((name, value(name)?))) else { return Ok(()) };
    let is_http = |proxy: Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    if Proxy::new(&value).is_ok_and(is_http) {
        return Ok(());
    }
    Err(format!("${name} names no usable proxy: it must begin with http:// or https://"))
}

/// Downloads the index's page of the package, into the new file `target`.
pub fn page(agent: &Agent, index: &str, target: &Path, signals: &Signals, tick: &mut dyn FnMut()) -> Result<Page> {
    let asked = format!("{}/smolmachines/", index.trim_end_matches('/'));
    let url = get(agent, &asked, target, PAGE_LIMIT, signals, tick)?;
    let text = fs::read(target).map_err(|source| InstallError::NotWritable { path: target.to_owned(), source })?;
    Ok(Page { url, text })
}

/// Downloads a wheel into the new file `target`, and checks its size and SHA-256 against the index.
pub fn wheel(agent: &Agent, wheel: &Wheel, target: &Path, signals: &Signals, tick: &mut dyn FnMut()) -> Result<()> {
    let limit = wheel.bytes.unwrap_or(WHEEL_LIMIT).min(WHEEL_LIMIT);
    get(agent, &wheel.url, target, limit, signals, tick)?;
    let hash = hash_file(target).map_err(|source| InstallError::NotWritable { path: target.to_owned(), source })?;
    let untrusted = |why: String| Err(InstallError::Untrusted { name: wheel.name.clone(), why });
    match wheel.bytes {
        Some(promised) if promised != hash.bytes => {
            untrusted(format!("it has {} bytes, and the index says {promised}", hash.bytes))
        }
        _ if hash.sha256 != wheel.sha256 => {
            untrusted(format!("its SHA-256 is {}, and the index says {}", hash.sha256, wheel.sha256))
        }
        _ => Ok(()),
    }
}

/// Downloads `url` into the new file `target`, in a thread, so that a signal ends it at once. Returns the final URL.
fn get(
    agent: &Agent,
    url: &str,
    target: &Path,
    limit: u64,
    signals: &Signals,
    tick: &mut dyn FnMut(),
) -> Result<String> {
    let failed = |why: String| InstallError::Download { url: url::shown(url), why };
    let (send, done) = mpsc::channel();
    let received = Arc::new(AtomicU64::new(0));
    let (agent, asked, file, count) = (agent.clone(), url.to_owned(), target.to_owned(), received.clone());
    let work = move || send.send(receive(&agent, &asked, &file, limit, &count));
    threads::start(work).map_err(|error| failed(format!("could not start a thread: {error}")))?;
    let (mut known, mut since) = (0, Instant::now());
    loop {
        tick();
        signals.check()?;
        match done.recv_timeout(TICK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(failed("the download ended early".into())),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = received.load(Relaxed);
        if now != known {
            (known, since) = (now, Instant::now());
        } else if since.elapsed() > SILENCE {
            return Err(failed(format!("the server sends nothing for {} s", SILENCE.as_secs())));
        }
    }
}

fn receive(agent: &Agent, url: &str, target: &Path, limit: u64, received: &AtomicU64) -> Result<String> {
    // An error may quote the URL.
    let failed = |why: String| InstallError::Download { url: url::shown(url), why: why.replace(url, &url::shown(url)) };
    let not_writable = |source| InstallError::NotWritable { path: target.to_owned(), source };
    let mut answer = agent.get(url).header("Accept", ACCEPT).call().map_err(|error| failed(error.to_string()))?;
    let place = answer.get_uri().to_string();
    let mut body = answer.body_mut().as_reader();
    let mut file = File::create_new(target).map_err(not_writable)?;
    let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
    loop {
        let read = chunk::read(&mut body, &mut buffer)
            .map_err(|error| failed(format!("it broke off after {count} bytes: {error}")))?;
        count += read.len() as u64;
        received.store(count, Relaxed);
        if count > limit {
            return Err(failed(format!("it is larger than {limit} bytes")));
        }
        if read.is_empty() {
            return Ok(place);
        }
        file.write_all(read).map_err(not_writable)?;
    }
}

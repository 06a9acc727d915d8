//! `pack push`, `pack pull`, `pack inspect`: all registries are one folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::ArgMatches;
use sha2::{Digest, Sha256};

use crate::commands::text;
use crate::{Engine, artifact};

pub fn push(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let file = args.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let place = Place::named(args)?;
    if !file.is_file() {
        bail!("agent operation failed: push: file not found: {}", file.display());
    }
    eprintln!("Pushing {} to {}", file.display(), place.reference);
    let read = artifact::to_push(&file);
    let bytes = read.map_err(|error| anyhow!("agent operation failed: registry push: pack format error: {error:#}"))?;
    place.must_answer(engine).context("agent operation failed: registry push")?;
    engine.faults.hit(engine, "before")?;
    let target = place.file(engine);
    fs::create_dir_all(target.parent().context("a folder above the tag")?)?;
    fs::write(target, &bytes)?;
    engine.faults.hit(engine, "after")?;
    let digest = |bytes: &[u8]| base16ct::lower::encode_string(&Sha256::digest(bytes));
    eprintln!("Pushed successfully\n  Layer:    sha256:{} ({} bytes)", digest(&bytes), bytes.len());
    eprintln!("  Manifest: sha256:{}", digest(place.reference.as_bytes()));
    Ok(0)
}

pub fn pull(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let output = args.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    let place = Place::named(args)?;
    println!("Pulling {}", place.reference);
    let bytes = fs::read(place.found(engine).context("agent operation failed: registry pull")?)?;
    fs::write(&output, &bytes[..bytes.len() / 2])?;
    engine.faults.hit(engine, "half")?;
    fs::write(&output, &bytes)?;
    println!("Pulled successfully -> {} ({} bytes)", output.display(), bytes.len());
    Ok(0)
}

pub fn inspect(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let place = Place::named(args)?;
    let file = place.found(engine).context("agent operation failed: fetch manifest")?;
    let manifest = artifact::manifest(&file)?;
    let image = manifest["image"].as_str().unwrap_or_default();
    println!("Reference:  {}\nImage:      {image}\nCPUs:       {}", place.reference, manifest["cpus"]);
    println!("Memory:     {} MiB", manifest["mem"]);
    Ok(0)
}

/// `HOST/NAME:TAG`, in full.
struct Place {
    reference: String,
    host: String,
    name: String,
    tag: String,
}

impl Place {
    fn named(args: &ArgMatches) -> Result<Self> {
        let reference = text(args, "reference").unwrap_or_default();
        let (host, rest) = reference.split_once('/').context("fake-smolvm wants HOST/NAME:TAG")?;
        let (name, tag) = rest.split_once(':').context("fake-smolvm wants HOST/NAME:TAG")?;
        let (host, name, tag) = (host.to_owned(), name.to_owned(), tag.to_owned());
        Ok(Self { reference, host, name, tag })
    }

    fn file(&self, engine: &Engine) -> PathBuf {
        engine.store.dir().join("registry").join(&self.host).join(&self.name).join(&self.tag)
    }

    fn must_answer(&self, engine: &Engine) -> Result<()> {
        if engine.store.dir().join("registry").join(&self.host).is_dir() {
            return Ok(());
        }
        let Self { host, name, tag, .. } = self;
        bail!("HTTP request failed: error sending request for url (http://{host}/v2/{name}/manifests/{tag})")
    }

    fn found(&self, engine: &Engine) -> Result<PathBuf> {
        self.must_answer(engine)?;
        let file = self.file(engine);
        if !file.is_file() {
            bail!("blob not found: {}:{}", self.name, self.tag);
        }
        Ok(file)
    }
}

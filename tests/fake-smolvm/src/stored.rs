//! `machine checkpoint --store`: a folder with an index and links to objects in a store, as the real engine writes them.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const GENERATIONS: &str = "generations";
/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;

/// The folder for what is not compressed yet: in the store, wherever other commands have theirs.
pub fn staging_dir(store: &Path) -> Result<TempDir> {
    let parent = store.join("staging");
    fs::create_dir_all(&parent)?;
    Ok(tempfile::Builder::new().prefix(".checkpoint-").tempdir_in(parent)?)
}

/// Stores all files of the folder `staged`, and makes the folder `out`.
pub fn write(store: &Path, out: &Path, staged: &Path, mut manifest: Value, machine: &str) -> Result<()> {
    for folder in ["objects", "lineage"] {
        fs::create_dir_all(store.join(folder))?;
    }
    fs::write(store.join(".lock"), "")?;
    fs::create_dir(out)?;
    fs::create_dir(out.join("objects"))?;
    fs::write(out.join(".capture-owner"), "smolvm-checkpoint-capture-v1\n")?;
    let (parent, created_at) = (parent(store, machine), manifest["created"].clone());
    let id = format!("{:08x}{:024x}", std::process::id(), fs::read_dir(store.join("lineage"))?.count());
    let parent_id = parent.as_ref().map(|parent| &parent["id"]);
    let lineage = json!({"id": id, "parent": parent_id, "machine": machine, "created_at": created_at});
    manifest["checkpoint"]["lineage"] = lineage.clone();
    if let Some(parent) = &parent {
        retain(Path::new(parent["path"].as_str().unwrap_or_default()), parent["id"].as_str().unwrap_or_default(), out)?;
    }
    let mut files = Vec::new();
    add_folder(&mut files, store, out, staged, "")?;
    let index = json!({"version": 1, "chunk_size": CHUNK, "manifest": manifest, "files": files});
    fs::write(out.join("checkpoint.json"), index.to_string())?;
    let mut record = lineage;
    record["path"] = json!(out);
    Ok(fs::write(store.join("lineage").join(id).with_extension("json"), record.to_string())?)
}

/// The last checkpoint of the VM in the store.
fn parent(store: &Path, machine: &str) -> Option<Value> {
    let records = fs::read_dir(store.join("lineage")).ok()?.flatten();
    let read = |entry: fs::DirEntry| serde_json::from_slice::<Value>(&fs::read(entry.path()).ok()?).ok();
    let mut own: Vec<Value> = records.filter_map(read).filter(|record| record["machine"] == machine).collect();
    own.sort_by_key(|record| record["id"].as_str().map(|id| id[8..].to_owned()));
    own.pop()
}

/// Keeps a checkpoint, and those that it keeps, in the folder `out`.
fn retain(parent: &Path, id: &str, out: &Path) -> Result<()> {
    let mut indexes = vec![(id.to_owned(), parent.to_owned())];
    for entry in fs::read_dir(parent.join(GENERATIONS)).into_iter().flatten().flatten() {
        indexes.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    for (id, folder) in indexes {
        let target = out.join(GENERATIONS).join(id);
        fs::create_dir_all(&target)?;
        fs::copy(folder.join("checkpoint.json"), target.join("checkpoint.json"))?;
    }
    for entry in fs::read_dir(parent.join("objects"))? {
        let entry = entry?;
        fs::hard_link(entry.path(), out.join("objects").join(entry.file_name()))?;
    }
    Ok(())
}

fn add_folder(files: &mut Vec<Value>, store: &Path, out: &Path, folder: &Path, name: &str) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_folder(files, store, out, &entry.path(), &format!("{name}/"))?;
            continue;
        }
        let content = fs::read(entry.path())?;
        let chunks = content.chunks(CHUNK).map(|chunk| add_chunk(store, out, chunk)).collect::<Result<Vec<_>>>()?;
        files.push(json!({"path": name, "size": content.len(), "mode": 0o644, "chunks": chunks}));
    }
    Ok(())
}

/// The name of the chunk; nothing for zeros.
fn add_chunk(store: &Path, out: &Path, chunk: &[u8]) -> Result<Option<String>> {
    if chunk.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let name = base16ct::lower::encode_string(&Sha256::digest(chunk));
    let [object, link] = [store, out].map(|folder| folder.join("objects").join(&name));
    if !object.exists() {
        fs::write(&object, zstd::bulk::compress(chunk, 3)?)?;
    } else if zstd::bulk::decompress(&fs::read(&object)?, CHUNK).ok().as_deref() != Some(chunk) {
        bail!("agent operation failed: checkpoint machine: checkpoint object checksum mismatch");
    }
    if !link.exists() {
        fs::hard_link(object, link)?;
    }
    Ok(Some(name))
}

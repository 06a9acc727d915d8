#!/usr/bin/env python3
"""What a guest says of its files, compared with what bottle-freeze reads in a snapshot. Prints what differs, a line each.

    contents.py files JSON TAR...             `snapshot files -r --json`, and tars that the guest made of some of its folders
    contents.py copy FOLDER TAR...            the same tars, and the folder into which `cp SNAPSHOT:PATH` copied these folders
    contents.py same TAR TAR                  a tar of the guest's files, and one of the thawed guest's
    contents.py diff JSON OLD... -- NEW...    `snapshot diff --json`, and such tars of before and after
    contents.py deleted FOLDER|FILE TEXT      how often the disks in the snapshot in this folder, or this artifact, have this text
    contents.py fsck FOLDER                   `e2fsck -fn` of these disks
"""
import ctypes
import datetime
import hashlib
import json
import os
import pathlib
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile

KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.GNUTYPE_SPARSE: "file", tarfile.DIRTYPE: "folder",
         tarfile.SYMTYPE: "link", tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "character-device", tarfile.BLKTYPE: "block-device"}


def read(tars):
    """The files in tars, by their path: what is known of each, and the hash of its content."""
    files = {}
    for name in tars:
        with tarfile.open(name, errors="surrogateescape") as tar:
            for member in tar:
                path = b"/" + member.name.encode("utf-8", "surrogateescape")
                if member.islnk():
                    files[path] = files[b"/" + member.linkname.encode("utf-8", "surrogateescape")]
                    continue
                # Which the engine writes anew.
                if path == b"/etc/resolv.conf":
                    continue
                kind = KINDS[member.type]
                content = hashlib.sha256(tar.extractfile(member).read()).hexdigest() if kind == "file" else None
                files[path] = {"kind": kind, "mode": f"{member.mode & 0o7777:04o}", "uid": member.uid, "gid": member.gid,
                               "bytes": member.size if kind == "file" else None, "modified": int(member.mtime),
                               "target": member.linkname if kind == "link" else None, "content": content,
                               "device": [member.devmajor, member.devminor] if "device" in kind else None}
    return files


def path_of(listed):
    return bytes.fromhex(listed["path_bytes"]) if "path_bytes" in listed else listed["path"].encode()


def is_in(path, tars):
    """Whether a path is in one of the folders that the tars hold."""
    return path != b"/etc/resolv.conf" and any(path.split(b"/")[1] == top.split(b"/")[1] for top in tars)


def compare(what, guest, ours):
    for path in sorted(guest.keys() | ours.keys()):
        if guest.get(path) != ours.get(path):
            print(f"{what} {path!r}: the guest has {guest.get(path)}, the snapshot {ours.get(path)}")


def listed(name, tars):
    keys = ("kind", "mode", "uid", "gid", "bytes", "modified", "target", "device")
    guest = {path: {key: file[key] for key in keys} for path, file in read(tars).items()}
    ours = {}
    for file in json.load(open(name)):
        path = path_of(file)
        if is_in(path, guest) and file["kind"] != "socket":
            file["bytes"] = file["bytes"] if file["kind"] == "file" else None
            file["modified"] = int(datetime.datetime.fromisoformat(file["modified"].replace("Z", "+00:00")[:19] + "+00:00").timestamp())
            ours[path] = {key: file[key] for key in keys}
    compare("files", guest, ours)
    print(f"{len(guest)} files", file=sys.stderr)


def copied(folder, tars):
    guest = {path: (file["kind"], int(file["mode"], 8) & 0o777, file["content"], file["target"], file["kind"] == "link" or file["modified"])
             for path, file in read(tars).items() if file["kind"] in ("file", "folder", "link")}
    ours, top = {}, os.fsencode(folder)
    for parent, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(parent, name)
            meta = os.lstat(path)
            kind = "folder" if stat.S_ISDIR(meta.st_mode) else "link" if stat.S_ISLNK(meta.st_mode) else "file"
            content = hashlib.sha256(open(path, "rb").read()).hexdigest() if kind == "file" else None
            target = os.fsdecode(os.readlink(path)) if kind == "link" else None
            # Links have no mode here, and no time that counts.
            ours[path[len(top):]] = (kind, stat.S_IMODE(meta.st_mode) & 0o777, content, target, kind == "link" or int(meta.st_mtime))
    ours.pop(b"/etc/resolv.conf", None)
    compare("copy", guest, ours)


def same(old, new):
    def thawable(tar):
        # Of an artifact, the engine unpacks no fifos and no devices, and folders with a new time. These files are its own.
        files = {path: {**file, "modified": None} if file["kind"] == "folder" else file for path, file in read([tar]).items()
                 if path not in (b"/etc/hosts", b"/workspace/.smolvm-workspace-seeded") and file["kind"] in ("file", "folder", "link")}
        names = {}
        for path, file in files.items():
            names.setdefault(id(file), []).append(path)
        return {path: (file, sorted(names[id(file)])) for path, file in files.items()}
    guest, thawed = thawable(old), thawable(new)
    compare("same", guest, thawed)
    print(f"{len(guest)} files", file=sys.stderr)


def changed(name, tars):
    split = tars.index("--")
    old, new = read(tars[:split]), read(tars[split + 1:])
    guest = {}
    for path in old.keys() | new.keys():
        one, two = old.get(path), new.get(path)
        if one is None or two is None:
            guest[path] = ("removed" if two is None else "added", [])
            continue
        same = {"kind": ("kind",), "content": ("content", "target", "device"), "mode": ("mode",), "owner": ("uid", "gid")}
        differs = [what for what, keys in same.items() if any(one[key] != two[key] for key in keys)]
        if differs:
            guest[path] = ("changed", differs)
    ours = {path_of(file): (file["change"], [what for what in file["differs"] if what != "attributes"])
            for file in json.load(open(name))["files"] if is_in(path_of(file), old)}
    # What differs besides the kind, if that does, is all of it.
    simple = lambda all: {path: (change, ["kind"] if "kind" in differs else differs) for path, (change, differs) in all.items()}
    compare("diff", simple(guest), simple(ours))
    print(f"{len(guest)} differences", file=sys.stderr)


def disks(folder):
    """The disks in a snapshot: name, size, and the places and bytes of their data."""
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    index = json.loads((pathlib.Path(folder) / "index.json").read_text())
    sizes = index["manifest"]["assets"]
    for member in index["members"]:
        if not member["path"].endswith((".raw", ".ext4")) and "/disks/" not in member["path"]:
            continue
        logical = sizes.get("overlay_logical_size" if "overlay" in member["path"] else "storage_logical_size")
        def data(chunks=member.get("chunks", [])):
            at = 0
            for name, length, *_ in chunks:
                if name:
                    frame = (pathlib.Path(folder) / "objects" / name).read_bytes()
                    out = ctypes.create_string_buffer(length)
                    if zstd.ZSTD_decompress(out, ctypes.c_size_t(length), frame, ctypes.c_size_t(len(frame))) != length:
                        sys.exit(f"{name} is damaged")
                    yield at, out.raw
                at += length
        yield member["path"], logical or member["size"], data()


def unpacked(name):
    """The bytes of the tar in an artifact."""
    with open(name, "rb") as file, tempfile.NamedTemporaryFile(suffix=".zst") as tar:
        file.seek(-64, os.SEEK_END)
        at, size = struct.unpack_from("<QQ", file.read(), 20)
        file.seek(at)
        tar.write(file.read(size))
        tar.flush()
        # The lab has no zstd.
        return subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", tar.name], check=True, capture_output=True).stdout


def main(command, *args):
    if command == "files":
        listed(args[0], args[1:])
    elif command == "copy":
        copied(args[0], args[1:])
    elif command == "same":
        same(*args)
    elif command == "diff":
        changed(args[0], list(args[1:]))
    elif command == "deleted":
        text, name = args[1].encode(), args[0]
        parts = (data for _, _, all in disks(name) for _, data in all) if os.path.isdir(name) else [unpacked(name)]
        print(sum(data.count(text) for data in parts))
    elif command == "fsck":
        for name, size, all in disks(args[0]):
            with tempfile.NamedTemporaryFile() as file:
                for at, data in all:
                    file.seek(at)
                    file.write(data)
                file.truncate(size)
                done = subprocess.run(["e2fsck", "-fn", file.name], capture_output=True, text=True)
                if done.returncode:
                    print(f"{name}: {done.stdout}{done.stderr}")
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])

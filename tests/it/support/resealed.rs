//! A file system of the corpus whose parts are known, so that it can be changed in them and get checksums that fit again.
//! They have one group of blocks.

use crc::{Algorithm, CRC_32_ISCSI, Crc, Table};
use std::ops::Range;

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&Algorithm { xorout: 0, ..CRC_32_ISCSI });

fn crc32c(seed: u32, parts: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest_with_initial(seed.reverse_bits());
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

const SUPERBLOCK: usize = 1024;
/// Features of a journal: checksums of version 2, and of version 3.
const CHECKSUMS: u32 = 0x18;
const JOURNAL: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

fn u16_at(bytes: &[u8], at: usize) -> usize {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn usize_at(bytes: &[u8], at: usize) -> usize {
    u32_at(bytes, at) as usize
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// What a part is; the number is that of the inode that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Superblock,
    Group,
    Bitmap,
    Inode(u32),
    List(u32),
    Folder(u32),
    Attributes,
    Journal,
}

/// A file system, and where its parts are.
#[derive(Debug, Clone)]
pub struct FileSystem {
    pub bytes: Vec<u8>,
    block: usize,
    parts: Vec<(Kind, Range<usize>)>,
    /// The places of the blocks of its journal, in order.
    journal: Vec<usize>,
}

impl FileSystem {
    pub fn new(bytes: Vec<u8>) -> Self {
        let block = 1024 << u32_at(&bytes, SUPERBLOCK + 0x18);
        let group = if block == 1024 { 2048 } else { block };
        let size = if u32_at(&bytes, SUPERBLOCK + 0x60) & 0x80 == 0 { 32 } else { u16_at(&bytes, SUPERBLOCK + 0xfe) };
        let mut system = Self { bytes, block, parts: Vec::new(), journal: Vec::new() };
        system.parts.push((Kind::Superblock, SUPERBLOCK..SUPERBLOCK + 1024));
        system.parts.push((Kind::Group, group..group + size));
        for at in [0, 4] {
            let bitmap = usize_at(&system.bytes, group + at) * block;
            system.parts.push((Kind::Bitmap, bitmap..bitmap + block));
        }
        let (table, size) = (usize_at(&system.bytes, group + 8) * block, u16_at(&system.bytes, SUPERBLOCK + 0x58));
        for number in 1..=u32_at(&system.bytes, SUPERBLOCK + 0x28) {
            let at = table + (number as usize - 1) * size;
            if u16_at(&system.bytes, at + 26) > 0 {
                system.add_inode(number, at..at + size);
            }
        }
        system
    }

    /// The places of its parts.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.parts.iter().map(|(_, place)| place.clone())
    }

    fn add_inode(&mut self, number: u32, at: Range<usize>) {
        let raw = self.bytes[at.clone()].to_vec();
        self.parts.push((Kind::Inode(number), at));
        let attributes = usize_at(&raw, 104) * self.block;
        if attributes != 0 {
            self.parts.push((Kind::Attributes, attributes..attributes + self.block));
        }
        if u32_at(&raw, 32) & 0x8_0000 != 0 {
            let is_folder = raw[1] >> 4 == 4;
            self.add_list(number, &raw[40..100], is_folder);
        }
    }

    fn add_list(&mut self, number: u32, list: &[u8], is_folder: bool) {
        for entry in list.chunks_exact(12).skip(1).take(u16_at(list, 2)) {
            if u16_at(list, 6) > 0 {
                let at = usize_at(entry, 4) * self.block;
                let below = self.bytes[at..at + self.block].to_vec();
                self.parts.push((Kind::List(number), at..at + self.block));
                self.add_list(number, &below, is_folder);
                continue;
            }
            for extent in 0..u16_at(entry, 4) % 0x8000 {
                let at = (usize_at(entry, 8) + extent) * self.block;
                let place = at..at + self.block;
                if is_folder {
                    self.parts.push((Kind::Folder(number), place));
                } else if number == 8 {
                    self.journal.push(at);
                    if self.bytes[at..].starts_with(&JOURNAL) {
                        self.parts.push((Kind::Journal, place));
                    }
                }
            }
        }
    }

    /// Gives changed bytes the checksums that fit, if the file system has any.
    pub fn seal(&self, bytes: &mut [u8]) {
        if u32_at(&self.bytes, SUPERBLOCK + 0x64) & 0x400 == 0 {
            return;
        }
        let seed = crc32c(!0, &[&bytes[SUPERBLOCK + 0x68..SUPERBLOCK + 0x78]]);
        // From the inside: what has a checksum may hold another one.
        for (kind, place) in self.parts.iter().rev() {
            let seed_of = |number: u32| {
                let inode = self.parts.iter().find(|(kind, _)| *kind == Kind::Inode(number)).unwrap().1.start;
                crc32c(seed, &[&number.to_le_bytes(), &bytes[inode + 100..inode + 104]])
            };
            let at = place.start;
            match *kind {
                Kind::List(number) => {
                    let seed = seed_of(number);
                    seal_at(&mut bytes[place.clone()], |part| (12 * (u16_at(part, 4) + 1)).min(1020), seed);
                }
                Kind::Folder(number) => seal_names(seed_of(number), &mut bytes[place.clone()]),
                Kind::Attributes => {
                    let seed = crc32c(seed, &[&((at / self.block) as u64).to_le_bytes()]);
                    seal_around(seed, &mut bytes[place.clone()], 16, u32::to_le_bytes);
                }
                Kind::Inode(number) => seal_inode(seed_of(number), &mut bytes[place.clone()]),
                Kind::Journal => self.seal_journal(bytes, place.clone()),
                Kind::Group => self.seal_group(seed, bytes, place.clone()),
                Kind::Superblock => seal_at(&mut bytes[place.clone()], |_| 1020, !0),
                Kind::Bitmap => {}
            }
        }
    }

    /// Seals a block of the journal, and the checksums that it lists.
    fn seal_journal(&self, bytes: &mut [u8], place: Range<usize>) {
        let be = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let number = self.journal.iter().position(|at| *at == place.start).unwrap();
        let journal = self.journal[0];
        let (features, seed) = (be(bytes, journal + 40), crc32c(!0, &[&bytes[journal + 48..journal + 64]]));
        if features & CHECKSUMS == 0 {
            return;
        }
        let block = place.len();
        match be(bytes, place.start + 4) {
            1 => {
                // Long numbers in lists of both kinds.
                let size = if features & 0x10 == 0 { 14 } else { 16 };
                let of_data = crc32c(seed, &[&bytes[place.start + 8..place.start + 12]]);
                let mut tag = place.start + 12;
                for data in &self.journal[number + 1..] {
                    if tag + size + 4 > place.end {
                        break;
                    }
                    let sum = crc32c(of_data, &[&bytes[*data..data + block]]);
                    if size == 14 {
                        put(bytes, tag + 4, &sum.to_be_bytes()[2..]);
                    } else {
                        put(bytes, tag + 12, &sum.to_be_bytes());
                    }
                    let marks = bytes[tag + 7];
                    tag += size + if marks & 2 == 0 { 16 } else { 0 };
                    if marks & 8 != 0 {
                        break;
                    }
                }
                seal_around(seed, &mut bytes[place], block - 4, u32::to_be_bytes);
            }
            2 => seal_around(seed, &mut bytes[place], 16, u32::to_be_bytes),
            5 => seal_around(seed, &mut bytes[place], block - 4, u32::to_be_bytes),
            _ => seal_around(!0, &mut bytes[place.start..place.start + 1024], 252, u32::to_be_bytes),
        }
    }

    fn seal_group(&self, seed: u32, bytes: &mut [u8], group: Range<usize>) {
        let at = group.start;
        for (bitmap, length, [low, high]) in
            [(0, u32_at(bytes, SUPERBLOCK + 0x20), [0x18, 0x38]), (4, u32_at(bytes, SUPERBLOCK + 0x28), [0x1a, 0x3a])]
        {
            let start = usize_at(&self.bytes, at + bitmap) * self.block;
            let length = (length as usize / 8).min(self.block);
            let sum = crc32c(seed, &[&bytes[start..start + length]]).to_le_bytes();
            put(bytes, at + low, &sum[..2]);
            if group.len() > 32 {
                put(bytes, at + high, &sum[2..]);
            }
        }
        put(bytes, at + 0x1e, &[0; 2]);
        let sum = crc32c(seed, &[&[0; 4], &bytes[group]]).to_le_bytes();
        put(bytes, at + 0x1e, &sum[..2]);
    }
}

/// Seals what is before a place with the checksum there.
fn seal_at(part: &mut [u8], place: impl Fn(&[u8]) -> usize, seed: u32) {
    let at = place(part);
    let sum = crc32c(seed, &[&part[..at]]);
    put(part, at, &sum.to_le_bytes());
}

/// Seals a whole block with the checksum at a place in it.
fn seal_around(seed: u32, part: &mut [u8], at: usize, bytes_of: fn(u32) -> [u8; 4]) {
    put(part, at, &[0; 4]);
    let sum = crc32c(seed, &[part]);
    put(part, at, &bytes_of(sum));
}

fn seal_inode(seed: u32, raw: &mut [u8]) {
    let has_high = raw.len() > 128 && u16_at(raw, 128) >= 4;
    put(raw, 124, &[0; 2]);
    if has_high {
        put(raw, 130, &[0; 2]);
    }
    let sum = crc32c(seed, &[raw]).to_le_bytes();
    put(raw, 124, &sum[..2]);
    if has_high {
        put(raw, 130, &sum[2..]);
    }
}

fn seal_names(seed: u32, block: &mut [u8]) {
    let limits = match u16_at(block, 4) {
        12 if u16_at(block, 16) + 12 == block.len() => 32,
        first if first == block.len() => 8,
        _ => return seal_at_end(seed, block),
    };
    let (end, tail) = (limits + 8 * u16_at(block, limits + 2), limits + 8 * u16_at(block, limits));
    if end <= tail && tail + 8 <= block.len() {
        let sum = crc32c(seed, &[&block[..end], &block[tail..tail + 4], &[0; 4]]);
        put(block, tail + 4, &sum.to_le_bytes());
    }
}

fn seal_at_end(seed: u32, block: &mut [u8]) {
    let (names, tail) = block.split_at_mut(block.len() - 12);
    put(tail, 8, &crc32c(seed, &[names]).to_le_bytes());
}

/// Gives the first block of a journal the checksum that fits, if it has any.
pub fn seal_header(header: &mut [u8]) {
    if u32::from(header[43]) & CHECKSUMS != 0 {
        seal_around(!0, header, 252, u32::to_be_bytes);
    }
}

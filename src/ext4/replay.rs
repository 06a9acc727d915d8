//! The journal: blocks that are newer than those in their places, if the file system was not unmounted. They are read in
//! place of those; nothing is written. What is replayed is what Linux replays.

use super::checksum::{crc32c, crc32c_without};
use super::error::Ext4Error;
use super::fields::{be16_at, be32_at, byte_at, put, u64_of};
use super::source::ReadAt;
use std::collections::{BTreeMap, HashMap};
use std::io;

const MAGIC: u32 = 0xc03b_3998;
/// The most blocks that it may list, so that they fit into memory.
const MOST: usize = 1 << 20;
/// Kinds of blocks.
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOKED: u32 = 5;
/// Features of a journal.
const LONG_NUMBERS: u32 = 2;
const CHECKSUMS_2: u32 = 8;
const CHECKSUMS_3: u32 = 16;
/// All that change nothing that is read here, with those.
const KNOWN: u32 = 1 | LONG_NUMBERS | CHECKSUMS_2 | CHECKSUMS_3;
/// The kind of its checksums, and where they are: of the journal, and of the end of a transaction; in other blocks, at the end.
const CRC32C: u8 = 4;
const HEADER: usize = 1024;
const HEADER_CHECKSUM: usize = 252;
const COMMIT_CHECKSUM: usize = 16;
/// Marks of a block in a list.
const ESCAPED: u16 = 1;
const SAME_UUID: u16 = 2;
const LAST: u16 = 8;

/// A block in the journal.
#[derive(Debug, Clone, Copy)]
struct Newer {
    /// Where it is on the disk.
    at: u64,
    /// Its first bytes were those of a block of the journal.
    is_escaped: bool,
    /// Its checksum, if it has one.
    checksum: Option<Checksum>,
}

/// The recorded bits of a checksum, and what it begins with.
#[derive(Debug, Clone, Copy)]
struct Checksum {
    seed: u32,
    bits: u32,
    mask: u32,
}

/// A disk, with the blocks of its journal in their places.
#[derive(Debug)]
pub struct Replayed<S> {
    source: S,
    block_bytes: u64,
    newer: BTreeMap<u64, Newer>,
}

impl<S: ReadAt> Replayed<S> {
    /// The disk as it is.
    pub fn new(source: S, block_bytes: u64) -> Self {
        Self { source, block_bytes, newer: BTreeMap::new() }
    }

    /// Puts the blocks of the journal in their places. `places` are its blocks on the disk, in order.
    ///
    /// # Errors
    /// It cannot be read, or has features that are unknown here.
    pub fn replay(&mut self, places: &[u64]) -> Result<(), Ext4Error> {
        let mut log =
            Log { source: &self.source, block_bytes: self.block_bytes, places, features: 0, seed: 0, first: 0, end: 0 };
        let transactions = log.transactions()?;
        let mut revoked = HashMap::new();
        for (number, transaction) in transactions.iter().enumerate() {
            revoked.extend(transaction.revoked.iter().map(|block| (*block, number)));
        }
        for (number, transaction) in transactions.into_iter().enumerate() {
            let is_valid = |block: &u64| revoked.get(block).is_none_or(|until| *until < number);
            self.newer.extend(transaction.blocks.into_iter().filter(|(block, _)| is_valid(block)));
        }
        Ok(())
    }

    /// The disk without its journal.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Whether some of these bytes are in the journal.
    pub fn has_newer(&self, at: u64, bytes: u64) -> bool {
        let (first, last) = (at / self.block_bytes, at.saturating_add(bytes.saturating_sub(1)) / self.block_bytes);
        first <= last && self.newer.range(first..=last).next().is_some()
    }

    /// A block of the journal, as it belongs in its place.
    fn block(&self, newer: &Newer) -> io::Result<Vec<u8>> {
        let mut block = vec![0; usize::try_from(self.block_bytes).unwrap_or(0)];
        self.source.read_at(newer.at, &mut block)?;
        if newer.checksum.is_some_and(|sum| (crc32c(sum.seed, &[&block]) ^ sum.bits) & sum.mask != 0) {
            return Err(io::Error::other(Ext4Error::Damaged("block of the journal", newer.at / self.block_bytes)));
        }
        if newer.is_escaped {
            put(&mut block, 0, &MAGIC.to_be_bytes());
        }
        Ok(block)
    }
}

impl<S: ReadAt> ReadAt for Replayed<S> {
    fn read_at(&self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        if !self.has_newer(at, buffer.len() as u64) {
            return self.source.read_at(at, buffer);
        }
        while !buffer.is_empty() {
            let (block, offset) = (at / self.block_bytes, at % self.block_bytes);
            let bytes = usize::try_from(self.block_bytes - offset).unwrap_or(usize::MAX).min(buffer.len());
            let (part, rest) = buffer.split_at_mut_checked(bytes).ok_or(io::ErrorKind::InvalidInput)?;
            match self.newer.get(&block) {
                None => self.source.read_at(at, part)?,
                Some(newer) => {
                    let whole = self.block(newer)?;
                    let from = whole.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
                    part.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
            (at, buffer) = (at.saturating_add(bytes as u64), rest);
        }
        Ok(())
    }
}

/// What was written to the disk as a whole.
#[derive(Default)]
struct Transaction {
    blocks: Vec<(u64, Newer)>,
    /// Blocks that are newer in their places than here, and before.
    revoked: Vec<u64>,
}

/// The blocks of a journal.
struct Log<'a, S> {
    source: &'a S,
    block_bytes: u64,
    places: &'a [u64],
    features: u32,
    /// What its checksums begin with.
    seed: u32,
    /// The first block of a transaction, and the end of all: after it comes the first.
    first: usize,
    end: usize,
}

impl<S: ReadAt> Log<'_, S> {
    fn place(&self, block: usize) -> Result<u64, Ext4Error> {
        self.places.get(block).copied().ok_or(Ext4Error::Unknown("has a journal that is not whole"))
    }

    fn read(&self, block: usize) -> Result<Vec<u8>, Ext4Error> {
        let mut bytes = vec![0; usize::try_from(self.block_bytes).unwrap_or(0)];
        self.source.read_at(self.place(block)?, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the header of the journal. Returns the number of the first transaction, and its first block: 0 if there is none.
    fn start(&mut self) -> Result<(u32, usize), Ext4Error> {
        let header = self.read(0)?;
        let (first, end, sequence, start) =
            (be32_at(&header, 20), be32_at(&header, 16), be32_at(&header, 24), be32_at(&header, 28));
        if be32_at(&header, 0) != MAGIC || !matches!(be32_at(&header, 4), 3 | 4) || first == 0 || first >= end {
            return Err(Ext4Error::Unknown("has an invalid journal"));
        }
        self.features = if be32_at(&header, 4) == 4 { be32_at(&header, 40) } else { 0 };
        let is_known = self.features & !KNOWN == 0
            && u64::from(be32_at(&header, 12)) == self.block_bytes
            && (!self.has_checksums() || byte_at(&header, 80) == CRC32C);
        if !is_known {
            return Err(Ext4Error::Unknown("has a journal with an unknown feature"));
        }
        let header = header.get(..HEADER).unwrap_or_default();
        if self.has_checksums() && crc32c_without(!0, header, HEADER_CHECKSUM) != be32_at(header, HEADER_CHECKSUM) {
            return Err(Ext4Error::Unknown("has a damaged journal"));
        }
        self.seed = crc32c(!0, &[header.get(48..64).unwrap_or_default()]);
        (self.first, self.end) = (first as usize, end as usize);
        Ok((sequence, start as usize))
    }

    fn has_checksums(&self) -> bool {
        self.features & (CHECKSUMS_2 | CHECKSUMS_3) != 0
    }

    /// Whether a block fits its checksum, which is there.
    fn is_whole(&self, block: &[u8], at: usize) -> bool {
        !self.has_checksums() || crc32c_without(self.seed, block, at) == be32_at(block, at)
    }

    /// The transactions that are complete, in order.
    fn transactions(&mut self) -> Result<Vec<Transaction>, Ext4Error> {
        let (mut sequence, mut block) = self.start()?;
        let (mut all, mut transaction) = (Vec::new(), Transaction::default());
        let (mut is_whole, mut last_time, mut count) = (true, 0, 0_usize);
        // Each block once: then it has gone round.
        for _ in if block == 0 { 0..0 } else { self.first..self.end } {
            let bytes = self.read(block)?;
            if be32_at(&bytes, 0) != MAGIC || be32_at(&bytes, 8) != sequence {
                break;
            }
            block = self.after(block);
            let kind = be32_at(&bytes, 4);
            is_whole &= self.is_whole(&bytes, if kind == COMMIT { COMMIT_CHECKSUM } else { bytes.len() - 4 });
            match kind {
                DESCRIPTOR => block = self.add_blocks(&bytes, block, sequence, &mut transaction)?,
                REVOKED if transaction.revoked.len() <= MOST => self.add_revoked(&bytes, &mut transaction),
                COMMIT => {
                    let time = u64_of(be32_at(&bytes, 52), be32_at(&bytes, 48));
                    if !is_whole {
                        // Where this journal ends, there may be blocks of an earlier one.
                        let is_earlier = time < last_time;
                        return if is_earlier { Ok(all) } else { Err(Ext4Error::Unknown("has a damaged journal")) };
                    }
                    count = count.saturating_add(transaction.blocks.len()).saturating_add(transaction.revoked.len());
                    if count > MOST {
                        return Err(Ext4Error::Unknown("has a journal with too many blocks"));
                    }
                    all.push(std::mem::take(&mut transaction));
                    (sequence, last_time) = (sequence.wrapping_add(1), time);
                }
                _ => break,
            }
        }
        Ok(all)
    }

    fn after(&self, block: usize) -> usize {
        let next = block.saturating_add(1);
        if next >= self.end { self.first } else { next }
    }

    /// Adds the blocks that are listed in a block, and follow it. Returns the block after those.
    fn add_blocks(
        &self,
        list: &[u8],
        mut block: usize,
        sequence: u32,
        to: &mut Transaction,
    ) -> Result<usize, Ext4Error> {
        let is_long = self.features & LONG_NUMBERS != 0;
        let (size, tail) = match self.features & (CHECKSUMS_2 | CHECKSUMS_3) {
            0 => (if is_long { 12 } else { 8 }, 0),
            CHECKSUMS_2 => (if is_long { 14 } else { 10 }, 4),
            _ => (16, 4),
        };
        let seed = crc32c(self.seed, &[&sequence.to_be_bytes()]);
        let mut tags = list.get(12..list.len().saturating_sub(tail)).unwrap_or_default();
        while tags.len() >= size {
            let flags = be16_at(tags, 6);
            let number = u64_of(be32_at(tags, 0), if is_long { be32_at(tags, 8) } else { 0 });
            let checksum = match self.features & (CHECKSUMS_2 | CHECKSUMS_3) {
                0 => None,
                CHECKSUMS_2 => Some(Checksum { seed, bits: be16_at(tags, 4).into(), mask: u16::MAX.into() }),
                _ => Some(Checksum { seed, bits: be32_at(tags, 12), mask: u32::MAX }),
            };
            to.blocks.push((number, Newer { at: self.place(block)?, is_escaped: flags & ESCAPED != 0, checksum }));
            block = self.after(block);
            if flags & LAST != 0 || to.blocks.len() > MOST {
                break;
            }
            tags = tags.get(size + if flags & SAME_UUID == 0 { 16 } else { 0 }..).unwrap_or_default();
        }
        Ok(block)
    }

    fn add_revoked(&self, list: &[u8], to: &mut Transaction) {
        let size = if self.features & LONG_NUMBERS != 0 { 8 } else { 4 };
        let end = list.len() - if self.has_checksums() { 4 } else { 0 };
        let numbers = list.get(16..end.min(be32_at(list, 12) as usize)).unwrap_or_default();
        to.revoked.extend(numbers.chunks_exact(size).map(|number| match size {
            8 => u64_of(be32_at(number, 4), be32_at(number, 0)),
            _ => be32_at(number, 0).into(),
        }));
    }
}

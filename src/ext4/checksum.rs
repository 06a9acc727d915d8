//! The checksums of ext4.

use crc::{Algorithm, CRC_16_MODBUS, CRC_32_ISCSI, Crc, Table};

/// CRC-32C, which ext4 does not invert at the end.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&Algorithm { xorout: 0, ..CRC_32_ISCSI });
static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// The CRC-32C of these parts, one after the other, which continues from `seed`.
pub fn crc32c(seed: u32, parts: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest_with_initial(seed.reverse_bits());
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// The CRC-16 of these parts.
pub fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = CRC16.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// The CRC-32C of a block, with zeros at the place where it is recorded.
pub fn crc32c_without(seed: u32, block: &[u8], at: usize) -> u32 {
    let (before, rest) = block.split_at_checked(at).unwrap_or((block, &[]));
    crc32c(seed, &[before, &[0; 4], rest.get(4..).unwrap_or_default()])
}

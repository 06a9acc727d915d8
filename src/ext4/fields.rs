//! Numbers in what was read. Bytes that are not there are zeros.

/// The bytes from `at` on.
fn bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    from.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

pub fn byte_at(from: &[u8], at: usize) -> u8 {
    from.get(at).copied().unwrap_or(0)
}

pub fn u16_at(from: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(from, at))
}

pub fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(from, at))
}

/// Of the journal, which has the other byte order.
pub fn be16_at(from: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes(from, at))
}

/// The same.
pub fn be32_at(from: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes(from, at))
}

/// A number whose upper half is elsewhere.
pub fn u64_of(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Writes these bytes there, if there is room for them.
pub fn put(to: &mut [u8], at: usize, new: &[u8]) {
    if let Some(part) = to.get_mut(at..).and_then(|rest| rest.get_mut(..new.len())) {
        part.copy_from_slice(new);
    }
}

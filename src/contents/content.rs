//! The content of a file.

use super::error::ContentsError;
use super::layer::Layer;
use crate::ext4::Extent;

/// The content of a file.
pub struct Content<'a> {
    layer: &'a Layer,
    /// Where it has data, in order. All else is zeros.
    pub extents: Vec<Extent>,
    /// Its bytes.
    pub size: u64,
}

impl<'a> Content<'a> {
    /// Content of so many bytes, with these extents in that layer.
    pub fn new(layer: &'a Layer, extents: Vec<Extent>, size: u64) -> Self {
        Self { layer, extents, size }
    }

    /// Fills the buffer with the bytes at this place; after the end there are zeros.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<(), ContentsError> {
        self.layer.read(&self.extents, at, buffer)
    }

    /// Whether all its bytes are those of `other`, without reading them, as far as the chunks say.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn is_known_same(&self, other: &Content<'_>) -> Result<bool, ContentsError> {
        if self.size != other.size || self.extents.len() != other.extents.len() {
            return Ok(false);
        }
        for (one, two) in self.extents.iter().zip(&other.extents) {
            if (one.at, one.bytes) != (two.at, two.bytes) || !self.layer.is_known_same(one, other.layer, two)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same of the bytes at this place, where each is in one extent, or in none.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn is_known_same_at(&self, other: &Content<'_>, at: u64, bytes: u64) -> Result<bool, ContentsError> {
        match (self.part(at, bytes), other.part(at, bytes)) {
            (Some(one), Some(two)) => self.layer.is_known_same(&one, other.layer, &two),
            _ => Ok(self.is_known_zero(at, bytes)? && other.is_known_zero(at, bytes)?),
        }
    }

    /// Whether the first of the bytes at this place are zeros, as far as it is known without reading them, and for how many
    /// that is so.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn known_zeros(&self, at: u64, bytes: u64) -> Result<(bool, u64), ContentsError> {
        let next = self.extents.partition_point(|extent| extent.at.saturating_add(extent.bytes) <= at);
        match self.extents.get(next) {
            Some(extent) if extent.at <= at => {
                let before = at.saturating_sub(extent.at);
                let on_disk = extent.on_disk.saturating_add(before);
                let bytes = bytes.min(extent.bytes.saturating_sub(before));
                self.layer.known_zeros(&Extent { at, on_disk, bytes })
            }
            next => Ok((true, next.map_or(bytes, |next| bytes.min(next.at.saturating_sub(at))))),
        }
    }

    /// The same, where all that is no zeros is at most a `window`.
    ///
    /// # Errors
    /// The tables of a disk cannot be read.
    pub fn next_zeros(&self, at: u64, bytes: u64, window: u64) -> Result<(bool, u64), ContentsError> {
        let (are_zeros, count) = self.known_zeros(at, bytes.min(window))?;
        if !are_zeros {
            return Ok((false, count));
        }
        match self.known_zeros(at, bytes)? {
            (true, more) => Ok((true, more)),
            // One block that the journal has counts for all that is asked for.
            (false, _) => Ok((true, count)),
        }
    }

    fn is_known_zero(&self, at: u64, bytes: u64) -> Result<bool, ContentsError> {
        let (are_zeros, count) = self.known_zeros(at, bytes)?;
        Ok(are_zeros && count >= bytes)
    }

    /// These bytes as a part of the extent that holds all of them.
    fn part(&self, at: u64, bytes: u64) -> Option<Extent> {
        let number = self.extents.partition_point(|extent| extent.at <= at).checked_sub(1)?;
        let extent = self.extents.get(number)?;
        let before = at.saturating_sub(extent.at);
        let is_inside = before.saturating_add(bytes) <= extent.bytes;
        is_inside.then(|| Extent { at, on_disk: extent.on_disk.saturating_add(before), bytes })
    }
}

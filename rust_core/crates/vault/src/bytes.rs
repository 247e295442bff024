//! Reads and writes little-endian numbers and bytes with their length; a reader never goes past the end.

use zeroize::Zeroizing;

use crate::error::{Result, VaultError};

/// Collects bytes; wiped when dropped.
pub struct Writer(pub Zeroizing<Vec<u8>>);

impl Writer {
    /// An empty one with room for `room` bytes, so that it need not grow and leave copies behind.
    pub fn with_room(room: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(room)))
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    /// A count or length. Callers keep within limits that are far below `u32::MAX`.
    pub fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

/// Takes bytes from the front.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn raw(&mut self, count: usize) -> Result<&'a [u8]> {
        let (found, rest) = self.0.split_at_checked(count).ok_or_else(|| VaultError::damaged("it ends too early"))?;
        self.0 = rest;
        Ok(found)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut found = [0; N];
        found.copy_from_slice(self.raw(N)?);
        Ok(found)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A count of at most `most`.
    pub fn count(&mut self, most: usize) -> Result<usize> {
        let found = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if found > most { Err(VaultError::damaged("a count is too large")) } else { Ok(found) }
    }

    pub fn bytes(&mut self, most: usize) -> Result<&'a [u8]> {
        let count = self.count(most)?;
        self.raw(count)
    }

    pub fn text(&mut self, most: usize) -> Result<String> {
        let bytes = self.bytes(most)?;
        let text = std::str::from_utf8(bytes).map_err(|_| VaultError::damaged("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(VaultError::damaged("there are bytes after its end")) }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

//! Bytes out and in: little-endian numbers, variable-length numbers (LEB128), texts; reading never goes past the end.

use crate::error::{Error, Result};

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub fn put_texts(out: &mut Vec<u8>, texts: &[String]) {
    put_varint(out, texts.len() as u64);
    for text in texts {
        put_bytes(out, text.as_bytes());
    }
}

/// Reads from the front of a slice.
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| Error::corrupt("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| Error::corrupt("it ends too early"))?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt("a number is too long"))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = usize::try_from(self.varint()?).map_err(|_| Error::corrupt("a length is too large"))?;
        self.take(count)
    }

    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::corrupt("a text is not UTF-8"))
    }

    pub fn texts(&mut self) -> Result<Vec<String>> {
        // No capacity from the count: damaged bytes must not ask for memory.
        let mut found = Vec::new();
        for _ in 0..self.varint()? {
            found.push(self.text()?.to_owned());
        }
        Ok(found)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        array(self.take(N)?)
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.first_chunk::<N>().copied().ok_or_else(|| Error::corrupt("it ends too early"))
}

/// The `place`th of the fixed-size records that a slice holds.
#[inline]
pub fn record<const N: usize>(bytes: &[u8], place: usize) -> Result<[u8; N]> {
    let start = place.checked_mul(N).ok_or_else(|| Error::corrupt("a place is too large"))?;
    array(bytes.get(start..).unwrap_or_default())
}

/// FNV-1a, 64 bits: spreads ids well enough, and is the same on every machine.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

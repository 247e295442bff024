//! A file's bytes in memory without reading it first. The one place that needs the language's permission for that.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use crate::error::{At, Result};

/// Bytes of a segment: mapped from a file, or in memory only.
pub enum Bytes {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    pub fn map(path: &Path) -> Result<Self> {
        let file = File::open(path).at(path)?;
        // Sound as long as nobody shortens or changes the file while it is mapped: a segment is written and flushed
        // before a manifest names it and before anybody maps it, is never opened for writing again (no number is used
        // twice, but for files that no manifest came to name), and is removed by unlinking, which leaves the map alone.
        #[allow(unsafe_code, reason = "a map is only as constant as its file; see above")]
        let map = unsafe { memmap2::Mmap::map(&file) }.at(path)?;
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

//! The manifest: which files make up the index. It is replaced whole; whoever reads it sees one state or the next.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::bits::Bits;
use crate::error::{At, Error, Result};
use crate::wire::{Cursor, put_bytes, put_varint};

const MAGIC: &[u8; 8] = b"PYAMAN01";
const NAME: &str = "manifest";

#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The number of the next file; none is used twice.
    pub next: u64,
    /// The number of the log.
    pub log: u64,
    /// The length of the vectors, 0 as long as there is none.
    pub width: usize,
    pub segments: Vec<Part>,
}

/// A segment: its number and which of its documents were live when the log was begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub number: u64,
    pub documents: usize,
    pub live: Bits,
}

pub fn log_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("log-{number}"))
}

pub fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("segment-{number}"))
}

impl Manifest {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for number in [self.next, self.log, self.width as u64, self.segments.len() as u64] {
            put_varint(&mut out, number);
        }
        for part in &self.segments {
            put_varint(&mut out, part.number);
            put_varint(&mut out, part.documents as u64);
            put_bytes(&mut out, &part.live.to_bytes());
        }
        let checksum = crc32fast::hash(&out);
        out.extend(checksum.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (said, checksum) =
            bytes.split_last_chunk::<4>().ok_or_else(|| Error::corrupt("the manifest is cut off"))?;
        if crc32fast::hash(said).to_le_bytes() != *checksum {
            return Err(Error::corrupt("the manifest has changed"));
        }
        let mut cursor = Cursor::new(said);
        if cursor.take(8)? != MAGIC {
            return Err(Error::corrupt("a file is no manifest"));
        }
        let (next, log, width, count) = (cursor.varint()?, cursor.varint()?, cursor.varint()?, cursor.varint()?);
        let mut segments = Vec::new();
        for _ in 0..count {
            let (number, documents) = (cursor.varint()?, cursor.varint()? as usize);
            let live = Bits::from_bytes(cursor.bytes()?, documents);
            let live = live.ok_or_else(|| Error::corrupt("the manifest does not fit its segments"))?;
            segments.push(Part { number, documents, live });
        }
        Ok(Self { next, log, width: width as usize, segments })
    }

    /// The folder's manifest; `Missing` where there is none.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing),
            Err(error) => Err(error).at(&path),
        }
    }

    /// Take the place of the folder's manifest, for good when this returns.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let (path, fresh) = (folder.join(NAME), folder.join("manifest.new"));
        let mut file = create_private(&fresh).at(&fresh)?;
        file.write_all(&self.encode()).at(&fresh)?;
        file.sync_all().at(&fresh)?;
        fs::rename(&fresh, &path).at(&path)?;
        sync_folder(folder)
    }

    /// Remove files of the folder that it does not name: those of states before it, and of writers that died.
    pub fn sweep(&self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = |prefix: &str| name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u64>().ok());
            let log = number("log-").is_some_and(|number| number != self.log);
            let segment =
                number("segment-").is_some_and(|number| self.segments.iter().all(|part| part.number != number));
            if log || segment {
                // Where it cannot be removed (another system keeps mapped files), the next sweep tries again.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Tells whether a folder has another manifest now; None where it has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    size: u64,
    modified: Option<std::time::SystemTime>,
    inode: u64,
}

impl Stamp {
    /// That of the folder's manifest.
    pub fn of(folder: &Path) -> Option<Self> {
        let about = fs::metadata(folder.join(NAME)).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&about);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { size: about.len(), modified: about.modified().ok(), inode })
    }
}

/// Make an empty file that is its user's only, or empty one.
pub fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Make a folder that is its user's only; `above`: and those above it that are missing.
pub fn create_private_folder(path: &Path, above: bool) -> std::io::Result<()> {
    let mut make = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
    make.recursive(above).create(path)
}

/// Copy a file to a new one that is its user's only, for good when this returns.
pub fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).at(from)?;
    let mut target = create_private(to).at(to)?;
    std::io::copy(&mut source, &mut target).at(to)?;
    target.sync_all().at(to)
}

/// Make new names in a folder durable, where folders can be flushed.
pub fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) { File::open(folder).and_then(|file| file.sync_all()).at(folder) } else { Ok(()) }
}

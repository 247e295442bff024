//! The log: what was written since the last segment, a record for each batch, flushed before it counts.
//!
//! A record is `length u32 · checksum u32 · bytes`. What follows the last whole record was never acknowledged.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::document::Document;
use crate::error::{At, Error, Result};
use crate::manifest::create_private;
use crate::wire::{Cursor, put_bytes};

const MAGIC: &[u8; 8] = b"PYALOG01";
const LARGEST: usize = 1 << 30;

/// A batch: what is put in, and the ids of what is taken out. No id occurs twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Documents that are put in, or take the place of those with the same ids.
    pub upserts: Vec<Document>,
    /// Ids of documents that are taken out.
    pub deletes: Vec<String>,
}

impl Batch {
    /// One batch that does what several do one after the other.
    pub(crate) fn folded(batches: Vec<Self>) -> Self {
        let mut last: HashMap<String, Option<Document>> = HashMap::new();
        for batch in batches {
            last.extend(batch.deletes.into_iter().map(|id| (id, None)));
            last.extend(batch.upserts.into_iter().map(|document| (document.id.clone(), Some(document))));
        }
        let mut folded = Self::default();
        for (id, document) in last {
            match document {
                Some(document) => folded.upserts.push(document),
                None => folded.deletes.push(id),
            }
        }
        folded
    }
}

pub fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::new();
    for document in &batch.upserts {
        out.push(1);
        document.write_parts(&mut out);
        out.extend(document.time.to_le_bytes());
        let vector = document.vector.as_deref().unwrap_or_default();
        out.extend((vector.len() as u32).to_le_bytes());
        out.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
    }
    for id in &batch.deletes {
        out.push(2);
        put_bytes(&mut out, id.as_bytes());
    }
    out
}

pub fn decode(bytes: &[u8]) -> Result<Batch> {
    let mut cursor = Cursor::new(bytes);
    let mut batch = Batch::default();
    while !cursor.is_empty() {
        match cursor.byte()? {
            1 => {
                let mut document = Document::read_parts(&mut cursor)?;
                document.time = cursor.i64()?;
                let width = cursor.u32()? as usize;
                let vector = cursor.take(width.saturating_mul(4))?;
                if width > 0 {
                    document.vector = Some(vector.chunks_exact(4).map(crate::vectors::float).collect());
                }
                batch.upserts.push(document);
            }
            2 => batch.deletes.push(cursor.text()?.to_owned()),
            _ => return Err(Error::corrupt("the log holds what is no change")),
        }
    }
    Ok(batch)
}

/// Make an empty log.
pub fn create(path: &Path) -> Result<()> {
    let mut file = create_private(path).at(path)?;
    file.write_all(MAGIC).at(path)?;
    file.sync_all().at(path)
}

/// The whole records from byte `from` (0: the beginning) on, and where they end.
pub fn read(path: &Path, from: u64) -> Result<(Vec<Batch>, u64)> {
    let mut file = File::open(path).at(path)?;
    let mut end = from;
    if from == 0 {
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic).at(path)?;
        if &magic != MAGIC {
            return Err(Error::corrupt("a file is no log"));
        }
        end = MAGIC.len() as u64;
    }
    file.seek(SeekFrom::Start(end)).at(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).at(path)?;
    let (batches, length) = records(&bytes)?;
    Ok((batches, end + length as u64))
}

/// The batches of the whole records at the front, and how many bytes those take.
pub fn records(bytes: &[u8]) -> Result<(Vec<Batch>, usize)> {
    let mut cursor = Cursor::new(bytes);
    let mut batches = Vec::new();
    let mut length = 0;
    while let (Ok(size), Ok(checksum)) = (cursor.u32(), cursor.u32()) {
        let Ok(record) = cursor.take(size as usize) else { break };
        // An empty record is what a file that was lengthened and not written looks like.
        if record.is_empty() || crc32fast::hash(record) != checksum {
            // A writer dies in the last record; one that others follow was whole once.
            if !record.is_empty() && !cursor.is_empty() {
                return Err(Error::corrupt("a record of the log has changed"));
            }
            break;
        }
        batches.push(decode(record)?);
        length += 8 + record.len();
    }
    Ok((batches, length))
}

/// Write a record at byte `end`, over whatever a dead writer left there, and flush it; where it ends.
pub fn append(path: &Path, end: u64, batch: &Batch) -> Result<u64> {
    let bytes = encode(batch);
    if bytes.len() > LARGEST {
        return Err(Error::Invalid("a batch is larger than a gibibyte; give it in parts".to_owned()));
    }
    let mut record = Vec::with_capacity(bytes.len() + 8);
    record.extend((bytes.len() as u32).to_le_bytes());
    record.extend(crc32fast::hash(&bytes).to_le_bytes());
    record.extend(bytes);
    let mut file = OpenOptions::new().write(true).open(path).at(path)?;
    if file.metadata().at(path)?.len() > end {
        file.set_len(end).at(path)?;
    }
    let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(&record)).and_then(|()| file.sync_data());
    if let Err(error) = written {
        // What was not acknowledged must not come back; if that fails too, the disk has the last word.
        let _ = file.set_len(end);
        return Err(error).at(path);
    }
    Ok(end + record.len() as u64)
}

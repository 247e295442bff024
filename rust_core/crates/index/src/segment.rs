//! A segment: documents that do not change any more, as sections of bytes that are used where they lie.
//!
//! ```text
//! magic · documents u32 · width u32 · terms u64 · 11 × (offset u64, length u64, checksum u32) · checksum u32 · sections
//! ```
//! Ids are found by a sorted table of hashes. One sorted list of keys carries words, tags and links alike, told apart by
//! their first byte; a key's postings are document numbers as differences, with the number of occurrences. Readers
//! check every place that they follow, so damaged bytes give an error or a wrong answer, never more.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;

use crate::bits::Bits;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::map::Bytes;
use crate::signs;
use crate::text;
use crate::vectors;
use crate::wire::{Cursor, hash, put_varint, record};

const MAGIC: &[u8; 8] = b"PYAIDX02";
const SECTIONS: usize = 11;
const HEADER: usize = 8 + 4 + 4 + 8 + SECTIONS * 20 + 4;
const IDS: usize = 0;
const PLACES: usize = 1;
const PARTS: usize = 2;
const TIMES: usize = 3;
const LENGTHS: usize = 4;
const KEYS: usize = 5;
const KEY_TEXTS: usize = 6;
const POSTINGS: usize = 7;
const CODES: usize = 8;
const VECTORS: usize = 9;
const SIGNS: usize = 10;

/// What a key is: a word of the text, a tag, or the id that a link points to.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Word = b'w',
    Tag = b't',
    Link = b'l',
}

impl Kind {
    fn key(self, text: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(text.len() + 1);
        key.push(self as u8);
        key.extend_from_slice(text.as_bytes());
        key
    }
}

#[derive(Default)]
struct Posting {
    count: u32,
    document: u32,
    times: u32,
    before: u32,
    bytes: Vec<u8>,
}

impl Posting {
    fn add(&mut self, document: u32) {
        if self.times > 0 && self.document != document {
            self.flush();
        }
        self.document = document;
        self.times += 1;
    }

    /// Write the document at hand: the distance to the one before, with a bit that says whether a count follows.
    fn flush(&mut self) {
        let distance = u64::from(self.document - self.before);
        put_varint(&mut self.bytes, distance << 1 | u64::from(self.times > 1));
        if self.times > 1 {
            put_varint(&mut self.bytes, u64::from(self.times));
        }
        self.before = self.document;
        self.count += 1;
        self.times = 0;
    }
}

/// Makes a segment of documents with different ids.
#[derive(Default)]
pub struct Builder {
    documents: u32,
    width: usize,
    terms: u64,
    ids: Vec<(u64, u32)>,
    sections: [Vec<u8>; SECTIONS],
    scales: Vec<u8>,
    postings: HashMap<Vec<u8>, Posting>,
}

impl Builder {
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Add a document; its vector must be of length 1 and of the builder's width.
    pub fn add(&mut self, document: &Document) -> Result<()> {
        let number = self.documents;
        self.documents = number.checked_add(1).ok_or_else(|| Error::Invalid("too many documents".to_owned()))?;
        self.ids.push((hash(document.id.as_bytes()), number));
        let place = self.sections[PARTS].len() as u64;
        self.sections[PLACES].extend(place.to_le_bytes());
        document.write_parts(&mut self.sections[PARTS]);
        self.sections[TIMES].extend(document.time.to_le_bytes());
        let mut length = 0u32;
        let mut key = Vec::new();
        text::terms(&document.text, |term| {
            length += 1;
            key.clear();
            key.push(Kind::Word as u8);
            key.extend_from_slice(term.as_bytes());
            if let Some(posting) = self.postings.get_mut(&key) {
                posting.add(number);
            } else {
                self.postings.entry(key.clone()).or_default().add(number);
            }
        });
        self.terms += u64::from(length);
        self.sections[LENGTHS].extend(length.to_le_bytes());
        let tags = document.tags.iter().map(|tag| Kind::Tag.key(tag));
        for key in tags.chain(document.links.iter().map(|link| Kind::Link.key(link))) {
            self.postings.entry(key).or_default().add(number);
        }
        if self.width > 0 {
            match &document.vector {
                Some(vector) => {
                    let scale = vectors::quantised(vector, &mut self.sections[CODES]);
                    self.scales.extend(scale.to_le_bytes());
                    self.sections[VECTORS].extend(vector.iter().flat_map(|x| x.to_le_bytes()));
                }
                None => {
                    // A scale that is no number says that there is none: nothing compares as better.
                    let codes = self.sections[CODES].len() + self.width;
                    self.sections[CODES].resize(codes, 0);
                    self.scales.extend(f32::NAN.to_le_bytes());
                    let vectors = self.sections[VECTORS].len() + self.width * 4;
                    self.sections[VECTORS].resize(vectors, 0);
                }
            }
        }
        Ok(())
    }

    /// Write the whole segment.
    pub fn write(mut self, out: &mut impl Write) -> io::Result<()> {
        self.ids.sort_unstable();
        for (hash, number) in &self.ids {
            self.sections[IDS].extend(hash.to_le_bytes());
            self.sections[IDS].extend(number.to_le_bytes());
        }
        let end = self.sections[PARTS].len() as u64;
        self.sections[PLACES].extend(end.to_le_bytes());
        let mut keys: Vec<(Vec<u8>, Posting)> = self.postings.into_iter().collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, posting) in &mut keys {
            if posting.times > 0 {
                posting.flush();
            }
            let (text, bytes) = (self.sections[KEY_TEXTS].len() as u64, self.sections[POSTINGS].len() as u64);
            self.sections[KEYS].extend(text.to_le_bytes());
            self.sections[KEYS].extend(bytes.to_le_bytes());
            self.sections[KEYS].extend(posting.count.to_le_bytes());
            self.sections[KEY_TEXTS].extend_from_slice(key);
            self.sections[POSTINGS].extend_from_slice(&posting.bytes);
        }
        let (text, bytes) = (self.sections[KEY_TEXTS].len() as u64, self.sections[POSTINGS].len() as u64);
        self.sections[KEYS].extend(text.to_le_bytes());
        self.sections[KEYS].extend(bytes.to_le_bytes());
        self.sections[KEYS].extend(0u32.to_le_bytes());
        let mut present = Bits::none(self.documents as usize);
        for (document, scale) in self.scales.chunks_exact(4).enumerate() {
            if !vectors::float(scale).is_nan() {
                present.set(document);
            }
        }
        let mut made = signs::made(&self.sections[VECTORS], self.width, &present);
        let (codes, stored) = (&self.sections[CODES], &self.sections[VECTORS]);
        signs::tell_shares(&mut made, codes, &self.scales, stored, self.width, &present);
        self.sections[SIGNS] = made;
        self.sections[CODES].extend_from_slice(&self.scales);

        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend(self.documents.to_le_bytes());
        header.extend((self.width as u32).to_le_bytes());
        header.extend(self.terms.to_le_bytes());
        let mut place = HEADER as u64;
        for section in &self.sections {
            header.extend(place.to_le_bytes());
            header.extend((section.len() as u64).to_le_bytes());
            header.extend(crc32fast::hash(section).to_le_bytes());
            place += section.len() as u64;
        }
        header.extend(crc32fast::hash(&header).to_le_bytes());
        out.write_all(&header)?;
        self.sections.iter().try_for_each(|section| out.write_all(section))
    }
}

/// A segment to be read.
pub struct Segment {
    bytes: Bytes,
    documents: usize,
    width: usize,
    terms: u64,
    sections: [Range<usize>; SECTIONS],
    checksums: [u32; SECTIONS],
}

impl Segment {
    pub fn open(bytes: Bytes) -> Result<Self> {
        let header = bytes.get(..HEADER).ok_or_else(|| Error::corrupt("a segment ends too early"))?;
        let (said, checksum) = header.split_at(HEADER - 4);
        let mut cursor = Cursor::new(said);
        if cursor.take(8)? != MAGIC {
            return Err(Error::corrupt("a file is no segment"));
        }
        if checksum != crc32fast::hash(said).to_le_bytes() {
            return Err(Error::corrupt("a segment's header has changed"));
        }
        let documents = cursor.u32()? as usize;
        let width = cursor.u32()? as usize;
        let terms = cursor.u64()?;
        let mut sections = [const { 0..0 }; SECTIONS];
        let mut checksums = [0; SECTIONS];
        for (section, sum) in sections.iter_mut().zip(&mut checksums) {
            let (start, length) = (cursor.u64()?, cursor.u64()?);
            *sum = cursor.u32()?;
            let end = start.checked_add(length).filter(|end| *end <= bytes.len() as u64);
            let end = end.ok_or_else(|| Error::corrupt("a segment was cut off"))?;
            *section = start as usize..end as usize;
        }
        let codes = documents.checked_mul(width + if width > 0 { 4 } else { 0 });
        let vectors = documents.checked_mul(width * 4);
        let expected = [
            (IDS, documents.checked_mul(12)),
            (PLACES, documents.checked_mul(8).and_then(|size| size.checked_add(8))),
            (TIMES, documents.checked_mul(8)),
            (LENGTHS, documents.checked_mul(4)),
            (CODES, codes),
            (VECTORS, vectors),
        ];
        for (place, size) in expected {
            if size != Some(sections[place].len()) {
                return Err(Error::corrupt("a segment's parts do not fit"));
            }
        }
        Ok(Self { bytes, documents, width, terms, sections, checksums })
    }

    fn section(&self, which: usize) -> &[u8] {
        &self.bytes[self.sections[which].clone()]
    }

    pub fn documents(&self) -> usize {
        self.documents
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn terms(&self) -> u64 {
        self.terms
    }

    /// Compare every section with its checksum.
    pub fn verify(&self) -> Result<()> {
        let good = (0..SECTIONS).all(|which| crc32fast::hash(self.section(which)) == self.checksums[which]);
        if good { Ok(()) } else { Err(Error::corrupt("a segment's content has changed")) }
    }

    /// The number of the document with this id.
    pub fn find(&self, id: &str) -> Result<Option<usize>> {
        let ids = self.section(IDS);
        let wanted = hash(id.as_bytes());
        let entry = |place| record::<12>(ids, place).map(|entry| (u64_of(&entry), u32_of(&entry[8..])));
        let mut place = partition(self.documents, |place| Ok(entry(place)?.0 < wanted))?;
        while place < self.documents {
            let (found, number) = entry(place)?;
            if found != wanted {
                break;
            }
            if self.id(number as usize)? == id {
                return Ok(Some(number as usize));
            }
            place += 1;
        }
        Ok(None)
    }

    fn parts(&self, number: usize) -> Result<Cursor<'_>> {
        let places = self.section(PLACES);
        let (start, end) = (record::<8>(places, number)?, record::<8>(places, number + 1)?);
        let range = u64::from_le_bytes(start) as usize..u64::from_le_bytes(end) as usize;
        Ok(Cursor::new(self.section(PARTS).get(range).ok_or_else(|| Error::corrupt("a document is out of place"))?))
    }

    pub fn id(&self, number: usize) -> Result<&str> {
        self.parts(number)?.text()
    }

    /// The document without its vector.
    pub fn document(&self, number: usize) -> Result<Document> {
        let mut document = Document::read_parts(&mut self.parts(number)?)?;
        document.time = self.time(number);
        Ok(document)
    }

    /// The document with its vector.
    pub fn whole(&self, number: usize) -> Result<Document> {
        let mut document = self.document(number)?;
        if self.has_vector(number) {
            document.vector = Some(self.vector(number).chunks_exact(4).map(vectors::float).collect());
        }
        Ok(document)
    }

    pub fn time(&self, number: usize) -> i64 {
        record::<8>(self.section(TIMES), number).map_or(0, i64::from_le_bytes)
    }

    #[inline]
    pub fn length(&self, number: usize) -> u32 {
        record::<4>(self.section(LENGTHS), number).map_or(0, u32::from_le_bytes)
    }

    pub fn codes(&self) -> &[u8] {
        self.section(CODES).get(..self.documents * self.width).unwrap_or_default()
    }

    pub fn scales(&self) -> &[u8] {
        self.section(CODES).get(self.documents * self.width..).unwrap_or_default()
    }

    pub fn signs(&self) -> &[u8] {
        self.section(SIGNS)
    }

    pub fn has_vector(&self, number: usize) -> bool {
        self.scales().get(number * 4..number * 4 + 4).is_some_and(|scale| !vectors::float(scale).is_nan())
    }

    pub fn vector(&self, number: usize) -> &[u8] {
        let size = self.width * 4;
        self.section(VECTORS).get(number * size..(number + 1) * size).unwrap_or_default()
    }

    /// The documents that hold a key.
    pub fn postings(&self, kind: Kind, text: &str) -> Result<Option<Postings<'_>>> {
        let (keys, texts) = (self.section(KEYS), self.section(KEY_TEXTS));
        let count = (keys.len() / 20).saturating_sub(1);
        let entry = |place| {
            let entry = record::<20>(keys, place)?;
            Ok((u64_of(&entry) as usize, u64_of(&entry[8..]) as usize, u32_of(&entry[16..])))
        };
        let key = |place| {
            let range = entry(place)?.0..entry(place + 1)?.0;
            texts.get(range).ok_or_else(|| Error::corrupt("a key is out of place"))
        };
        let wanted = kind.key(text);
        let place = partition(count, |place| Ok(key(place)? < wanted.as_slice()))?;
        if place == count || key(place)? != wanted.as_slice() {
            return Ok(None);
        }
        let ((_, start, count), (_, end, _)) = (entry(place)?, entry(place + 1)?);
        let bytes = self.section(POSTINGS).get(start..end);
        let bytes = bytes.ok_or_else(|| Error::corrupt("postings are out of place"))?;
        Ok(Some(Postings { bytes: Cursor::new(bytes), document: 0, count, documents: self.documents }))
    }
}

/// Documents with how often each holds a key, in order.
pub struct Postings<'a> {
    bytes: Cursor<'a>,
    document: u64,
    /// How many documents there are, deleted ones included.
    pub count: u32,
    documents: usize,
}

impl Postings<'_> {
    /// The next document and its number of occurrences.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(usize, u32)>> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let step = self.bytes.varint()?;
        let times = if step & 1 == 1 { self.bytes.varint()? as u32 } else { 1 };
        self.document = self.document.saturating_add(step >> 1);
        match usize::try_from(self.document) {
            Ok(document) if document < self.documents => Ok(Some((document, times))),
            _ => Err(Error::corrupt("postings name a document that is not there")),
        }
    }

    pub fn into_bits(mut self) -> Result<Bits> {
        let mut found = Bits::none(self.documents);
        while let Some((document, _)) = self.next()? {
            found.set(document);
        }
        Ok(found)
    }
}

/// The first place in `0..count` for which `before` is false.
fn partition(count: usize, before: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

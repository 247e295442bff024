//! One state of an index: segments and which of their documents are live. A state never changes; a change makes another.

use std::collections::HashSet;
use std::sync::Arc;

use crate::bits::Bits;
use crate::document::Document;
use crate::error::Result;
use crate::log::Batch;
use crate::map::Bytes;
use crate::segment::{Builder, Segment};

/// A segment as a state sees it.
#[derive(Clone)]
pub struct Shelf {
    pub segment: Arc<Segment>,
    /// The number of its file; None while it is in memory and the log only.
    pub number: Option<u64>,
    pub live: Arc<Bits>,
    pub live_documents: usize,
    pub live_terms: u64,
}

impl Shelf {
    pub fn new(segment: Segment, number: Option<u64>, live: Bits) -> Self {
        let live_documents = live.count();
        let live_terms = if live_documents == segment.documents() {
            segment.terms()
        } else {
            live.iter().map(|place| u64::from(segment.length(place))).sum()
        };
        Self { segment: Arc::new(segment), number, live: Arc::new(live), live_documents, live_terms }
    }

    pub fn is_whole(&self) -> bool {
        self.live_documents == self.segment.documents()
    }

    fn take_out(&mut self, id: &str) -> Result<bool> {
        let Some(place) = self.segment.find(id)? else { return Ok(false) };
        if !self.live.has(place) {
            return Ok(false);
        }
        Arc::make_mut(&mut self.live).clear(place);
        self.live_documents -= 1;
        self.live_terms = self.live_terms.saturating_sub(u64::from(self.segment.length(place)));
        Ok(true)
    }
}

/// What a reader sees; it does not change.
#[derive(Clone, Default)]
pub struct State {
    pub(crate) shelves: Vec<Shelf>,
    /// The length of the vectors, 0 as long as there is none.
    pub(crate) width: usize,
}

impl State {
    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.live_documents).sum()
    }

    pub(crate) fn terms(&self) -> u64 {
        self.shelves.iter().map(|shelf| shelf.live_terms).sum()
    }

    /// Where the live document with this id is.
    pub(crate) fn find(&self, id: &str) -> Result<Option<(usize, usize)>> {
        for (shelf, each) in self.shelves.iter().enumerate() {
            if let Some(place) = each.segment.find(id)?.filter(|place| each.live.has(*place)) {
                return Ok(Some((shelf, place)));
            }
        }
        Ok(None)
    }

    /// The document with this id, its vector included.
    pub fn get(&self, id: &str) -> Result<Option<Document>> {
        self.find(id)?.map(|(shelf, place)| self.shelves[shelf].segment.whole(place)).transpose()
    }

    /// Documents that following links from some ids leads to, nearest first, with the steps it takes.
    ///
    /// Links are followed both ways; the ids themselves are not among what is found, which are `most` at most.
    pub fn neighbours(&self, ids: &[String], steps: u32, most: usize) -> Result<Vec<(Document, u32)>> {
        let found = self.around(ids, steps, most.saturating_add(ids.len()))?.into_iter().filter(|found| found.2 > 0);
        let found = found.take(most);
        found.map(|(shelf, place, step)| Ok((self.shelves[shelf].segment.document(place)?, step))).collect()
    }

    /// The state after a batch, and how many documents the batch's deletes took out.
    pub(crate) fn after(&self, batch: &Batch) -> Result<(Self, usize)> {
        let mut next = self.clone();
        let mut deleted = 0;
        for id in &batch.deletes {
            deleted += usize::from(next.take_out(id)?);
        }
        for document in &batch.upserts {
            next.take_out(&document.id)?;
        }
        if !batch.upserts.is_empty() {
            let width = batch.upserts.iter().find_map(|document| document.vector.as_ref().map(Vec::len));
            next.width = if self.width == 0 { width.unwrap_or(0) } else { self.width };
            let mut builder = Builder::new(next.width);
            batch.upserts.iter().try_for_each(|document| builder.add(document))?;
            next.shelves.push(in_memory(builder)?);
            next.gather()?;
        }
        next.shelves.retain(|shelf| shelf.number.is_some() || shelf.live_documents > 0);
        Ok((next, deleted))
    }

    fn take_out(&mut self, id: &str) -> Result<bool> {
        for shelf in &mut self.shelves {
            if shelf.take_out(id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Join segments in memory of like size, so that there are few of them and a document is moved few times (the
    /// logarithmic method of Bentley and Saxe, 1980).
    fn gather(&mut self) -> Result<()> {
        while let [.., before, last] = self.shelves.as_slice() {
            if before.number.is_some() || before.live_documents > 2 * last.live_documents {
                break;
            }
            let joined = join(&[before, last], self.width)?;
            self.shelves.truncate(self.shelves.len() - 2);
            self.shelves.push(in_memory(joined)?);
        }
        Ok(())
    }

    /// As `neighbours`, by place; the ids themselves are at 0 steps.
    pub(crate) fn around(&self, ids: &[String], steps: u32, most: usize) -> Result<Vec<(usize, usize, u32)>> {
        let mut seen: HashSet<(usize, usize)> = HashSet::new();
        let mut found = Vec::new();
        for id in ids {
            if let Some(place) = self.find(id)?.filter(|place| seen.insert(*place)) {
                found.push((place.0, place.1, 0));
            }
        }
        let mut at = 0;
        while let Some((shelf, place, step)) = found.get(at).copied() {
            at += 1;
            if step == steps {
                break;
            }
            let document = self.shelves[shelf].segment.document(place)?;
            let mut next = Vec::new();
            for link in &document.links {
                next.extend(self.find(link)?);
            }
            for (other, each) in self.shelves.iter().enumerate() {
                if let Some(mut postings) = each.segment.postings(crate::segment::Kind::Link, &document.id)? {
                    while let Some((place, _)) = postings.next()? {
                        if each.live.has(place) {
                            next.push((other, place));
                        }
                    }
                }
            }
            for place in next {
                if found.len() < most && seen.insert(place) {
                    found.push((place.0, place.1, step + 1));
                }
            }
        }
        Ok(found)
    }
}

fn in_memory(builder: Builder) -> Result<Shelf> {
    let mut bytes = Vec::new();
    builder.write(&mut bytes).map_err(|error| crate::Error::Io("memory".to_owned(), error))?;
    let segment = Segment::open(Bytes::Owned(bytes))?;
    let live = Bits::all(segment.documents());
    Ok(Shelf::new(segment, None, live))
}

/// A builder with the live documents of some shelves.
pub fn join(shelves: &[&Shelf], width: usize) -> Result<Builder> {
    let mut builder = Builder::new(width);
    for shelf in shelves {
        for place in shelf.live.iter() {
            let document: Document = shelf.segment.whole(place)?;
            builder.add(&document)?;
        }
    }
    Ok(builder)
}

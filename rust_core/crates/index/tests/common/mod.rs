//! What the tests share: folders of their own, small documents, small limits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pyagent_index::{Batch, Document, Filter, Index, Limits, Query};

/// How long a test waits for another writer.
pub const WAIT: Duration = Duration::from_secs(20);

/// Limits so small that a few documents make segments and join them.
pub const SMALL: Limits = Limits { documents: 5, log: 1 << 16, fan: 3, largest: 40 };

/// A folder that goes with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pyagent-index-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[allow(dead_code)]
pub fn document(id: &str, text: &str) -> Document {
    Document { id: id.to_owned(), text: text.to_owned(), ..Document::default() }
}

#[allow(dead_code)]
pub fn upsert(index: &Index, documents: Vec<Document>) -> pyagent_index::Result<usize> {
    index.commit(Batch { upserts: documents, deletes: Vec::new() }, WAIT)
}

#[allow(dead_code)]
pub fn words(text: &str, limit: usize) -> Query {
    Query { text: text.to_owned(), limit, text_weight: 1.0, vector_weight: 1.0, ..Query::default() }
}

#[allow(dead_code)]
pub fn ids(index: &Index, query: &Query) -> pyagent_index::Result<Vec<String>> {
    Ok(index.state()?.search(query)?.into_iter().map(|hit| hit.document.id).collect())
}

#[allow(dead_code)]
pub fn filtered(filter: Filter) -> Query {
    Query { filter, limit: 1000, ..Query::default() }
}

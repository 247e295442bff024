//! What an index holds, and how one document is written.

use crate::error::Result;
use crate::wire::{Cursor, put_bytes, put_texts};

/// What an index holds under an id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Its name; what is put in under the same one takes its place.
    pub id: String,
    /// What is searched by words.
    pub text: String,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// A time to filter by, in milliseconds since 1970.
    pub time: i64,
    /// Ids of the documents that it points to, whether they are there or not.
    pub links: Vec<String>,
    /// Bytes that are handed back as they are.
    pub data: Vec<u8>,
    /// What is searched by nearness; all vectors of an index have the same length.
    pub vector: Option<Vec<f32>>,
}

impl Document {
    /// The parts that are read together: all but time and vector.
    pub(crate) fn write_parts(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.id.as_bytes());
        put_bytes(out, self.text.as_bytes());
        put_texts(out, &self.tags);
        put_texts(out, &self.links);
        put_bytes(out, &self.data);
    }

    pub(crate) fn read_parts(cursor: &mut Cursor<'_>) -> Result<Self> {
        Ok(Self {
            id: cursor.text()?.to_owned(),
            text: cursor.text()?.to_owned(),
            tags: cursor.texts()?,
            links: cursor.texts()?,
            data: cursor.bytes()?.to_vec(),
            time: 0,
            vector: None,
        })
    }
}

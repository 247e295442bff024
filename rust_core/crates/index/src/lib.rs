//! The memory index: documents that are found by words (BM25), by nearness of vectors, by tags, time and links.
//!
//! An index is a folder of files that a crash leaves readable: see [`Index`]. Nothing here knows what a vector means or
//! where a text came from.

mod bits;
mod document;
mod error;
mod index;
mod log;
mod manifest;
mod map;
mod search;
mod segment;
mod signs;
mod state;
mod text;
mod vectors;
mod wire;

pub use document::Document;
pub use error::{Error, Result};
pub use index::{Index, Limits, Stats};
pub use log::Batch;
pub use search::{Filter, Hit, Query};
pub use state::State;
pub use text::{B, K1, query_terms};

//! Metrics: counters, gauges and histograms that any thread records into without a lock.
//!
//! This crate is plain Rust, without dependencies, and knows nothing of Python. `cells` holds the figures, `buckets`
//! the layout of a histogram, `registry` names them and bounds their series, `snapshot` is what they were at a moment
//! (peers merge theirs), `wire` its bytes, `text` what Prometheus reads.

mod buckets;
mod cells;
mod registry;
mod snapshot;
mod text;
mod wire;

pub use buckets::{BOUNDS, place, upper};
pub use cells::{Amount, Cell, Counter, Exemplar, Histogram, Level};
pub use registry::{Family, Kind, Mistake, OTHER, Registry, SERIES};
pub use snapshot::{Distribution, Families, FamilyKey, Part, Snapshot, Table, Value};
pub use text::{Format, accepted};
pub use wire::{Malformed, from_bytes, to_bytes};

//! The trained dictionaries, by number. A number is never given to another one: what was packed with it is kept.

use std::sync::LazyLock;

use zstd_safe::{CDict, DDict};

use crate::zstd::DICTIONARY_LEVEL;

/// A dictionary, ready for both directions.
pub(crate) struct Dictionary {
    pub number: u32,
    pub compress: CDict<'static>,
    pub decompress: DDict<'static>,
}

impl Dictionary {
    fn load(number: u32, bytes: &'static [u8]) -> Option<Self> {
        let compress = CDict::try_create(bytes, DICTIONARY_LEVEL)?;
        Some(Self { number, compress, decompress: DDict::try_create(bytes)? })
    }
}

// A new dictionary: a file, a line here and in `by_number`, and its name in `current`.
static FIRST: LazyLock<Option<Dictionary>> =
    LazyLock::new(|| Dictionary::load(1, include_bytes!("../dictionaries/1.zdict")));

/// The one that new payloads are packed with; none if there was no memory for it.
pub(crate) fn current() -> Option<&'static Dictionary> {
    FIRST.as_ref()
}

/// The one with this number, if this version has it.
pub(crate) fn by_number(number: u32) -> Option<&'static Dictionary> {
    match number {
        1 => FIRST.as_ref(),
        _ => None,
    }
}

/// The number of the dictionary that new payloads are packed with.
#[must_use]
pub fn newest() -> u32 {
    1
}

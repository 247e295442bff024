//! The Python module `pyagent_core._native`: thin, typed doors to the crates beside this one.

// PyO3's macros write the unsafe parts themselves.
#![allow(unsafe_code, reason = "PyO3's macros expand to it")]

mod codec;
mod door;
mod expressions;
mod index;
mod metrics;
mod sealing;
mod vault;

use pyo3::prelude::*;

/// PyAgent's compiled parts.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::codec::{
        Blake3, CodecError, blake3_hex, codec_describe, codec_pack, codec_pack_with, codec_unpack, codec_unpack_with,
    };
    #[pymodule_export]
    use crate::door::{CoreFault, panic_behind_the_door};
    #[pymodule_export]
    use crate::expressions::{Engine, ScriptError, analyse, parse_template, plain_path, walk};
    #[pymodule_export]
    use crate::index::{MemoryIndex, MemoryIndexError, text_terms};
    #[pymodule_export]
    use crate::metrics::{
        Amount, Amounts, Counter, Counters, Histogram, Histograms, Level, Levels, MetricRegistry, MetricSnapshot,
        metric_bounds,
    };
    #[pymodule_export]
    use crate::sealing::PayloadSeal;
    #[pymodule_export]
    use crate::vault::{Vault, VaultError, attenuate_token, seal_to};
}

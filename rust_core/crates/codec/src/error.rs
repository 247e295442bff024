//! What can be wrong with stored bytes.

use std::fmt;

/// Why bytes could not be packed or unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The first byte, the flags or the dictionary are of a version that this one does not know.
    Unknown(String),
    /// The bytes are not what was written.
    Damaged(&'static str),
    /// The content is larger than allowed.
    TooLarge {
        /// Bytes that it has, or says to have.
        size: u64,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It is a delta, and the parent was not given, or is another one.
    Parent(&'static str),
    /// It is sealed, and the key was not given, or is another one.
    Key(&'static str),
    /// The system gave no memory or no random numbers.
    System(&'static str),
}

impl Error {
    /// A stable word for the kind of error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Damaged(_) => "damaged",
            Self::TooLarge { .. } => "too_large",
            Self::Parent(_) => "parent",
            Self::Key(_) => "key",
            Self::System(_) => "system",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(what) => to.write_str(what),
            Self::Damaged(what) | Self::Parent(what) | Self::Key(what) | Self::System(what) => to.write_str(what),
            Self::TooLarge { size, limit } => write!(to, "{size} bytes are more than the {limit} allowed"),
        }
    }
}

impl std::error::Error for Error {}

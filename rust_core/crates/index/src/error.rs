//! What can go wrong with an index.

use std::fmt;
use std::io;
use std::path::Path;

/// Result of what touches an index.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an index could not do what was asked.
#[derive(Debug)]
pub enum Error {
    /// The file system refused; the text names the file.
    Io(String, io::Error),
    /// Bytes that no writer of ours left behind.
    Corrupt(String),
    /// What was given does not fit the index.
    Invalid(String),
    /// Another writer held the lock for as long as was waited.
    Locked,
    /// There is no index in the folder.
    Missing,
}

impl Error {
    pub(crate) fn corrupt(what: &str) -> Self {
        Self::Corrupt(what.to_owned())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(place, error) => write!(f, "{place}: {error}"),
            Self::Corrupt(what) => write!(f, "the index is damaged: {what}"),
            Self::Invalid(what) => f.write_str(what),
            Self::Locked => f.write_str("another writer holds the index"),
            Self::Missing => f.write_str("there is no index in this folder"),
        }
    }
}

impl std::error::Error for Error {}

/// Names the file in an error of the file system.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::Io(path.display().to_string(), error))
    }
}

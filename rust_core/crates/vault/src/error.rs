//! One error type: a kind that callers decide by, and words without any secret in them.

use std::fmt;
use std::path::Path;

/// What went wrong, for callers to decide by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The passphrase or key does not open it.
    Locked,
    /// The bytes are not what was written.
    Damaged,
    /// Written by a newer version.
    Newer,
    /// It is there already.
    Exists,
    /// It is not there.
    Missing,
    /// Another process writes.
    Busy,
    /// It has another version than the one that was to be replaced.
    Changed,
    /// A file could not be read or written.
    Files,
    /// What was given breaks a rule.
    Invalid,
    /// A file that must be private can be read by others.
    Exposed,
    /// A token is not one, or not of this owner.
    Token,
    /// An older file has taken the place of the one that was there.
    Older,
    /// A token's time is over.
    Expired,
    /// A token was revoked.
    Revoked,
}

impl Kind {
    /// Its name, as Python sees it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Newer => "newer",
            Self::Exists => "exists",
            Self::Missing => "missing",
            Self::Busy => "busy",
            Self::Changed => "changed",
            Self::Files => "files",
            Self::Invalid => "invalid",
            Self::Exposed => "exposed",
            Self::Token => "token",
            Self::Older => "older",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// An error of the vault. Its message never holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VaultError {
    /// What went wrong.
    pub kind: Kind,
    /// The same for a person.
    pub message: String,
}

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, VaultError>;

impl VaultError {
    /// An error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn damaged(what: &str) -> Self {
        Self::new(Kind::Damaged, what)
    }

    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::Missing,
            std::io::ErrorKind::AlreadyExists => Kind::Exists,
            _ => Kind::Files,
        };
        Self::new(kind, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for VaultError {}

//! Why an expression gave no value.

use std::fmt;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The code does not parse.
    Syntax,
    /// The code threw an error, or gave something that is not data.
    Failed,
    /// The time limit was reached.
    Timeout,
    /// The memory limit was reached.
    Memory,
    /// The host refused what was asked of it; it knows why.
    Host,
    /// Dates are needed and luxon's source was not given.
    NeedsLuxon,
}

/// A failure, and where in the code it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// Line and column in the code, both from 1, where known.
    pub position: Option<(usize, usize)>,
}

impl ExprError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), position: None }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match self.position {
            Some((line, column)) => write!(formatter, " ({line}:{column})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExprError {}

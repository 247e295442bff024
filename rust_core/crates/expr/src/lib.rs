//! Template expressions: `{{ … }}` in JavaScript on QuickJS, with limits, plain paths and luxon's dates.
//!
//! This crate is plain Rust and knows nothing of Python. `template` takes a string apart, `analysis` says what
//! an expression reads, `engine` runs it.

mod analysis;
mod calm;
mod engine;
mod error;
mod lexer;
mod meter;
mod place;
mod realm;
mod template;
mod zones;

pub use analysis::{Analysis, DATA_ROOTS, INHERITED, Key, Needs, Path, Pick, Root, analyse, plain_path};
pub use calm::is_calm;
pub use engine::{Argument, Engine, Host, Limits, Program, Run, Value};
pub use error::{ErrorKind, ExprError};
pub use template::{Part, Position, TemplateError, parse};

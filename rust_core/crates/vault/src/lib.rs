//! What PyAgent keeps secret: values at rest, the owner's keys, capability tokens, fields sealed to a key.
//!
//! Every primitive is RustCrypto's or dalek's; this crate says what is bound to what, and how files and texts are laid
//! out. All parsers here read untrusted bytes: they are bounded, never panic, and accept one encoding of each value.

mod aead;
mod bytes;
mod error;
mod files;
mod identity;
mod index;
mod kdf;
mod keyring;
mod protection;
mod sealed;
mod token;
mod vault;
mod witness;

pub use aead::{Key, NONCE, TAG, open, seal, seal_with};
pub use error::{Kind, Result, VaultError};
pub use identity::{Identity, check_signature};
pub use index::{Entry, Fields, Issued};
pub use kdf::{Cost, derive, expand, random};
pub use protection::{Protect, Unlock};
pub use sealed::{SEALED_OVERHEAD, open_sealed, seal_to};
pub use token::{Grant, Limits, TOKEN_PREFIX, attenuate, issue, verify};
pub use vault::Vault;

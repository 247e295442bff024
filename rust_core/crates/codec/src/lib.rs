//! How payloads lie in a store: bytes in, bytes out.
//!
//! The first byte of what is stored names its form:
//!
//! | byte | what follows |
//! |---|---|
//! | `00` | the content as it is |
//! | `01` | a zstd frame; read for ever, not written any more |
//! | `03` | an envelope of version 1: flags, what the flags ask for, then the body |
//!
//! `02` begins a file of chunks, which the store keeps for itself. The flags of an envelope: bits 0 and 1 are the
//! method (0 as it is, 1 zstd, 2 zstd with a dictionary), bit 2 says that it is a delta, bit 3 that the body is
//! sealed, bit 4 that its key is named, the others are 0. Then come, in this order, the dictionary's number (method 2), the content's size, both as
//! LEB128, the first 8 bytes of the parent's BLAKE3 (a delta), and the key's name, 8 bytes (bit 4; the parent's name is
//! then of a keyed BLAKE3). A zstd body is a frame without magic number,
//! content size and dictionary number; contents of 4 KiB and more end with zstd's checksum. A sealed body is a nonce of
//! 24 bytes, then the body in XChaCha20-Poly1305, which all bytes before it authenticate.
//!
//! Whatever the bytes are, reading them gives the content or an `Error`, and takes no more memory than the content
//! may be large.

mod dictionaries;
mod envelope;
mod error;
mod seal;
mod zstd;

pub use blake3::Hasher;
pub use dictionaries::newest as newest_dictionary;
pub use envelope::{Description, Options, describe, pack, pack_with, unpack, unpack_with};
pub use error::Error;
pub use pyagent_vault::Key;

/// No content may be larger, in bytes; neither is it written nor read.
pub const MAX_CONTENT: usize = 1 << 30;

/// What envelopes call a key.
#[must_use]
pub fn key_name(key: &Key) -> [u8; 8] {
    seal::name(key)
}

/// BLAKE3 of some bytes under a key: nobody else can tell of which.
#[must_use]
pub fn keyed_digest(key: &Key, content: &[u8]) -> [u8; 32] {
    blake3::keyed_hash(key.as_bytes(), content).into()
}

/// BLAKE3 of some bytes.
#[must_use]
pub fn digest(content: &[u8]) -> [u8; 32] {
    blake3::hash(content).into()
}

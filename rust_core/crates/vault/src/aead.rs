//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): sealing with a key, a nonce of 24 random bytes, and associated data.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Kind, Result, VaultError};
use crate::kdf::random;

/// Bytes of a nonce. Random ones do not meet again at any number of messages that a machine can make.
pub const NONCE: usize = 24;
/// Bytes of the authentication tag.
pub const TAG: usize = 16;

/// A symmetric key. Wiped when dropped; compared in constant time; never shown.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The key made of these bytes, which are wiped.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// A random key. Fails where the system gives no random bytes.
    ///
    /// # Errors
    /// `Files` where the system has no source of random bytes.
    pub fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(…)")
    }
}

/// Seal `plain` with a fresh random nonce: nonce, ciphertext, tag. `context` is bound to it and must be given to open.
///
/// # Errors
/// `Files` where the system gives no random bytes, `Invalid` for more than the cipher's 256 GiB.
pub fn seal(key: &Key, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let nonce = random::<NONCE>()?;
    let sealed = seal_with(key, &nonce, context, plain)?;
    let mut found = Vec::with_capacity(NONCE + sealed.len());
    found.extend_from_slice(&nonce);
    found.extend_from_slice(&sealed);
    Ok(found)
}

/// Ciphertext and tag under a nonce that the caller answers for: one nonce never seals two messages of one key.
///
/// # Errors
/// `Invalid` for more than the cipher's 256 GiB.
pub fn seal_with(key: &Key, nonce: &[u8; NONCE], context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    cipher(key)
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad: context })
        .map_err(|_| VaultError::new(Kind::Invalid, "it is too large to be sealed"))
}

/// What `seal` has sealed, if key and context are the same and no bit has changed.
///
/// # Errors
/// `Locked`.
pub fn open(key: &Key, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let refused = || VaultError::new(Kind::Locked, "it cannot be opened: another key, or it was changed");
    let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or_else(refused)?;
    let mut own = [0; NONCE];
    own.copy_from_slice(nonce);
    let plain = cipher(key).decrypt(&XNonce::from(own), Payload { msg: rest, aad: context });
    plain.map(Zeroizing::new).map_err(|_| refused())
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_bytes().into())
}

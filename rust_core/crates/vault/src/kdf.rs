//! Keys from passphrases (Argon2id, RFC 9106) and from other keys (HKDF-SHA-256, RFC 5869), and random bytes.

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::error::{Kind, Result, VaultError};

/// What guessing a passphrase costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106's second recommended option: 64 MiB, three passes, four lanes.
    pub const RECOMMENDED: Self = Self { memory: 64 * 1024, passes: 3, lanes: 4 };

    /// Whether a file may ask for it: less protects nothing, more would let a file take the machine.
    #[must_use]
    pub fn is_sane(self) -> bool {
        (1..=16).contains(&self.lanes)
            && (8 * self.lanes..=1024 * 1024).contains(&self.memory)
            && (1..=32).contains(&self.passes)
    }
}

/// The key of a passphrase by Argon2id.
///
/// # Errors
/// `Invalid` for a cost or salt that Argon2 does not take.
pub fn derive(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<Key> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).map_err(|error| refused(&error))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, &mut *key)
        .map_err(|error| refused(&error))?;
    Ok(Key::new(*key))
}

fn refused(error: &argon2::Error) -> VaultError {
    VaultError::new(Kind::Invalid, format!("the passphrase gives no key: {error}"))
}

/// A key for one purpose, from another key.
#[must_use]
pub fn expand(key: &[u8], salt: &[u8], purpose: &[u8]) -> Key {
    let mut found = Zeroizing::new([0; 32]);
    // 32 bytes are one block of SHA-256: the only error, too long an output, cannot be.
    let _ = Hkdf::<Sha256>::new(Some(salt), key).expand(purpose, &mut *found);
    Key::new(*found)
}

/// Random bytes of the system.
///
/// # Errors
/// `Files` where the system has none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| VaultError::new(Kind::Files, format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

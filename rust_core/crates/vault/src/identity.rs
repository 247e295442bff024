//! The owner's keys, from one seed: Ed25519 to sign (RFC 8032), X25519 to agree on keys (RFC 7748).

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::aead::Key;
use crate::error::{Kind, Result, VaultError};
use crate::kdf::expand;

const SALT: &[u8] = b"pyagent identity 1";

/// The keys of a person or machine.
pub struct Identity {
    signing: SigningKey,
    agreement: StaticSecret,
}

impl Identity {
    /// The keys of a seed.
    #[must_use]
    pub fn of_seed(seed: &Key) -> Self {
        let part = |purpose: &[u8]| expand(seed.as_bytes(), SALT, purpose);
        Self {
            signing: SigningKey::from_bytes(part(b"ed25519").as_bytes()),
            agreement: StaticSecret::from(*part(b"x25519").as_bytes()),
        }
    }

    /// What others check signatures with; it is also the owner's name.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// What others seal to.
    #[must_use]
    pub fn agreement_public(&self) -> [u8; 32] {
        PublicKey::from(&self.agreement).to_bytes()
    }

    /// Sign a message for one purpose; a signature for one is none for another.
    #[must_use]
    pub fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 64] {
        self.signing.sign(&framed(purpose, message)).to_bytes()
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn agreement(&self) -> &StaticSecret {
        &self.agreement
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identity(…)")
    }
}

/// Check what `Identity::sign` has signed.
///
/// # Errors
/// `Damaged` where key, purpose or message are others.
pub fn check_signature(public: &[u8; 32], purpose: &str, message: &[u8], signature: &[u8; 64]) -> Result<()> {
    check(public, &framed(purpose, message), signature)
        .map_err(|()| VaultError::new(Kind::Damaged, "the signature is not of this key and message"))
}

/// A strict check: no key of small order, one encoding of each signature.
pub(crate) fn check(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> std::result::Result<(), ()> {
    let key = VerifyingKey::from_bytes(public).map_err(|_| ())?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| ())
}

fn framed(purpose: &str, message: &[u8]) -> Vec<u8> {
    [b"pyagent sign 1\0".as_slice(), purpose.as_bytes(), b"\0", message].concat()
}

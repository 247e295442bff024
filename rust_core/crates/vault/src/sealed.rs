//! Fields sealed to a public key: an X25519 key of the moment, HKDF-SHA-256, XChaCha20-Poly1305. Only its owner opens.

use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

use crate::aead::{Key, NONCE, TAG, open, seal};
use crate::error::{Kind, Result, VaultError};
use crate::identity::Identity;
use crate::kdf::expand;

const FORMAT: u8 = 1;
/// How many bytes longer a sealed field is.
pub const SEALED_OVERHEAD: usize = 1 + 32 + NONCE + TAG;

/// Seal to whoever has the private key of `recipient`; `context` says where the field belongs, and is needed to open.
///
/// # Errors
/// `Invalid` for a key that is none, `Files` where the system gives no random bytes.
pub fn seal_to(recipient: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let moment = StaticSecret::from(*Key::random()?.as_bytes());
    let public = PublicKey::from(&moment).to_bytes();
    let shared = moment.diffie_hellman(&PublicKey::from(*recipient));
    let key =
        key_of(&shared, &public, recipient).ok_or_else(|| VaultError::new(Kind::Invalid, "that is no public key"))?;
    let sealed = seal(&key, &bound(context), plain)?;
    let mut found = Vec::with_capacity(1 + 32 + sealed.len());
    found.push(FORMAT);
    found.extend_from_slice(&public);
    found.extend_from_slice(&sealed);
    Ok(found)
}

/// Open what was sealed to this owner.
///
/// # Errors
/// `Newer`, `Locked`.
pub fn open_sealed(owner: &Identity, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let refused = || VaultError::new(Kind::Locked, "it cannot be opened: sealed to another key, or it was changed");
    let (&format, rest) = sealed.split_first().ok_or_else(refused)?;
    if format != FORMAT {
        let words = format!("a sealed field of the format {format}; this version reads {FORMAT}");
        return Err(VaultError::new(if format > FORMAT { Kind::Newer } else { Kind::Locked }, words));
    }
    let (public, rest) = rest.split_first_chunk::<32>().ok_or_else(refused)?;
    let shared = owner.agreement().diffie_hellman(&PublicKey::from(*public));
    let key = key_of(&shared, public, &owner.agreement_public()).ok_or_else(refused)?;
    open(&key, &bound(context), rest).map_err(|_| refused())
}

/// None for a key of small order, whose secret anybody knows.
fn key_of(shared: &SharedSecret, moment: &[u8; 32], recipient: &[u8; 32]) -> Option<Key> {
    let salt = [moment.as_slice(), recipient].concat();
    shared.was_contributory().then(|| expand(shared.as_bytes(), &salt, b"pyagent sealed field 1"))
}

fn bound(context: &[u8]) -> Vec<u8> {
    [b"pyagent sealed field 1\0", context].concat()
}

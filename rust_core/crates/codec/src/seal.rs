//! Sealed bodies, by the vault's cipher: XChaCha20-Poly1305 with a random nonce in front.

use pyagent_vault::{Key, NONCE, TAG};

use crate::Error;

/// What envelopes call a key, which tells nothing of it.
pub(crate) fn name(key: &Key) -> [u8; 8] {
    let mut name = [0; 8];
    name.copy_from_slice(&blake3::derive_key("pyagent codec 1: name of a key", key.as_bytes())[..8]);
    name
}

/// BLAKE3 of some bytes that only the key's holder can tell.
pub(crate) fn digest(key: &Key, content: &[u8]) -> [u8; 32] {
    let own = Key::new(blake3::derive_key("pyagent codec 1: names of parents", key.as_bytes()));
    blake3::keyed_hash(own.as_bytes(), content).into()
}

pub(crate) fn seal(key: &Key, header: &[u8], body: &[u8]) -> Result<Vec<u8>, Error> {
    pyagent_vault::seal(key, header, body).map_err(|_| Error::System("the payload could not be sealed"))
}

pub(crate) fn open(key: &Key, header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    if sealed.len() < NONCE + TAG {
        return Err(Error::Damaged("the sealed payload is too short"));
    }
    match pyagent_vault::open(key, header, sealed) {
        Ok(body) => Ok(body.to_vec()),
        Err(_) => Err(Error::Damaged("the sealed payload was changed")),
    }
}

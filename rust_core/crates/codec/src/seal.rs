//! Sealed bodies, by the vault's cipher: XChaCha20-Poly1305 with a random nonce in front.

use pyagent_vault::{Key, NONCE, TAG};

use crate::Error;

pub(crate) fn seal(key: &Key, header: &[u8], body: &[u8]) -> Result<Vec<u8>, Error> {
    pyagent_vault::seal(key, header, body).map_err(|_| Error::System("the payload could not be sealed"))
}

pub(crate) fn open(key: &Key, header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    if sealed.len() < NONCE + TAG {
        return Err(Error::Damaged("the sealed payload is too short"));
    }
    match pyagent_vault::open(key, header, sealed) {
        Ok(body) => Ok(body.to_vec()),
        Err(_) => Err(Error::Key("the key does not open the payload, or it was changed")),
    }
}

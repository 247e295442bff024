//! What opens a vault, and what shall protect it from now on.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::aead::Key;
use crate::error::{Kind, Result, VaultError};
use crate::files::read_keys;
use crate::kdf::{Cost, derive, random};
use crate::keyring::Protection;

/// What opens a vault.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase.
    Passphrase(Zeroizing<Vec<u8>>),
    /// A file with a random key.
    KeyFile(PathBuf),
}

/// What shall protect a vault from now on.
pub enum Protect {
    /// A passphrase, and what guessing it costs.
    Passphrase(Zeroizing<Vec<u8>>, Cost),
    /// A new random key, in this file.
    KeyFile(PathBuf),
}

/// What protects a vault, the master key that comes of it, and what opens it then.
pub fn protected(protect: Protect) -> Result<(Protection, Key, Unlock)> {
    match protect {
        Protect::KeyFile(file) => Ok((Protection::KeyFile, Key::random()?, Unlock::KeyFile(file))),
        Protect::Passphrase(passphrase, cost) => {
            if passphrase.len() < 8 {
                return Err(VaultError::new(Kind::Invalid, "a passphrase has at least 8 bytes"));
            }
            if !cost.is_sane() {
                return Err(VaultError::new(Kind::Invalid, "that cost protects nothing, or takes the machine"));
            }
            let salt = random()?;
            let master = derive(&passphrase, &salt, cost)?;
            Ok((Protection::Passphrase { salt, cost }, master, Unlock::Passphrase(passphrase)))
        }
    }
}

/// The keys that may open a vault of this protection.
pub fn masters(unlock: &Unlock, protection: &Protection) -> Result<Vec<Key>> {
    match (unlock, protection) {
        (Unlock::Passphrase(passphrase), Protection::Passphrase { salt, cost }) => {
            Ok(vec![derive(passphrase, salt, *cost)?])
        }
        (Unlock::KeyFile(file), Protection::KeyFile) => read_keys(file),
        (Unlock::KeyFile(_), Protection::Passphrase { .. }) => {
            Err(VaultError::new(Kind::Locked, "the vault is opened by its passphrase"))
        }
        (Unlock::Passphrase(_), Protection::KeyFile) => {
            Err(VaultError::new(Kind::Locked, "the vault is opened by its key file, not by a passphrase"))
        }
    }
}

//! Payloads sealed by a vault's data keys, for Python: the keys stay on this side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyagent_codec as codec;
use pyagent_vault as vault;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::codec::{codec_error, hex};
use crate::door::guarded;
use crate::vault::refused;

/// What the data keys that seal payloads are for.
const PAYLOADS: &str = "payloads";
/// What the key that names blobs is for.
const NAMES: &str = "blob names";
/// What the key is for that tells chunks of blobs apart.
const CHUNKS: &str = "blob chunks";
/// Bytes of a chunk's fingerprint.
const FINGERPRINT: usize = 16;

struct Ring {
    generation: u32,
    newest: Arc<codec::Key>,
    keys: HashMap<[u8; 8], Arc<codec::Key>>,
}

impl Ring {
    fn of(vault: &vault::Vault) -> vault::Result<Self> {
        let nothing = || vault::VaultError::new(vault::Kind::Damaged, "the vault has no data key");
        let found: Vec<(u32, Arc<codec::Key>)> =
            vault.data_keys(PAYLOADS)?.into_iter().map(|(number, key)| (number, Arc::new(key))).collect();
        let (generation, newest) = found.last().cloned().ok_or_else(nothing)?;
        let keys = found.into_iter().map(|(_, key)| (codec::key_name(&key), key)).collect();
        Ok(Self { generation, newest, keys })
    }
}

/// Seals payloads with the vault's newest data key and opens them with any that it has had.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct PayloadSeal {
    vault: Arc<vault::Vault>,
    ring: Mutex<Ring>,
    // Of the first generation, whatever comes after it: a content has one name for ever.
    names: codec::Key,
    chunks: codec::Key,
}

impl PayloadSeal {
    pub(crate) fn of(vault: Arc<vault::Vault>) -> vault::Result<Self> {
        let nothing = || vault::VaultError::new(vault::Kind::Damaged, "the vault has no data key");
        let first = |purpose| Ok(vault.data_keys(purpose)?.into_iter().next().ok_or_else(nothing)?.1);
        let (names, chunks) = (first(NAMES)?, first(CHUNKS)?);
        let ring = Mutex::new(Ring::of(&vault)?);
        Ok(Self { vault, ring, names, chunks })
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest key: another process may have made one.
    fn newest(&self) -> Arc<codec::Key> {
        let made = self.vault.generation().ok().filter(|(generation, _)| *generation != self.ring().generation);
        if made.is_some()
            && let Ok(ring) = Ring::of(&self.vault)
        {
            *self.ring() = ring;
        }
        // Where the vault's file cannot be read for a moment, the key before is as good.
        self.ring().newest.clone()
    }

    fn key_of(&self, stored: &[u8]) -> Result<Option<Arc<codec::Key>>, codec::Error> {
        let said = codec::describe(stored)?;
        let Some(name) = said.key.filter(|_| said.sealed) else { return Ok(None) };
        if let Some(key) = self.ring().keys.get(&name) {
            return Ok(Some(key.clone()));
        }
        if let Ok(ring) = Ring::of(&self.vault) {
            *self.ring() = ring;
        }
        let found = self.ring().keys.get(&name).cloned();
        found.map(Some).ok_or(codec::Error::Key("it is sealed by a key that the vault does not have"))
    }
}

#[pymethods]
impl PayloadSeal {
    /// The content as it is to be stored, sealed; what it shares with `parent` is left out.
    #[pyo3(signature = (content, parent, /))]
    fn pack<'py>(&self, py: Python<'py>, content: &[u8], parent: Option<&[u8]>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let packed = py.detach(|| {
                let key = self.newest();
                codec::pack_with(content, codec::Options { parent, key: Some(&key) })
            });
            Ok(PyBytes::new(py, &packed.map_err(codec_error)?))
        })
    }

    /// The content of what `pack` gave, or of what was never sealed; of at most `limit` bytes. Raises CodecError.
    #[pyo3(signature = (stored, limit, parent, /))]
    fn unpack<'py>(
        &self,
        py: Python<'py>,
        stored: &[u8],
        limit: usize,
        parent: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let content = py.detach(|| {
                let key = self.key_of(stored)?;
                codec::unpack_with(stored, limit, codec::Options { parent, key: key.as_deref() })
            });
            Ok(PyBytes::new(py, &content.map_err(codec_error)?))
        })
    }

    /// What a blob of this digest is called where it is kept: the same for the same content, and nobody without the
    /// vault can tell whether a content is there.
    #[pyo3(signature = (digest, /))]
    fn name<'py>(&self, py: Python<'py>, digest: &str) -> PyResult<Bound<'py, PyString>> {
        guarded(|| Ok(PyString::new(py, &hex(&codec::keyed_digest(&self.names, digest.as_bytes())))))
    }

    /// 16 bytes that tell a chunk of a blob from every other, to who has the vault.
    #[pyo3(signature = (chunk, /))]
    fn fingerprint<'py>(&self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let found = py.detach(|| codec::keyed_digest(&self.chunks, chunk));
            Ok(PyBytes::new(py, &found[..FINGERPRINT]))
        })
    }
}

/// The seal of an open vault.
pub(crate) fn seal_of(py: Python<'_>, vault: &Arc<vault::Vault>) -> PyResult<PayloadSeal> {
    py.detach(|| PayloadSeal::of(vault.clone())).map_err(|error| refused(&error))
}

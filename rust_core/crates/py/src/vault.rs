//! The vault for Python: errors become `VaultError`, times are seconds since 1970, the GIL is free during work.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use pyagent_vault as vault;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use zeroize::Zeroizing;

use crate::door::guarded;
use crate::sealing::{PayloadSeal, seal_of};

pyo3::create_exception!(
    pyagent_core._native,
    VaultError,
    pyo3::exceptions::PyException,
    "The vault refused; its arguments are `kind` and `message`, which holds no secret."
);

pub(crate) fn refused(error: &vault::VaultError) -> PyErr {
    VaultError::new_err((error.kind.name(), error.message.clone()))
}

type Entry = (String, String, Vec<String>, u32, i64, i64, i64);
type Token = (String, String, Vec<String>, i64, i64, i64);
type Grant = (Vec<String>, Vec<String>, Option<Vec<String>>, i64, String);

fn unlock(passphrase: Option<Vec<u8>>, key_file: PathBuf) -> vault::Unlock {
    match passphrase {
        Some(passphrase) => vault::Unlock::Passphrase(Zeroizing::new(passphrase)),
        None => vault::Unlock::KeyFile(key_file),
    }
}

fn protect(passphrase: Option<Vec<u8>>, key_file: PathBuf, memory: Option<u32>) -> vault::Protect {
    match passphrase {
        Some(passphrase) => {
            let usual = vault::Cost::RECOMMENDED;
            let cost = vault::Cost { memory: memory.unwrap_or(usual.memory), ..usual };
            vault::Protect::Passphrase(Zeroizing::new(passphrase), cost)
        }
        None => vault::Protect::KeyFile(key_file),
    }
}

fn limits(
    capabilities: Option<BTreeSet<String>>,
    graphs: Option<BTreeSet<String>>,
    expires: Option<i64>,
    label: String,
) -> vault::Limits {
    vault::Limits { capabilities, graphs, expires, label }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(text: &str) -> PyResult<[u8; 16]> {
    let byte = |at: usize| text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let found: Option<Vec<u8>> = (0..16).map(byte).collect();
    let found = found.filter(|_| text.len() == 32).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    found.ok_or_else(|| VaultError::new_err(("invalid", "a token's id has 32 hexadecimal digits")))
}

fn as_dict<'py>(py: Python<'py>, fields: &vault::Fields) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, value) in fields {
        found.set_item(name, value.as_str())?;
    }
    Ok(found)
}

/// A file of sealed secrets that many processes read and one at a time writes.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Vault(Arc<vault::Vault>);

impl Vault {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&vault::Vault) -> vault::Result<T> + Send,
    ) -> PyResult<T> {
        py.detach(|| work(&self.0)).map_err(|error| refused(&error))
    }
}

#[pymethods]
impl Vault {
    /// Make a vault: opened by a passphrase, or without one by a new key file. `witness`: a folder outside of it that
    /// remembers how often it was written. `memory`: KiB that a guess costs; None is what RFC 9106 recommends.
    #[staticmethod]
    #[pyo3(signature = (path, passphrase, key_file, witness, now, memory=None, /))]
    fn create(
        py: Python<'_>,
        path: PathBuf,
        passphrase: Option<Vec<u8>>,
        key_file: PathBuf,
        witness: PathBuf,
        now: i64,
        memory: Option<u32>,
    ) -> PyResult<Self> {
        guarded(|| {
            let make = || vault::Vault::create(&path, protect(passphrase, key_file, memory), now)?.witnessed(&witness);
            py.detach(make).map(|made| Self(Arc::new(made))).map_err(|error| refused(&error))
        })
    }

    /// Open a vault, which is not older than its witness says.
    #[staticmethod]
    #[pyo3(signature = (path, passphrase, key_file, witness, /))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        passphrase: Option<Vec<u8>>,
        key_file: PathBuf,
        witness: PathBuf,
    ) -> PyResult<Self> {
        guarded(|| {
            let open = || vault::Vault::open(&path, unlock(passphrase, key_file))?.witnessed(&witness);
            py.detach(open).map(|opened| Self(Arc::new(opened))).map_err(|error| refused(&error))
        })
    }

    /// Whether the vault at a path is opened by a passphrase.
    #[staticmethod]
    #[pyo3(signature = (path, /))]
    fn needs_passphrase(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
        guarded(|| py.detach(|| vault::Vault::needs_passphrase(&path)).map_err(|error| refused(&error)))
    }

    /// Set a secret's kind and fields; the version that it has now. `after`: the one that it must have had.
    #[pyo3(signature = (name, kind, fields, now, after=None, /))]
    fn put(
        &self,
        py: Python<'_>,
        name: &str,
        kind: &str,
        fields: &Bound<'_, PyDict>,
        now: i64,
        after: Option<u32>,
    ) -> PyResult<u32> {
        guarded(|| {
            let mut given = vault::Fields::new();
            for (name, value) in fields {
                given.push((name.extract()?, Zeroizing::new(value.extract()?)));
            }
            self.with(py, |vault| vault.put_after(name, kind, &given, now, after))
        })
    }

    /// A secret's fields.
    #[pyo3(signature = (name, /))]
    fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyDict>> {
        guarded(|| as_dict(py, &self.with(py, |vault| vault.get(name))?))
    }

    /// All secrets: name, kind, names of fields, version, and when they were made, changed, and used (0: never).
    #[pyo3(signature = ())]
    fn entries(&self, py: Python<'_>) -> PyResult<Vec<Entry>> {
        guarded(|| {
            let found = self.with(py, vault::Vault::list)?;
            let row = |one: vault::Entry| {
                let version = one.version();
                (one.name, one.kind, one.fields, version, one.made, one.changed, one.used)
            };
            Ok(found.into_iter().map(row).collect())
        })
    }

    /// Every value that is kept, older ones too: names with fields.
    #[pyo3(signature = ())]
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyDict>)>> {
        guarded(|| {
            let found = self.with(py, vault::Vault::values)?;
            found.into_iter().map(|(name, fields)| Ok((name, as_dict(py, &fields)?))).collect()
        })
    }

    /// Take a secret out; whether it was there.
    #[pyo3(signature = (name, /))]
    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        guarded(|| self.with(py, |vault| vault.remove(name)))
    }

    /// Note that a secret was used.
    #[pyo3(signature = (name, now, /))]
    fn touch(&self, py: Python<'_>, name: &str, now: i64) -> PyResult<()> {
        guarded(|| self.with(py, |vault| vault.touch(name, now)))
    }

    /// Seal everything anew under a new key, which is opened as before.
    #[pyo3(signature = (now, /))]
    fn rotate(&self, py: Python<'_>, now: i64) -> PyResult<u32> {
        guarded(|| self.with(py, |vault| vault.rotate(None, now)))
    }

    /// The same, opened by another passphrase, or without one by a key file, from now on.
    #[pyo3(signature = (passphrase, key_file, now, memory=None, /))]
    fn protect(
        &self,
        py: Python<'_>,
        passphrase: Option<Vec<u8>>,
        key_file: PathBuf,
        now: i64,
        memory: Option<u32>,
    ) -> PyResult<u32> {
        guarded(|| self.with(py, |vault| vault.rotate(Some(protect(passphrase, key_file, memory)), now)))
    }

    /// The generation of its key, and when that was made.
    #[pyo3(signature = ())]
    fn generation(&self, py: Python<'_>) -> PyResult<(u32, i64)> {
        guarded(|| self.with(py, vault::Vault::generation))
    }

    /// Whether a passphrase opens it.
    #[pyo3(signature = ())]
    fn has_passphrase(&self, py: Python<'_>) -> PyResult<bool> {
        guarded(|| self.with(py, vault::Vault::has_passphrase))
    }

    /// The owner's public keys: for signatures, and for fields that only the owner opens.
    #[pyo3(signature = ())]
    fn identity<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        guarded(|| {
            let found = self.with(py, vault::Vault::identity)?;
            Ok((PyBytes::new(py, &found.public()), PyBytes::new(py, &found.agreement_public())))
        })
    }

    /// Give the owner new keys; tokens end, and sealed fields stay closed.
    #[pyo3(signature = ())]
    fn renew_identity(&self, py: Python<'_>) -> PyResult<()> {
        guarded(|| self.with(py, vault::Vault::renew_identity))
    }

    /// What seals the payloads of stores with the data keys of this vault.
    #[pyo3(signature = ())]
    fn payload_seal(&self, py: Python<'_>) -> PyResult<PayloadSeal> {
        guarded(|| seal_of(py, &self.0))
    }

    /// Open a field that was sealed to the owner.
    #[pyo3(signature = (context, sealed, /))]
    fn open_sealed<'py>(&self, py: Python<'py>, context: &[u8], sealed: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let plain = self.with(py, |vault| vault::open_sealed(&vault.identity()?, context, sealed))?;
            Ok(PyBytes::new(py, &plain))
        })
    }

    /// Hand out a token: its text and its id.
    #[pyo3(signature = (label, capabilities, graphs, expires, now, /))]
    fn issue(
        &self,
        py: Python<'_>,
        label: String,
        capabilities: BTreeSet<String>,
        graphs: Option<BTreeSet<String>>,
        expires: i64,
        now: i64,
    ) -> PyResult<(String, String)> {
        guarded(|| {
            let limits = limits(Some(capabilities), graphs, Some(expires), label);
            let (text, id) = self.with(py, |vault| vault.issue(&limits, now))?;
            Ok((text.to_string(), hex(&id)))
        })
    }

    /// The tokens handed out: id, label, capabilities, and when they were made, end, and were revoked (0: not).
    #[pyo3(signature = ())]
    fn tokens(&self, py: Python<'_>) -> PyResult<Vec<Token>> {
        guarded(|| {
            let found = self.with(py, vault::Vault::tokens)?;
            let row =
                |one: vault::Issued| (hex(&one.id), one.label, one.capabilities, one.made, one.expires, one.revoked);
            Ok(found.into_iter().map(row).collect())
        })
    }

    /// Revoke a token by its id; whether the id was known.
    #[pyo3(signature = (id, now, /))]
    fn revoke(&self, py: Python<'_>, id: &str, now: i64) -> PyResult<bool> {
        guarded(|| {
            let id = id_of(id)?;
            self.with(py, |vault| vault.revoke(&id, now))
        })
    }

    /// What a token allows now: the ids of its blocks, capabilities, graphs (None: all), end, label.
    #[pyo3(signature = (text, now, /))]
    fn verify(&self, py: Python<'_>, text: &str, now: i64) -> PyResult<Grant> {
        guarded(|| {
            let found = self.with(py, |vault| vault.verify(text, now))?;
            Ok((
                found.ids.iter().map(|id| hex(id)).collect(),
                found.capabilities.into_iter().collect(),
                found.graphs.map(|graphs| graphs.into_iter().collect()),
                found.expires,
                found.label,
            ))
        })
    }
}

/// A token that allows less than this one: only these capabilities and graphs, until then. None leaves it as it is.
#[pyfunction]
#[pyo3(signature = (text, label, capabilities, graphs, expires, /))]
pub fn attenuate_token(
    text: &str,
    label: String,
    capabilities: Option<BTreeSet<String>>,
    graphs: Option<BTreeSet<String>>,
    expires: Option<i64>,
) -> PyResult<String> {
    guarded(|| {
        let found = vault::attenuate(text, &limits(capabilities, graphs, expires, label));
        found.map(|text| text.to_string()).map_err(|error| refused(&error))
    })
}

/// Seal a field to the owner of a public key; `context` says where it belongs.
#[pyfunction]
#[pyo3(signature = (recipient, context, plain, /))]
pub fn seal_to<'py>(
    py: Python<'py>,
    recipient: [u8; 32],
    context: &[u8],
    plain: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    guarded(|| {
        let sealed = py.detach(|| vault::seal_to(&recipient, context, plain)).map_err(|error| refused(&error))?;
        Ok(PyBytes::new(py, &sealed))
    })
}

//! The codec for Python: bytes cross as bytes, errors become `CodecError`, long work runs without the GIL.

use std::sync::{Mutex, PoisonError};

use pyagent_codec as codec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::door::guarded;

pyo3::create_exception!(
    pyagent_core._native,
    CodecError,
    pyo3::exceptions::PyException,
    "Bytes could not be packed or unpacked; its arguments are `kind` and `message`."
);

/// Bytes from which others may run meanwhile: to let the GIL go and take it again costs as much as packing some less.
const LONG: usize = 4096;

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn codec_error(error: codec::Error) -> PyErr {
    CodecError::new_err((error.kind(), error.to_string()))
}

fn without_gil<T: Send>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes < LONG { work() } else { py.detach(work) }
}

fn key_of(key: Option<&[u8]>) -> PyResult<Option<&[u8; 32]>> {
    key.map(|key| key.try_into().map_err(|_| PyValueError::new_err("a key has 32 bytes"))).transpose()
}

fn sealing_key(key: Option<&[u8]>) -> PyResult<Option<codec::Key>> {
    Ok(key_of(key)?.map(|key| codec::Key::new(*key)))
}

/// The content as it is to be stored. Raises CodecError (`too_large`, `system`).
#[pyfunction]
#[pyo3(signature = (content, /))]
pub fn codec_pack<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    guarded(|| {
        let packed = without_gil(py, content.len(), || codec::pack(content)).map_err(codec_error)?;
        Ok(PyBytes::new(py, &packed))
    })
}

/// The content of what `codec_pack` gave, of at most `limit` bytes. Raises CodecError.
#[pyfunction]
#[pyo3(signature = (stored, limit, /))]
pub fn codec_unpack<'py>(py: Python<'py>, stored: &[u8], limit: usize) -> PyResult<Bound<'py, PyBytes>> {
    guarded(|| {
        // Little may become much, but seldom does; plain bytes are only copied.
        let content = without_gil(py, stored.len() * 4, || codec::unpack(stored, limit)).map_err(codec_error)?;
        Ok(PyBytes::new(py, &content))
    })
}

/// As `codec_pack`: what the content shares with `parent` is left out, and `key` seals it.
#[pyfunction]
#[pyo3(signature = (content, parent, key, /))]
pub fn codec_pack_with<'py>(
    py: Python<'py>,
    content: &[u8],
    parent: Option<&[u8]>,
    key: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    guarded(|| {
        let key = sealing_key(key)?;
        let options = codec::Options { parent, key: key.as_ref() };
        let packed = py.detach(|| codec::pack_with(content, options)).map_err(codec_error)?;
        Ok(PyBytes::new(py, &packed))
    })
}

/// The content of what `codec_pack_with` gave, with the same parent and key. Raises CodecError.
#[pyfunction]
#[pyo3(signature = (stored, limit, parent, key, /))]
pub fn codec_unpack_with<'py>(
    py: Python<'py>,
    stored: &[u8],
    limit: usize,
    parent: Option<&[u8]>,
    key: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    guarded(|| {
        let key = sealing_key(key)?;
        let options = codec::Options { parent, key: key.as_ref() };
        let content = py.detach(|| codec::unpack_with(stored, limit, options)).map_err(codec_error)?;
        Ok(PyBytes::new(py, &content))
    })
}

/// What `codec_describe` gives.
type Said<'py> = (&'static str, u32, u64, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

/// Method, dictionary, size of the content, the parent's name, and the name of the key that has sealed it, if it is. Raises CodecError.
#[pyfunction]
#[pyo3(signature = (stored, /))]
pub fn codec_describe<'py>(py: Python<'py>, stored: &[u8]) -> PyResult<Said<'py>> {
    guarded(|| {
        let said = codec::describe(stored).map_err(codec_error)?;
        let parent = said.parent.map(|name| PyBytes::new(py, &name));
        // The first sealed envelopes did not name their key.
        let key = said.sealed.then(|| PyBytes::new(py, said.key.as_ref().map_or(&[], |name| name.as_slice())));
        Ok((said.method, said.dictionary, said.size, parent, key))
    })
}

/// BLAKE3 of some bytes, as 64 hexadecimal digits.
#[pyfunction]
#[pyo3(signature = (content, /))]
pub fn blake3_hex<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyString>> {
    guarded(|| {
        Ok({
            let found = without_gil(py, content.len(), || codec::digest(content));
            PyString::new(py, &hex(&found))
        })
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// BLAKE3 of bytes that come in parts; with a key of 32 bytes only its holder can tell the digest.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Blake3 {
    inner: Mutex<codec::Hasher>,
}

impl Blake3 {
    fn with<T>(&self, work: impl FnOnce(&mut codec::Hasher) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, content: &[u8]) {
        self.with(|hasher| {
            hasher.update(content);
        });
    }

    fn output(&self, length: usize) -> PyResult<Vec<u8>> {
        if length > LONG {
            return Err(PyValueError::new_err("a digest has 4096 bytes at most"));
        }
        let mut found = vec![0; length];
        self.with(|hasher| hasher.finalize_xof().fill(&mut found));
        Ok(found)
    }
}

#[pymethods]
impl Blake3 {
    /// Begins with these bytes.
    #[new]
    #[pyo3(signature = (content = None, /, *, key = None))]
    fn new(py: Python<'_>, content: Option<&[u8]>, key: Option<&[u8]>) -> PyResult<Self> {
        guarded(|| {
            let hasher = key_of(key)?.map_or_else(codec::Hasher::new, codec::Hasher::new_keyed);
            let made = Self { inner: Mutex::new(hasher) };
            if let Some(content) = content {
                made.update(py, content)?;
            }
            Ok(made)
        })
    }

    /// Add bytes.
    #[pyo3(signature = (content, /))]
    fn update(&self, py: Python<'_>, content: &[u8]) -> PyResult<()> {
        guarded(|| {
            if content.len() < LONG {
                self.add(content);
            } else {
                py.detach(|| self.add(content));
            }
            Ok(())
        })
    }

    /// The digest of all bytes so far.
    #[pyo3(signature = (length = 32))]
    fn digest<'py>(&self, py: Python<'py>, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| Ok(PyBytes::new(py, &self.output(length)?)))
    }

    /// The digest of all bytes so far, as hexadecimal digits, two for each of the `length` bytes.
    #[pyo3(signature = (length = 32))]
    fn hexdigest<'py>(&self, py: Python<'py>, length: usize) -> PyResult<Bound<'py, PyString>> {
        guarded(|| Ok(PyString::new(py, &hex(&self.output(length)?))))
    }

    /// Another one that has been given the same bytes.
    fn copy(&self) -> PyResult<Self> {
        guarded(|| Ok(Self { inner: Mutex::new(self.with(|hasher| hasher.clone())) }))
    }
}

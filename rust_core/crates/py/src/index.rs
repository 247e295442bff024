//! The memory index for Python: documents cross as tuples, vectors as bytes of 32-bit floats.

use std::path::PathBuf;
use std::time::Duration;

use pyagent_index as index;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::door::guarded;

pyo3::create_exception!(
    pyagent_core._native,
    MemoryIndexError,
    pyo3::exceptions::PyException,
    "The index could not do it; its arguments are `kind` (io, corrupt, invalid, locked, missing) and `message`."
);

fn index_error(error: index::Error) -> PyErr {
    let kind = match &error {
        index::Error::Io(..) => "io",
        index::Error::Corrupt(_) => "corrupt",
        index::Error::Invalid(_) => "invalid",
        index::Error::Locked => "locked",
        index::Error::Missing => "missing",
    };
    MemoryIndexError::new_err((kind, error.to_string()))
}

fn seconds(wait: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(wait).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn floats(bytes: &[u8]) -> PyResult<Vec<f32>> {
    if !bytes.len().is_multiple_of(4) {
        return Err(PyValueError::new_err("a vector is not made of 32-bit floats"));
    }
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// id, text, tags, time in milliseconds, links, data, vector
type Given = (String, String, Vec<String>, i64, Vec<String>, PyBackedBytes, Option<PyBackedBytes>);
/// id, text, tags, time in milliseconds, links, data
type Parts<'py> = (String, String, Vec<String>, i64, Vec<String>, Bound<'py, PyBytes>);
/// document, score, score by words, score by nearness
type Found<'py> = (Parts<'py>, f64, Option<f64>, Option<f64>);
/// all tags, any tags, no tags, since, before, near (ids, steps)
type Filtered = (Vec<String>, Vec<String>, Vec<String>, Option<i64>, Option<i64>, Option<(Vec<String>, u32)>);

fn parts<'py>(py: Python<'py>, document: index::Document) -> Parts<'py> {
    let data = PyBytes::new(py, &document.data);
    (document.id, document.text, document.tags, document.time, document.links, data)
}

/// A handle on the index of a folder; for all threads.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct MemoryIndex {
    inner: index::Index,
}

#[pymethods]
impl MemoryIndex {
    /// Open the index of a folder, or begin one there if `create`. Raises MemoryIndexError.
    #[new]
    #[pyo3(signature = (folder, /, *, create))]
    fn new(py: Python<'_>, folder: PathBuf, create: bool) -> PyResult<Self> {
        guarded(|| {
            let open = || index::Index::open(&folder, create, index::Limits::default());
            Ok(Self { inner: py.detach(open).map_err(index_error)? })
        })
    }

    /// Write documents and take others out, for good when it returns; how many were taken out. Waits so many seconds
    /// for another writer. Raises MemoryIndexError.
    #[pyo3(signature = (upserts, deletes, /, *, wait))]
    fn commit(&self, py: Python<'_>, upserts: Vec<Given>, deletes: Vec<String>, wait: f64) -> PyResult<usize> {
        guarded(|| {
            let wait = seconds(wait)?;
            let read = |(id, text, tags, time, links, data, vector): Given| {
                let vector = vector.map(|bytes| floats(&bytes)).transpose()?;
                Ok(index::Document { id, text, tags, time, links, data: data.to_vec(), vector })
            };
            let upserts = upserts.into_iter().map(read).collect::<PyResult<_>>()?;
            py.detach(|| self.inner.commit(index::Batch { upserts, deletes }, wait)).map_err(index_error)
        })
    }

    /// The best documents for words, a vector, or both. Raises MemoryIndexError.
    #[pyo3(signature = (text, vector, limit, depth, weights, filter, /))]
    #[allow(clippy::too_many_arguments, reason = "keywords would cost more than the call")]
    fn search<'py>(
        &self,
        py: Python<'py>,
        text: String,
        vector: Option<PyBackedBytes>,
        limit: usize,
        depth: usize,
        weights: (f64, f64),
        filter: Filtered,
    ) -> PyResult<Vec<Found<'py>>> {
        guarded(|| {
            let vector = vector.map(|bytes| floats(&bytes)).transpose()?;
            let (all_tags, any_tags, no_tags, since, before, near) = filter;
            let filter = index::Filter { all_tags, any_tags, no_tags, since, before, near };
            let (text_weight, vector_weight) = weights;
            let query = index::Query { text, vector, limit, depth, text_weight, vector_weight, filter };
            let hits = py.detach(|| self.inner.state()?.search(&query)).map_err(index_error)?;
            let found = |hit: index::Hit| (parts(py, hit.document), hit.score, hit.text_score, hit.vector_score);
            Ok(hits.into_iter().map(found).collect())
        })
    }

    /// The documents with these ids with their vectors, None for what is not there. Raises MemoryIndexError.
    #[pyo3(signature = (ids, /))]
    #[allow(clippy::type_complexity, reason = "what Python gets, spelt out")]
    fn get<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
    ) -> PyResult<Vec<Option<(Parts<'py>, Option<Bound<'py, PyBytes>>)>>> {
        guarded(|| {
            let look = || {
                let state = self.inner.state()?;
                ids.iter().map(|id| state.get(id)).collect::<index::Result<Vec<_>>>()
            };
            let with_vector = |mut document: index::Document| {
                let vector = document.vector.take();
                let vector: Option<Vec<u8>> =
                    vector.map(|vector| vector.iter().flat_map(|x| x.to_le_bytes()).collect());
                (parts(py, document), vector.map(|bytes| PyBytes::new(py, &bytes)))
            };
            let found = py.detach(look).map_err(index_error)?;
            Ok(found.into_iter().map(|document| document.map(with_vector)).collect())
        })
    }

    /// Documents that links lead to from these ids, either way, with the steps it takes. Raises MemoryIndexError.
    #[pyo3(signature = (ids, steps, most, /))]
    fn neighbours<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
        steps: u32,
        most: usize,
    ) -> PyResult<Vec<(Parts<'py>, u32)>> {
        guarded(|| {
            let found = py.detach(|| self.inner.state()?.neighbours(&ids, steps, most)).map_err(index_error)?;
            Ok(found.into_iter().map(|(document, step)| (parts(py, document), step)).collect())
        })
    }

    /// Put everything into one segment, without what was taken out. Raises MemoryIndexError.
    #[pyo3(signature = (*, wait))]
    fn compact(&self, py: Python<'_>, wait: f64) -> PyResult<()> {
        guarded(|| {
            let wait = seconds(wait)?;
            py.detach(|| self.inner.compact(wait)).map_err(index_error)
        })
    }

    /// Copy the index as it is now into a new folder. Raises MemoryIndexError.
    #[pyo3(signature = (target, /, *, wait))]
    fn snapshot(&self, py: Python<'_>, target: PathBuf, wait: f64) -> PyResult<()> {
        guarded(|| {
            let wait = seconds(wait)?;
            py.detach(|| self.inner.snapshot(&target, wait)).map_err(index_error)
        })
    }

    /// Compare every byte with its checksum. Raises MemoryIndexError (kind `corrupt`).
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        guarded(|| py.detach(|| self.inner.verify()).map_err(index_error))
    }

    /// Documents, length of vectors, segments, bytes of files, documents in the log only. Raises MemoryIndexError.
    fn stats(&self, py: Python<'_>) -> PyResult<(usize, usize, usize, u64, usize)> {
        guarded(|| {
            let stats = py.detach(|| self.inner.stats()).map_err(index_error)?;
            Ok((stats.documents, stats.width, stats.segments, stats.bytes, stats.in_log))
        })
    }
}

/// The terms of a text, as the index sees them, each once with how often it occurs.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub fn text_terms(text: &str) -> PyResult<Vec<(String, u32)>> {
    guarded(|| Ok(index::query_terms(text)))
}

//! Expressions for Python: errors become exceptions, values cross as JSON bytes or plain scalars.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use pyagent_expr as expr;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::door::guarded;

pyo3::create_exception!(
    pyagent_core._native,
    ScriptError,
    pyo3::exceptions::PyException,
    "An expression gave no value; its arguments are `kind`, `message`, `line` and `column` (0 where unknown)."
);

fn script_error(error: &expr::ExprError) -> PyErr {
    let kind = match error.kind {
        expr::ErrorKind::Syntax => "syntax",
        expr::ErrorKind::Failed => "failed",
        expr::ErrorKind::Timeout => "timeout",
        expr::ErrorKind::Memory => "memory",
        expr::ErrorKind::Host => "host",
        expr::ErrorKind::NeedsLuxon => "needs_luxon",
    };
    let (line, column) = error.position.unwrap_or_default();
    ScriptError::new_err((kind, error.message.clone(), line, column))
}

/// Take a template apart: text, or a tuple of code, line and column.
///
/// Raises ScriptError (kind `syntax`).
#[pyfunction]
#[pyo3(signature = (text, /))]
pub fn parse_template<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyList>> {
    guarded(|| {
        let parts = expr::parse(text).map_err(|error| {
            ScriptError::new_err(("syntax", error.message, error.position.line, error.position.column))
        })?;
        let list = PyList::empty(py);
        for part in parts {
            match part {
                expr::Part::Text(text) => list.append(text)?,
                expr::Part::Code { code, position } => list.append((code, position.line, position.column))?,
            }
        }
        Ok(list)
    })
}

/// The root (kind, node), pick and keys of an expression that only reads, or None.
#[pyfunction]
#[pyo3(signature = (code, /))]
pub fn plain_path<'py>(py: Python<'py>, code: &str) -> PyResult<Option<Bound<'py, PyTuple>>> {
    guarded(|| {
        let Some(path) = expr::plain_path(code) else { return Ok(None) };
        let (root, node, pick) = match path.root {
            expr::Root::Data(name) => (name, None, None),
            expr::Root::Input(pick) => ("$input", None, Some(pick.name())),
            expr::Root::Node(node, pick) => ("$", Some(node), Some(pick.name())),
        };
        let mut keys = Vec::with_capacity(path.keys.len());
        for (key, optional) in path.keys {
            let key = match key {
                expr::Key::Name(name) => PyString::intern(py, &name).into_any(),
                expr::Key::Index(index) => index.into_pyobject(py)?.into_any(),
            };
            keys.push((key, optional).into_pyobject(py)?);
        }
        let keys = PyTuple::new(py, keys)?;
        Ok(Some((root, node, pick, keys).into_pyobject(py)?))
    })
}

/// What an expression reads: roots with their keys (None for all), names, nodes, whether a node is computed,
/// whether it may draw random numbers, whether it may need dates, whether it is calm: it cannot repeat itself unseen.
#[pyfunction]
#[pyo3(signature = (code, /))]
pub fn analyse<'py>(py: Python<'py>, code: &str) -> PyResult<Bound<'py, PyTuple>> {
    guarded(|| {
        let found = expr::analyse(code);
        let roots = PyDict::new(py);
        for (root, needs) in found.roots {
            match needs {
                expr::Needs::Whole => roots.set_item(root, py.None())?,
                expr::Needs::Keys(keys) => roots.set_item(root, PyTuple::new(py, keys)?)?,
            }
        }
        (roots, found.names, found.nodes, found.computed_node, found.random, found.dates, expr::is_calm(code))
            .into_pyobject(py)
    })
}

/// What JavaScript would find at a path of keys from a value; `otherwise` where that takes JavaScript to say.
#[pyfunction]
#[pyo3(signature = (value, keys, otherwise, /))]
pub fn walk<'py>(
    value: Bound<'py, PyAny>,
    keys: &Bound<'py, PyTuple>,
    otherwise: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    guarded(|| {
        let mut value = value;
        for step in keys.iter_borrowed() {
            let step = step.cast::<PyTuple>()?;
            let (key, optional) = (step.get_borrowed_item(0)?, step.get_borrowed_item(1)?);
            let found = if let Ok(object) = value.cast::<PyDict>() {
                // A number as key is a name in an object; rare enough for JavaScript.
                match object.get_item(key)? {
                    Some(found) => Some(found),
                    None if key.is_instance_of::<PyString>()
                        && !is_inherited(key.extract::<PyBackedStr>()?.as_ref()) =>
                    {
                        Some(value.py().None().into_bound(value.py()))
                    }
                    None => None,
                }
            } else if let Ok(list) = value.cast::<PyList>() {
                match key.extract::<usize>() {
                    Ok(index) if index < list.len() => Some(list.get_item(index)?),
                    _ => None,
                }
            } else if value.is_none() && optional.is_truthy()? {
                return Ok(value);
            } else {
                None
            };
            match found {
                Some(found) => value = found,
                None => return Ok(otherwise),
            }
        }
        Ok(value)
    })
}

fn is_inherited(name: &str) -> bool {
    expr::INHERITED.contains(&name)
}

/// Answers reads by a Python callable; keeps what it raised.
struct PyHost {
    callable: Py<PyAny>,
    raised: Mutex<Option<PyErr>>,
}

impl expr::Host for PyHost {
    fn read(&self, kind: &str, name: &str, which: &str, port: &str) -> Option<Option<Vec<u8>>> {
        Python::attach(|py| {
            let answer = self.callable.call1(py, (kind, name, which, port));
            let answer = answer.and_then(|answer| answer.extract::<Option<PyBackedBytes>>(py).map_err(PyErr::from));
            match answer {
                Ok(json) => Some(json.map(|json| json.to_vec())),
                Err(error) => {
                    *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    None
                }
            }
        })
    }
}

enum Given {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Json(PyBackedBytes),
}

impl Given {
    fn take(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(if value.is_none() {
            Self::Null
        } else if let Ok(value) = value.cast::<PyBool>() {
            Self::Bool(value.is_true())
        } else if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
            Self::Number(value.extract()?)
        } else if let Ok(value) = value.cast::<PyBytes>() {
            Self::Json(PyBackedBytes::from(value.clone()))
        } else {
            Self::Undefined
        })
    }

    fn as_argument(&self) -> expr::Argument<'_> {
        match self {
            Self::Undefined => expr::Argument::Undefined,
            Self::Null => expr::Argument::Null,
            Self::Bool(value) => expr::Argument::Bool(*value),
            Self::Number(value) => expr::Argument::Number(*value),
            Self::Json(value) => expr::Argument::Json(value),
        }
    }
}

/// Compiles and runs the expressions of one trust domain; for one thread at a time.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Engine {
    inner: Mutex<expr::Engine>,
}

impl Engine {
    fn with<T>(&self, work: impl FnOnce(&mut expr::Engine) -> T) -> PyResult<T> {
        match self.inner.try_lock() {
            Ok(mut engine) => Ok(work(&mut engine)),
            Err(TryLockError::Poisoned(poisoned)) => Ok(work(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => {
                Err(PyRuntimeError::new_err("this engine is running an expression already"))
            }
        }
    }
}

#[pymethods]
impl Engine {
    /// An engine whose local time is that of `timezone`, with limits in seconds and bytes for each run. Without them they
    /// are brief ones, for a run that others wait for.
    #[new]
    #[pyo3(signature = (*, timezone, time_limit = None, memory_limit = 67_108_864))]
    fn new(timezone: &str, time_limit: Option<f64>, memory_limit: usize) -> PyResult<Self> {
        guarded(|| {
            let limits = match time_limit.map(Duration::try_from_secs_f64).transpose() {
                Ok(Some(time)) => expr::Limits { time, memory: memory_limit, ..expr::Limits::default() },
                Ok(None) => expr::Limits::brief(),
                Err(error) => return Err(pyo3::exceptions::PyValueError::new_err(error.to_string())),
            };
            let engine = expr::Engine::new(timezone, limits).map_err(|error| script_error(&error))?;
            Ok(Self { inner: Mutex::new(engine) })
        })
    }

    /// Whether `provide_luxon` was called.
    fn has_luxon(&self) -> PyResult<bool> {
        guarded(|| self.with(|engine| engine.has_luxon()))
    }

    /// Give the source of luxon's ES module.
    #[pyo3(signature = (source, /))]
    fn provide_luxon(&self, source: &str) -> PyResult<()> {
        guarded(|| self.with(|engine| engine.provide_luxon(source))?.map_err(|error| script_error(&error)))
    }

    /// Check that the code is one expression. Raises ScriptError (kind `syntax`).
    #[pyo3(signature = (code, /))]
    fn check(&self, code: &str) -> PyResult<()> {
        guarded(|| self.with(|engine| engine.check(code))?.map_err(|error| script_error(&error)))
    }

    /// Compile an expression with the given parameters; gives its number.
    #[pyo3(signature = (code, parameters, /))]
    #[allow(clippy::needless_pass_by_value, reason = "PyO3 hands owned values over")]
    fn compile(&self, code: &str, parameters: Vec<PyBackedStr>) -> PyResult<usize> {
        guarded(|| {
            let parameters: Vec<&str> = parameters.iter().map(AsRef::as_ref).collect();
            let program = self.with(|engine| engine.compile(code, &parameters))?;
            program.map(expr::Program::number).map_err(|error| script_error(&error))
        })
    }

    /// Run a program. Arguments are None, bool, numbers, JSON as bytes, or anything else for undefined.
    ///
    /// Gives None, bool, int, float or str, or JSON as bytes. Raises ScriptError, or what `host` raised.
    #[pyo3(signature = (program, arguments, as_text, now, seed, host, /))]
    #[allow(clippy::too_many_arguments, reason = "keywords would cost more than the call")]
    fn run<'py>(
        &self,
        py: Python<'py>,
        program: usize,
        arguments: &Bound<'py, PyTuple>,
        as_text: bool,
        now: f64,
        seed: u64,
        host: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let given = arguments.iter_borrowed().map(|value| Given::take(&value)).collect::<PyResult<Vec<_>>>()?;
            let arguments: Vec<expr::Argument<'_>> = given.iter().map(Given::as_argument).collect();
            let host = host.map(|callable| Arc::new(PyHost { callable, raised: Mutex::new(None) }));
            let outcome = py.detach(|| {
                let answers = host.clone().map(|host| host as Arc<dyn expr::Host>);
                let run = expr::Run { arguments: &arguments, as_text, now, seed, host: answers };
                self.with(|engine| engine.run(expr::Program::from_number(program), run))
            })?;
            let value = outcome.map_err(|error| {
                let raised = host.as_ref().filter(|_| error.kind == expr::ErrorKind::Host);
                let raised = raised.and_then(|host| host.raised.lock().unwrap_or_else(PoisonError::into_inner).take());
                raised.unwrap_or_else(|| script_error(&error))
            })?;
            Ok(match value {
                expr::Value::Null => py.None().into_bound(py),
                expr::Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
                expr::Value::Integer(value) => value.into_pyobject(py)?.into_any(),
                expr::Value::Number(value) => value.into_pyobject(py)?.into_any(),
                expr::Value::Text(value) => value.into_pyobject(py)?.into_any(),
                expr::Value::Json(value) => PyBytes::new(py, value.as_bytes()).into_any(),
            })
        })
    }
}

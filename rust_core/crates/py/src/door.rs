//! The door itself: a panic behind it becomes an error that callers handle like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;

pyo3::create_exception!(
    pyagent_core._native,
    CoreFault,
    pyo3::exceptions::PyRuntimeError,
    "The compiled module has a defect: its code panicked. What was asked for was not done."
);

/// Do what a call asks for. Every function and method of the module does its work in here; by itself PyO3 would raise
/// `PanicException`, which is no `Exception` and so ends servers.
pub fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // What a panic leaves half done is behind a lock, which is poisoned then, or belongs to the call that ends.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(CoreFault::new_err(said(payload.as_ref()))))
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Panic with these words, to show that no panic crosses.
#[pyfunction]
#[pyo3(signature = (words, /))]
#[allow(clippy::panic, reason = "that is what it is for")]
pub fn panic_behind_the_door(words: String) -> PyResult<()> {
    guarded(|| panic!("{words}"))
}

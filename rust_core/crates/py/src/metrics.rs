//! Metrics for Python: a handle is bound to its labels once, and records without a lock or a look-up.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyagent_metrics as metrics;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyTuple};

use metrics::{Format, Value};

use crate::door::guarded;

/// A metric that cannot be, or bytes that are no snapshot.
fn wrong(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn nanoseconds(seconds: f64) -> u64 {
    // The cast takes what is negative and no number as nothing; `round` is a call of the C library on older processors.
    (seconds * 1e9 + 0.5) as u64
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

fn texts(values: &Bound<'_, PyTuple>) -> PyResult<Vec<PyBackedStr>> {
    values.iter_borrowed().map(|value| value.extract()).collect()
}

/// What only grows, of one set of label values.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Counter {
    cell: Arc<metrics::Counter>,
    seconds: bool,
}

#[pymethods]
impl Counter {
    /// Count so much: whole units, or seconds.
    #[pyo3(signature = (amount=1.0, /))]
    fn add(&self, amount: f64) -> PyResult<()> {
        guarded(|| {
            self.cell.add(self.units(amount));
            Ok(())
        })
    }

    /// Say how much it was in all: for what is counted elsewhere.
    #[pyo3(signature = (total, /))]
    fn set(&self, total: f64) -> PyResult<()> {
        guarded(|| {
            self.cell.set(self.units(total));
            Ok(())
        })
    }
}

impl Counter {
    fn units(&self, amount: f64) -> u64 {
        if self.seconds { nanoseconds(amount) } else { amount.round() as u64 }
    }
}

/// What goes up and down in whole units, of one set of label values.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Amount {
    cell: Arc<metrics::Amount>,
}

#[pymethods]
impl Amount {
    /// So many more, or fewer.
    #[pyo3(signature = (amount=1, /))]
    fn add(&self, amount: i64) -> PyResult<()> {
        guarded(|| {
            self.cell.add(amount);
            Ok(())
        })
    }

    /// So many now.
    #[pyo3(signature = (amount, /))]
    fn set(&self, amount: i64) -> PyResult<()> {
        guarded(|| {
            self.cell.set(amount);
            Ok(())
        })
    }
}

/// What has a height, of one set of label values.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Level {
    cell: Arc<metrics::Level>,
}

#[pymethods]
impl Level {
    /// So high now.
    #[pyo3(signature = (level, /))]
    fn set(&self, level: f64) -> PyResult<()> {
        guarded(|| {
            self.cell.set(level);
            Ok(())
        })
    }
}

/// How many took how long, of one set of label values.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct Histogram {
    cell: Arc<metrics::Histogram>,
}

#[pymethods]
impl Histogram {
    /// Count one that took so many seconds; with the id of its trace (32 hexadecimal digits) as an example.
    ///
    /// Raises ValueError for an id that is none.
    #[pyo3(signature = (seconds, trace=None, /))]
    fn record(&self, seconds: f64, trace: Option<&str>) -> PyResult<()> {
        guarded(|| {
            match trace {
                None => self.cell.record(nanoseconds(seconds)),
                Some(trace) => {
                    self.cell.record_traced(nanoseconds(seconds), u128::from_str_radix(trace, 16).map_err(wrong)?);
                }
            }
            Ok(())
        })
    }
}

macro_rules! family {
    ($family:ident, $cell:ident, $text:literal, |$own:ident, $made:ident| $wrapped:expr $(, $field:ident: $type:ty)?) => {
        #[doc = $text]
        #[pyclass(frozen, module = "pyagent_core._native")]
        pub struct $family {
            family: Arc<metrics::Family<metrics::$cell>>,
            $($field: $type,)?
        }

        #[pymethods]
        impl $family {
            /// The handle of these label values, in the order of the labels' names; to be kept by who records often.
            ///
            /// Raises ValueError where their number is not that of the names.
            #[pyo3(signature = (*values))]
            fn of(&self, values: &Bound<'_, PyTuple>) -> PyResult<$cell> {
                let $own = self;
                let $made = $own.family.with(&texts(values)?).map_err(wrong)?;
                Ok($wrapped)
            }

            /// Forget all series, for what is told anew each time.
            fn clear(&self) {
                self.family.clear();
            }
        }
    };
}

family!(Counters, Counter, "A metric that only grows.", |own, cell| Counter { cell, seconds: own.seconds }, seconds: bool);
family!(Amounts, Amount, "A metric of whole units that goes up and down.", |own, cell| Amount { cell });
family!(Levels, Level, "A metric of a height.", |own, cell| Level { cell });
family!(Histograms, Histogram, "A metric of durations.", |own, cell| Histogram { cell });

/// The metrics of one peer.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct MetricRegistry {
    inner: metrics::Registry,
}

#[pymethods]
impl MetricRegistry {
    #[new]
    #[pyo3(signature = (peer, /))]
    fn new(peer: &str) -> PyResult<Self> {
        guarded(|| Ok(Self { inner: metrics::Registry::new(peer) }))
    }

    /// A metric that only grows: its name ends in `_total`, of seconds in `_seconds_total`. Raises ValueError.
    #[pyo3(signature = (name, help, labels=vec![], *, seconds=false))]
    fn counter(&self, name: &str, help: &str, labels: Vec<String>, seconds: bool) -> PyResult<Counters> {
        guarded(|| {
            let made = if seconds {
                self.inner.counter_seconds(name, help, &labels)
            } else {
                self.inner.counter(name, help, &labels)
            };
            Ok(Counters { family: made.map_err(wrong)?, seconds })
        })
    }

    /// A metric of whole units that goes up and down; those of peers are added up. Raises ValueError.
    #[pyo3(signature = (name, help, labels=vec![]))]
    fn amount(&self, name: &str, help: &str, labels: Vec<String>) -> PyResult<Amounts> {
        guarded(|| Ok(Amounts { family: self.inner.amount(name, help, &labels).map_err(wrong)? }))
    }

    /// A metric of a height; of those of peers the highest counts. Raises ValueError.
    #[pyo3(signature = (name, help, labels=vec![]))]
    fn level(&self, name: &str, help: &str, labels: Vec<String>) -> PyResult<Levels> {
        guarded(|| Ok(Levels { family: self.inner.level(name, help, &labels).map_err(wrong)? }))
    }

    /// A metric of durations: its name ends in `_seconds`. Raises ValueError.
    #[pyo3(signature = (name, help, labels=vec![]))]
    fn histogram(&self, name: &str, help: &str, labels: Vec<String>) -> PyResult<Histograms> {
        guarded(|| Ok(Histograms { family: self.inner.histogram(name, help, &labels).map_err(wrong)? }))
    }

    /// What all of them are now.
    fn snapshot(&self, py: Python<'_>) -> PyResult<MetricSnapshot> {
        guarded(|| Ok(MetricSnapshot { inner: py.detach(|| self.inner.snapshot()) }))
    }
}

/// How many, their seconds together, the longest, and the quantiles that were asked for.
type Summary = (u64, f64, f64, Vec<f64>);
/// Label values, and what is there: a number, or a distribution.
type Series<'py> = (Vec<String>, Bound<'py, PyAny>);
/// A metric's name, kind, help, the names of its labels, and its series.
type Exported<'py> = (String, &'static str, String, Vec<String>, Vec<Series<'py>>);

/// What metrics of peers were at a moment.
#[pyclass(frozen, module = "pyagent_core._native")]
pub struct MetricSnapshot {
    inner: metrics::Snapshot,
}

#[pymethods]
impl MetricSnapshot {
    /// The snapshot in bytes that `dump` gave. Raises ValueError.
    #[staticmethod]
    #[pyo3(signature = (data, /))]
    fn parse(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        guarded(|| Ok(Self { inner: py.detach(|| metrics::from_bytes(data)).map_err(wrong)? }))
    }

    /// The snapshot as bytes.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| Ok(PyBytes::new(py, &py.detach(|| metrics::to_bytes(&self.inner)))))
    }

    /// What both know: of each peer the newest.
    #[pyo3(signature = (other, /))]
    fn merged(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        guarded(|| {
            Ok({
                py.detach(|| {
                    let mut inner = self.inner.clone();
                    inner.merge(other.inner.clone());
                    Self { inner }
                })
            })
        })
    }

    /// What each peer has counted since an earlier snapshot; gauges as they are in this one.
    #[pyo3(signature = (earlier, /))]
    fn since(&self, py: Python<'_>, earlier: &Self) -> PyResult<Self> {
        guarded(|| Ok(Self { inner: py.detach(|| self.inner.since(&earlier.inner)) }))
    }

    /// By peer: since when it counts and when it told this, in seconds since 1970.
    fn peers(&self) -> PyResult<BTreeMap<String, (f64, f64)>> {
        guarded(|| {
            Ok({
                let at = |milliseconds: u64| milliseconds as f64 / 1e3;
                self.inner.peers.iter().map(|(name, part)| (name.clone(), (at(part.started), at(part.stamp)))).collect()
            })
        })
    }

    /// The content type and text that whoever sends this `Accept` would rather have, all peers together.
    #[pyo3(signature = (accept="", /))]
    fn render(&self, py: Python<'_>, accept: &str) -> PyResult<(&'static str, String)> {
        guarded(|| {
            Ok({
                let format = metrics::accepted(accept);
                (format.content_type(), py.detach(|| Format::render(format, &self.inner.total())))
            })
        })
    }

    /// The sums of a counter or gauge by a label's values (without one: under ""), all peers together.
    #[pyo3(signature = (name, label=None, /))]
    fn values(&self, py: Python<'_>, name: &str, label: Option<&str>) -> PyResult<BTreeMap<String, f64>> {
        guarded(|| {
            Ok({
                let (found, seconds_each) = py.detach(|| {
                    let is_seconds = name.ends_with("_seconds_total");
                    (self.inner.total().grouped(name, label), if is_seconds { 1e-9 } else { 1.0 })
                });
                let numbers = found.into_iter().filter_map(|(group, value)| match value {
                    Value::Count(count) => Some((group, count as f64 * seconds_each)),
                    Value::Amount(amount) => Some((group, amount as f64)),
                    Value::Level(level) => Some((group, level)),
                    Value::Distribution(_) => None,
                });
                numbers.collect()
            })
        })
    }

    /// By a label's values (without one: under ""): count, sum, maximum and quantiles of a histogram, in seconds.
    #[pyo3(signature = (name, label=None, quantiles=vec![], /))]
    fn durations(
        &self,
        py: Python<'_>,
        name: &str,
        label: Option<&str>,
        quantiles: Vec<f64>,
    ) -> PyResult<BTreeMap<String, Summary>> {
        guarded(|| {
            Ok({
                py.detach(|| {
                    let found = self.inner.total().grouped(name, label).into_iter();
                    let summed = found.filter_map(|(group, value)| {
                        let Value::Distribution(found) = value else { return None };
                        let shares = quantiles.iter().map(|share| seconds(found.quantile(*share))).collect();
                        Some((group, (found.count(), seconds(found.sum), seconds(found.max), shares)))
                    });
                    summed.collect()
                })
            })
        })
    }

    /// All metrics of all peers together, for another exporter: (name, kind, help, labels, [(label values, value)]).
    ///
    /// The value of a histogram is (count, sum, maximum, counts by bucket, [(trace, seconds, at)]), its bounds are
    /// `metric_bounds()`.
    fn export<'py>(&self, py: Python<'py>) -> PyResult<Vec<Exported<'py>>> {
        guarded(|| {
            let total = py.detach(|| self.inner.total());
            let mut found = Vec::with_capacity(total.0.len());
            for (key, (help, table)) in total.0 {
                let mut series = Vec::with_capacity(table.len());
                for (values, value) in table {
                    series.push((values, exported(py, key.kind, &value)?));
                }
                found.push((key.name, key.kind.name(), help, key.labels, series));
            }
            Ok(found)
        })
    }
}

fn exported<'py>(py: Python<'py>, kind: metrics::Kind, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Count(count) if kind == metrics::Kind::CounterSeconds => seconds(*count).into_pyobject(py)?.into_any(),
        Value::Count(count) => count.into_pyobject(py)?.into_any(),
        Value::Amount(amount) => amount.into_pyobject(py)?.into_any(),
        Value::Level(level) => level.into_pyobject(py)?.into_any(),
        Value::Distribution(found) => {
            let mut before = 0;
            let mut counts: Vec<u64> = Vec::with_capacity(metrics::BOUNDS.len() + 1);
            for all in found.cumulative().into_iter().chain([found.count()]) {
                counts.push(all - before);
                before = all;
            }
            let exemplars: Vec<_> = found.exemplars.values().map(exemplar).collect();
            let told = (found.count(), seconds(found.sum), seconds(found.max), counts, exemplars);
            told.into_pyobject(py)?.into_any()
        }
    })
}

fn exemplar(found: &metrics::Exemplar) -> (String, f64, f64) {
    (format!("{:032x}", found.trace), seconds(found.value), found.at as f64 / 1e3)
}

/// Upper bounds of the buckets that are exported, in seconds.
#[pyfunction]
pub fn metric_bounds() -> PyResult<Vec<f64>> {
    guarded(|| Ok(metrics::BOUNDS.iter().map(|bound| seconds(*bound)).collect()))
}

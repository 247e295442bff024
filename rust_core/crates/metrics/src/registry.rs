//! Names metrics, and holds one cell for each set of label values, up to a bound.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cells::{Amount, Cell, Counter, Histogram, Level, milliseconds};
use crate::snapshot::{Families, FamilyKey, Part, Snapshot, Table};

/// Sets of label values that a family has at most: what comes later is counted as `OTHER`.
pub const SERIES: usize = 200;
/// The label values of all that came too late.
pub const OTHER: &str = "other";

/// What a family is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Whole units that only grow.
    Counter,
    /// Time that only grows; counted in nanoseconds, shown in seconds.
    CounterSeconds,
    /// Whole units that go up and down.
    Amount,
    /// A height.
    Level,
    /// Durations; counted in nanoseconds, shown in seconds.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter | Self::CounterSeconds => "counter",
            Self::Amount | Self::Level => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Why a metric cannot be made, or a series of it not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

/// A metric: a cell for each set of label values.
#[derive(Debug)]
pub struct Family<C> {
    labels: usize,
    series: RwLock<HashMap<Box<[String]>, Arc<C>>>,
}

impl<C: Cell> Family<C> {
    fn new(labels: usize) -> Self {
        let made = Self { labels, series: RwLock::default() };
        if labels == 0 {
            made.cell(Box::default());
        }
        made
    }

    /// The cell of these label values, in the order of the labels' names. To be kept by those who record often.
    ///
    /// # Errors
    /// Where their number is not that of the names.
    pub fn with<S: AsRef<str>>(&self, values: &[S]) -> Result<Arc<C>, Mistake> {
        if values.len() != self.labels {
            return Err(Mistake(format!("{} label values were given for {} labels", values.len(), self.labels)));
        }
        Ok(self.cell(values.iter().map(|value| value.as_ref().to_owned()).collect()))
    }

    /// Forget all series, for what is told anew each time. Cells that somebody holds are counted no more.
    pub fn clear(&self) {
        self.series.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn cell(&self, values: Box<[String]>) -> Arc<C> {
        if let Some(found) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&values) {
            return Arc::clone(found);
        }
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let bounded = if series.len() < SERIES || series.contains_key(&values) {
            values
        } else {
            values.iter().map(|_| OTHER.to_owned()).collect()
        };
        Arc::clone(series.entry(bounded).or_default())
    }

    fn read(&self) -> Table {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series.iter().map(|(values, cell)| (values.to_vec(), cell.read())).collect()
    }
}

trait Readable: Send + Sync {
    fn read(&self) -> Table;
}

impl<C: Cell> Readable for Family<C> {
    fn read(&self) -> Table {
        Family::read(self)
    }
}

struct Registered {
    key: FamilyKey,
    help: String,
    family: Arc<dyn Readable>,
}

/// The metrics of one peer.
pub struct Registry {
    peer: String,
    started: u64,
    families: RwLock<BTreeMap<String, Registered>>,
}

impl Registry {
    /// No metrics yet, of the peer with this name.
    #[must_use]
    pub fn new(peer: &str) -> Self {
        Self { peer: peer.to_owned(), started: milliseconds(), families: RwLock::default() }
    }

    /// A metric that only grows; its name ends in `_total`.
    ///
    /// # Errors
    /// For names that cannot be, and those that are taken.
    pub fn counter(&self, name: &str, help: &str, labels: &[String]) -> Result<Arc<Family<Counter>>, Mistake> {
        self.add(name, help, labels, Kind::Counter)
    }

    /// As `counter`, of nanoseconds that are shown as seconds; its name ends in `_seconds_total`.
    ///
    /// # Errors
    /// As those of `counter`.
    pub fn counter_seconds(&self, name: &str, help: &str, labels: &[String]) -> Result<Arc<Family<Counter>>, Mistake> {
        self.add(name, help, labels, Kind::CounterSeconds)
    }

    /// A metric of whole units that goes up and down.
    ///
    /// # Errors
    /// As those of `counter`.
    pub fn amount(&self, name: &str, help: &str, labels: &[String]) -> Result<Arc<Family<Amount>>, Mistake> {
        self.add(name, help, labels, Kind::Amount)
    }

    /// A metric of a height.
    ///
    /// # Errors
    /// As those of `counter`.
    pub fn level(&self, name: &str, help: &str, labels: &[String]) -> Result<Arc<Family<Level>>, Mistake> {
        self.add(name, help, labels, Kind::Level)
    }

    /// A metric of durations; its name ends in `_seconds`.
    ///
    /// # Errors
    /// As those of `counter`.
    pub fn histogram(&self, name: &str, help: &str, labels: &[String]) -> Result<Arc<Family<Histogram>>, Mistake> {
        self.add(name, help, labels, Kind::Histogram)
    }

    /// What all of them are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        let read = families.values().map(|each| (each.key.clone(), (each.help.clone(), each.family.read())));
        let part = Part { stamp: milliseconds(), started: self.started, families: Families(read.collect()) };
        Snapshot::of(self.peer.clone(), part)
    }

    fn add<C: Cell + 'static>(
        &self,
        name: &str,
        help: &str,
        labels: &[String],
        kind: Kind,
    ) -> Result<Arc<Family<C>>, Mistake> {
        let key = FamilyKey { name: name.to_owned(), kind, labels: labels.to_vec() };
        key.check().map_err(Mistake)?;
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        // OpenMetrics names a counter without `_total`: a gauge of that name would be the same metric.
        let taken = families.get(key.base()).map(|other| &other.key.name);
        if let Some(other) = taken {
            return Err(Mistake(format!("the name {name} clashes with that of {other}")));
        }
        let family = Arc::new(Family::new(labels.len()));
        let registered = Registered { key, help: help.to_owned(), family: family.clone() };
        families.insert(registered.key.base().to_owned(), registered);
        Ok(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Value;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn series_without_bound_become_one() {
        let registry = Registry::new("a");
        let family = registry.counter("a_total", "Any", &names(&["x"])).map_err(|error| error.to_string());
        for number in 0..SERIES * 3 {
            family.as_ref().map(|family| family.with(&[number.to_string()]).map(|cell| cell.add(1))).ok();
        }
        let total = registry.snapshot().total();
        let (_, table) = total.0.into_values().next().unwrap_or_default();
        assert_eq!(table.len(), SERIES + 1);
        assert_eq!(table.get(&names(&[OTHER])), Some(&Value::Count(2 * SERIES as u64)));
    }

    #[test]
    fn names_that_clash_or_cannot_be_are_refused() {
        let registry = Registry::new("a");
        assert!(registry.counter("runs_total", "Any", &[]).is_ok());
        assert!(registry.amount("runs", "Any", &[]).is_err(), "OpenMetrics could not tell them apart");
        assert!(registry.counter("runs_total", "Any", &[]).is_err());
        assert!(registry.counter("runs", "Any", &[]).is_err());
        assert!(registry.counter("spent_seconds_total", "Any", &[]).is_err(), "seconds are counted otherwise");
        assert!(registry.level("high_total", "Any", &[]).is_err());
        assert!(registry.histogram("took", "Any", &[]).is_err());
        assert!(registry.amount("1a", "Any", &[]).is_err());
        assert!(registry.amount("b", "Any", &names(&["le"])).is_err());
        assert!(registry.amount("c", "Any", &names(&["x", "x"])).is_err());
        assert!(registry.amount("d", "Any", &names(&["x"])).is_ok_and(|family| family.with(&["1", "2"]).is_err()));
    }

    #[test]
    fn what_was_cleared_is_gone() {
        let registry = Registry::new("a");
        let family = registry.amount("a", "Any", &names(&["x"])).map_err(|error| error.to_string());
        family.as_ref().map(|family| family.with(&["1"]).map(|cell| cell.set(5))).ok();
        family.as_ref().map(|family| family.clear()).ok();
        assert!(registry.snapshot().total().0.into_values().all(|(_, table)| table.is_empty()));
    }
}

//! The figures themselves: atomics that any number of threads record into at once, without a lock.
//!
//! Reading one while it is written gives figures that were all true within the moment of reading; those of a histogram
//! agree with one another, because its count is the sum of its buckets.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI64, AtomicU64, fence};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::buckets::{BOUNDS, GROUPS, LONGEST, number, place_in_group, size};
use crate::snapshot::{Distribution, Value};

/// What a family has one of for each set of label values.
pub trait Cell: Default + Send + Sync {
    /// What it is now.
    fn read(&self) -> Value;
}

/// What only grows, in whole units.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Count so many.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    /// Say how many there were in all: for what is counted elsewhere.
    pub fn set(&self, total: u64) {
        self.0.store(total, Relaxed);
    }
}

impl Cell for Counter {
    fn read(&self) -> Value {
        Value::Count(self.0.load(Relaxed))
    }
}

/// What goes up and down in whole units, such as runs or bytes; those of peers are added up.
#[derive(Debug, Default)]
pub struct Amount(AtomicI64);

impl Amount {
    /// So many more, or fewer.
    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Relaxed);
    }

    /// So many now.
    pub fn set(&self, amount: i64) {
        self.0.store(amount, Relaxed);
    }
}

impl Cell for Amount {
    fn read(&self) -> Value {
        Value::Amount(self.0.load(Relaxed))
    }
}

/// What has a height, such as a share or a load; of those of peers the highest counts.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// So high now.
    pub fn set(&self, level: f64) {
        self.0.store(level.to_bits(), Relaxed);
    }
}

impl Cell for Level {
    fn read(&self) -> Value {
        Value::Level(f64::from_bits(self.0.load(Relaxed)))
    }
}

/// One of the values that a bucket counts, and the trace that tells more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exemplar {
    /// When it was recorded, in milliseconds since 1970.
    pub at: u64,
    /// In nanoseconds.
    pub value: u64,
    /// The trace's id, 16 bytes.
    pub trace: u128,
}

/// How many took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    // A group of buckets comes into being with the first value that falls into it: most series need two or three.
    groups: [OnceLock<Box<[AtomicU64]>>; GROUPS],
    sum: AtomicU64,
    max: AtomicU64,
    exemplars: OnceLock<Box<[Slot; BOUNDS.len() + 1]>>,
}

impl Histogram {
    /// Count one that took so many nanoseconds; more than three years count as three.
    pub fn record(&self, nanoseconds: u64) {
        let nanoseconds = nanoseconds.min(LONGEST);
        let (group, bucket) = place_in_group(nanoseconds);
        let buckets = self.groups[group].get_or_init(|| (0..size(group)).map(|_| AtomicU64::new(0)).collect());
        buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(nanoseconds, Relaxed);
        if nanoseconds > self.max.load(Relaxed) {
            self.max.fetch_max(nanoseconds, Relaxed);
        }
    }

    /// The same, and remember the trace that it was part of, as the newest of those in its exported bucket.
    pub fn record_traced(&self, nanoseconds: u64, trace: u128) {
        self.record(nanoseconds);
        let slots = self.exemplars.get_or_init(Box::default);
        let bound = BOUNDS.partition_point(|bound| *bound < nanoseconds);
        slots[bound].put(Exemplar { at: milliseconds(), value: nanoseconds, trace });
    }
}

impl Cell for Histogram {
    fn read(&self) -> Value {
        let mut buckets = BTreeMap::new();
        for (group, cells) in self.groups.iter().enumerate() {
            for (bucket, cell) in cells.get().into_iter().flatten().enumerate() {
                let count = cell.load(Relaxed);
                if count > 0 {
                    buckets.insert(number(group, bucket), count);
                }
            }
        }
        let slots = self.exemplars.get().into_iter().flat_map(|slots| slots.iter().enumerate());
        Value::Distribution(Distribution {
            buckets,
            sum: self.sum.load(Relaxed),
            max: self.max.load(Relaxed),
            exemplars: slots.filter_map(|(bound, slot)| Some((u8::try_from(bound).ok()?, slot.get()?))).collect(),
        })
    }
}

/// Holds one exemplar; a sequence lock: whoever finds another writing goes on without, and readers look again.
#[derive(Debug, Default)]
struct Slot {
    /// Odd while somebody writes; 0 as long as nobody has.
    version: AtomicU64,
    high: AtomicU64,
    low: AtomicU64,
    value: AtomicU64,
    at: AtomicU64,
}

impl Slot {
    fn put(&self, exemplar: Exemplar) {
        let version = self.version.load(Relaxed);
        if !version.is_multiple_of(2) || self.version.compare_exchange(version, version + 1, Acquire, Relaxed).is_err()
        {
            return;
        }
        fence(Release);
        self.high.store((exemplar.trace >> 64) as u64, Relaxed);
        self.low.store(exemplar.trace as u64, Relaxed);
        self.value.store(exemplar.value, Relaxed);
        self.at.store(exemplar.at, Relaxed);
        self.version.store(version + 2, Release);
    }

    fn get(&self) -> Option<Exemplar> {
        for _ in 0..100 {
            let version = self.version.load(Acquire);
            if version == 0 {
                return None;
            }
            let found = Exemplar {
                at: self.at.load(Relaxed),
                value: self.value.load(Relaxed),
                trace: u128::from(self.high.load(Relaxed)) << 64 | u128::from(self.low.load(Relaxed)),
            };
            fence(Acquire);
            if version.is_multiple_of(2) && self.version.load(Relaxed) == version {
                return Some(found);
            }
            std::hint::spin_loop();
        }
        // Written all the time: this one is left out.
        None
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn distribution(histogram: &Histogram) -> Distribution {
        match histogram.read() {
            Value::Distribution(found) => found,
            _ => Distribution::default(),
        }
    }

    #[test]
    fn nothing_is_lost_when_threads_record_at_once() {
        let (histogram, counter, amount) = (Histogram::default(), Counter::default(), Amount::default());
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (histogram, counter, amount) = (&histogram, &counter, &amount);
                scope.spawn(move || {
                    for value in 0..20_000_u64 {
                        histogram.record_traced(value * 1000 + thread, u128::from(value) << 64 | u128::from(value));
                        counter.add(1);
                        amount.add(if value % 2 == 0 { 1 } else { -1 });
                    }
                });
            }
            for _ in 0..1000 {
                for exemplar in distribution(&histogram).exemplars.values() {
                    let (high, low) = ((exemplar.trace >> 64) as u64, exemplar.trace as u64);
                    assert_eq!(high, low, "an exemplar is read as it was written");
                    assert_eq!(exemplar.value / 1000, low);
                }
            }
        });
        let found = distribution(&histogram);
        assert_eq!(found.count(), 160_000);
        assert_eq!(found.sum, 8 * 1000 * (19_999 * 20_000 / 2) + 20_000 * 28);
        assert_eq!(found.max, 19_999_007);
        assert_eq!(counter.read(), Value::Count(160_000));
        assert_eq!(amount.read(), Value::Amount(0));
    }

    #[test]
    fn an_exemplar_is_with_the_bucket_that_counts_it() {
        let histogram = Histogram::default();
        histogram.record_traced(1_000_000, 7);
        histogram.record_traced(1_000_001, 8);
        histogram.record_traced(u64::MAX, 9);
        let found = distribution(&histogram);
        let traces: Vec<_> = found.exemplars.iter().map(|(bound, exemplar)| (*bound, exemplar.trace)).collect();
        assert_eq!(traces, [(0, 7), (1, 8), (17, 9)]);
    }
}

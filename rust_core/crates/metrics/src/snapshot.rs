//! What metrics were at a moment: plain data that peers hand to one another, merge and read.
//!
//! A snapshot keeps the newest that each peer has told, so merging is associative, commutative and idempotent: in
//! whichever order and however often snapshots arrive, the result is the same. Totals are made when they are read.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::buckets::{BOUNDS, middle, upper};
use crate::cells::Exemplar;
use crate::registry::Kind;

/// The series of a family, by their label values.
pub type Table = BTreeMap<Vec<String>, Value>;

/// One series.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of a counter: whole units, or nanoseconds.
    Count(u64),
    /// Of a gauge of whole units.
    Amount(i64),
    /// Of a gauge of a height.
    Level(f64),
    /// Of a histogram.
    Distribution(Distribution),
}

impl Value {
    /// Two peers' values as one: counts, amounts and distributions are added up, of levels the highest counts.
    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(mine), Self::Count(theirs)) => *mine = mine.saturating_add(*theirs),
            (Self::Amount(mine), Self::Amount(theirs)) => *mine = mine.wrapping_add(*theirs),
            (Self::Level(mine), Self::Level(theirs)) if theirs.total_cmp(mine).is_gt() => *mine = *theirs,
            (Self::Distribution(mine), Self::Distribution(theirs)) => mine.add(theirs),
            _ => {}
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        match (self, earlier) {
            (Self::Count(now), Self::Count(then)) => Self::Count(now.checked_sub(*then).unwrap_or(*now)),
            (Self::Distribution(now), Self::Distribution(then)) => Self::Distribution(now.since(then)),
            _ => self.clone(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Count(_) => 0,
            Self::Amount(_) => 1,
            Self::Level(_) => 2,
            Self::Distribution(_) => 3,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Count(mine), Self::Count(theirs)) => mine.cmp(theirs),
            (Self::Amount(mine), Self::Amount(theirs)) => mine.cmp(theirs),
            (Self::Level(mine), Self::Level(theirs)) => mine.total_cmp(theirs),
            (Self::Distribution(mine), Self::Distribution(theirs)) => mine.cmp(theirs),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

/// How many took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distribution {
    /// How many by bucket; those with none are left out.
    pub buckets: BTreeMap<u32, u64>,
    /// All of them together, in nanoseconds.
    pub sum: u64,
    /// The longest, in nanoseconds.
    pub max: u64,
    /// The newest of each exported bucket, by its number; that of `BOUNDS.len()` has no upper bound.
    pub exemplars: BTreeMap<u8, Exemplar>,
}

impl Distribution {
    /// How many in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |all, count| all.saturating_add(*count))
    }

    /// The duration that a share of all are as short as or shorter than, within a hundredth, in nanoseconds; 0 where
    /// there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let count = self.count();
        let rank = ((share.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0_u64;
        for (bucket, number) in &self.buckets {
            seen = seen.saturating_add(*number);
            if seen >= rank {
                return if self.max > 0 { middle(*bucket).min(self.max) } else { middle(*bucket) };
            }
        }
        0
    }

    /// How many are as short as each of `BOUNDS` or shorter.
    #[must_use]
    pub fn cumulative(&self) -> [u64; BOUNDS.len()] {
        let mut found = [0; BOUNDS.len()];
        let mut seen = 0_u64;
        let mut buckets = self.buckets.iter().peekable();
        for (bound, cell) in BOUNDS.iter().zip(found.iter_mut()) {
            while let Some((_, number)) = buckets.next_if(|(bucket, _)| upper(**bucket) <= *bound) {
                seen = seen.saturating_add(*number);
            }
            *cell = seen;
        }
        found
    }

    /// Add another's to it; of two exemplars the newer one stays.
    pub fn add(&mut self, other: &Self) {
        for (bucket, number) in &other.buckets {
            let cell = self.buckets.entry(*bucket).or_default();
            *cell = cell.saturating_add(*number);
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        for (bound, exemplar) in &other.exemplars {
            let cell = self.exemplars.entry(*bound).or_insert(*exemplar);
            *cell = (*cell).max(*exemplar);
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let before = |bucket: &u32| earlier.buckets.get(bucket).copied().unwrap_or(0);
        if self.sum < earlier.sum || earlier.buckets.keys().any(|it| self.buckets.get(it) < earlier.buckets.get(it)) {
            return self.clone();
        }
        let grown = self.buckets.iter().map(|(bucket, number)| (*bucket, number - before(bucket)));
        Self { buckets: grown.filter(|(_, number)| *number > 0).collect(), sum: self.sum - earlier.sum, ..self.clone() }
    }
}

/// What tells families apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FamilyKey {
    /// Its name, as Prometheus shows it: counters end in `_total`.
    pub name: String,
    /// What it is of.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: Vec<String>,
}

impl FamilyKey {
    /// The name without a counter's `_total`: what OpenMetrics calls the metric.
    #[must_use]
    pub fn base(&self) -> &str {
        match self.kind {
            Kind::Counter | Kind::CounterSeconds => self.name.strip_suffix("_total").unwrap_or(&self.name),
            _ => &self.name,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { name, kind, labels } = self;
        let wanted = match kind {
            Kind::Counter => "_total",
            Kind::CounterSeconds => "_seconds_total",
            Kind::Histogram => "_seconds",
            Kind::Amount | Kind::Level => "",
        };
        if !is_name(name, true) {
            return Err(format!("{name:?} cannot be the name of a metric"));
        }
        if !name.ends_with(wanted) {
            return Err(format!("the name {name} does not end in {wanted}"));
        }
        let of_another = match kind {
            Kind::Amount | Kind::Level => "_total",
            Kind::Counter => "_seconds_total",
            Kind::CounterSeconds | Kind::Histogram => return check_labels(name, labels),
        };
        if name.ends_with(of_another) {
            return Err(format!("the name {name} is that of another kind of metric"));
        }
        check_labels(name, labels)
    }
}

fn check_labels(name: &str, labels: &[String]) -> Result<(), String> {
    for (index, label) in labels.iter().enumerate() {
        let reserved = label.starts_with("__") || label == "le" || label == "quantile";
        if !is_name(label, false) || reserved || labels[..index].contains(label) {
            return Err(format!("{label:?} cannot be a label of {name}"));
        }
    }
    Ok(())
}

fn is_name(text: &str, colon: bool) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colon && byte == b':');
    text.bytes().all(allowed) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Families with their help and their series.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Families(pub BTreeMap<FamilyKey, (String, Table)>);

impl Families {
    /// Add another's to it.
    pub fn add(&mut self, other: &Self) {
        for (key, (help, theirs)) in &other.0 {
            let (mine, table) = self.0.entry(key.clone()).or_default();
            if help > mine {
                mine.clone_from(help);
            }
            for (values, value) in theirs {
                match table.entry(values.clone()) {
                    Entry::Occupied(mut found) => found.get_mut().add(value),
                    Entry::Vacant(free) => drop(free.insert(value.clone())),
                }
            }
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let grown = self.0.iter().map(|(key, (help, table))| {
            let before = earlier.0.get(key).map(|(_, table)| table);
            let grown = table.iter().map(|(values, value)| {
                let then = before.and_then(|table| table.get(values));
                (values.clone(), then.map_or_else(|| value.clone(), |then| value.since(then)))
            });
            (key.clone(), (help.clone(), grown.collect()))
        });
        Self(grown.collect())
    }

    /// The series of the family with a name, added up by the values of one of its labels; without, all as one under
    /// an empty one.
    #[must_use]
    pub fn grouped(&self, name: &str, label: Option<&str>) -> BTreeMap<String, Value> {
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        let Some((key, (_, table))) = self.0.iter().find(|(key, _)| key.name == name) else { return found };
        let index = label.map(|label| key.labels.iter().position(|name| name == label));
        for (values, value) in table {
            let group = match index {
                None => String::new(),
                Some(index) => index.and_then(|index| values.get(index)).cloned().unwrap_or_default(),
            };
            match found.entry(group) {
                Entry::Occupied(mut all) => all.get_mut().add(value),
                Entry::Vacant(free) => drop(free.insert(value.clone())),
            }
        }
        found
    }
}

/// What one peer told.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// When, in milliseconds since 1970.
    pub stamp: u64,
    /// Since when it counts, in milliseconds since 1970.
    pub started: u64,
    /// Its metrics.
    pub families: Families,
}

/// What metrics of peers were at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The newest of each peer, by its name.
    pub peers: BTreeMap<String, Part>,
}

impl Snapshot {
    /// That of one peer.
    #[must_use]
    pub fn of(peer: String, part: Part) -> Self {
        Self { peers: BTreeMap::from([(peer, part)]) }
    }

    /// Take in what another knows: of each peer the newest stays.
    pub fn merge(&mut self, other: Self) {
        for (peer, part) in other.peers {
            match self.peers.entry(peer) {
                Entry::Occupied(mut found) => {
                    if part > *found.get() {
                        found.insert(part);
                    }
                }
                Entry::Vacant(free) => drop(free.insert(part)),
            }
        }
    }

    /// All peers' metrics together.
    #[must_use]
    pub fn total(&self) -> Families {
        let mut parts = self.peers.values();
        let mut total = parts.next().map(|part| part.families.clone()).unwrap_or_default();
        for part in parts {
            total.add(&part.families);
        }
        total
    }

    /// What each peer has counted since an earlier snapshot; gauges are as they are now. A series that began anew
    /// counts as a whole.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = self.peers.iter().map(|(peer, part)| {
            let grown = earlier.peers.get(peer).map_or_else(
                || part.clone(),
                |before| Part {
                    families: part.families.since(&before.families),
                    started: before.stamp,
                    stamp: part.stamp,
                },
            );
            (peer.clone(), grown)
        });
        Self { peers: grown.collect() }
    }
}

//! A snapshot as bytes, and back. Whatever the bytes are, reading them ends with a snapshot or an error, and takes no
//! more memory than a small multiple of their length.
//!
//! `PAMS`, a version (1), then numbers as LEB128, texts with their length before them, all tables in order.

use std::collections::BTreeMap;
use std::fmt;

use crate::buckets::{BOUNDS, COUNT};
use crate::cells::Exemplar;
use crate::registry::Kind;
use crate::snapshot::{Distribution, Families, FamilyKey, Part, Snapshot, Table, Value};

const MAGIC: &[u8] = b"PAMS\x01";

/// The bytes are no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "these bytes are no snapshot of metrics: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// The bytes of a snapshot; equal ones have equal bytes.
#[must_use]
pub fn to_bytes(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_length(&mut out, snapshot.peers.len());
    for (peer, part) in &snapshot.peers {
        put_text(&mut out, peer);
        put(&mut out, part.stamp);
        put(&mut out, part.started);
        put_length(&mut out, part.families.0.len());
        for (key, (help, table)) in &part.families.0 {
            put_family(&mut out, key, help, table);
        }
    }
    out
}

fn put_family(out: &mut Vec<u8>, key: &FamilyKey, help: &str, table: &Table) {
    put_text(out, &key.name);
    out.push(kind_number(key.kind));
    put_length(out, key.labels.len());
    for label in &key.labels {
        put_text(out, label);
    }
    put_text(out, help);
    put_length(out, table.len());
    for (values, value) in table {
        for text in values {
            put_text(out, text);
        }
        match value {
            Value::Count(count) => put(out, *count),
            // The sign goes to the end, so that small ones are short.
            Value::Amount(amount) => put(out, ((amount << 1) ^ (amount >> 63)) as u64),
            Value::Level(level) => out.extend(level.to_bits().to_le_bytes()),
            Value::Distribution(found) => put_distribution(out, found),
        }
    }
}

fn put_distribution(out: &mut Vec<u8>, found: &Distribution) {
    put_length(out, found.buckets.len());
    for (bucket, count) in &found.buckets {
        put(out, u64::from(*bucket));
        put(out, *count);
    }
    put(out, found.sum);
    put(out, found.max);
    put_length(out, found.exemplars.len());
    for (bound, exemplar) in &found.exemplars {
        out.push(*bound);
        put(out, exemplar.at);
        put(out, exemplar.value);
        out.extend(exemplar.trace.to_le_bytes());
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put(out, length as u64);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend(text.as_bytes());
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Counter => 0,
        Kind::CounterSeconds => 1,
        Kind::Amount => 2,
        Kind::Level => 3,
        Kind::Histogram => 4,
    }
}

/// The snapshot in the bytes.
///
/// # Errors
/// `Malformed` where they are not what `to_bytes` gives.
pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot, Malformed> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Malformed("they begin differently"))?;
    let mut reader = Reader { rest };
    let peers = reader.table(Reader::text, Reader::part)?;
    if !reader.rest.is_empty() {
        return Err(Malformed("there is more after the end"));
    }
    Ok(Snapshot { peers })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(CUT)?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (found, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        self.rest = rest;
        Ok(*found)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut found = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                return Err(Malformed("a number is written wrongly"));
            }
            found |= bits << shift;
            if byte < 0x80 {
                return Ok(found);
            }
        }
        Err(Malformed("a number is written wrongly"))
    }

    /// A number of things, each of which takes a byte or more.
    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).ok().filter(|length| *length <= self.rest.len()).ok_or(CUT)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = self.length()?;
        let (found, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        std::str::from_utf8(found).map(str::to_owned).map_err(|_| Malformed("a text is not in UTF-8"))
    }

    /// Keys that rise, each with its value.
    fn table<K: Ord + Clone, V>(
        &mut self,
        mut key: impl FnMut(&mut Self) -> Result<K, Malformed>,
        mut value: impl FnMut(&mut Self) -> Result<V, Malformed>,
    ) -> Result<BTreeMap<K, V>, Malformed> {
        let mut found = BTreeMap::new();
        let mut last: Option<K> = None;
        for _ in 0..self.length()? {
            let key = key(self)?;
            if last.is_some_and(|last| last >= key) {
                return Err(Malformed("a table is not in order"));
            }
            last = Some(key.clone());
            let value = value(self)?;
            found.insert(key, value);
        }
        Ok(found)
    }

    fn part(&mut self) -> Result<Part, Malformed> {
        let (stamp, started) = (self.number()?, self.number()?);
        let mut families = BTreeMap::new();
        for _ in 0..self.length()? {
            let key = self.family_key()?;
            if families.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(Malformed("a table is not in order"));
            }
            let help = self.text()?;
            let (kind, labels) = (key.kind, key.labels.len());
            let table =
                self.table(|reader| (0..labels).map(|_| reader.text()).collect(), |reader| reader.value(kind))?;
            if labels == 0 && table.len() > 1 {
                return Err(Malformed("a metric without labels has several series"));
            }
            families.insert(key, (help, table));
        }
        Ok(Part { stamp, started, families: Families(families) })
    }

    fn family_key(&mut self) -> Result<FamilyKey, Malformed> {
        let name = self.text()?;
        let kind = match self.byte()? {
            0 => Kind::Counter,
            1 => Kind::CounterSeconds,
            2 => Kind::Amount,
            3 => Kind::Level,
            4 => Kind::Histogram,
            _ => return Err(Malformed("there is no such kind of metric")),
        };
        let mut labels = Vec::new();
        for _ in 0..self.length()? {
            labels.push(self.text()?);
        }
        let key = FamilyKey { name, kind, labels };
        key.check().map_err(|_| Malformed("a metric cannot have that name"))?;
        Ok(key)
    }

    fn value(&mut self, kind: Kind) -> Result<Value, Malformed> {
        Ok(match kind {
            Kind::Counter | Kind::CounterSeconds => Value::Count(self.number()?),
            Kind::Amount => {
                let number = self.number()?;
                Value::Amount((number >> 1) as i64 ^ -((number & 1) as i64))
            }
            Kind::Level => Value::Level(f64::from_bits(u64::from_le_bytes(self.bytes()?))),
            Kind::Histogram => Value::Distribution(self.distribution()?),
        })
    }

    fn distribution(&mut self) -> Result<Distribution, Malformed> {
        let bucket = |reader: &mut Self| {
            let number = u32::try_from(reader.number()?).ok().filter(|number| *number < COUNT);
            number.ok_or(Malformed("there is no such bucket"))
        };
        let buckets = self.table(bucket, Self::number)?;
        let (sum, max) = (self.number()?, self.number()?);
        let bound = |reader: &mut Self| {
            let number = reader.byte()?;
            if usize::from(number) > BOUNDS.len() { Err(Malformed("there is no such bound")) } else { Ok(number) }
        };
        let exemplar = |reader: &mut Self| {
            let (at, value) = (reader.number()?, reader.number()?);
            Ok(Exemplar { at, value, trace: u128::from_le_bytes(reader.bytes()?) })
        };
        let exemplars = self.table(bound, exemplar)?;
        Ok(Distribution { buckets, sum, max, exemplars })
    }
}

const CUT: Malformed = Malformed("they end too early");

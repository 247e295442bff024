//! Time zones for the engine, from jiff's bundled database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{Timestamp, civil, tz::TimeZone};

/// Looks zones up once each.
#[derive(Default)]
pub(crate) struct Zones {
    known: Mutex<HashMap<String, Option<TimeZone>>>,
}

// Names come from expressions; a bound keeps them from filling the memory.
const MAX_KNOWN: usize = 1024;

impl Zones {
    fn get(&self, name: &str) -> Option<TimeZone> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = known.get(name) {
            return zone.clone();
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        let zone = TimeZone::get(name).ok();
        known.insert(name.to_owned(), zone.clone());
        zone
    }

    /// The zone's name in its usual case, or None if there is no such zone.
    pub fn canonical(&self, name: &str) -> Option<String> {
        self.get(name)?.iana_name().map(str::to_owned)
    }

    /// Seconds east of Greenwich at an instant (milliseconds since 1970).
    pub fn offset(&self, name: &str, milliseconds: f64) -> Option<f64> {
        let zone = self.get(name)?;
        Some(f64::from(zone.to_offset(instant(milliseconds)?).seconds()))
    }

    /// The zone's abbreviation at an instant, and whether it is summer time.
    pub fn abbreviation(&self, name: &str, milliseconds: f64) -> Option<(String, bool)> {
        let zone = self.get(name)?;
        let info = zone.to_offset_info(instant(milliseconds)?);
        Some((info.abbreviation().to_owned(), info.dst().is_dst()))
    }

    /// The instant of a local time, given as milliseconds as if it were UTC; a time that a change of clocks
    /// skips or repeats is taken by the offset before the change, as JavaScript does.
    pub fn local_to_instant(&self, name: &str, milliseconds: f64) -> Option<f64> {
        let zone = self.get(name)?;
        let local: civil::DateTime = TimeZone::UTC.to_datetime(instant(milliseconds)?);
        let found = zone.to_ambiguous_timestamp(local).compatible().ok()?;
        #[allow(clippy::cast_precision_loss, reason = "within 2^53 for all years that jiff has")]
        Some(found.as_millisecond() as f64)
    }
}

/// The instant; beyond the years that jiff knows, the first or last one it does.
fn instant(milliseconds: f64) -> Option<Timestamp> {
    if !milliseconds.is_finite() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "clamped to what jiff takes")]
    let whole = milliseconds.floor() as i64;
    let (first, last) = (Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
    Timestamp::from_millisecond(whole.clamp(first, last)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_summer_time() {
        let zones = Zones::default();
        assert_eq!(zones.offset("Europe/Berlin", 1_704_067_200_000.0), Some(3600.0));
        assert_eq!(zones.offset("europe/berlin", 1_720_000_000_000.0), Some(7200.0));
        assert_eq!(zones.canonical("europe/berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(zones.offset("Mars/Olympus", 0.0), None);
    }

    #[test]
    fn local_times_become_instants() {
        let zones = Zones::default();
        assert_eq!(zones.local_to_instant("America/New_York", 0.0), Some(18_000_000.0));
    }
}

//! The buckets of a histogram: log-linear with decimal edges, of nanoseconds.
//!
//! Up to 100 ns each nanosecond is a bucket; from there each decade has 450 of the same width, so that a bucket is at
//! most 2 % of what it holds and its middle at most 1 % off. An edge belongs to the bucket below it, as Prometheus'
//! `le` has it, and edges are decimal (unlike those of HdrHistogram, which are powers of two): the bounds that are
//! exported, such as 0.25 s, are edges themselves, and their counts are exact.

/// Buckets of the first group.
const FINE: u64 = 100;
/// Buckets of each decade after it.
const COARSE: usize = 450;
/// Parts that the first tenth of a decade, which belongs to the one before, would have.
const TENTH: u64 = 50;
/// Groups: the fine one, and the decades from 100 ns on; the last one ends after three years.
pub(crate) const GROUPS: usize = 16;
const FIRST: u32 = 2;
const LAST: u32 = FIRST + GROUPS as u32 - 2;
/// The greatest value of the last bucket.
pub(crate) const LONGEST: u64 = 10_u64.pow(LAST + 1);
const WIDTHS: [u64; GROUPS - 1] = widths();

const fn widths() -> [u64; GROUPS - 1] {
    let mut found = [0; GROUPS - 1];
    let mut index = 0;
    let mut width = 10_u64.pow(FIRST) / TENTH;
    while index < found.len() {
        found[index] = width;
        width *= 10;
        index += 1;
    }
    found
}

/// Upper bounds of the buckets that are exported, in nanoseconds: for what takes milliseconds and what takes half an
/// hour.
pub const BOUNDS: [u64; 17] = [
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    300_000_000_000,
    1_800_000_000_000,
];

/// How many buckets a group has.
pub(crate) const fn size(group: usize) -> usize {
    if group == 0 { FINE as usize } else { COARSE }
}

/// The group of a value, and its bucket there; what is longer than three years is in the last one.
pub(crate) fn place_in_group(nanoseconds: u64) -> (usize, usize) {
    // An edge belongs to the bucket below it.
    let inside = nanoseconds.saturating_sub(1);
    if inside < FINE {
        return (0, inside as usize);
    }
    let decade = inside.ilog10();
    if decade > LAST {
        return (GROUPS - 1, COARSE - 1);
    }
    let group = (decade - FIRST) as usize;
    (group + 1, (inside / WIDTHS[group] - TENTH) as usize)
}

/// The number of a value's bucket, counted through all groups.
#[must_use]
pub fn place(nanoseconds: u64) -> u32 {
    let (group, bucket) = place_in_group(nanoseconds);
    number(group, bucket)
}

pub(crate) fn number(group: usize, bucket: usize) -> u32 {
    let before = if group == 0 { 0 } else { FINE as usize + (group - 1) * COARSE };
    u32::try_from(before + bucket).unwrap_or(u32::MAX)
}

/// How many buckets there are in all.
pub(crate) const COUNT: u32 = FINE as u32 + ((GROUPS - 1) * COARSE) as u32;

/// The greatest value that a bucket holds, in nanoseconds.
#[must_use]
pub fn upper(number: u32) -> u64 {
    edges(number).1
}

/// The value that is nearest to all that a bucket holds, in nanoseconds.
pub(crate) fn middle(number: u32) -> u64 {
    let (lower, upper) = edges(number);
    lower + (upper - lower).div_ceil(2)
}

fn edges(number: u32) -> (u64, u64) {
    let number = u64::from(number.min(COUNT - 1));
    if number < FINE {
        return (number, number + 1);
    }
    let (group, bucket) = ((number - FINE) / COARSE as u64, (number - FINE) % COARSE as u64);
    let width = WIDTHS[group as usize];
    ((bucket + TENTH) * width, (bucket + TENTH + 1) * width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_exported_bounds_are_edges() {
        for bound in BOUNDS {
            assert_eq!(upper(place(bound)), bound);
            assert_eq!(place(bound + 1), place(bound) + 1);
        }
    }

    #[test]
    fn buckets_follow_one_another_without_a_gap() {
        for number in 1..COUNT {
            assert_eq!(edges(number).0, upper(number - 1));
        }
        assert_eq!(place(0), 0);
        assert_eq!(place(u64::MAX), COUNT - 1);
        assert_eq!(upper(COUNT - 1), LONGEST);
    }

    proptest! {
        #[test]
        fn a_value_is_inside_of_its_bucket_and_within_a_hundredth_of_its_middle(
            value in (1_u64..=100_000_000_000_000_000).prop_flat_map(|high| 1..=high)
        ) {
            let (lower, upper) = edges(place(value));
            prop_assert!(lower < value && value <= upper);
            prop_assert!(middle(place(value)).abs_diff(value) as f64 <= (value as f64 * 0.01).max(1.0));
        }
    }
}

//! Which vectors are worth a look: one bit a component, compared by counting the bits that differ.
//!
//! A bit says on which side of the segment's mean a component lies. Vectors that are near differ in few bits, mostly
//! (Charikar, 2002); how many of the nearest by bits must be looked at so that the nearest by cosine are among them
//! depends on the data, so a segment finds that out by asking itself when it is made. Where bits say too little, it
//! has none, and all vectors are looked at.

use crate::bits::Bits;
use crate::segment::Segment;
use crate::vectors::{Scan, Top, float, quantised_query};
use crate::wire::record;

/// Documents from which on bits are made: fewer are looked at in no time.
const FROM: usize = 4_096;
/// How many of its own documents a segment asks for their neighbours.
const ASKED: usize = 64;
/// For so many nearest documents shares are known, and so many of them may be missed.
const LEVELS: [(usize, f64); 2] = [(16, 0.002), (128, 0.01)];
/// A share is this much larger than it had to be for the documents that were asked.
const SPARE: f32 = 1.5;
/// The least share that is looked at.
const LEAST: f32 = 0.02;
/// Beyond this share, looking at all is no dearer.
const MOST: f32 = 0.25;
const HEAD: usize = LEVELS.len() * 4;

/// A segment's section: shares, mean, and a row of bits for each document.
pub struct Signs<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Signs<'a> {
    /// None where there are none, or they do not fit.
    pub fn of(bytes: &'a [u8], width: usize, documents: usize) -> Option<Self> {
        let size = documents.checked_mul(width.div_ceil(64) * 8)?.checked_add(HEAD + width * 4)?;
        (width > 0 && bytes.len() == size).then_some(Self { bytes, width })
    }

    /// The documents that may be among so many nearest ones; None where all may.
    pub fn candidates(&self, vector: &[f32], wanted: usize, allowed: &Bits) -> Option<Bits> {
        let level = LEVELS.iter().position(|(most, _)| wanted <= *most)?;
        let share = record::<4>(self.bytes, level).map_or(1.0, f32::from_le_bytes);
        if !(0.0..=MOST).contains(&share) {
            return None;
        }
        let mut differing = Vec::new();
        self.compare(vector, &mut differing);
        // A part of the documents tells as well where to cut.
        let step = (differing.len() / 8192).max(1);
        let mut counts = vec![0usize; self.width + 1];
        differing.iter().step_by(step).for_each(|bits| counts[usize::from(*bits).min(self.width)] += 1);
        let needed = (share * differing.len() as f32).max(4.0 * wanted as f32);
        let needed = (needed / step as f32).ceil() as usize;
        let mut seen = 0;
        let cut = counts.iter().position(|count| {
            seen += count;
            seen >= needed
        });
        let cut = cut.unwrap_or(self.width) as u16;
        let mut found = Bits::of(&differing, |bits| *bits <= cut);
        found.keep(allowed);
        Some(found)
    }

    /// In how many bits each document differs from a vector.
    fn compare(&self, vector: &[f32], differing: &mut Vec<u16>) {
        let means = self.bytes.get(HEAD..HEAD + self.width * 4).unwrap_or_default();
        let asked = row(vector, means);
        let rows = self.bytes.get(HEAD + self.width * 4..).unwrap_or_default();
        differing.resize(rows.len() / (asked.len() * 8).max(1), 0);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("popcnt") {
            // The processor was just asked.
            #[allow(unsafe_code, reason = "calls a function compiled for the processor at hand")]
            unsafe {
                return count_popcnt(rows, &asked, differing);
            }
        }
        count(rows, &asked, differing);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn count_popcnt(rows: &[u8], asked: &[u64], differing: &mut [u16]) {
    count(rows, asked, differing);
}

#[inline(always)]
fn count(rows: &[u8], asked: &[u64], differing: &mut [u16]) {
    for (row, differing) in rows.chunks_exact(asked.len() * 8).zip(differing) {
        let mut bits = 0;
        for (word, asked) in row.as_chunks::<8>().0.iter().zip(asked) {
            bits += (u64::from_le_bytes(*word) ^ asked).count_ones();
        }
        *differing = bits as u16;
    }
}

/// The bits of a vector, the mean being given as bytes.
fn row(vector: &[f32], means: &[u8]) -> Vec<u64> {
    let mut words = vec![0u64; vector.len().div_ceil(64)];
    for (place, (x, mean)) in vector.iter().zip(means.chunks_exact(4)).enumerate() {
        words[place / 64] |= u64::from(*x > float(mean)) << (place % 64);
    }
    words
}

/// The section for vectors that lie in a row, empty where there are too few; `present` says which documents have one.
pub fn made(vectors: &[u8], width: usize, present: &Bits) -> Vec<u8> {
    let count = present.count();
    if width < 64 || width > usize::from(u16::MAX) || count < FROM {
        return Vec::new();
    }
    let vector = |document: usize| vectors.get(document * width * 4..(document + 1) * width * 4).unwrap_or_default();
    let mut sums = vec![0f64; width];
    for document in present.iter() {
        sums.iter_mut().zip(vector(document).chunks_exact(4)).for_each(|(sum, x)| *sum += f64::from(float(x)));
    }
    let mut out: Vec<u8> = LEVELS.iter().flat_map(|_| 1f32.to_le_bytes()).collect();
    out.extend(sums.iter().flat_map(|sum| ((sum / count as f64) as f32).to_le_bytes()));
    let mut numbers = Vec::with_capacity(width);
    for vector in vectors.chunks_exact(width * 4) {
        numbers.clear();
        numbers.extend(vector.chunks_exact(4).map(float));
        let words = row(&numbers, out.get(HEAD..HEAD + width * 4).unwrap_or_default());
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    out
}

/// Find out the shares: ask for the neighbours of some documents, and see how far down by bits they are.
pub fn tell_shares(signs: &mut [u8], codes: &[u8], scales: &[u8], vectors: &[u8], width: usize, present: &Bits) {
    let documents = scales.len() / 4;
    let Some(known) = Signs::of(signs, width, documents) else { return };
    let step = (present.count() / ASKED).max(1);
    let mut far: Vec<Vec<f32>> = LEVELS.iter().map(|_| Vec::new()).collect();
    let mut differing = Vec::new();
    for document in present.iter().step_by(step) {
        let bytes = vectors.get(document * width * 4..(document + 1) * width * 4).unwrap_or_default();
        let vector: Vec<f32> = bytes.chunks_exact(4).map(float).collect();
        known.compare(&vector, &mut differing);
        let mut below = vec![0usize; width + 1];
        differing.iter().for_each(|bits| below[usize::from(*bits).min(width)] += 1);
        let mut sum = 0;
        below.iter_mut().for_each(|count| {
            sum += *count;
            *count = sum;
        });
        for ((most, _), far) in LEVELS.iter().zip(&mut far) {
            let mut top = Top::new(most + 1);
            Scan { codes, scales, query: &quantised_query(&vector), allowed: present, top: &mut top }.run();
            for (_, near) in top.into_best() {
                let bits = differing.get(near as usize).copied().unwrap_or(0);
                far.push(below[usize::from(bits).min(width)] as f32 / documents as f32);
            }
        }
    }
    for (level, (far, (_, missed))) in far.iter_mut().zip(LEVELS).enumerate() {
        far.sort_unstable_by(f32::total_cmp);
        let last = ((far.len() as f64 * (1.0 - missed)) as usize).min(far.len().saturating_sub(1));
        let share = far.get(last).map_or(1.0, |share| (share * SPARE).max(LEAST));
        signs[level * 4..level * 4 + 4].copy_from_slice(&share.to_le_bytes());
    }
}

/// The documents of a segment to look at for so many nearest ones.
pub fn worth_a_look(segment: &Segment, vector: &[f32], wanted: usize, allowed: &Bits, filtered: bool) -> Option<Bits> {
    // A filter leaves less to look at, and what it lets through may lie anywhere.
    if filtered {
        return None;
    }
    Signs::of(segment.signs(), segment.width(), segment.documents())?.candidates(vector, wanted, allowed)
}

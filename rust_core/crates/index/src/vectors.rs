//! Nearest vectors by looking at all of them: first as bytes, then the best of those exactly.
//!
//! A search is bound by memory, so the first pass reads a quarter of the bytes: each vector's components are scaled to
//! -127..=127. What it finds, some more than asked for, is compared by the vectors themselves.

use crate::bits::Bits;
use crate::error::{Error, Result};

/// The vector with length 1. Refused: components that are no finite numbers, and zero vectors.
pub fn normalised(vector: &[f32]) -> Result<Vec<f32>> {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(Error::Invalid("a vector must have finite components that are not all zero".to_owned()));
    }
    Ok(vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

/// The components as signed bytes, and what one of them is worth.
pub fn quantised(vector: &[f32], codes: &mut Vec<u8>) -> f32 {
    let largest = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    codes.extend(vector.iter().map(|x| (x / scale).round() as i8 as u8));
    scale
}

/// A query for the first pass: components as 16-bit numbers, so large as their products' sum allows.
pub fn quantised_query(vector: &[f32]) -> Vec<i16> {
    let largest = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
    let most = (i32::MAX as f32 / (127.0 * vector.len().max(1) as f32) - 1.0).clamp(1.0, 32_000.0);
    vector.iter().map(|x| (x / largest.max(f32::MIN_POSITIVE) * most) as i16).collect()
}

/// The exact similarity (cosine, both being of length 1) with a vector that lies in bytes.
pub fn similarity(query: &[f32], bytes: &[u8]) -> f32 {
    let mut sums = [0f32; 16];
    let (pieces, rest) = (query.chunks_exact(16), query.chunks_exact(16).remainder());
    let done = (query.len() - rest.len()) * 4;
    for (piece, stored) in pieces.zip(bytes.chunks_exact(64)) {
        for ((sum, x), y) in sums.iter_mut().zip(piece).zip(stored.chunks_exact(4)) {
            *sum += x * float(y);
        }
    }
    let rest = rest.iter().zip(bytes.get(done..).unwrap_or_default().chunks_exact(4)).map(|(x, y)| x * float(y));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[inline(always)]
pub fn float(bytes: &[u8]) -> f32 {
    bytes.first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
}

/// The best of many scores with their numbers.
pub struct Top {
    most: usize,
    least: f32,
    found: Vec<(f32, u32)>,
}

impl Top {
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), least: f32::NEG_INFINITY, found: Vec::new() }
    }

    #[inline(always)]
    fn offer(&mut self, score: f32, place: u32) {
        if score > self.least {
            self.keep(score, place);
        }
    }

    #[cold]
    fn keep(&mut self, score: f32, place: u32) {
        self.found.push((score, place));
        if self.found.len() >= self.most * 2 + 32 {
            self.found.select_nth_unstable_by(self.most - 1, |a, b| b.0.total_cmp(&a.0));
            self.found.truncate(self.most);
            self.least = self.found.iter().map(|found| found.0).fold(f32::INFINITY, f32::min);
        }
    }

    /// The best, in no order.
    pub fn into_best(mut self) -> Vec<(f32, u32)> {
        if self.found.len() > self.most {
            self.found.select_nth_unstable_by(self.most - 1, |a, b| b.0.total_cmp(&a.0));
            self.found.truncate(self.most);
        }
        self.found
    }
}

/// One pass over a segment's codes.
pub struct Scan<'a> {
    pub codes: &'a [u8],
    pub scales: &'a [u8],
    pub query: &'a [i16],
    pub allowed: &'a Bits,
    pub top: &'a mut Top,
}

impl Scan<'_> {
    /// Offer the approximate score of each allowed vector.
    pub fn run(&mut self) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
                // The processor was just asked.
                #[allow(unsafe_code, reason = "calls a function compiled for the processor at hand")]
                unsafe {
                    return scan_avx512(self);
                }
            }
            if is_x86_feature_detected!("avx2") {
                #[allow(unsafe_code, reason = "calls a function compiled for the processor at hand")]
                unsafe {
                    return scan_avx2(self);
                }
            }
        }
        scan(self);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn scan_avx512(pass: &mut Scan<'_>) {
    scan(pass);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2(pass: &mut Scan<'_>) {
    scan(pass);
}

#[inline(always)]
fn scan(pass: &mut Scan<'_>) {
    let width = pass.query.len();
    let rows = pass.codes.chunks(64 * width).zip(pass.scales.chunks(64 * 4)).zip(pass.allowed.words());
    for (block, ((codes, scales), word)) in rows.enumerate() {
        if *word == u64::MAX {
            for (row, (code, scale)) in codes.chunks_exact(width).zip(scales.chunks_exact(4)).enumerate() {
                pass.top.offer(dot(code, pass.query) as f32 * float(scale), (block * 64 + row) as u32);
            }
            continue;
        }
        let mut rest = *word;
        while rest != 0 {
            let row = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if let (Some(code), Some(scale)) =
                (codes.get(row * width..(row + 1) * width), scales.get(row * 4..(row + 1) * 4))
            {
                pass.top.offer(dot(code, pass.query) as f32 * float(scale), (block * 64 + row) as u32);
            }
        }
    }
}

#[inline(always)]
fn dot(code: &[u8], query: &[i16]) -> i32 {
    let mut sum = 0i32;
    for (x, y) in code.iter().zip(query) {
        sum = sum.wrapping_add(i32::from(*x as i8) * i32::from(*y));
    }
    sum
}

//! A set of document numbers.

/// A set of numbers below a length, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    pub fn all(len: usize) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !len.is_multiple_of(64)) {
            *last = (1 << (len % 64)) - 1;
        }
        Self { words, len }
    }

    /// The places of the values that are chosen.
    pub fn of<T>(values: &[T], chosen: impl Fn(&T) -> bool) -> Self {
        let word = |values: &[T]| values.iter().rev().fold(0, |word, value| word << 1 | u64::from(chosen(value)));
        Self { words: values.chunks(64).map(word).collect(), len: values.len() }
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    #[inline]
    pub fn has(&self, place: usize) -> bool {
        self.words.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    pub fn set(&mut self, place: usize) {
        if place < self.len {
            self.words[place / 64] |= 1 << (place % 64);
        }
    }

    /// Take a number out; whether it was in.
    pub fn clear(&mut self, place: usize) -> bool {
        let was = self.has(place);
        if was {
            self.words[place / 64] &= !(1 << (place % 64));
        }
        was
    }

    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn keep(&mut self, other: &Self) {
        for (word, mask) in self.words.iter_mut().zip(&other.words) {
            *word &= mask;
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    pub fn remove(&mut self, other: &Self) {
        for (word, less) in self.words.iter_mut().zip(&other.words) {
            *word &= !less;
        }
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(place * 64 + bit)
            })
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The set that `to_bytes` wrote; None if the bytes do not fit the length.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Option<Self> {
        if bytes.len() != len.div_ceil(64) * 8 {
            return None;
        }
        let words = bytes.chunks_exact(8).filter_map(|word| word.first_chunk().copied().map(u64::from_le_bytes));
        let mut found = Self { words: words.collect(), len };
        found.keep(&Self::all(len));
        Some(found)
    }
}

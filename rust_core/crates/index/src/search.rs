//! Search: by words, by nearness, or by both, among the documents that a filter lets through.
//!
//! The two rankings are joined by reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): a document's score is the
//! sum of `weight / (60 + rank)` over the rankings it is in.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;

use crate::bits::Bits;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::segment::Kind;
use crate::signs::worth_a_look;
use crate::state::{Shelf, State};
use crate::text::{B, K1, inverse_frequency, query_terms};
use crate::vectors::{Scan, Top, normalised, quantised_query, similarity};

/// The constant of reciprocal rank fusion, that of its authors.
const FUSION: f64 = 60.0;
/// How many more candidates the first pass over the vectors gives, besides half as many again.
const SPARE: usize = 48;

/// Which documents count.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Tags that a document must have, all of them.
    pub all_tags: Vec<String>,
    /// Tags of which it must have one, if any are given.
    pub any_tags: Vec<String>,
    /// Tags that it must not have.
    pub no_tags: Vec<String>,
    /// The earliest time, itself included, in milliseconds.
    pub since: Option<i64>,
    /// The time before which it must be, in milliseconds.
    pub before: Option<i64>,
    /// It must be reached from one of these ids by following links, either way, in so many steps.
    pub near: Option<(Vec<String>, u32)>,
}

impl Filter {
    fn is_some(&self) -> bool {
        let tags = [&self.all_tags, &self.any_tags, &self.no_tags].iter().any(|tags| !tags.is_empty());
        tags || self.since.is_some() || self.before.is_some() || self.near.is_some()
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Words; empty for none.
    pub text: String,
    /// A vector, of any length but zero.
    pub vector: Option<Vec<f32>>,
    /// How many documents are wanted.
    pub limit: usize,
    /// How many of each ranking are joined; 0: as many as serve.
    pub depth: usize,
    /// What a rank by words counts.
    pub text_weight: f64,
    /// What a rank by nearness counts.
    pub vector_weight: f64,
    /// Which documents count.
    pub filter: Filter,
}

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The document, without its vector.
    pub document: Document,
    /// What it is ranked by: the fused score, or the only one there is.
    pub score: f64,
    /// Its BM25 score, if it is in that ranking.
    pub text_score: Option<f64>,
    /// Its cosine similarity, if it is in that ranking.
    pub vector_score: Option<f64>,
}

/// A shelf, a document's number there.
type Place = (usize, usize);

impl State {
    /// The best documents, best first; equal ones in the order of their ids. Without words and vector, the newest.
    pub fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        let allowed = self.allowed(&query.filter)?;
        let depth = if query.depth > 0 { query.depth } else { (query.limit * 2).max(100) };
        let both = query.vector.is_some() && !query.text.is_empty();
        let wanted = if both { depth } else { query.limit };
        let texts = if query.text.is_empty() { Vec::new() } else { self.by_words(&query.text, &allowed, wanted)? };
        let nearest = match &query.vector {
            Some(vector) => self.by_nearness(vector, &allowed, wanted, query.filter.is_some())?,
            None => Vec::new(),
        };
        let mut ranked: Vec<(Place, f64)> = match (both, &query.vector) {
            (true, _) => fuse(&[(&texts, query.text_weight), (&nearest, query.vector_weight)]),
            (false, Some(_)) => nearest.clone(),
            (false, None) if query.text.is_empty() => self.newest(&allowed, query.limit)?,
            (false, None) => texts.clone(),
        };
        self.order(&mut ranked, query.limit)?;
        let scores = [texts, nearest].map(|found| found.into_iter().collect::<HashMap<Place, f64>>());
        let hit = |(place, score): (Place, f64)| {
            Ok(Hit {
                document: self.shelves[place.0].segment.document(place.1)?,
                score,
                text_score: scores[0].get(&place).copied(),
                vector_score: scores[1].get(&place).copied(),
            })
        };
        ranked.into_iter().map(hit).collect()
    }

    /// By shelf, the live documents that a filter lets through.
    fn allowed(&self, filter: &Filter) -> Result<Vec<Bits>> {
        let mut allowed: Vec<Bits> = self.shelves.iter().map(|shelf| (*shelf.live).clone()).collect();
        if let Some((ids, steps)) = &filter.near {
            let mut near: Vec<Bits> = self.shelves.iter().map(|shelf| Bits::none(shelf.segment.documents())).collect();
            for (shelf, place, _) in self.around(ids, *steps, usize::MAX)? {
                near[shelf].set(place);
            }
            allowed.iter_mut().zip(&near).for_each(|(bits, near)| bits.keep(near));
        }
        for (bits, shelf) in allowed.iter_mut().zip(&self.shelves) {
            for tag in &filter.all_tags {
                bits.keep(&tagged(shelf, tag)?);
            }
            if !filter.any_tags.is_empty() {
                let mut any = Bits::none(shelf.segment.documents());
                for tag in &filter.any_tags {
                    any.add(&tagged(shelf, tag)?);
                }
                bits.keep(&any);
            }
            for tag in &filter.no_tags {
                bits.remove(&tagged(shelf, tag)?);
            }
            if filter.since.is_some() || filter.before.is_some() {
                let (since, before) = (filter.since.unwrap_or(i64::MIN), filter.before.unwrap_or(i64::MAX));
                let mut within = Bits::none(shelf.segment.documents());
                for place in bits.iter() {
                    if (since..before).contains(&shelf.segment.time(place)) {
                        within.set(place);
                    }
                }
                bits.keep(&within);
            }
        }
        Ok(allowed)
    }

    fn by_words(&self, text: &str, allowed: &[Bits], most: usize) -> Result<Vec<(Place, f64)>> {
        let documents = self.documents() as u64;
        let average = self.terms() as f64 / (documents.max(1)) as f64;
        let mut worth = Vec::new();
        for (term, times) in query_terms(text) {
            let mut holding = 0u64;
            for shelf in &self.shelves {
                if let Some(mut postings) = shelf.segment.postings(Kind::Word, &term)? {
                    if shelf.is_whole() {
                        holding += u64::from(postings.count);
                    } else {
                        while let Some((place, _)) = postings.next()? {
                            holding += u64::from(shelf.live.has(place));
                        }
                    }
                }
            }
            worth.push((term, f64::from(times) * inverse_frequency(documents, holding)));
        }
        let part = |times: u32, length: u32| {
            let (times, length) = (f64::from(times), f64::from(length));
            times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / average))
        };
        // Most terms occur once in a short text, and to look costs less than to divide.
        let once: Vec<f64> = (0..512).map(|length| part(1, length)).collect();
        let mut found = Vec::new();
        for (number, (shelf, allowed)) in self.shelves.iter().zip(allowed).enumerate() {
            with_scores(shelf.segment.documents(), |scores| {
                for (term, worth) in &worth {
                    let Some(mut postings) = shelf.segment.postings(Kind::Word, term)? else { continue };
                    while let Some((place, times)) = postings.next()? {
                        if allowed.has(place) {
                            let length = shelf.segment.length(place);
                            let known = once.get(length as usize).filter(|_| times == 1);
                            scores[place] += worth * known.copied().unwrap_or_else(|| part(times, length));
                        }
                    }
                }
                for (place, score) in scores.iter().enumerate() {
                    if *score > 0.0 {
                        found.push(((number, place), *score));
                        if found.len() >= 4 * most + 1024 {
                            self.order_roughly(&mut found, most)?;
                        }
                    }
                }
                Ok(())
            })?;
        }
        self.order(&mut found, most)?;
        Ok(found)
    }

    fn by_nearness(&self, vector: &[f32], allowed: &[Bits], most: usize, filtered: bool) -> Result<Vec<(Place, f64)>> {
        if self.width == 0 {
            return Ok(Vec::new());
        }
        if vector.len() != self.width {
            let (found, width) = (vector.len(), self.width);
            return Err(Error::Invalid(format!("a vector has {found} components; those of this index have {width}")));
        }
        let vector = normalised(vector)?;
        let query = quantised_query(&vector);
        // The first pass errs by less than a hundredth: half as many again hold the best.
        let wanted = most.saturating_add(most / 2).saturating_add(SPARE);
        let mut likely: Vec<(f32, Place)> = Vec::new();
        for (number, (shelf, allowed)) in self.shelves.iter().zip(allowed).enumerate() {
            if shelf.segment.width() == 0 {
                continue;
            }
            let mut top = Top::new(wanted);
            let (codes, scales) = (shelf.segment.codes(), shelf.segment.scales());
            let near = worth_a_look(&shelf.segment, &vector, most, allowed, filtered);
            let allowed = near.as_ref().unwrap_or(allowed);
            Scan { codes, scales, query: &query, allowed, top: &mut top }.run();
            likely.extend(top.into_best().into_iter().map(|(score, place)| (score, (number, place as usize))));
        }
        if likely.len() > wanted {
            likely.select_nth_unstable_by(wanted - 1, |a, b| b.0.total_cmp(&a.0));
            likely.truncate(wanted);
        }
        let exactly = |place: Place| similarity(&vector, self.shelves[place.0].segment.vector(place.1));
        let mut found = likely.into_iter().map(|(_, place)| (place, f64::from(exactly(place)))).collect();
        self.order(&mut found, most)?;
        Ok(found)
    }

    fn newest(&self, allowed: &[Bits], most: usize) -> Result<Vec<(Place, f64)>> {
        let mut found = Vec::new();
        for (number, (shelf, allowed)) in self.shelves.iter().zip(allowed).enumerate() {
            found.extend(allowed.iter().map(|place| ((number, place), shelf.segment.time(place) as f64)));
        }
        self.order(&mut found, most)?;
        Ok(found)
    }

    /// Whether `a` comes before `b`: the better score, then the smaller id.
    fn compare(&self, a: &(Place, f64), b: &(Place, f64)) -> Ordering {
        b.1.total_cmp(&a.1).then_with(|| {
            let id = |place: Place| self.shelves[place.0].segment.id(place.1).unwrap_or_default();
            id(a.0).cmp(id(b.0))
        })
    }

    fn order_roughly(&self, found: &mut Vec<(Place, f64)>, most: usize) -> Result<()> {
        if most == 0 {
            found.clear();
        } else if found.len() > most {
            found.select_nth_unstable_by(most - 1, |a, b| self.compare(a, b));
            found.truncate(most);
        }
        Ok(())
    }

    fn order(&self, found: &mut Vec<(Place, f64)>, most: usize) -> Result<()> {
        self.order_roughly(found, most)?;
        found.sort_unstable_by(|a, b| self.compare(a, b));
        Ok(())
    }
}

fn tagged(shelf: &Shelf, tag: &str) -> Result<Bits> {
    match shelf.segment.postings(Kind::Tag, tag)? {
        Some(postings) => postings.into_bits(),
        None => Ok(Bits::none(shelf.segment.documents())),
    }
}

fn fuse(rankings: &[(&Vec<(Place, f64)>, f64)]) -> Vec<(Place, f64)> {
    let mut fused: HashMap<Place, f64> = HashMap::new();
    for (ranking, weight) in rankings {
        for (rank, (place, _)) in ranking.iter().enumerate() {
            *fused.entry(*place).or_default() += weight / (FUSION + 1.0 + rank as f64);
        }
    }
    fused.into_iter().collect()
}

thread_local! {
    static SCORES: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Lend a row of zeros: making one for each search costs more than searching.
fn with_scores<T>(count: usize, work: impl FnOnce(&mut [f64]) -> Result<T>) -> Result<T> {
    SCORES.with(|kept| {
        let mut scores = kept.take();
        scores.clear();
        scores.resize(count, 0.0);
        let outcome = work(&mut scores);
        kept.replace(scores);
        outcome
    })
}

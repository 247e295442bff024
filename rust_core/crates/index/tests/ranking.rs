//! Search ranks as the published formulas say, however the documents lie in segments.

mod common;

use std::collections::{BTreeMap, HashMap};

use common::{Folder, SMALL, WAIT, document, ids, upsert, words};
use proptest::prelude::*;
use pyagent_index::{B, Batch, Document, Index, K1, Query, Result, query_terms};

/// Okapi BM25 as it is written in books, over all documents, with no index.
fn reference(documents: &BTreeMap<String, String>, query: &str) -> Vec<(String, f64)> {
    let counted: Vec<(&String, HashMap<String, u32>)> =
        documents.iter().map(|(id, text)| (id, query_terms(text).into_iter().collect())).collect();
    let length = |counts: &HashMap<String, u32>| f64::from(counts.values().sum::<u32>());
    let number = documents.len() as f64;
    let average = counted.iter().map(|(_, counts)| length(counts)).sum::<f64>() / number;
    let mut found = Vec::new();
    for (id, counts) in &counted {
        let mut score = 0.0;
        for (term, times) in query_terms(query) {
            let holding = counted.iter().filter(|(_, counts)| counts.contains_key(&term)).count() as f64;
            let idf = ((number - holding + 0.5) / (holding + 0.5)).ln_1p();
            let frequency = f64::from(counts.get(&term).copied().unwrap_or(0));
            let part = frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * length(counts) / average));
            score += f64::from(times) * idf * part;
        }
        if score > 0.0 {
            found.push(((*id).clone(), score));
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-f]", 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_rank_as_the_formula_says(
        changes in prop::collection::vec((0u8..20, prop::option::weighted(0.8, text())), 1..40),
        query in text(),
        limit in 1usize..30,
    ) {
        let folder = Folder::new();
        let index = Index::open(folder.path(), true, SMALL)?;
        let mut model = BTreeMap::new();
        for (id, text) in changes {
            let id = format!("d{id:02}");
            match text {
                Some(text) => {
                    upsert(&index, vec![document(&id, &text)])?;
                    model.insert(id, text);
                }
                None => {
                    index.commit(Batch { upserts: vec![], deletes: vec![id.clone()] }, WAIT)?;
                    model.remove(&id);
                }
            }
        }
        prop_assume!(!query.is_empty());
        let found = index.state()?.search(&words(&query, limit))?;
        let expected = reference(&model, &query);
        prop_assert_eq!(found.len(), expected.len().min(limit));
        for (hit, (id, score)) in found.iter().zip(&expected) {
            prop_assert!((hit.score - score).abs() < 1e-9, "{} {} {} {}", hit.document.id, hit.score, id, score);
        }
        let same: Vec<_> = found.iter().zip(&expected).map(|(hit, (id, _))| (&hit.document.id, id)).collect();
        // Documents whose scores differ by a rounding may change places; there are none where sums go in one order.
        prop_assert!(same.iter().all(|(found, expected)| found == expected), "{:?}", same);
    }

    #[test]
    fn nearness_ranks_by_cosine(
        vectors in prop::collection::vec(prop::collection::vec(-1f32..1.0, 24), 1..60),
        query in prop::collection::vec(-1f32..1.0, 24),
    ) {
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        prop_assume!(vectors.iter().chain([&query]).all(|vector| vector.iter().any(|x| x.abs() > 0.01)));
        let folder = Folder::new();
        let index = Index::open(folder.path(), true, SMALL)?;
        for (number, vector) in vectors.iter().enumerate() {
            let plain = document(&format!("d{number:02}"), "");
            upsert(&index, vec![Document { vector: Some(vector.clone()), ..plain }])?;
        }
        let wanted = Query { vector: Some(query.clone()), limit: 10, ..Query::default() };
        let found = index.state()?.search(&wanted)?;
        let mut expected: Vec<f64> = vectors.iter().map(|vector| cosine(vector, &query)).collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        prop_assert_eq!(found.len(), expected.len().min(10));
        for (hit, expected) in found.iter().zip(&expected) {
            prop_assert!((hit.score - expected).abs() < 1e-5, "{} {}", hit.score, expected);
        }
    }
}

#[test]
fn two_rankings_are_joined_by_their_ranks() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let with =
        |id: &str, text: &str, vector: [f32; 2]| Document { vector: Some(vector.to_vec()), ..document(id, text) };
    upsert(
        &index,
        vec![
            with("near", "nothing of it", [1.0, 0.0]),
            with("both", "a red fox", [1.0, 0.2]),
            with("words", "red fox, red fox", [-1.0, 0.1]),
            document("without", "a vector is not needed"),
        ],
    )?;
    let query = Query { vector: Some(vec![1.0, 0.0]), ..words("red fox", 3) };
    let found = index.state()?.search(&query)?;
    assert_eq!(found.iter().map(|hit| hit.document.id.as_str()).collect::<Vec<_>>(), ["words", "both", "near"]);
    // The second by nearness and by words; the first by words is third by nearness.
    assert!((found[0].score - (1.0 / 61.0 + 1.0 / 63.0)).abs() < 1e-12);
    assert!((found[1].score - 2.0 / 62.0).abs() < 1e-12);
    assert_eq!(found[2].text_score, None);
    let nearer = Query { text_weight: 0.0, ..query };
    assert_eq!(ids(&index, &nearer)?, ["near", "both", "words"]);
    Ok(())
}

#[test]
fn equal_scores_come_in_the_order_of_their_ids() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    for id in ["c", "a", "e", "b", "d", "g", "f"] {
        upsert(&index, vec![document(id, "same words")])?;
    }
    assert_eq!(ids(&index, &words("words", 4))?, ["a", "b", "c", "d"]);
    Ok(())
}

#[test]
fn a_vector_that_does_not_fit_is_refused() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let with = |vector: Vec<f32>| vec![Document { vector: Some(vector), ..document("a", "") }];
    upsert(&index, with(vec![1.0, 2.0]))?;
    for wrong in [vec![1.0], vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0], vec![]] {
        assert!(matches!(upsert(&index, with(wrong)), Err(pyagent_index::Error::Invalid(_))));
    }
    let query = Query { vector: Some(vec![1.0]), limit: 1, ..Query::default() };
    assert!(matches!(index.state()?.search(&query), Err(pyagent_index::Error::Invalid(_))));
    assert_eq!(index.stats()?.documents, 1);
    Ok(())
}

/// Numbers between -1 and 1 that are the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Whether a segment looks at some of its vectors or at all, it finds the nearest, whatever they are like.
#[test]
fn the_nearest_are_found_in_large_segments_of_any_kind() -> Result<()> {
    const WIDTH: usize = 128;
    for kind in ["groups", "noise", "positive", "few that count", "alike"] {
        let mut numbers = Numbers(7);
        let centres: Vec<Vec<f32>> = (0..300).map(|_| (0..WIDTH).map(|_| numbers.next()).collect()).collect();
        let mut vector = |number: usize| -> Vec<f32> {
            let centre = &centres[number % centres.len()];
            let near = |numbers: &mut Numbers, part: f32| centre.iter().map(|x| x + part * numbers.next()).collect();
            match kind {
                "groups" => near(&mut numbers, 0.4),
                "noise" => (0..WIDTH).map(|_| numbers.next()).collect(),
                "positive" => near(&mut numbers, 0.4).iter().map(|x: &f32| x + 5.0).collect(),
                "few that count" => {
                    let weight = |place: usize| if place < 4 { 20.0 } else { 0.5 };
                    near(&mut numbers, 0.4)
                        .iter()
                        .enumerate()
                        .map(|(place, x): (usize, &f32)| x * weight(place))
                        .collect()
                }
                _ => centres[0].iter().map(|x| x + 0.001 * numbers.next()).collect(),
            }
        };
        let vectors: Vec<Vec<f32>> = (0..6_000).map(&mut vector).collect();
        let asked: Vec<Vec<f32>> = (6_000..6_030).map(&mut vector).collect();
        let folder = Folder::new();
        let index = Index::open(folder.path(), true, pyagent_index::Limits::default())?;
        let with = |(number, vector): (usize, &Vec<f32>)| Document {
            vector: Some(vector.clone()),
            ..document(&number.to_string(), "")
        };
        upsert(&index, vectors.iter().enumerate().map(with).collect())?;
        let unit = |vector: &[f32]| {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            vector.iter().map(|x| x / length).collect::<Vec<f32>>()
        };
        let stored: Vec<Vec<f32>> = vectors.iter().map(|vector| unit(vector)).collect();
        let mut lost = 0;
        for vector in &asked {
            let found =
                index.state()?.search(&Query { vector: Some(vector.clone()), limit: 10, ..Query::default() })?;
            let one = unit(vector);
            let mut all: Vec<f32> =
                stored.iter().map(|other| one.iter().zip(other).map(|(x, y)| x * y).sum()).collect();
            all.sort_by(|a, b| b.total_cmp(a));
            // What is as near as the tenth counts: among vectors that are alike there is no other order.
            lost += found.iter().filter(|hit| hit.score < f64::from(all[9]) - 1e-5).count();
        }
        assert!(lost <= 6, "{kind}: {lost} of 300 lost");
    }
    Ok(())
}

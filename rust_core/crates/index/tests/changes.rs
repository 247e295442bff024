//! Changes are there for good, for every handle, and a state that is looked at does not change.

mod common;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

use common::{Folder, SMALL, WAIT, document, filtered, ids, upsert, words};
use proptest::prelude::*;
use pyagent_index::{Batch, Document, Error, Filter, Index, Limits, Result};

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<(u8, u8)>),
    Drop(Vec<u8>),
    Reopen,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((0u8..30, any::<u8>()), 1..6).prop_map(Step::Put),
        2 => prop::collection::vec(0u8..30, 1..4).prop_map(Step::Drop),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
    ]
}

fn full(id: u8, value: u8) -> Document {
    Document {
        id: format!("d{id}"),
        text: format!("text {value}"),
        tags: vec![format!("v{}", value % 3)],
        time: i64::from(value),
        links: vec![format!("d{}", value % 30)],
        data: vec![value; usize::from(value % 5)],
        vector: value.is_multiple_of(2).then(|| vec![1.0, f32::from(value)]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_holds_what_was_put_in_last(steps in prop::collection::vec(step(), 1..25)) {
        let folder = Folder::new();
        let mut index = Index::open(folder.path(), true, SMALL)?;
        let other = Index::open(folder.path(), false, SMALL)?;
        let mut model: BTreeMap<String, Document> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(pairs) => {
                    let documents: Vec<Document> = pairs.iter().map(|(id, value)| full(*id, *value)).collect();
                    model.extend(documents.iter().map(|document| (document.id.clone(), document.clone())));
                    upsert(&index, documents)?;
                }
                Step::Drop(numbers) => {
                    let deletes: Vec<String> = numbers.iter().map(|id| format!("d{id}")).collect();
                    let there = model.len();
                    model.retain(|id, _| !deletes.contains(id));
                    let gone = index.commit(Batch { upserts: vec![], deletes }, WAIT)?;
                    prop_assert_eq!(gone, there - model.len());
                }
                Step::Reopen => index = Index::open(folder.path(), false, SMALL)?,
                Step::Compact => index.compact(WAIT)?,
            }
            for handle in [&index, &other] {
                let state = handle.state()?;
                prop_assert_eq!(state.documents(), model.len());
                for id in 0..30 {
                    let id = format!("d{id}");
                    let found = state.get(&id)?.map(|found| Document { vector: None, ..found });
                    let expected = model.get(&id).map(|known| Document { vector: None, ..known.clone() });
                    prop_assert_eq!(found, expected);
                }
                let tagged = Filter { all_tags: vec!["v1".to_owned()], since: Some(50), before: Some(200), ..Filter::default() };
                let mut found = ids(handle, &filtered(tagged))?;
                found.sort();
                let fits = |known: &&Document| known.tags == ["v1"] && (50..200).contains(&known.time);
                let expected: Vec<String> = model.values().filter(fits).map(|known| known.id.clone()).collect();
                prop_assert_eq!(found, expected);
            }
        }
        index.verify()?;
    }
}

#[test]
fn without_words_and_vector_the_newest_come_first() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let at = |id: &str, time| Document { time, ..document(id, "") };
    upsert(&index, vec![at("old", 1), at("new", 3), at("middle", 2)])?;
    assert_eq!(ids(&index, &filtered(Filter::default()))?, ["new", "middle", "old"]);
    Ok(())
}

#[test]
fn tags_are_required_offered_and_forbidden() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let tagged = |id: &str, tags: &[&str]| Document {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..document(id, "word")
    };
    upsert(&index, vec![tagged("a", &["x"]), tagged("b", &["x", "y"]), tagged("c", &["z"])])?;
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let any = Filter { any_tags: tags(&["y", "z"]), ..Filter::default() };
    assert_eq!(ids(&index, &filtered(any))?, ["b", "c"]);
    let not = Filter { all_tags: tags(&["x"]), no_tags: tags(&["y"]), ..Filter::default() };
    assert_eq!(ids(&index, &filtered(not))?, ["a"]);
    // A tag is no word of the text.
    assert!(ids(&index, &words("x", 5))?.is_empty());
    Ok(())
}

#[test]
fn links_are_followed_both_ways_step_by_step() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let linked = |id: &str, links: &[&str]| Document {
        links: links.iter().map(|link| (*link).to_owned()).collect(),
        ..document(id, "")
    };
    upsert(&index, vec![linked("a", &["b", "gone"]), linked("b", &[]), linked("c", &["b"]), linked("far", &["c"])])?;
    let around = |steps| -> Result<Vec<(String, u32)>> {
        let found = index.state()?.neighbours(&["a".to_owned()], steps, 100)?;
        Ok(found.into_iter().map(|(document, steps)| (document.id, steps)).collect())
    };
    assert_eq!(around(1)?, [("b".to_owned(), 1)]);
    assert_eq!(around(3)?, [("b".to_owned(), 1), ("c".to_owned(), 2), ("far".to_owned(), 3)]);
    let near = Filter { near: Some((vec!["a".to_owned()], 2)), ..Filter::default() };
    assert_eq!(ids(&index, &filtered(near))?, ["a", "b", "c"]);
    Ok(())
}

#[test]
fn a_state_stays_as_it_is_while_others_write() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    upsert(&index, (0..12).map(|id| full(id, id)).collect())?;
    let before = index.state()?;
    upsert(&index, (0..30).map(|id| full(id, 77)).collect())?;
    index.compact(WAIT)?;
    assert_eq!(before.documents(), 12);
    assert_eq!(before.get("d3")?.map(|found| found.text), Some("text 3".to_owned()));
    assert_eq!(index.state()?.get("d3")?.map(|found| found.text), Some("text 77".to_owned()));
    Ok(())
}

#[test]
fn a_snapshot_is_an_index_of_its_own() -> Result<()> {
    let (folder, copy) = (Folder::new(), Folder::new());
    let index = Index::open(folder.path(), true, SMALL)?;
    upsert(&index, (0..12).map(|id| full(id, id)).collect())?;
    upsert(&index, vec![full(20, 20)])?;
    index.snapshot(copy.path(), WAIT)?;
    upsert(&index, vec![full(21, 21)])?;
    index.compact(WAIT)?;
    let taken = Index::open(copy.path(), false, SMALL)?;
    assert_eq!(taken.stats()?.documents, 13);
    upsert(&taken, vec![full(29, 1)])?;
    assert_eq!((taken.stats()?.documents, index.stats()?.documents), (14, 14));
    assert!(matches!(index.snapshot(copy.path(), WAIT), Err(Error::Io(..))));
    Ok(())
}

#[test]
fn half_a_record_was_never_acknowledged() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, Limits::default())?;
    upsert(&index, vec![document("kept", "a word")])?;
    let log = folder.path().join("log-1");
    let mut file = OpenOptions::new().append(true).open(&log).map_err(|error| Error::Io(String::new(), error))?;
    file.write_all(&[200, 0, 0, 0, 1, 2, 3, 4, 5]).map_err(|error| Error::Io(String::new(), error))?;
    for handle in [index, Index::open(folder.path(), false, Limits::default())?] {
        assert_eq!(handle.state()?.documents(), 1);
    }
    let again = Index::open(folder.path(), false, Limits::default())?;
    upsert(&again, vec![document("next", "a word")])?;
    assert_eq!(Index::open(folder.path(), false, Limits::default())?.state()?.documents(), 2);
    Ok(())
}

#[test]
fn a_changed_record_that_others_follow_is_told() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, Limits::default())?;
    upsert(&index, vec![document("first", "a word")])?;
    upsert(&index, vec![document("second", "a word")])?;
    let log = folder.path().join("log-1");
    let mut bytes = std::fs::read(&log).map_err(|error| Error::Io(String::new(), error))?;
    bytes[20] ^= 1;
    std::fs::write(&log, bytes).map_err(|error| Error::Io(String::new(), error))?;
    assert!(matches!(Index::open(folder.path(), false, Limits::default()), Err(Error::Corrupt(_))));
    Ok(())
}

#[test]
fn writers_take_turns_and_readers_see_whole_batches() -> Result<()> {
    let folder = Folder::new();
    Index::open(folder.path(), true, SMALL)?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3u8)
            .map(|writer| {
                let folder = &folder;
                scope.spawn(move || -> Result<()> {
                    let index = Index::open(folder.path(), false, SMALL)?;
                    for turn in 0..10 {
                        let pair = |half| document(&format!("w{writer}-{turn}-{half}"), "pair");
                        upsert(&index, vec![pair(0), pair(1)])?;
                    }
                    Ok(())
                })
            })
            .collect();
        let reader = Index::open(folder.path(), false, SMALL)?;
        while !writers.iter().all(|writer| writer.is_finished()) {
            assert_eq!(reader.state()?.documents() % 2, 0);
        }
        assert_eq!(reader.state()?.documents(), 60);
        Ok(())
    })
}

#[test]
fn a_writer_that_waits_in_vain_is_told() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    let lock = OpenOptions::new().write(true).open(folder.path().join("lock"));
    let lock = lock.map_err(|error| Error::Io(String::new(), error))?;
    lock.lock().map_err(|error| Error::Io(String::new(), error))?;
    let batch = Batch { upserts: vec![document("a", "")], deletes: vec![] };
    assert!(matches!(index.commit(batch, std::time::Duration::ZERO), Err(Error::Locked)));
    Ok(())
}

#[test]
fn a_folder_without_an_index_is_told() {
    let folder = Folder::new();
    assert!(matches!(Index::open(folder.path(), false, SMALL), Err(Error::Missing)));
}

#[test]
fn a_batch_is_there_although_its_segment_cannot_be_written() -> Result<()> {
    let folder = Folder::new();
    let index = Index::open(folder.path(), true, SMALL)?;
    // Where the first segment goes stands something that is no file.
    std::fs::create_dir(folder.path().join("segment-2")).map_err(|error| Error::Io("segment-2".to_owned(), error))?;
    for number in 0..2 * SMALL.documents {
        upsert(&index, vec![document(&number.to_string(), "some text")])?;
    }
    let other = Index::open(folder.path(), false, SMALL)?;
    assert_eq!(other.stats()?.documents, 2 * SMALL.documents);
    assert_eq!(other.stats()?.segments, 0);
    let _ = std::fs::remove_dir(folder.path().join("segment-2"));
    upsert(&index, vec![document("last", "some text")])?;
    assert_eq!(other.stats()?.in_log, 0);
    assert_eq!(other.stats()?.documents, 2 * SMALL.documents + 1);
    Ok(())
}

#[test]
fn a_log_that_cannot_be_removed_keeps_no_reader_behind() -> Result<()> {
    let folder = Folder::new();
    let (writer, reader) = (Index::open(folder.path(), true, SMALL)?, Index::open(folder.path(), false, SMALL)?);
    upsert(&writer, vec![document("first", "some text")])?;
    assert_eq!(reader.stats()?.documents, 1);
    let (log, kept) = (folder.path().join("log-1"), folder.path().join("kept"));
    let failed = |error| Error::Io("log-1".to_owned(), error);
    std::fs::hard_link(&log, &kept).map_err(failed)?;
    writer.compact(WAIT)?;
    std::fs::rename(&kept, &log).map_err(failed)?;
    upsert(&writer, vec![document("second", "some text")])?;
    assert_eq!(reader.stats()?.documents, 2);
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_index_and_its_copies_are_their_users_only() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (place, copy) = (folder.path().join("index"), folder.path().join("copies/one"));
    let index = Index::open(&place, true, SMALL)?;
    for number in 0..=SMALL.documents {
        upsert(&index, vec![document(&number.to_string(), "some text")])?;
    }
    index.snapshot(&copy, WAIT)?;
    let failed = |error| Error::Io("mode".to_owned(), error);
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).map(|about| about.permissions().mode() & 0o777).map_err(failed)
    };
    for made in [&place, &copy] {
        assert_eq!(mode(made)?, 0o700);
        for entry in std::fs::read_dir(made).map_err(failed)? {
            assert_eq!(mode(&entry.map_err(failed)?.path())?, 0o600);
        }
    }
    Ok(())
}

//! Damaged files give errors or other answers, and never end the program.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Folder, SMALL, WAIT, upsert, words};
use proptest::prelude::*;
use pyagent_index::{Batch, Document, Filter, Index, Query};

fn made(folder: &Folder) -> pyagent_index::Result<()> {
    let index = Index::open(folder.path(), true, SMALL)?;
    for number in 0..13u16 {
        upsert(
            &index,
            vec![Document {
                id: format!("d{number}"),
                text: format!("a few words {number}"),
                tags: vec!["tag".to_owned()],
                time: i64::from(number),
                links: vec![format!("d{}", number / 2)],
                data: vec![1, 2, 3],
                vector: Some(vec![1.0, f32::from(number), -1.0]),
            }],
        )?;
    }
    index.commit(Batch { upserts: vec![], deletes: vec!["d1".to_owned()] }, WAIT).map(|_| ())
}

/// Everything that reads; what it gives does not matter.
fn look(folder: &Folder) -> pyagent_index::Result<()> {
    let index = Index::open(folder.path(), false, SMALL)?;
    let state = index.state()?;
    let filter = Filter {
        all_tags: vec!["tag".to_owned()],
        near: Some((vec!["d2".to_owned()], 3)),
        since: Some(0),
        ..Filter::default()
    };
    for filter in [Filter::default(), filter] {
        let _ = state.search(&Query { vector: Some(vec![1.0, 2.0, 3.0]), filter, ..words("a few words 7", 5) });
    }
    let _ = state.get("d3");
    let _ = index.verify();
    let _ = upsert(&index, vec![Document { id: "new".to_owned(), ..Document::default() }]);
    let _ = index.compact(WAIT);
    Ok(())
}

fn files(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| !path.ends_with("lock")).collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_are_survived(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        mend in any::<bool>(),
    ) {
        let folder = Folder::new();
        made(&folder)?;
        let files = files(&folder);
        let path = which.get(&files);
        let mut bytes = fs::read(path)?;
        for (place, value) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if mend {
            // With a checksum that fits, damage gets further.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("segment") && bytes.len() >= 248 {
                let sum = crc32fast::hash(&bytes[..244]);
                bytes[244..248].copy_from_slice(&sum.to_le_bytes());
            } else if name == "manifest" && bytes.len() > 4 {
                let end = bytes.len() - 4;
                let sum = crc32fast::hash(&bytes[..end]);
                bytes[end..].copy_from_slice(&sum.to_le_bytes());
            }
        }
        fs::remove_file(path)?;
        fs::write(path, bytes)?;
        let _ = look(&folder);
    }

    #[test]
    fn any_bytes_in_place_of_a_file_are_survived(
        which in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let folder = Folder::new();
        made(&folder)?;
        let files = files(&folder);
        let path = which.get(&files);
        fs::remove_file(path)?;
        fs::write(path, bytes)?;
        let _ = look(&folder);
    }
}

#[test]
fn the_whole_check_finds_a_changed_byte() -> pyagent_index::Result<()> {
    let folder = Folder::new();
    made(&folder)?;
    Index::open(folder.path(), false, SMALL)?.verify()?;
    for path in files(&folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Ok(good) = fs::read(&path) else { continue };
        if name.starts_with("segment") {
            let mut bad = good.clone();
            if let Some(last) = bad.last_mut() {
                *last ^= 1;
            }
            let _ = fs::remove_file(&path);
            let _ = fs::write(&path, bad);
            assert!(Index::open(folder.path(), false, SMALL)?.verify().is_err());
            let _ = fs::remove_file(&path);
            let _ = fs::write(&path, good);
        }
    }
    Ok(())
}

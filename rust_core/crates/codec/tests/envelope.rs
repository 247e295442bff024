//! What is packed comes back, and nothing else does.

use std::borrow::Cow;

use proptest::prelude::*;
use pyagent_codec::{
    Error, Key, MAX_CONTENT, Options, describe, digest, key_name, pack, pack_with, unpack, unpack_with,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn key() -> Key {
    Key::new([7; 32])
}

fn entry(number: usize) -> String {
    format!(
        r#"{{"data":{{"status":"completed","attempt":1,"number":{number}}},"outputs":{{"out":[{{"json":{{"n":{number}}}}}]}}}}"#
    )
}

fn noise(length: usize) -> Vec<u8> {
    let mut found = vec![0; length];
    let mut hasher = pyagent_codec::Hasher::new();
    hasher.update(b"noise");
    hasher.finalize_xof().fill(&mut found);
    found
}

#[test]
fn small_payloads_like_those_of_runs_are_a_third_or_less_by_the_dictionary() -> Outcome {
    let content = entry(4711);
    let packed = pack(content.as_bytes())?;
    assert_eq!(describe(&packed)?.method, "dictionary");
    assert!(packed.len() * 3 <= content.len() * 2, "{} of {}", packed.len(), content.len());
    assert_eq!(unpack(&packed, 1000)?, content.as_bytes());
    Ok(())
}

#[test]
fn tiny_and_incompressible_payloads_take_one_byte_more() -> Outcome {
    for content in [b"".to_vec(), b"{}".to_vec(), noise(5000), noise(100_000)] {
        let packed = pack(&content)?;
        assert_eq!(packed.len(), content.len() + 1);
        assert!(matches!(unpack(&packed, MAX_CONTENT)?, Cow::Borrowed(found) if found == content));
    }
    Ok(())
}

#[test]
fn a_frame_of_an_older_version_is_read_and_its_limit_kept() -> Outcome {
    // What the first release made of 150 times `old `.
    let old = [
        0x01, 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x58, 0x01, 0x5d, 0x00, 0x00, 0x20, 0x6f, 0x6c, 0x64, 0x20, 0x01, 0x00,
        0x51, 0xae, 0x1c, 0x11,
    ];
    assert_eq!(unpack(&old, 600)?, b"old ".repeat(150));
    assert_eq!(unpack(&old, 599), Err(Error::TooLarge { size: 600, limit: 599 }));
    Ok(())
}

#[test]
fn a_growing_list_is_kept_as_what_is_new() -> Outcome {
    let parent: String = (0..500).map(entry).collect();
    let content = format!("{parent}{}", entry(500));
    let options = Options { parent: Some(parent.as_bytes()), key: None };
    let packed = pack_with(content.as_bytes(), options)?;
    assert!(packed.len() < 80, "{}", packed.len());
    assert_eq!(unpack_with(&packed, MAX_CONTENT, options)?, content.as_bytes());
    assert!(matches!(unpack(&packed, MAX_CONTENT), Err(Error::Parent(_))));
    let other = Options { parent: Some(b"another"), key: None };
    assert!(matches!(unpack_with(&packed, MAX_CONTENT, other), Err(Error::Parent(_))));
    Ok(())
}

#[test]
fn a_parent_that_does_not_help_is_not_needed() -> Outcome {
    let options = Options { parent: Some(b"nothing in common"), key: None };
    let packed = pack_with(entry(1).as_bytes(), options)?;
    assert_eq!(unpack(&packed, MAX_CONTENT)?, entry(1).as_bytes());
    Ok(())
}

#[test]
fn what_is_sealed_opens_by_its_key_alone_and_unchanged_alone() -> Outcome {
    for content in [entry(1).into_bytes(), Vec::new(), noise(70_000)] {
        let key = key();
        let options = Options { parent: None, key: Some(&key) };
        let packed = pack_with(&content, options)?;
        assert_eq!(describe(&packed)?.key, Some(key_name(&key)));
        assert_ne!(packed, pack_with(&content, options)?, "nonces differ");
        assert_eq!(unpack_with(&packed, MAX_CONTENT, options)?, content);
        assert!(matches!(unpack(&packed, MAX_CONTENT), Err(Error::Key(_))));
        let another = Key::new([8; 32]);
        let other = Options { parent: None, key: Some(&another) };
        assert!(matches!(unpack_with(&packed, MAX_CONTENT, other), Err(Error::Key(_))));
        for at in (1..packed.len()).step_by(packed.len() / 50 + 1) {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            assert!(unpack_with(&changed, MAX_CONTENT, options).is_err(), "byte {at}");
        }
    }
    Ok(())
}

#[test]
fn a_sealed_delta_names_its_parent_to_nobody_else() -> Outcome {
    let key = key();
    let parent: String = (0..500).map(entry).collect();
    let options = Options { parent: Some(parent.as_bytes()), key: Some(&key) };
    let packed = pack_with(format!("{parent}{}", entry(500)).as_bytes(), options)?;
    let plain = digest(parent.as_bytes());
    assert!(describe(&packed)?.parent.is_some_and(|name| name != plain[..8]));
    assert!(unpack_with(&packed, MAX_CONTENT, options)?.starts_with(parent.as_bytes()));
    let other = Options { parent: Some(b"another"), key: Some(&key) };
    assert!(matches!(unpack_with(&packed, MAX_CONTENT, other), Err(Error::Parent(_))));
    Ok(())
}

#[test]
fn a_limit_is_kept_before_anything_is_expanded() -> Outcome {
    let bomb = pack(&vec![0; 1 << 24])?;
    assert!(bomb.len() < 2000);
    assert_eq!(unpack(&bomb, 1 << 20), Err(Error::TooLarge { size: 1 << 24, limit: 1 << 20 }));
    assert_eq!(unpack(&pack(&noise(100))?, 99), Err(Error::TooLarge { size: 100, limit: 99 }));
    Ok(())
}

#[test]
fn a_size_that_the_bytes_cannot_have_is_refused_without_taking_memory() {
    // An envelope that says 1 GiB and has a body of 4 bytes.
    let liar = [0x03, 0x01, 0x80, 0x80, 0x80, 0x80, 0x04, 0, 0, 0, 0];
    assert!(matches!(unpack(&liar, MAX_CONTENT), Err(Error::Damaged(_))));
    // One that says 2^62 bytes.
    let liar = [0x03, 0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0];
    assert!(matches!(unpack(&liar, MAX_CONTENT), Err(Error::TooLarge { .. })));
}

#[test]
fn what_a_newer_version_wrote_is_said_to_be_that() {
    for newer in [
        &[0x02][..],
        &[0x04, 1, 2],
        &[0xff],
        &[0x03, 0x03, 0],
        &[0x03, 0x10, 0],
        &[0x03, 0x20, 0],
        &[0x03, 0x02, 99, 1, 0],
    ] {
        assert!(matches!(unpack(newer, MAX_CONTENT), Err(Error::Unknown(_))), "{newer:?}");
    }
}

#[test]
fn digests_are_those_of_blake3() {
    // From the official test vectors: the empty input.
    let expected = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    let found: String = digest(b"").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, expected);
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        (prop::collection::vec(any::<u8>(), 1..40), 1_usize..2000).prop_map(|(part, times)| part.repeat(times)),
        (0_usize..60).prop_map(|count| (0..count).map(entry).collect::<String>().into_bytes()),
    ]
}

type Checked = Result<(), TestCaseError>;

fn failed(error: Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn comes_back(content: &[u8], parent: Option<&[u8]>, sealed: bool) -> Checked {
    let key = key();
    let options = Options { parent, key: sealed.then_some(&key) };
    let packed = pack_with(content, options).map_err(failed)?;
    let found = unpack_with(&packed, content.len(), options).map_err(failed)?;
    prop_assert_eq!(found.as_ref(), content);
    prop_assert_eq!(describe(&packed).map(|said| said.size), Ok(content.len() as u64));
    Ok(())
}

const LIMIT: usize = 100_000;

fn is_a_content_or_an_error(bytes: &[u8], parent: &[u8], sealed: bool) -> Checked {
    let key = key();
    let options = Options { parent: Some(parent), key: sealed.then_some(&key) };
    if let Ok(content) = unpack_with(bytes, LIMIT, options) {
        prop_assert!(content.len() <= LIMIT);
    }
    let _ = describe(bytes);
    Ok(())
}

/// Bytes that begin like one of the forms.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    (0_u8..6, 0_u8..32, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(form, flags, rest)| [&[form, flags][..], &rest].concat())
}

/// Packed bytes of which some are others, and some are missing; and the parent that they need.
fn broken() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let cut = prop::option::of(any::<prop::sample::Index>());
    (payload(), payload(), any::<bool>(), changes, cut).prop_map(|(content, parent, is_delta, changes, cut)| {
        let options = Options { parent: is_delta.then_some(parent.as_slice()), key: None };
        let mut packed = pack_with(&content, options).unwrap_or_default();
        // Never empty: there is the byte that names the form.
        let length = packed.len().max(1);
        packed.resize(length, 0);
        for (at, byte) in changes {
            packed[at.index(length)] = byte;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(length));
        }
        (packed, parent)
    })
}

proptest! {
    #[test]
    fn every_payload_comes_back(content in payload(), parent in prop::option::of(payload()), sealed in any::<bool>()) {
        comes_back(&content, parent.as_deref(), sealed)?;
    }

    #[test]
    fn bytes_of_anybody_give_a_content_within_the_limit_or_an_error(bytes in nearly(), sealed in any::<bool>()) {
        is_a_content_or_an_error(&bytes, b"parent", sealed)?;
    }

    #[test]
    fn changed_bytes_give_a_content_within_the_limit_or_an_error((bytes, parent) in broken()) {
        is_a_content_or_an_error(&bytes, &parent, false)?;
    }

    // The same for as many cases as `PROPTEST_CASES` says.

    #[test]
    #[ignore = "long; run by the integration tests"]
    fn bytes_of_anybody_at_length(bytes in nearly(), sealed in any::<bool>()) {
        is_a_content_or_an_error(&bytes, b"parent", sealed)?;
    }

    #[test]
    #[ignore = "long; run by the integration tests"]
    fn changed_bytes_at_length((bytes, parent) in broken()) {
        is_a_content_or_an_error(&bytes, &parent, false)?;
    }
}

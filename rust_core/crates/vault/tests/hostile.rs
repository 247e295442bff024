//! Bytes from strangers: no parser panics, takes much memory, or accepts what was changed.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use pyagent_vault::{
    Identity, Key, Kind, Limits, SEALED_OVERHEAD, attenuate, check_signature, issue, open, open_sealed, seal, seal_to,
    verify,
};

fn owner(seed: u8) -> Identity {
    Identity::of_seed(&Key::new([seed; 32]))
}

fn words() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set("[a-c]{1,2}", 1..5)
}

fn limits() -> impl Strategy<Value = Limits> {
    (proptest::option::of(words()), proptest::option::of(words()), proptest::option::of(1i64..100), "[a-z ]{0,9}")
        .prop_map(|(capabilities, graphs, expires, label)| Limits { capabilities, graphs, expires, label })
}

fn says_something(limits: &Limits) -> bool {
    limits.capabilities.is_some() || limits.graphs.is_some() || limits.expires.is_some()
}

/// A token of owner 1 with these blocks.
fn token(first: &BTreeSet<String>, then: &[Limits]) -> Result<String, TestCaseError> {
    let failed = |error: pyagent_vault::VaultError| TestCaseError::fail(error.message);
    let start = Limits { capabilities: Some(first.clone()), expires: Some(90), ..Limits::default() };
    let mut text = issue(&owner(1), &start).map_err(failed)?.0;
    for limits in then.iter().filter(|limits| says_something(limits)) {
        text = attenuate(&text, limits).map_err(failed)?;
    }
    Ok(text.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // As many as PROPTEST_CASES says.
    #[test]
    #[ignore = "long; run by the integration tests"]
    fn a_token_put_together_of_any_blocks_opens_nothing(
        count in 0u8..10,
        blocks in vec((vec(any::<u8>(), 0..80), any::<[u8; 32]>(), vec(any::<u8>(), 64)), 0..5),
        end in vec(any::<u8>(), 30..34),
    ) {
        let mut bytes = vec![count];
        for (payload, next, signature) in blocks {
            bytes.extend_from_slice(&u32::try_from(payload.len())?.to_le_bytes());
            bytes.extend_from_slice(&payload);
            bytes.extend_from_slice(&next);
            bytes.extend_from_slice(&signature);
        }
        bytes.extend_from_slice(&end);
        let text = format!("pat1_{}", Base64UrlUnpadded::encode_string(&bytes));
        prop_assert!(verify(&text, &owner(1).public(), 1).is_err());
        // Narrowing asks nobody, and what comes of it opens nothing either.
        let less = Limits { expires: Some(1), ..Limits::default() };
        if let Ok(narrow) = attenuate(&text, &less) {
            prop_assert!(verify(&narrow, &owner(1).public(), 0).is_err());
        }
    }

    #[test]
    #[ignore = "long; run by the integration tests"]
    fn bytes_put_into_a_field_or_token_open_nothing(
        plain in vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), put in vec(any::<u8>(), 1..9),
    ) {
        let mut field = seal_to(&owner(1).agreement_public(), b"", &plain)?;
        let mut text = token(&BTreeSet::from(["a".to_owned()]), &[])?.into_bytes();
        for bytes in [&mut field, &mut text] {
            let place = at.index(bytes.len());
            bytes.splice(place..place, put.iter().copied());
        }
        prop_assert!(open_sealed(&owner(1), b"", &field).is_err());
        if let Ok(text) = String::from_utf8(text) {
            prop_assert!(verify(&text, &owner(1).public(), 0).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_context_alone(plain in vec(any::<u8>(), 0..200), context in vec(any::<u8>(), 0..20), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (key, other) = (Key::new([7; 32]), Key::new([8; 32]));
        let sealed = seal(&key, &context, &plain)?;
        let opened = open(&key, &context, &sealed)?;
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        prop_assert!(open(&other, &context, &sealed).is_err());
        prop_assert!(open(&key, &[context.as_slice(), b"x"].concat(), &sealed).is_err());
        let mut bad = sealed.clone();
        bad[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(open(&key, &context, &bad).is_err());
        prop_assert!(open(&key, &context, &sealed[..at.index(sealed.len())]).is_err());
    }

    #[test]
    fn a_field_is_opened_by_its_owner_in_its_place_alone(plain in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let sealed = seal_to(&owner(1).agreement_public(), b"run 7, note", &plain)?;
        prop_assert_eq!(sealed.len(), plain.len() + SEALED_OVERHEAD);
        let opened = open_sealed(&owner(1), b"run 7, note", &sealed)?;
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        prop_assert!(open_sealed(&owner(2), b"run 7, note", &sealed).is_err());
        prop_assert!(open_sealed(&owner(1), b"run 8, note", &sealed).is_err());
        let mut bad = sealed.clone();
        bad[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(open_sealed(&owner(1), b"run 7, note", &bad).is_err());
        prop_assert!(open_sealed(&owner(1), b"run 7, note", &sealed[..at.index(sealed.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_no_field_and_no_token(bytes in vec(any::<u8>(), 0..400), text in ".{0,200}") {
        prop_assert!(open_sealed(&owner(1), b"", &bytes).is_err());
        for text in [format!("pat1_{text}"), text] {
            prop_assert!(verify(&text, &owner(1).public(), 1).is_err());
            let less = Limits { expires: Some(1), ..Limits::default() };
            prop_assert!(attenuate(&text, &less).is_err());
        }
    }

    #[test]
    fn a_token_allows_what_all_its_blocks_allow(first in words(), then in vec(limits(), 0..4), now in 0i64..100) {
        let text = token(&first, &then)?;
        let end = then.iter().filter_map(|limits| limits.expires).fold(90, i64::min);
        let grant = match verify(&text, &owner(1).public(), now) {
            Ok(grant) => grant,
            Err(error) => {
                prop_assert_eq!(error.kind, Kind::Expired);
                prop_assert!(now >= end);
                return Ok(());
            }
        };
        let mut may = first;
        for capabilities in then.iter().filter_map(|limits| limits.capabilities.as_ref()) {
            may.retain(|one| capabilities.contains(one));
        }
        prop_assert_eq!(grant.capabilities, may);
        prop_assert_eq!(grant.expires, end);
        let with: Vec<_> = then.iter().filter_map(|limits| limits.graphs.as_ref()).collect();
        prop_assert_eq!(grant.graphs.is_some(), !with.is_empty());
        for graph in grant.graphs.iter().flatten() {
            prop_assert!(with.iter().all(|graphs| graphs.contains(graph)));
        }
        prop_assert!(verify(&text, &owner(2).public(), now).is_err(), "another owner's key opens nothing");
    }

    #[test]
    fn a_changed_or_cut_token_opens_nothing(first in words(), then in vec(limits(), 0..3), at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
        let text = token(&first, &then)?;
        let place = at.index(text.len());
        let mut bad = text.clone();
        bad.replace_range(place..=place, &to);
        if bad != text {
            prop_assert!(verify(&bad, &owner(1).public(), 0).is_err());
        }
        prop_assert!(verify(&text[..place], &owner(1).public(), 0).is_err());
    }

    #[test]
    fn a_signature_is_for_one_purpose_and_message(message in vec(any::<u8>(), 0..50)) {
        let (key, signature) = (owner(1), owner(1).sign("post", &message));
        prop_assert!(check_signature(&key.public(), "post", &message, &signature).is_ok());
        prop_assert!(check_signature(&key.public(), "pos", &[b"t".as_slice(), &message].concat(), &signature).is_err());
        prop_assert!(check_signature(&owner(2).public(), "post", &message, &signature).is_err());
    }
}

#[test]
fn a_block_taken_off_a_narrowed_token_leaves_none() -> Result<(), Box<dyn std::error::Error>> {
    let (wide, narrow) = (BTreeSet::from(["a".to_owned(), "b".to_owned()]), BTreeSet::from(["a".to_owned()]));
    let text = issue(&owner(1), &Limits { capabilities: Some(wide), expires: Some(9), ..Limits::default() })?.0;
    let less = attenuate(&text, &Limits { capabilities: Some(narrow), ..Limits::default() })?;
    let (before, after) = (
        Base64UrlUnpadded::decode_vec(text.trim_start_matches("pat1_"))?,
        Base64UrlUnpadded::decode_vec(less.trim_start_matches("pat1_"))?,
    );
    // The owner's block as it was, with the only secret that the narrowed token holds.
    let cut = [&before[..before.len() - 32], &after[after.len() - 32..]].concat();
    let cut = format!("pat1_{}", Base64UrlUnpadded::encode_string(&cut));
    assert!(verify(&text, &owner(1).public(), 1).is_ok());
    assert_eq!(verify(&cut, &owner(1).public(), 1).err().map(|error| error.kind), Some(Kind::Token));
    Ok(())
}

#[test]
fn a_token_is_narrowed_seven_times_at_most_and_never_by_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let all = BTreeSet::from(["a".to_owned()]);
    let mut text = issue(&owner(1), &Limits { capabilities: Some(all), expires: Some(90), ..Limits::default() })?.0;
    assert!(attenuate(&text, &Limits { label: "mine".to_owned(), ..Limits::default() }).is_err());
    for expires in 0..7 {
        text = attenuate(&text, &Limits { expires: Some(80 - expires), ..Limits::default() })?;
    }
    assert_eq!(verify(&text, &owner(1).public(), 1)?.expires, 74);
    assert!(attenuate(&text, &Limits { expires: Some(2), ..Limits::default() }).is_err());
    assert!(issue(&owner(1), &Limits { expires: Some(2), ..Limits::default() }).is_err());
    Ok(())
}

#[test]
fn a_public_key_of_small_order_is_refused() {
    assert_eq!(seal_to(&[0; 32], b"", b"x").err().map(|error| error.kind), Some(Kind::Invalid));
    let mut field = vec![1];
    field.extend_from_slice(&[0; 100]);
    assert!(open_sealed(&owner(1), b"", &field).is_err());
}

//! Capability tokens: a chain of blocks, each signed by the key that the one before it names. Whoever holds one may add a
//! block that allows less, without asking; nobody can take a block away. Checking needs the owner's public key alone.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signer, SigningKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::bytes::{Reader, Writer};
use crate::error::{Kind, Result, VaultError};
use crate::identity::{Identity, check};
use crate::index::check_word;
use crate::kdf::random;

/// What a token begins with, so that people and scanners know it.
pub const TOKEN_PREFIX: &str = "pat1_";
const MOST_BLOCKS: usize = 8;
const MOST_TEXT: usize = 8192;
const MOST_WORDS: usize = 64;
const WORD: usize = 64;
const LABEL: usize = 200;
const BLOCK: usize = 2 * MOST_WORDS * (WORD + 4) + LABEL + 64;

/// What one block allows at most; what is None it leaves as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// What may be done.
    pub capabilities: Option<BTreeSet<String>>,
    /// With which graphs.
    pub graphs: Option<BTreeSet<String>>,
    /// Until when, in seconds since 1970.
    pub expires: Option<i64>,
    /// What it is for, in its maker's words.
    pub label: String,
}

/// What a token allows, all blocks taken together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The ids of its blocks, the owner's first.
    pub ids: Vec<[u8; 16]>,
    /// What may be done.
    pub capabilities: BTreeSet<String>,
    /// With which graphs; None is all.
    pub graphs: Option<BTreeSet<String>>,
    /// Until when.
    pub expires: i64,
    /// What it is for: the last word.
    pub label: String,
}

struct Block<'a> {
    payload: &'a [u8],
    next: [u8; 32],
    signature: [u8; 64],
}

/// A new token of the owner, and its id. Capabilities and an end are needed.
///
/// # Errors
/// `Invalid`; `Files` where the system gives no random bytes.
pub fn issue(owner: &Identity, limits: &Limits) -> Result<(Zeroizing<String>, [u8; 16])> {
    if limits.expires.is_none() || limits.capabilities.as_ref().is_none_or(BTreeSet::is_empty) {
        return Err(VaultError::new(Kind::Invalid, "a token needs capabilities and an end"));
    }
    let id = random()?;
    let payload = encode(&id, limits)?;
    let next = SigningKey::from_bytes(Key::random()?.as_bytes());
    let (public, mut out) = (next.verifying_key().to_bytes(), Writer::with_room(MOST_TEXT));
    out.u8(1);
    put_block(&mut out, &payload, &public, &owner.signing().sign(&signed(&[0; 64], &payload, &public)).to_bytes());
    out.raw(next.as_bytes());
    Ok((as_text(&out), id))
}

/// A token that allows less. Its new block has an id of its own, which can be revoked alone.
///
/// # Errors
/// `Token` for what is none, `Invalid` for limits that say nothing or a chain that is too long.
pub fn attenuate(text: &str, limits: &Limits) -> Result<Zeroizing<String>> {
    let bytes = as_bytes(text)?;
    let (blocks, secret) = parse(&bytes)?;
    let last = blocks.last().ok_or_else(no_token)?;
    if *limits == (Limits { label: limits.label.clone(), ..Limits::default() }) {
        return Err(VaultError::new(Kind::Invalid, "say what the token shall allow less"));
    }
    let payload = encode(&random()?, limits)?;
    let next = SigningKey::from_bytes(Key::random()?.as_bytes());
    let (public, mut out) = (next.verifying_key().to_bytes(), Writer::with_room(MOST_TEXT));
    out.u8(u8::try_from(blocks.len() + 1).unwrap_or(u8::MAX));
    for block in &blocks {
        put_block(&mut out, block.payload, &block.next, &block.signature);
    }
    let signature = SigningKey::from_bytes(&secret).sign(&signed(&last.signature, &payload, &public));
    put_block(&mut out, &payload, &public, &signature.to_bytes());
    out.raw(next.as_bytes());
    let text = as_text(&out);
    if blocks.len() >= MOST_BLOCKS || text.len() > MOST_TEXT {
        return Err(VaultError::new(
            Kind::Invalid,
            "the token has been narrowed too often: ask its owner for a new one",
        ));
    }
    Ok(text)
}

/// What a token of this owner allows now.
///
/// # Errors
/// `Token` for what is none or another owner's, `Expired`.
pub fn verify(text: &str, owner: &[u8; 32], now: i64) -> Result<Grant> {
    let bytes = as_bytes(text)?;
    let (blocks, secret) = parse(&bytes)?;
    let mut grant: Option<Grant> = None;
    let (mut key, mut before) = (*owner, [0; 64]);
    for block in &blocks {
        check(&key, &signed(&before, block.payload, &block.next), &block.signature).map_err(|()| no_token())?;
        (key, before) = (block.next, block.signature);
        let (id, limits) = decode(block.payload)?;
        grant = Some(match grant {
            None => first(id, limits)?,
            Some(grant) => narrowed(grant, id, limits),
        });
    }
    // The last key proves that nothing was cut off: a shorter chain's secret is not in the token.
    let proof = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
    if !bool::from(proof.ct_eq(&key)) {
        return Err(no_token());
    }
    let grant = grant.ok_or_else(no_token)?;
    if now >= grant.expires {
        return Err(VaultError::new(Kind::Expired, "the token's time is over"));
    }
    Ok(grant)
}

fn first(id: [u8; 16], limits: Limits) -> Result<Grant> {
    let Limits { capabilities: Some(capabilities), graphs, expires: Some(expires), label } = limits else {
        return Err(no_token());
    };
    Ok(Grant { ids: vec![id], capabilities, graphs, expires, label })
}

fn narrowed(mut grant: Grant, id: [u8; 16], limits: Limits) -> Grant {
    grant.ids.push(id);
    if let Some(capabilities) = limits.capabilities {
        grant.capabilities = grant.capabilities.intersection(&capabilities).cloned().collect();
    }
    grant.graphs = match (grant.graphs, limits.graphs) {
        (Some(before), Some(now)) => Some(before.intersection(&now).cloned().collect()),
        (before, now) => now.or(before),
    };
    grant.expires = grant.expires.min(limits.expires.unwrap_or(i64::MAX));
    if !limits.label.is_empty() {
        grant.label = limits.label;
    }
    grant
}

fn no_token() -> VaultError {
    VaultError::new(Kind::Token, "that is no token of this owner")
}

fn signed(before: &[u8; 64], payload: &[u8], next: &[u8; 32]) -> Vec<u8> {
    [b"pyagent token block 1\0".as_slice(), before, next, payload].concat()
}

fn put_block(out: &mut Writer, payload: &[u8], next: &[u8; 32], signature: &[u8; 64]) {
    out.bytes(payload);
    out.raw(next);
    out.raw(signature);
}

fn parse(bytes: &[u8]) -> Result<(Vec<Block<'_>>, Zeroizing<[u8; 32]>)> {
    let mut from = Reader::new(bytes);
    let mut read = || {
        let count = usize::from(from.u8()?);
        if count == 0 || count > MOST_BLOCKS {
            return Err(no_token());
        }
        let mut blocks = Vec::with_capacity(count);
        for _ in 0..count {
            blocks.push(Block { payload: from.bytes(BLOCK)?, next: from.array()?, signature: from.array()? });
        }
        let secret = Zeroizing::new(from.array()?);
        from.end()?;
        Ok((blocks, secret))
    };
    read().map_err(|_: VaultError| no_token())
}

fn as_text(out: &Writer) -> Zeroizing<String> {
    let encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(&out.0));
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_PREFIX.len() + encoded.len()));
    text.push_str(TOKEN_PREFIX);
    text.push_str(&encoded);
    text
}

fn as_bytes(text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let body = text.strip_prefix(TOKEN_PREFIX).filter(|body| body.len() <= MOST_TEXT).ok_or_else(no_token)?;
    Base64UrlUnpadded::decode_vec(body).map(Zeroizing::new).map_err(|_| no_token())
}

fn encode(id: &[u8; 16], limits: &Limits) -> Result<Vec<u8>> {
    check_word("label", &limits.label, LABEL)?;
    let mut out = Writer::with_room(BLOCK);
    out.raw(id);
    for words in [&limits.capabilities, &limits.graphs] {
        let Some(words) = words else {
            out.u8(0);
            continue;
        };
        if words.len() > MOST_WORDS || words.iter().any(String::is_empty) {
            return Err(VaultError::new(Kind::Invalid, format!("a token names at most {MOST_WORDS} of a kind")));
        }
        out.u8(1);
        out.count(words.len());
        for word in words {
            check_word("name", word, WORD)?;
            out.text(word);
        }
    }
    match limits.expires {
        None => out.u8(0),
        Some(expires) => {
            out.u8(1);
            out.i64(expires);
        }
    }
    out.text(&limits.label);
    Ok(out.0.to_vec())
}

/// A block's id and limits. What is not understood allows nothing: it is an error.
fn decode(payload: &[u8]) -> Result<([u8; 16], Limits)> {
    let mut from = Reader::new(payload);
    let mut read = || {
        let id = from.array()?;
        let (capabilities, graphs) = (words(&mut from)?, words(&mut from)?);
        let expires = if flag(&mut from)? { Some(from.i64()?) } else { None };
        let label = from.text(LABEL)?;
        from.end()?;
        Ok((id, Limits { capabilities, graphs, expires, label }))
    };
    read().map_err(|_: VaultError| no_token())
}

fn words(from: &mut Reader<'_>) -> Result<Option<BTreeSet<String>>> {
    if !flag(from)? {
        return Ok(None);
    }
    let mut found = BTreeSet::new();
    for _ in 0..from.count(MOST_WORDS)? {
        let word = from.text(WORD)?;
        if found.last().is_some_and(|last| *last >= word) {
            return Err(no_token());
        }
        found.insert(word);
    }
    Ok(Some(found))
}

fn flag(from: &mut Reader<'_>) -> Result<bool> {
    match from.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(no_token()),
    }
}

//! What is stored: a first byte that names the form, and what it asks for.

use std::borrow::Cow;

use crate::{Error, Key, MAX_CONTENT, dictionaries, digest, seal, zstd};

const PLAIN: u8 = 0x00;
const FRAME: u8 = 0x01;
const ENVELOPE: u8 = 0x03;

const METHOD: u8 = 0b0011;
const DELTA: u8 = 0b0100;
const SEALED: u8 = 0b1000;
const NAMED: u8 = 0b1_0000;
const STORED: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_DICTIONARY: u8 = 2;

/// Bytes of content from which compressing is worth its time.
const SMALLEST: usize = 64;
/// Bytes of content up to which the dictionary helps more than the better level without it.
const LARGEST_FOR_DICTIONARY: usize = 32 << 10;
/// How many times smaller than the content a delta is taken without a look at the other way.
const CLEAR: usize = 30;
/// Bytes by which a delta names its parent, and a sealed body its key.
const NAME_LEN: usize = 8;

/// What there is beside the content.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Content that this one is likely to repeat: only the difference is kept. Reading needs the same.
    pub parent: Option<&'a [u8]>,
    /// Seals what is packed; opens what is sealed.
    pub key: Option<&'a Key>,
}

/// What an envelope says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// `plain`, `zstd` or `dictionary`.
    pub method: &'static str,
    /// The dictionary's number, 0 without.
    pub dictionary: u32,
    /// Bytes of the content.
    pub size: u64,
    /// The first bytes of the parent's BLAKE3, of a delta.
    pub parent: Option<[u8; NAME_LEN]>,
    /// Whether a key is needed.
    pub sealed: bool,
    /// The name of that key; the first sealed envelopes had none.
    pub key: Option<[u8; NAME_LEN]>,
}

/// The content as it is to be stored: compressed if that makes it smaller.
pub fn pack(content: &[u8]) -> Result<Vec<u8>, Error> {
    pack_with(content, Options::default())
}

/// As `pack`, with a parent or a key.
pub fn pack_with(content: &[u8], options: Options<'_>) -> Result<Vec<u8>, Error> {
    if content.len() > MAX_CONTENT {
        return Err(Error::TooLarge { size: content.len() as u64, limit: MAX_CONTENT });
    }
    let (mut flags, dictionary, body) = squeeze(content, options.parent)?;
    let Some(key) = options.key else {
        if flags == STORED {
            return Ok(joined(&[PLAIN], content));
        }
        return Ok(joined(&header(flags, dictionary, content.len(), options), &body));
    };
    flags |= SEALED | NAMED;
    let header = header(flags, dictionary, content.len(), options);
    Ok(joined(&header, &seal::seal(key, &header, &body)?))
}

/// Flags, the dictionary's number and the body: whatever is shortest.
fn squeeze<'a>(content: &'a [u8], parent: Option<&[u8]>) -> Result<(u8, u32, Cow<'a, [u8]>), Error> {
    if content.len() < SMALLEST {
        return Ok((STORED, 0, Cow::Borrowed(content)));
    }
    let delta = parent.map(|parent| zstd::compress_delta(content, parent)).transpose()?;
    // Where nearly all is the parent's, the other way need not be tried.
    let delta = match delta {
        Some(delta) if delta.len() * CLEAR <= content.len() => return Ok((ZSTD | DELTA, 0, Cow::Owned(delta))),
        other => other,
    };
    let dictionary = dictionaries::current().filter(|_| content.len() <= LARGEST_FOR_DICTIONARY);
    let alone = zstd::compress(content, dictionary)?;
    if let Some(delta) = delta.filter(|delta| delta.len() + NAME_LEN < alone.len().min(content.len())) {
        return Ok((ZSTD | DELTA, 0, Cow::Owned(delta)));
    }
    let (flags, number) = dictionary.map_or((ZSTD, 0), |found| (ZSTD_DICTIONARY, found.number));
    let overhead = header_len(content.len(), number);
    if alone.len() + overhead < content.len() + 1 {
        return Ok((flags, number, Cow::Owned(alone)));
    }
    Ok((STORED, 0, Cow::Borrowed(content)))
}

fn header_len(size: usize, dictionary: u32) -> usize {
    2 + leb_len(size as u64) + if dictionary == 0 { 0 } else { leb_len(dictionary.into()) }
}

fn header(flags: u8, dictionary: u32, size: usize, options: Options<'_>) -> Vec<u8> {
    let mut header = Vec::with_capacity(40);
    header.extend_from_slice(&[ENVELOPE, flags]);
    if flags & METHOD == ZSTD_DICTIONARY {
        put_leb(&mut header, dictionary.into());
    }
    put_leb(&mut header, size as u64);
    if let Some(parent) = options.parent.filter(|_| flags & DELTA != 0) {
        header.extend_from_slice(&name_of(parent, options.key));
    }
    if let Some(key) = options.key {
        header.extend_from_slice(&seal::name(key));
    }
    header
}

/// What a delta calls its parent; that of a sealed one tells nothing to who has not the key.
fn name_of(parent: &[u8], key: Option<&Key>) -> [u8; NAME_LEN] {
    let found = key.map_or_else(|| digest(parent), |key| seal::digest(key, parent));
    let mut name = [0; NAME_LEN];
    name.copy_from_slice(&found[..NAME_LEN]);
    name
}

fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(first.len() + second.len());
    found.extend_from_slice(first);
    found.extend_from_slice(second);
    found
}

/// The content of what `pack` gave, or an older version; of at most `limit` bytes.
pub fn unpack(stored: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, Error> {
    unpack_with(stored, limit, Options::default())
}

/// As `unpack`, with the parent and the key that were given to `pack_with`.
pub fn unpack_with<'a>(stored: &'a [u8], limit: usize, options: Options<'_>) -> Result<Cow<'a, [u8]>, Error> {
    let limit = limit.min(MAX_CONTENT);
    let (form, rest) = stored.split_first().ok_or_else(nothing)?;
    match *form {
        PLAIN if rest.len() > limit => Err(Error::TooLarge { size: rest.len() as u64, limit }),
        PLAIN => Ok(Cow::Borrowed(rest)),
        FRAME => zstd::expand_frame(rest, limit).map(Cow::Owned),
        ENVELOPE => open(stored, limit, options),
        form => Err(Error::Unknown(format!("the encoding {form:02x} is unknown"))),
    }
}

/// What the stored bytes say of themselves, without the content.
pub fn describe(stored: &[u8]) -> Result<Description, Error> {
    let (form, rest) = stored.split_first().ok_or_else(nothing)?;
    let plain = |method, size| Description { method, dictionary: 0, size, parent: None, sealed: false, key: None };
    match *form {
        PLAIN => Ok(plain("plain", rest.len() as u64)),
        FRAME => match zstd_safe::get_frame_content_size(rest) {
            Ok(Some(size)) => Ok(plain("zstd", size)),
            _ => Err(Error::Damaged("the compressed bytes are damaged")),
        },
        ENVELOPE => read_header(stored).map(|(description, _)| description),
        form => Err(Error::Unknown(format!("the encoding {form:02x} is unknown"))),
    }
}

fn open<'a>(stored: &'a [u8], limit: usize, options: Options<'_>) -> Result<Cow<'a, [u8]>, Error> {
    let (said, start) = read_header(stored)?;
    let fits = usize::try_from(said.size).ok().filter(|size| *size <= limit);
    let size = fits.ok_or(Error::TooLarge { size: said.size, limit })?;
    let (header, rest) = stored.split_at(start);
    let body = if said.sealed {
        let key = options.key.ok_or(Error::Key("the payload is sealed, and no key was given"))?;
        if said.key.is_some_and(|name| seal::name(key) != name) {
            return Err(Error::Key("the payload is sealed by another key"));
        }
        Cow::Owned(seal::open(key, header, rest)?)
    } else {
        Cow::Borrowed(rest)
    };
    if let Some(name) = said.parent {
        let parent = options.parent.ok_or(Error::Parent("the payload is a delta, and its parent was not given"))?;
        if name_of(parent, options.key.filter(|_| said.key.is_some())) != name {
            return Err(Error::Parent("the payload is a delta of another parent"));
        }
        return zstd::expand_delta(&body, size, parent).map(Cow::Owned);
    }
    match said.method {
        "zstd" => zstd::expand(&body, size, None).map(Cow::Owned),
        "dictionary" => {
            let found = dictionaries::by_number(said.dictionary);
            let found =
                found.ok_or_else(|| Error::Unknown(format!("the dictionary {} is unknown", said.dictionary)))?;
            zstd::expand(&body, size, Some(found)).map(Cow::Owned)
        }
        _ if body.len() == size => Ok(body),
        _ => Err(Error::Damaged("the size is not that of the content")),
    }
}

/// What the envelope says, and where its body begins.
fn read_header(stored: &[u8]) -> Result<(Description, usize), Error> {
    let flags = *stored.get(1).ok_or_else(short)?;
    let method = match flags & METHOD {
        STORED => "plain",
        ZSTD => "zstd",
        ZSTD_DICTIONARY => "dictionary",
        _ => return Err(Error::Unknown(format!("the flags {flags:02x} of the envelope are unknown"))),
    };
    let strange = flags & !(METHOD | DELTA | SEALED | NAMED) != 0 || flags & (SEALED | NAMED) == NAMED;
    if strange || (flags & DELTA != 0 && method != "zstd") {
        return Err(Error::Unknown(format!("the flags {flags:02x} of the envelope are unknown")));
    }
    let mut at = 2;
    let dictionary = if method == "dictionary" {
        let number = read_leb(stored, &mut at)?;
        u32::try_from(number).map_err(|_| Error::Unknown(format!("the dictionary {number} is unknown")))?
    } else {
        0
    };
    let size = read_leb(stored, &mut at)?;
    let parent = if flags & DELTA != 0 { Some(read_name(stored, &mut at)?) } else { None };
    let key = if flags & NAMED != 0 { Some(read_name(stored, &mut at)?) } else { None };
    Ok((Description { method, dictionary, size, parent, sealed: flags & SEALED != 0, key }, at))
}

fn read_name(stored: &[u8], at: &mut usize) -> Result<[u8; NAME_LEN], Error> {
    let name = stored.get(*at..).and_then(|rest| rest.first_chunk::<NAME_LEN>()).ok_or_else(short)?;
    *at += NAME_LEN;
    Ok(*name)
}

fn nothing() -> Error {
    Error::Damaged("there is nothing")
}

fn short() -> Error {
    Error::Damaged("the envelope is cut off")
}

fn leb_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_leb(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn read_leb(from: &[u8], at: &mut usize) -> Result<u64, Error> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = *from.get(*at).ok_or_else(short)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::Damaged("a number of the envelope is too long"))
}

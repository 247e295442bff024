//! What a vault holds: entries with sealed values of several versions, the owner's sealed seed, tokens handed out.

use zeroize::Zeroizing;

use crate::bytes::{Reader, Writer};
use crate::error::{Kind, Result, VaultError};

/// The fields of one secret, in the order given.
pub type Fields = Vec<(String, Zeroizing<String>)>;

const MOST_ENTRIES: usize = 10_000;
const MOST_VERSIONS: usize = 16;
const MOST_FIELDS: usize = 64;
const MOST_TOKENS: usize = 10_000;
const NAME: usize = 64;
const WORD: usize = 256;
/// Bytes of one value's fields together.
const VALUE: usize = 256 * 1024;
const SEALED: usize = VALUE + 1024;

/// One version of a value, sealed.
#[derive(Clone)]
pub struct Version {
    pub number: u32,
    pub generation: u32,
    pub made: i64,
    pub sealed: Vec<u8>,
}

/// What is known of a secret without opening it.
#[derive(Clone)]
pub struct Entry {
    /// Its name: lower case letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// What kind of credential it is.
    pub kind: String,
    /// The names of its fields.
    pub fields: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// When its value was changed.
    pub changed: i64,
    /// When it was used, 0 for never.
    pub used: i64,
    pub(crate) versions: Vec<Version>,
}

impl Entry {
    /// How often its value was set.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.versions.last().map_or(0, |version| version.number)
    }

    /// How many values are kept: the present one, and older ones to be recognized.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.versions.len()
    }
}

/// A token that was handed out; the token itself is not kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// Its id, also of all that were made from it.
    pub id: [u8; 16],
    /// What it is for, in its owner's words.
    pub label: String,
    /// What it may.
    pub capabilities: Vec<String>,
    /// When it was made.
    pub made: i64,
    /// When it ends.
    pub expires: i64,
    /// When it was revoked, 0 for not.
    pub revoked: i64,
}

/// Everything but the keys.
#[derive(Clone, Default)]
pub struct Index {
    /// Grows with every write.
    pub revision: i64,
    /// The owner's seed and the generation that it is sealed with.
    pub identity: Option<(u32, Vec<u8>)>,
    pub entries: Vec<Entry>,
    pub tokens: Vec<Issued>,
}

impl Index {
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        if self.entries.len() > MOST_ENTRIES || self.tokens.len() > MOST_TOKENS {
            return Err(VaultError::new(Kind::Invalid, "the vault is full: 10,000 secrets or tokens"));
        }
        let sealed = |entry: &Entry| entry.versions.iter().map(|version| version.sealed.len() + 32).sum::<usize>();
        let room: usize = self.entries.iter().map(|entry| sealed(entry) + 512 + 64 * entry.fields.len()).sum();
        let mut out = Writer::with_room(room + 512 * self.tokens.len() + 256);
        out.i64(self.revision);
        match &self.identity {
            None => out.u8(0),
            Some((generation, sealed)) => {
                out.u8(1);
                out.u32(*generation);
                out.bytes(sealed);
            }
        }
        out.count(self.entries.len());
        for entry in &self.entries {
            out.text(&entry.name);
            out.text(&entry.kind);
            out.count(entry.fields.len());
            entry.fields.iter().for_each(|field| out.text(field));
            out.i64(entry.made);
            out.i64(entry.changed);
            out.i64(entry.used);
            out.count(entry.versions.len());
            for version in &entry.versions {
                out.u32(version.number);
                out.u32(version.generation);
                out.i64(version.made);
                out.bytes(&version.sealed);
            }
        }
        out.count(self.tokens.len());
        for token in &self.tokens {
            out.raw(&token.id);
            out.text(&token.label);
            out.count(token.capabilities.len());
            token.capabilities.iter().for_each(|capability| out.text(capability));
            out.i64(token.made);
            out.i64(token.expires);
            out.i64(token.revoked);
        }
        Ok(out.0)
    }

    pub fn decode(plain: &[u8]) -> Result<Self> {
        let mut from = Reader::new(plain);
        let revision = from.i64()?;
        let identity = match from.u8()? {
            0 => None,
            1 => Some((from.u32()?, from.bytes(SEALED)?.to_vec())),
            _ => return Err(VaultError::damaged("the owner's key is told in an unknown way")),
        };
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..from.count(MOST_ENTRIES)? {
            let entry = Self::entry(&mut from)?;
            // One order means one encoding, and no name twice.
            if entries.last().is_some_and(|last| last.name >= entry.name) {
                return Err(VaultError::damaged("its names are out of order"));
            }
            entries.push(entry);
        }
        let mut tokens = Vec::new();
        for _ in 0..from.count(MOST_TOKENS)? {
            tokens.push(Issued {
                id: from.array()?,
                label: from.text(WORD)?,
                capabilities: texts(&mut from, MOST_FIELDS, NAME)?,
                made: from.i64()?,
                expires: from.i64()?,
                revoked: from.i64()?,
            });
        }
        from.end()?;
        Ok(Self { revision, identity, entries, tokens })
    }

    fn entry(from: &mut Reader<'_>) -> Result<Entry> {
        let (name, kind) = (from.text(NAME)?, from.text(NAME)?);
        let fields = texts(from, MOST_FIELDS, WORD)?;
        let (made, changed, used) = (from.i64()?, from.i64()?, from.i64()?);
        let mut versions: Vec<Version> = Vec::new();
        for _ in 0..from.count(MOST_VERSIONS)? {
            let version = Version {
                number: from.u32()?,
                generation: from.u32()?,
                made: from.i64()?,
                sealed: from.bytes(SEALED)?.to_vec(),
            };
            if versions.last().is_some_and(|last| last.number >= version.number) {
                return Err(VaultError::damaged("its versions are out of order"));
            }
            versions.push(version);
        }
        if versions.is_empty() {
            return Err(VaultError::damaged("a secret has no value"));
        }
        Ok(Entry { name, kind, fields, made, changed, used, versions })
    }

    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.position(name).ok().and_then(|place| self.entries.get(place))
    }

    /// Where the name is, or where it would be.
    pub fn position(&self, name: &str) -> std::result::Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name))
    }
}

fn texts(from: &mut Reader<'_>, most: usize, size: usize) -> Result<Vec<String>> {
    (0..from.count(most)?).map(|_| from.text(size)).collect()
}

/// Whether a secret may be called so.
pub fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
    if first && rest && name.len() <= NAME {
        return Ok(());
    }
    Err(VaultError::new(
        Kind::Invalid,
        "a secret's name has lower case letters, digits, `_`, `.` and `-`, begins with a letter or digit, and is no \
         longer than 64 characters",
    ))
}

/// Whether a kind, label or capability is short and plain.
pub fn check_word(what: &str, word: &str, most: usize) -> Result<()> {
    if word.len() > most || word.chars().any(char::is_control) {
        return Err(VaultError::new(
            Kind::Invalid,
            format!("the {what} is longer than {most} bytes, or not plain text"),
        ));
    }
    Ok(())
}

/// The fields of a value as bytes.
pub fn encode_fields(fields: &Fields) -> Result<Zeroizing<Vec<u8>>> {
    let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    if fields.is_empty() || fields.len() > MOST_FIELDS || size + 4 > VALUE {
        let words = format!("a secret has 1 to {MOST_FIELDS} fields, together no more than 256 KiB");
        return Err(VaultError::new(Kind::Invalid, words));
    }
    for (at, (name, _)) in fields.iter().enumerate() {
        check_word("field's name", name, WORD)?;
        if name.is_empty() || fields.iter().take(at).any(|(before, _)| before == name) {
            return Err(VaultError::new(Kind::Invalid, "each field has a name of its own"));
        }
    }
    let mut out = Writer::with_room(size + 4);
    out.count(fields.len());
    for (name, value) in fields {
        out.text(name);
        out.text(value);
    }
    Ok(out.0)
}

/// The same, back.
pub fn decode_fields(plain: &[u8]) -> Result<Fields> {
    let mut from = Reader::new(plain);
    let mut fields = Vec::new();
    for _ in 0..from.count(MOST_FIELDS)? {
        fields.push((from.text(WORD)?, Zeroizing::new(from.text(VALUE)?)));
    }
    from.end()?;
    Ok(fields)
}

//! The envelope: data keys of all generations, sealed by a master key that a passphrase or a key file gives.

use zeroize::Zeroizing;

use crate::aead::{Key, NONCE, TAG, open, seal};
use crate::bytes::{Reader, Writer};
use crate::error::{Kind, Result, VaultError};
use crate::kdf::{Cost, expand};

const MAGIC: &[u8; 8] = b"PYAVAULT";
const FORMAT: u8 = 1;
const MOST_KEYS: usize = 4096;
const KEY_BYTES: usize = 4 + 8 + 32;
const SEALED_MOST: usize = NONCE + TAG + 4 + MOST_KEYS * KEY_BYTES;

/// What gives the master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Protection {
    /// A random key in a file of its own.
    KeyFile,
    /// A passphrase, by Argon2id.
    Passphrase { salt: [u8; 16], cost: Cost },
}

/// The part of the file that anybody can read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    pub id: [u8; 16],
    pub protection: Protection,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_room(64);
        out.raw(MAGIC);
        out.u8(FORMAT);
        out.raw(&self.id);
        match &self.protection {
            Protection::KeyFile => out.u8(0),
            Protection::Passphrase { salt, cost } => {
                out.u8(1);
                out.raw(salt);
                out.u32(cost.memory);
                out.u32(cost.passes);
                out.u32(cost.lanes);
            }
        }
        out.0.to_vec()
    }

    pub fn decode(from: &mut Reader<'_>) -> Result<Self> {
        if from.array::<8>().ok().as_ref() != Some(MAGIC) {
            return Err(VaultError::damaged("it is not a vault"));
        }
        let format = from.u8()?;
        if format != FORMAT {
            return Err(VaultError::new(
                if format > FORMAT { Kind::Newer } else { Kind::Damaged },
                format!("it has the format {format}; this version reads {FORMAT}"),
            ));
        }
        let id = from.array()?;
        let protection = match from.u8()? {
            0 => Protection::KeyFile,
            1 => {
                let salt = from.array()?;
                let cost = Cost { memory: from.u32()?, passes: from.u32()?, lanes: from.u32()? };
                if !cost.is_sane() {
                    return Err(VaultError::damaged("its passphrase would cost too much or too little to try"));
                }
                Protection::Passphrase { salt, cost }
            }
            _ => return Err(VaultError::damaged("nothing is known of what protects it")),
        };
        Ok(Self { id, protection })
    }
}

/// A key that data is sealed with.
#[derive(Clone)]
pub struct DataKey {
    pub generation: u32,
    pub made: i64,
    pub key: Key,
}

/// All data keys, the newest last. Old ones stay: what was sealed with them elsewhere remains readable.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<DataKey>,
}

impl Keyring {
    pub fn new(now: i64) -> Result<Self> {
        Ok(Self { keys: vec![DataKey { generation: 1, made: now, key: Key::random()? }] })
    }

    /// The generation that new data is sealed with.
    pub fn current(&self) -> u32 {
        self.keys.last().map_or(0, |key| key.generation)
    }

    /// The generations that there are, the newest last.
    pub fn generations(&self) -> impl Iterator<Item = u32> + '_ {
        self.keys.iter().map(|key| key.generation)
    }

    /// When the current one was made.
    pub fn made(&self) -> i64 {
        self.keys.last().map_or(0, |key| key.made)
    }

    pub fn add(&mut self, now: i64) -> Result<u32> {
        if self.keys.len() >= MOST_KEYS {
            return Err(VaultError::new(Kind::Invalid, format!("a vault has at most {MOST_KEYS} generations of keys")));
        }
        let generation = self.current() + 1;
        self.keys.push(DataKey { generation, made: now, key: Key::random()? });
        Ok(generation)
    }

    /// The key of a generation for one purpose.
    pub fn key(&self, generation: u32, purpose: &str) -> Result<Key> {
        let found = self.keys.iter().find(|key| key.generation == generation);
        let found = found.ok_or_else(|| VaultError::damaged("there is no data key of that generation"))?;
        Ok(expand(found.key.as_bytes(), b"pyagent vault data key 1", purpose.as_bytes()))
    }

    pub fn seal(&self, master: &Key, header: &[u8]) -> Result<Vec<u8>> {
        let mut out = Writer::with_room(4 + self.keys.len() * KEY_BYTES);
        out.count(self.keys.len());
        for key in &self.keys {
            out.u32(key.generation);
            out.i64(key.made);
            out.raw(key.key.as_bytes());
        }
        seal(master, &context(header), &out.0)
    }

    pub fn open(master: &Key, header: &[u8], sealed: &[u8]) -> Result<Self> {
        Self::decode(&open(master, &context(header), sealed)?)
    }

    pub fn decode(plain: &[u8]) -> Result<Self> {
        let mut from = Reader::new(plain);
        let count = from.count(MOST_KEYS)?;
        let mut keys: Vec<DataKey> = Vec::with_capacity(count.min(from.left() / KEY_BYTES));
        for _ in 0..count {
            let (generation, made) = (from.u32()?, from.i64()?);
            let bytes = Zeroizing::new(from.array()?);
            if generation <= keys.last().map_or(0, |key| key.generation) {
                return Err(VaultError::damaged("its data keys are out of order"));
            }
            keys.push(DataKey { generation, made, key: Key::new(*bytes) });
        }
        from.end()?;
        if keys.is_empty() { Err(VaultError::damaged("it has no data key")) } else { Ok(Self { keys }) }
    }
}

fn context(header: &[u8]) -> Vec<u8> {
    [b"pyagent vault keyring 1\0", header].concat()
}

/// A vault's file, taken apart: nothing is opened yet.
pub struct Parts<'a> {
    pub header: Header,
    /// The header as it stands there.
    pub head: Vec<u8>,
    pub keyring: &'a [u8],
    pub index: &'a [u8],
}

impl<'a> Parts<'a> {
    pub fn decode(file: &'a [u8], most: usize) -> Result<Self> {
        let mut from = Reader::new(file);
        let header = Header::decode(&mut from)?;
        let keyring = from.bytes(SEALED_MOST)?;
        let index = from.bytes(most)?;
        from.end()?;
        Ok(Self { head: header.encode(), header, keyring, index })
    }

    pub fn encode(head: &[u8], keyring: &[u8], index: &[u8]) -> Vec<u8> {
        let mut out = Writer::with_room(head.len() + keyring.len() + index.len() + 8);
        out.raw(head);
        out.bytes(keyring);
        out.bytes(index);
        out.0.to_vec()
    }
}

/// What the index is bound to: all of the file that comes before it.
pub fn index_context(head: &[u8], keyring: &[u8]) -> Vec<u8> {
    [b"pyagent vault index 1\0", head, keyring].concat()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{DataKey, Header, Keyring, Parts, Protection};
    use crate::aead::Key;
    use crate::bytes::Reader;
    use crate::index::{Index, decode_fields};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        #[ignore = "long; run by the integration tests"]
        fn any_vault_is_taken_apart_without_harm(
            mark in prop::sample::select(vec![b"PYAVAULT\x01".to_vec(), b"PYAVAULT\x02".to_vec(), b"PYAVAUL".to_vec()]),
            id in any::<[u8; 16]>(), kind in 0u8..4, lengths in any::<(u32, u16)>(), rest in vec(any::<u8>(), 0..900),
        ) {
            let mut bytes = [mark.as_slice(), &id, &[kind]].concat();
            bytes.extend_from_slice(&rest);
            for (at, length) in [(bytes.len() / 2, lengths.0), (26, u32::from(lengths.1))] {
                if let Some(place) = bytes.get_mut(at..at + 4) {
                    place.copy_from_slice(&length.to_le_bytes());
                }
            }
            if let Ok(parts) = Parts::decode(&bytes, 1000) {
                prop_assert_eq!(Parts::encode(&parts.head, parts.keyring, parts.index), bytes);
            }
        }

        // What the seals keep strangers from reaching is read with the same care.
        #[test]
        fn any_bytes_are_read_without_harm(bytes in vec(any::<u8>(), 0..600)) {
            let _ = Parts::decode(&bytes, 1000);
            let _ = Keyring::decode(&bytes);
            let _ = Index::decode(&bytes);
            let _ = decode_fields(&bytes);
        }

        #[test]
        fn a_header_with_any_end_is_read_without_harm(end in vec(any::<u8>(), 0..100)) {
            let bytes = [b"PYAVAULT\x01".as_slice(), &end].concat();
            if let Ok(header) = Header::decode(&mut Reader::new(&bytes)) {
                prop_assert!(bytes.starts_with(&header.encode()), "one encoding of each header");
            }
        }

        #[test]
        fn a_changed_index_is_another_one_or_none(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let entry = |name: &str| crate::index::Entry {
                name: name.to_owned(), kind: "sql".to_owned(), fields: vec!["password".to_owned()],
                made: 1, changed: 2, used: 3,
                versions: vec![crate::index::Version { number: 1, generation: 1, made: 1, sealed: vec![9; 50] }],
            };
            let index = Index { revision: 4, identity: Some((1, vec![5; 72])), entries: vec![entry("a"), entry("b")], tokens: vec![] };
            let good = index.encode()?;
            prop_assert_eq!(&*Index::decode(&good)?.encode()?, &*good);
            let mut bad = good.to_vec();
            bad[at.index(good.len())] = to;
            if let Ok(found) = Index::decode(&bad) {
                prop_assert_eq!(&*found.encode()?, &bad, "one encoding of each index");
            }
        }
    }

    #[test]
    fn a_keyring_is_opened_by_its_master_and_header_alone() -> crate::error::Result<()> {
        let mut ring = Keyring::new(5)?;
        ring.add(6)?;
        let master = Key::new([1; 32]);
        let head = Header { id: [2; 16], protection: Protection::KeyFile }.encode();
        let sealed = ring.seal(&master, &head)?;
        assert_eq!(Keyring::open(&master, &head, &sealed)?.current(), 2);
        assert!(Keyring::open(&Key::new([3; 32]), &head, &sealed).is_err());
        assert!(Keyring::open(&master, &head[1..], &sealed).is_err());
        let twice = Keyring { keys: vec![DataKey { generation: 1, made: 0, key: master.clone() }; 2] };
        assert!(Keyring::open(&master, &head, &twice.seal(&master, &head)?).is_err());
        Ok(())
    }
}

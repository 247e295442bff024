//! A vault: one file of sealed secrets that many processes read and one at a time writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::aead::{Key, open, seal};
use crate::error::{Kind, Result, VaultError};
use crate::files::{Stamp, clear, lock, read, stamp, write, write_keys};
use crate::identity::Identity;
use crate::index::{Entry, Fields, Index, Issued, Version, check_name, check_word, decode_fields, encode_fields};
use crate::kdf::random;
use crate::keyring::{Header, Keyring, Parts, Protection, index_context};
use crate::protection::{Protect, Unlock, masters, protected};
use crate::token::{Grant, Limits, issue, verify};
use crate::witness::{not_older, read_witness, witness_of, write_witness};

/// Bytes of the largest vault.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Values of a secret that are kept: the present one, and those before it, so that they are still recognized.
const KEPT: usize = 4;
/// Seconds between two notes that a secret was used: each is a write.
const USE_NOTED: i64 = 600;
/// Seconds after its end that a token is still listed.
const TOKEN_LISTED: i64 = 30 * 24 * 3600;
/// How often a vault is read again that was changed while it was read.
const TRIES: u32 = 10;

/// An open vault. Threads may share it; other processes' changes are seen at each call.
pub struct Vault {
    path: PathBuf,
    state: Mutex<State>,
    witness: Option<PathBuf>,
}

#[derive(Clone)]
struct State {
    unlock: Unlock,
    stamp: Option<Stamp>,
    header: Header,
    master: Key,
    keyring: Keyring,
    index: Index,
}

impl Vault {
    /// Make a vault, with an owner's identity in it.
    ///
    /// # Errors
    /// `Exists` where there is one, or a key file; `Invalid`, `Files`, `Busy`.
    pub fn create(path: &Path, protect: Protect, now: i64) -> Result<Self> {
        let _writer = lock(path)?;
        if stamp(path).is_some() {
            return Err(VaultError::new(Kind::Exists, format!("there is a vault at {}", path.display())));
        }
        if let Protect::KeyFile(file) = &protect
            && stamp(file).is_some()
        {
            return Err(VaultError::new(Kind::Exists, format!("there is a key file at {}", file.display())));
        }
        let (protection, master, unlock) = protected(protect)?;
        if let Unlock::KeyFile(file) = &unlock {
            write_keys(file, &[&master])?;
        }
        let mut state = State {
            unlock,
            stamp: None,
            header: Header { id: random()?, protection },
            master,
            keyring: Keyring::new(now)?,
            index: Index::default(),
        };
        state.new_identity()?;
        state.save(path)?;
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), witness: None })
    }

    /// Open a vault.
    ///
    /// # Errors
    /// `Missing`, `Locked`, `Exposed`, `Damaged`, `Newer`, `Files`.
    pub fn open(path: &Path, unlock: Unlock) -> Result<Self> {
        let state = State::load(path, unlock, None)?;
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), witness: None })
    }

    /// Let a folder outside of the vault remember how often it was written: an older file that takes its place, in which
    /// revoked tokens would open again, is refused from now on. Who may write the folder can make it forget.
    ///
    /// # Errors
    /// `Older` where the file is older than the folder says; `Files`.
    pub fn witnessed(mut self, folder: &Path) -> Result<Self> {
        let (id, revision) = {
            let state = self.guard();
            (state.header.id, state.index.revision)
        };
        self.witness = Some(folder.to_owned());
        let file = witness_of(folder, &id);
        let seen = read_witness(&file)?;
        if seen.is_none() {
            // Who may only read the vault, or has no such folder, reads on; the next change is seen.
            let _ = lock(&self.path).and_then(|_writer| match read_witness(&file)? {
                Some(_) => Ok(()),
                None => write_witness(&file, revision),
            });
        }
        not_older(&self.path, self.witness.as_deref(), revision, seen)?;
        Ok(self)
    }

    /// Whether the vault at a path is opened by a passphrase, found out without opening it.
    ///
    /// # Errors
    /// `Missing`, `Damaged`, `Newer`, `Files`.
    pub fn needs_passphrase(path: &Path) -> Result<bool> {
        let (bytes, _) = read(path, LARGEST)?;
        let parts = Parts::decode(&bytes, usize::try_from(LARGEST).unwrap_or(usize::MAX))?;
        Ok(parts.header.protection != Protection::KeyFile)
    }

    /// Set a secret: a new one, or a new version of one. Times here and below are seconds since 1970.
    ///
    /// # Errors
    /// `Invalid`, and those of `open`; `Busy`.
    pub fn put(&self, name: &str, kind: &str, fields: &Fields, now: i64) -> Result<u32> {
        self.put_after(name, kind, fields, now, None)
    }

    /// As `put`, if the secret has this version (0: if there is none).
    ///
    /// # Errors
    /// `Changed`, and those of `put`.
    pub fn put_after(&self, name: &str, kind: &str, fields: &Fields, now: i64, after: Option<u32>) -> Result<u32> {
        check_name(name)?;
        check_word("kind", kind, 64)?;
        let plain = encode_fields(fields)?;
        self.change(|state| {
            let found = state.index.find(name).map_or(0, Entry::version);
            if after.is_some_and(|after| after != found) {
                return Err(VaultError::new(Kind::Changed, format!("{name:?} was set by somebody else meanwhile")));
            }
            let number = found + 1;
            let generation = state.keyring.current();
            let sealed = seal(&state.key(generation, VALUES)?, &state.bound(name, number), &plain)?;
            let names = fields.iter().map(|(name, _)| name.clone()).collect();
            let place = match state.index.position(name) {
                Ok(place) => place,
                Err(place) => {
                    let (kind, name) = (String::new(), name.to_owned());
                    let entry =
                        Entry { name, kind, fields: vec![], made: now, changed: now, used: 0, versions: vec![] };
                    state.index.entries.insert(place, entry);
                    place
                }
            };
            if let Some(entry) = state.index.entries.get_mut(place) {
                kind.clone_into(&mut entry.kind);
                entry.fields = names;
                entry.changed = now;
                entry.versions.push(Version { number, generation, made: now, sealed });
                let old = entry.versions.len().saturating_sub(KEPT);
                entry.versions.drain(..old);
            }
            Ok(number)
        })
    }

    /// A secret's fields, as they were given last.
    ///
    /// # Errors
    /// `Missing`, and those of `open`.
    pub fn get(&self, name: &str) -> Result<Fields> {
        let state = self.read()?;
        let entry = state.index.find(name).ok_or_else(|| missing(name))?;
        entry.versions.last().map_or_else(|| Err(missing(name)), |version| state.opened(entry, version))
    }

    /// What is known of all secrets, by their names.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn list(&self) -> Result<Vec<Entry>> {
        Ok(self.read()?.index.entries.clone())
    }

    /// Every value that is kept, older ones too: what must not be said anywhere.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn values(&self) -> Result<Vec<(String, Fields)>> {
        let state = self.read()?;
        let kept = state.index.entries.iter().flat_map(|entry| entry.versions.iter().map(move |one| (entry, one)));
        kept.map(|(entry, version)| Ok((entry.name.clone(), state.opened(entry, version)?))).collect()
    }

    /// Take a secret out, with all its versions. Whether it was there.
    ///
    /// # Errors
    /// Those of `open`; `Busy`.
    pub fn remove(&self, name: &str) -> Result<bool> {
        if self.read()?.index.find(name).is_none() {
            return Ok(false);
        }
        self.change(|state| match state.index.position(name) {
            Ok(place) => {
                state.index.entries.remove(place);
                Ok(true)
            }
            Err(_) => Ok(false),
        })
    }

    /// Note that a secret was used. It is written at most every ten minutes.
    ///
    /// # Errors
    /// Those of `open`; `Busy`.
    pub fn touch(&self, name: &str, now: i64) -> Result<()> {
        if self.read()?.index.find(name).is_none_or(|entry| now - entry.used < USE_NOTED) {
            return Ok(());
        }
        self.change(|state| {
            if let Ok(place) = state.index.position(name)
                && let Some(entry) = state.index.entries.get_mut(place)
            {
                entry.used = entry.used.max(now);
            }
            Ok(())
        })
    }

    /// A new data key, under which everything here is sealed anew; and what protects the vault changes: to `protect`, or
    /// to a new key in the same key file, or it stays the same passphrase. The generation of the new key.
    ///
    /// # Errors
    /// `Exists` where a key file to be made is there; those of `open`; `Busy`.
    pub fn rotate(&self, protect: Option<Protect>, now: i64) -> Result<u32> {
        let _writer = lock(&self.path)?;
        let mut guard = self.guard();
        let old = self.load(&guard)?;
        let mut next = old.clone();
        let generation = next.keyring.add(now)?;
        next.reseal(generation)?;
        let protect = protect.or_else(|| match &old.unlock {
            Unlock::KeyFile(file) => Some(Protect::KeyFile(file.clone())),
            Unlock::Passphrase(_) => None,
        });
        if let Some(protect) = protect {
            (next.header.protection, next.master, next.unlock) = protected(protect)?;
        }
        let file = |unlock: &Unlock| if let Unlock::KeyFile(file) = unlock { Some(file.clone()) } else { None };
        let (before, now) = (file(&old.unlock), file(&next.unlock));
        if let Some(now) = &now {
            let same = before.as_ref() == Some(now);
            if !same && stamp(now).is_some() {
                return Err(VaultError::new(Kind::Exists, format!("there is a key file at {}", now.display())));
            }
            // Until the vault is in place, the file holds both keys: whenever the machine stops, one of them opens it.
            let keys = [&next.master, &old.master];
            write_keys(now, if same { &keys } else { &keys[..1] })?;
        }
        self.save(&mut next)?;
        if let Some(now) = &now {
            write_keys(now, &[&next.master])?;
        }
        if let Some(before) = before.filter(|before| now.as_ref() != Some(before)) {
            // It opens nothing any more.
            std::fs::remove_file(&before).map_err(|error| VaultError::file(&before, &error))?;
        }
        *guard = next;
        Ok(generation)
    }

    /// The generation of the data key, and when it was made.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn generation(&self) -> Result<(u32, i64)> {
        let state = self.read()?;
        Ok((state.keyring.current(), state.keyring.made()))
    }

    /// The data keys for one purpose outside of the vault, by their generations, the newest last. Rotations add one: what
    /// the others have sealed stays readable.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn data_keys(&self, purpose: &str) -> Result<Vec<(u32, Key)>> {
        let state = self.read()?;
        let purpose = format!("outside {purpose}");
        state.keyring.generations().map(|number| Ok((number, state.key(number, &purpose)?))).collect()
    }

    /// Whether a passphrase protects it.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn has_passphrase(&self) -> Result<bool> {
        Ok(self.read()?.header.protection != Protection::KeyFile)
    }

    /// The owner's keys.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn identity(&self) -> Result<Identity> {
        self.read()?.identity()
    }

    /// New keys for the owner. All tokens end, and what was sealed to the old keys cannot be opened any more.
    ///
    /// # Errors
    /// Those of `open`; `Busy`.
    pub fn renew_identity(&self) -> Result<()> {
        self.change(|state| {
            state.index.tokens.clear();
            state.new_identity()
        })
    }

    /// Hand out a token. It is noted, not kept.
    ///
    /// # Errors
    /// `Invalid`; those of `open`; `Busy`.
    pub fn issue(&self, limits: &Limits, now: i64) -> Result<(Zeroizing<String>, [u8; 16])> {
        self.change(|state| {
            let (text, id) = issue(&state.identity()?, limits)?;
            state.index.tokens.retain(|token| token.expires.saturating_add(TOKEN_LISTED) > now);
            state.index.tokens.push(Issued {
                id,
                label: limits.label.clone(),
                capabilities: limits.capabilities.iter().flatten().cloned().collect(),
                made: now,
                expires: limits.expires.unwrap_or(now),
                revoked: 0,
            });
            Ok((text, id))
        })
    }

    /// The tokens that were handed out or revoked, the oldest first.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn tokens(&self) -> Result<Vec<Issued>> {
        Ok(self.read()?.index.tokens.clone())
    }

    /// Let a token, and all that were made from it, open nothing more. Whether its id was known; an unknown one, as that
    /// of a narrowed token, is refused from now on, too.
    ///
    /// # Errors
    /// Those of `open`; `Busy`.
    pub fn revoke(&self, id: &[u8; 16], now: i64) -> Result<bool> {
        self.change(|state| {
            if let Some(token) = state.index.tokens.iter_mut().find(|token| token.id == *id) {
                token.revoked = if token.revoked == 0 { now } else { token.revoked };
                return Ok(true);
            }
            let (label, capabilities) = (String::new(), vec![]);
            // Nothing is known of its end: it stays listed, until the owner's keys are renewed.
            let expires = i64::MAX - TOKEN_LISTED;
            state.index.tokens.push(Issued { id: *id, label, capabilities, made: now, expires, revoked: now });
            Ok(false)
        })
    }

    /// What a token allows now.
    ///
    /// # Errors
    /// `Token`, `Expired`, `Revoked`; those of `open`.
    pub fn verify(&self, text: &str, now: i64) -> Result<Grant> {
        let state = self.read()?;
        let grant = verify(text, &state.identity()?.public(), now)?;
        let revoked: BTreeSet<_> =
            state.index.tokens.iter().filter(|token| token.revoked != 0).map(|token| token.id).collect();
        if grant.ids.iter().any(|id| revoked.contains(id)) {
            return Err(VaultError::new(Kind::Revoked, "the token was revoked"));
        }
        Ok(grant)
    }

    fn guard(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as the file has it now.
    fn read(&self) -> Result<MutexGuard<'_, State>> {
        let mut guard = self.guard();
        if guard.stamp.is_none() || guard.stamp != stamp(&self.path) {
            *guard = self.load(&guard)?;
        }
        Ok(guard)
    }

    /// The file as it is now, which is not older than the one before, nor than the witness says.
    fn load(&self, before: &State) -> Result<State> {
        // Before the file: what is written between the two is newer than the witness says, never older.
        let seen = match &self.witness {
            Some(folder) => read_witness(&witness_of(folder, &before.header.id))?,
            None => None,
        };
        let found = State::load(&self.path, before.unlock.clone(), Some(before))?;
        // Another vault may have taken its place, by who had the right to.
        if found.header.id == before.header.id {
            let newest = seen.max(Some(before.index.revision));
            not_older(&self.path, self.witness.as_deref(), found.index.revision, newest)?;
        }
        Ok(found)
    }

    fn save(&self, next: &mut State) -> Result<()> {
        next.save(&self.path)?;
        // Behind the vault's own file: whenever the machine stops, the witness has seen nothing that is not there.
        match &self.witness {
            Some(folder) => write_witness(&witness_of(folder, &next.header.id), next.index.revision),
            None => Ok(()),
        }
    }

    /// Change the file; nothing has changed where the work fails.
    fn change<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let _writer = lock(&self.path)?;
        let mut guard = self.guard();
        let mut next = self.load(&guard)?;
        if let Unlock::KeyFile(file) = &next.unlock {
            // A key that never came into use.
            clear(file);
        }
        let found = work(&mut next)?;
        self.save(&mut next)?;
        *guard = next;
        Ok(found)
    }
}

const VALUES: &str = "values";

impl State {
    /// The file as it is now. Where its key is changed between the reading of the two files, they are read again.
    fn load(path: &Path, unlock: Unlock, before: Option<&Self>) -> Result<Self> {
        let mut tries = 0;
        loop {
            let seen = stamp(path);
            match Self::load_once(path, unlock.clone(), before) {
                Err(error) if error.kind == Kind::Locked && tries < TRIES && stamp(path) != seen => tries += 1,
                outcome => return outcome,
            }
        }
    }

    fn load_once(path: &Path, unlock: Unlock, before: Option<&Self>) -> Result<Self> {
        let (bytes, stamp) = read(path, LARGEST)?;
        let parts = Parts::decode(&bytes, usize::try_from(LARGEST).unwrap_or(usize::MAX))?;
        let mut found = None;
        // Argon2 is dear: a key that was derived before is tried first.
        let known = before.filter(|before| before.header.protection == parts.header.protection);
        if let Some(known) = known
            && let Ok(keyring) = Keyring::open(&known.master, &parts.head, parts.keyring)
        {
            found = Some((known.master.clone(), keyring));
        }
        if found.is_none() {
            for master in masters(&unlock, &parts.header.protection)? {
                if let Ok(keyring) = Keyring::open(&master, &parts.head, parts.keyring) {
                    found = Some((master, keyring));
                    break;
                }
            }
        }
        let words = match unlock {
            Unlock::Passphrase(_) => "the passphrase does not open the vault, or its file was changed",
            Unlock::KeyFile(_) => "the key file does not open the vault, or its file was changed",
        };
        let (master, keyring) = found.ok_or_else(|| VaultError::new(Kind::Locked, words))?;
        let key = keyring.key(keyring.current(), "index")?;
        let plain = open(&key, &index_context(&parts.head, parts.keyring), parts.index)
            .map_err(|_| VaultError::damaged("the vault was changed by something else than PyAgent"))?;
        Ok(Self { unlock, stamp, index: Index::decode(&plain)?, header: parts.header, master, keyring })
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        self.index.revision += 1;
        let head = self.header.encode();
        let keyring = self.keyring.seal(&self.master, &head)?;
        let key = self.key(self.keyring.current(), "index")?;
        let index = seal(&key, &index_context(&head, &keyring), &self.index.encode()?)?;
        let file = Parts::encode(&head, &keyring, &index);
        if u64::try_from(file.len()).unwrap_or(u64::MAX) > LARGEST {
            return Err(VaultError::new(Kind::Invalid, "the vault is full: 64 MiB"));
        }
        write(path, &file)?;
        self.stamp = stamp(path);
        Ok(())
    }

    fn key(&self, generation: u32, purpose: &str) -> Result<Key> {
        self.keyring.key(generation, purpose)
    }

    /// What a value is bound to: this vault, its name and its number.
    fn bound(&self, name: &str, number: u32) -> Vec<u8> {
        [b"pyagent vault value 1\0".as_slice(), &self.header.id, &number.to_le_bytes(), name.as_bytes()].concat()
    }

    fn opened(&self, entry: &Entry, version: &Version) -> Result<Fields> {
        let key = self.key(version.generation, VALUES)?;
        decode_fields(&open(&key, &self.bound(&entry.name, version.number), &version.sealed)?)
    }

    fn identity(&self) -> Result<Identity> {
        let (generation, sealed) =
            self.index.identity.as_ref().ok_or_else(|| VaultError::damaged("the vault has no owner"))?;
        let seed = open(&self.key(*generation, "identity")?, &self.header.id, sealed)?;
        let mut bytes = Zeroizing::new([0; 32]);
        if seed.len() != bytes.len() {
            return Err(VaultError::damaged("the owner's seed is no seed"));
        }
        bytes.copy_from_slice(&seed);
        Ok(Identity::of_seed(&Key::new(*bytes)))
    }

    fn new_identity(&mut self) -> Result<()> {
        let generation = self.keyring.current();
        let seed = Key::random()?;
        let sealed = seal(&self.key(generation, "identity")?, &self.header.id, seed.as_bytes())?;
        self.index.identity = Some((generation, sealed));
        Ok(())
    }

    fn reseal(&mut self, generation: u32) -> Result<()> {
        let mut index = self.index.clone();
        let key = self.key(generation, VALUES)?;
        for entry in &mut index.entries {
            let name = entry.name.clone();
            for version in &mut entry.versions {
                let bound = self.bound(&name, version.number);
                let plain = open(&self.key(version.generation, VALUES)?, &bound, &version.sealed)?;
                version.sealed = seal(&key, &bound, &plain)?;
                version.generation = generation;
            }
        }
        if let Some((before, sealed)) = &mut index.identity {
            let plain = open(&self.key(*before, "identity")?, &self.header.id, sealed)?;
            *sealed = seal(&self.key(generation, "identity")?, &self.header.id, &plain)?;
            *before = generation;
        }
        self.index = index;
        Ok(())
    }
}

fn missing(name: &str) -> VaultError {
    VaultError::new(Kind::Missing, format!("the vault has no secret {name:?}"))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{Protect, Vault};
    use crate::error::{Kind, Result};
    use crate::index::Fields;

    fn fields(value: &str) -> Fields {
        vec![("token".to_owned(), Zeroizing::new(value.to_owned()))]
    }

    #[test]
    fn a_sealed_value_put_under_another_name_or_version_does_not_open() -> Result<()> {
        let name = u64::from_le_bytes(crate::kdf::random()?);
        let folder = std::env::temp_dir().join(format!("pyagent-vault-unit-{name}"));
        let path = folder.join("vault");
        let vault = Vault::create(&path, Protect::KeyFile(folder.join("key")), 1)?;
        vault.put("a", "generic", &fields("of a"), 1)?;
        vault.put("a", "generic", &fields("of a, newer"), 1)?;
        vault.put("b", "generic", &fields("of b"), 1)?;
        let whole = vault.read()?.clone();
        let kind = |change: fn(&mut super::State)| {
            *vault.guard() = whole.clone();
            change(&mut vault.guard());
            vault.get("a").err().map(|error| error.kind)
        };
        assert_eq!(kind(|_| ()), None);
        // Of another name, of the same name's older version, of another vault.
        assert_eq!(
            kind(|state| state.index.entries[0].versions[1].sealed = state.index.entries[1].versions[0].sealed.clone()),
            Some(Kind::Locked)
        );
        assert_eq!(
            kind(|state| state.index.entries[0].versions[1].sealed = state.index.entries[0].versions[0].sealed.clone()),
            Some(Kind::Locked)
        );
        assert_eq!(kind(|state| state.header.id[0] ^= 1), Some(Kind::Locked));
        let _ = std::fs::remove_dir_all(folder);
        Ok(())
    }
}

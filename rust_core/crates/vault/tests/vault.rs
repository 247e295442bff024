//! A vault's file: what opens it, what it says, what a change leaves, what a crash leaves.

use std::fs;
use std::path::{Path, PathBuf};

use pyagent_vault::{Cost, Fields, Kind, Limits, Protect, Unlock, Vault, VaultError};
use zeroize::Zeroizing;

type Tested = Result<(), Box<dyn std::error::Error>>;
const CHEAP: Cost = Cost { memory: 32, passes: 1, lanes: 1 };

struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(std::io::Error::other)?;
        let path = std::env::temp_dir().join(format!("pyagent-vault-{}", u64::from_le_bytes(name)));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn vault(&self) -> PathBuf {
        self.0.join("vault")
    }

    fn key(&self) -> PathBuf {
        self.0.join("vault.key")
    }

    fn create(&self) -> Result<Vault, VaultError> {
        Vault::create(&self.vault(), Protect::KeyFile(self.key()), 1)
    }

    fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(&self.vault(), Unlock::KeyFile(self.key()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fields(value: &str) -> Fields {
    vec![("token".to_owned(), Zeroizing::new(value.to_owned()))]
}

fn passphrase(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn kind<T>(result: Result<T, VaultError>) -> Option<Kind> {
    result.err().map(|error| error.kind)
}

fn holds(path: &Path, needle: &str) -> std::io::Result<bool> {
    Ok(fs::read(path)?.windows(needle.len()).any(|window| window == needle.as_bytes()))
}

#[test]
fn what_was_put_in_comes_out_in_another_process_and_stands_nowhere_in_the_file() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    assert_eq!(vault.put("mail", "http_bearer", &fields("correct horse"), 5)?, 1);
    let again = folder.open()?;
    assert_eq!(*again.get("mail")?, *fields("correct horse"));
    let entry = again.list()?.pop().ok_or("no entry")?;
    assert_eq!((entry.name.as_str(), entry.kind.as_str(), entry.version(), entry.used), ("mail", "http_bearer", 1, 0));
    assert_eq!(entry.fields, ["token"]);
    for hidden in ["correct horse", "mail", "http_bearer"] {
        assert!(!holds(&folder.vault(), hidden)?);
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn its_files_are_private_and_an_open_key_file_is_refused() -> Tested {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new()?;
    folder.create()?.put("a", "generic", &fields("value"), 1)?;
    for path in [folder.vault(), folder.key(), folder.0.join("vault.lock")] {
        assert_eq!(fs::metadata(path)?.permissions().mode() & 0o777, 0o600);
    }
    fs::set_permissions(folder.key(), fs::Permissions::from_mode(0o640))?;
    assert_eq!(kind(folder.open()), Some(Kind::Exposed));
    Ok(())
}

#[test]
fn only_the_right_passphrase_opens_a_vault_and_a_key_file_never() -> Tested {
    let folder = Folder::new()?;
    let path = folder.vault();
    Vault::create(&path, Protect::Passphrase(passphrase("long enough"), CHEAP), 1)?.put(
        "a",
        "generic",
        &fields("value"),
        1,
    )?;
    assert!(Vault::needs_passphrase(&path)?);
    assert_eq!(*Vault::open(&path, Unlock::Passphrase(passphrase("long enough")))?.get("a")?, *fields("value"));
    assert_eq!(kind(Vault::open(&path, Unlock::Passphrase(passphrase("long enougH")))), Some(Kind::Locked));
    assert_eq!(kind(folder.open()), Some(Kind::Locked));
    let short = Vault::create(&folder.0.join("other"), Protect::Passphrase(passphrase("short"), CHEAP), 1);
    assert_eq!(kind(short), Some(Kind::Invalid));
    Ok(())
}

#[test]
fn a_vault_or_key_file_that_is_there_is_never_overwritten() -> Tested {
    let folder = Folder::new()?;
    folder.create()?;
    let before = fs::read(folder.vault())?;
    assert_eq!(kind(folder.create()), Some(Kind::Exists));
    fs::rename(folder.vault(), folder.0.join("moved"))?;
    assert_eq!(kind(folder.create()), Some(Kind::Exists));
    assert_eq!(fs::read(folder.0.join("moved"))?, before);
    Ok(())
}

#[test]
fn a_vault_opens_at_any_moment_while_its_key_is_changed() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    vault.put("a", "generic", &fields("value"), 1)?;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for now in 0..20 {
                if vault.rotate(None, now).is_err() {
                    break;
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            assert_eq!(*folder.open()?.get("a")?, *fields("value"));
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    assert_eq!(vault.generation()?.0, 21);
    Ok(())
}

#[test]
fn a_changed_byte_anywhere_is_noticed() -> Tested {
    let folder = Folder::new()?;
    folder.create()?.put("a", "generic", &fields("value"), 1)?;
    let good = fs::read(folder.vault())?;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(folder.vault(), &bad)?;
        let found = kind(folder.open());
        let expected = [Some(Kind::Locked), Some(Kind::Damaged), Some(Kind::Newer)];
        assert!(expected.contains(&found), "byte {at}: {found:?}");
    }
    for size in (0..good.len()).step_by(7) {
        fs::write(folder.vault(), &good[..size])?;
        assert!(folder.open().is_err());
    }
    Ok(())
}

#[test]
fn a_change_is_seen_by_who_has_the_vault_open() -> Tested {
    let folder = Folder::new()?;
    let (one, two) = (folder.create()?, folder.open()?);
    one.put("a", "generic", &fields("first"), 1)?;
    assert_eq!(*two.get("a")?, *fields("first"));
    two.put("a", "generic", &fields("second"), 2)?;
    two.put("b", "generic", &fields("third"), 3)?;
    assert_eq!(*one.get("a")?, *fields("second"));
    assert!(one.remove("b")?);
    assert!(!two.remove("b")?);
    assert_eq!(kind(two.get("b")), Some(Kind::Missing));
    Ok(())
}

#[test]
fn writers_of_many_threads_and_handles_lose_nothing() -> Tested {
    let folder = Folder::new()?;
    folder.create()?;
    std::thread::scope(|scope| {
        let work = |number: usize| {
            let vault = folder.open()?;
            (0..5).try_for_each(|step| vault.put(&format!("s{number}-{step}"), "g", &fields("value"), 1).map(drop))
        };
        let threads: Vec<_> = (0..6).map(|number| scope.spawn(move || work(number))).collect();
        for thread in threads {
            assert!(thread.join().is_ok_and(|result: Result<(), VaultError>| result.is_ok()));
        }
    });
    assert_eq!(folder.open()?.list()?.len(), 30);
    Ok(())
}

#[test]
fn older_values_are_kept_to_be_recognized_and_go_with_the_secret() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    for number in 1..=6 {
        vault.put("a", "generic", &fields(&format!("value {number}")), number)?;
    }
    let kept: Vec<String> = vault.values()?.iter().map(|(_, fields)| fields[0].1.to_string()).collect();
    assert_eq!(kept, ["value 3", "value 4", "value 5", "value 6"]);
    assert_eq!(*vault.get("a")?, *fields("value 6"));
    vault.remove("a")?;
    assert!(vault.values()?.is_empty());
    Ok(())
}

#[test]
fn a_rotation_seals_everything_anew_and_old_data_keys_stay() -> Tested {
    let folder = Folder::new()?;
    let (vault, other) = (folder.create()?, folder.open()?);
    vault.put("a", "generic", &fields("old"), 1)?;
    vault.put("a", "generic", &fields("new"), 2)?;
    let (key_before, owner) = (fs::read(folder.key())?, vault.identity()?.public());
    let key = |generation: usize, purpose: &str| vault.data_keys(purpose).map(|keys| keys[generation - 1].1.clone());
    let outside = key(1, "store")?;
    assert_eq!(vault.rotate(None, 9)?, 2);
    assert_eq!(vault.generation()?, (2, 9));
    assert_ne!(fs::read(folder.key())?, key_before);
    assert_eq!(*other.get("a")?, *fields("new"), "who had it open reads on");
    assert_eq!(folder.open()?.values()?.len(), 2);
    assert_eq!(key(1, "store")?, outside);
    assert_ne!(key(2, "store")?, outside);
    assert_ne!(key(1, "other")?, outside);
    assert_eq!(vault.identity()?.public(), owner);
    fs::write(folder.key(), key_before)?;
    assert_eq!(kind(folder.open()), Some(Kind::Locked));
    Ok(())
}

#[test]
fn protection_changes_between_key_file_and_passphrase() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    vault.put("a", "generic", &fields("value"), 1)?;
    vault.rotate(Some(Protect::Passphrase(passphrase("long enough"), CHEAP)), 2)?;
    assert!(!folder.key().exists());
    assert!(vault.has_passphrase()?);
    let again = Vault::open(&folder.vault(), Unlock::Passphrase(passphrase("long enough")))?;
    again.rotate(None, 3)?;
    again.rotate(Some(Protect::Passphrase(passphrase("another one"), CHEAP)), 4)?;
    assert_eq!(kind(vault.get("a")), Some(Kind::Locked), "an old passphrase opens nothing");
    again.rotate(Some(Protect::KeyFile(folder.key())), 5)?;
    assert_eq!(*folder.open()?.get("a")?, *fields("value"));
    Ok(())
}

#[test]
fn whenever_a_rotation_is_cut_off_one_of_the_keys_opens_the_vault() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    vault.put("a", "generic", &fields("value"), 1)?;
    let (old_vault, old_key) = (fs::read(folder.vault())?, fs::read_to_string(folder.key())?);
    vault.rotate(None, 2)?;
    let (new_vault, new_key) = (fs::read(folder.vault())?, fs::read_to_string(folder.key())?);
    let both = format!("{new_key}{old_key}");
    for (file, key) in [(&old_vault, &old_key), (&old_vault, &both), (&new_vault, &both), (&new_vault, &new_key)] {
        fs::write(folder.vault(), file)?;
        fs::write(folder.key(), key)?;
        // What a writer that was cut off has left beside is no hindrance.
        fs::write(folder.0.join("vault.new"), b"half a vau")?;
        let again = folder.open()?;
        assert_eq!(*again.get("a")?, *fields("value"));
        again.put("b", "generic", &fields("more"), 3)?;
        again.rotate(None, 4)?;
        assert_eq!(*folder.open()?.get("b")?, *fields("more"));
    }
    Ok(())
}

#[test]
fn a_vault_put_in_the_place_of_another_does_not_open() -> Tested {
    let (one, two) = (Folder::new()?, Folder::new()?);
    one.create()?.put("a", "generic", &fields("value"), 1)?;
    two.create()?;
    fs::copy(one.vault(), two.vault())?;
    assert_eq!(kind(two.open()), Some(Kind::Locked));
    Ok(())
}

#[test]
fn a_use_is_noted_every_ten_minutes_at_most() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    vault.put("a", "generic", &fields("value"), 1)?;
    let used = || vault.list().map(|list| list.first().map(|entry| entry.used));
    vault.touch("a", 1000)?;
    let before = fs::read(folder.vault())?;
    vault.touch("a", 1599)?;
    vault.touch("nobody", 9999)?;
    assert_eq!((used()?, fs::read(folder.vault())? == before), (Some(1000), true));
    vault.touch("a", 1600)?;
    assert_eq!(used()?, Some(1600));
    Ok(())
}

#[test]
fn names_and_fields_that_break_the_rules_are_refused() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    for name in ["", "A", "-a", "a b", "ä", "a/b", &"a".repeat(65)] {
        assert_eq!(kind(vault.put(name, "generic", &fields("value"), 1)), Some(Kind::Invalid), "{name:?}");
    }
    let twice: Fields = [fields("one"), fields("two")].concat();
    let large = fields(&"x".repeat(300_000));
    for bad in [vec![], twice, large] {
        assert_eq!(kind(vault.put("a", "generic", &bad, 1)), Some(Kind::Invalid));
    }
    assert!(vault.list()?.is_empty());
    Ok(())
}

#[test]
fn tokens_are_noted_revoked_by_any_of_their_ids_and_end_with_the_identity() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    let limits = Limits {
        capabilities: Some(["read".to_owned(), "run".to_owned()].into()),
        expires: Some(100),
        label: "ci".to_owned(),
        graphs: None,
    };
    let (text, id) = vault.issue(&limits, 1)?;
    assert_eq!(folder.open()?.verify(&text, 50)?.ids, [id]);
    assert_eq!(kind(vault.verify(&text, 100)), Some(Kind::Expired));
    let less = Limits { capabilities: Some(["read".to_owned()].into()), ..Limits::default() };
    let narrow = pyagent_vault::attenuate(&text, &less)?;
    let own = *vault.verify(&narrow, 1)?.ids.last().ok_or("no id")?;
    assert!(!vault.revoke(&own, 2)?);
    assert_eq!(kind(vault.verify(&narrow, 3)), Some(Kind::Revoked));
    assert!(vault.verify(&text, 3).is_ok());
    assert!(vault.revoke(&id, 4)?);
    assert_eq!(kind(vault.verify(&text, 5)), Some(Kind::Revoked));
    let (fresh, _) = vault.issue(&limits, 6)?;
    vault.renew_identity()?;
    assert_eq!(kind(vault.verify(&fresh, 7)), Some(Kind::Token));
    assert!(vault.tokens()?.is_empty());
    assert!(!holds(&folder.vault(), &fresh)?);
    Ok(())
}

#[test]
fn an_older_file_that_is_put_back_is_refused_and_revives_no_token() -> Tested {
    let folder = Folder::new()?;
    let seen = folder.0.join("seen");
    let vault = folder.create()?.witnessed(&seen)?;
    let limits = Limits {
        capabilities: Some(["run".to_owned()].into()),
        graphs: None,
        expires: Some(i64::MAX),
        label: String::new(),
    };
    let (text, id) = vault.issue(&limits, 1)?;
    let (older, key) = (fs::read(folder.vault())?, fs::read(folder.key())?);
    assert!(vault.revoke(&id, 2)?);
    fs::write(folder.vault(), &older)?;
    assert_eq!(kind(vault.verify(&text, 3)), Some(Kind::Older), "who has it open");
    assert_eq!(kind(folder.open()?.witnessed(&seen)), Some(Kind::Older), "who opens it");
    assert_eq!(kind(vault.put("a", "generic", &fields("new"), 4)), Some(Kind::Older), "who writes it");
    // Put back on purpose: the witness is removed.
    fs::remove_dir_all(&seen)?;
    let again = folder.open()?.witnessed(&seen)?;
    again.verify(&text, 5)?;
    again.revoke(&id, 6)?;
    assert_eq!(fs::read(folder.key())?, key);
    assert_eq!(kind(folder.open()?.witnessed(&seen)?.verify(&text, 7)), Some(Kind::Revoked));
    Ok(())
}

#[test]
fn a_token_without_a_practical_end_is_listed_and_hurts_no_other() -> Tested {
    let folder = Folder::new()?;
    let vault = folder.create()?;
    let capabilities = Some(["run".to_owned()].into());
    let limits = Limits { capabilities, graphs: None, expires: Some(i64::MAX), label: String::new() };
    vault.issue(&limits, 1)?;
    vault.issue(&limits, 2)?;
    assert_eq!(vault.tokens()?.len(), 2);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_link_to_a_vault_stays_a_link_and_shares_the_lock() -> Tested {
    let folder = Folder::new()?;
    let real = folder.0.join("elsewhere");
    fs::create_dir(&real)?;
    std::os::unix::fs::symlink("elsewhere/vault", folder.vault())?;
    std::os::unix::fs::symlink(real.join("key"), folder.key())?;
    let vault = folder.create()?;
    vault.put("a", "generic", &fields("secret"), 1)?;
    vault.rotate(None, 2)?;
    for link in [folder.vault(), folder.key()] {
        assert!(fs::symlink_metadata(&link)?.is_symlink());
    }
    let other = Vault::open(&real.join("vault"), Unlock::KeyFile(real.join("key")))?;
    assert_eq!(*other.get("a")?, *fields("secret"));
    assert!(!folder.0.join("vault.lock").exists());
    Ok(())
}

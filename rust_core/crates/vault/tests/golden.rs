//! Files that the first version wrote are read for ever: a vault of each protection, rotated, with a token and a field.

use std::fs;
use std::path::{Path, PathBuf};

use pyagent_vault::{Fields, Kind, Protect, Unlock, Vault, open_sealed};
use zeroize::Zeroizing;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// A copy of the golden files with the rights that a key file needs, which git does not keep.
struct Copies(PathBuf);

impl Copies {
    fn new(name: &str) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("pyagent-vault-golden-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))? {
            let from = entry?.path();
            let to = folder.join(from.file_name().unwrap_or_default());
            fs::copy(&from, &to)?;
            #[cfg(unix)]
            fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        Ok(Self(folder))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn plain(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter_map(|one| char::from(one).to_digit(16)).map(|one| one as u8).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

fn check(name: &str, unlock: fn(&Path) -> Unlock, folder: &Path) -> Tested {
    let path = folder.join(format!("{name}.vault"));
    assert_eq!(Vault::needs_passphrase(&path)?, name == "passphrase");
    let vault = Vault::open(&path, unlock(folder))?;
    assert_eq!(plain(&vault.get("mail")?), [("host", "mail.example"), ("password", "second value")]);
    assert_eq!(plain(&vault.get("api")?), [("token", "Größe 1")]);
    let listed = vault.list()?;
    let rows: Vec<_> =
        listed.iter().map(|one| (one.name.as_str(), one.kind.as_str(), one.version(), one.used)).collect();
    assert_eq!(rows, [("api", "http_bearer", 1, 1_764_000_005), ("mail", "smtp", 2, 0)]);
    assert_eq!(listed.iter().map(|one| (one.made, one.changed)).next_back(), Some((1_764_000_001, 1_764_000_002)));
    assert_eq!(vault.values()?.len(), 3, "the value before is recognized");
    assert_eq!(vault.generation()?, (2, 1_764_000_003));
    let token = fs::read_to_string(folder.join(format!("{name}.token")))?;
    let grant = vault.verify(&token, 1_764_000_100)?;
    assert_eq!((grant.capabilities, grant.graphs), (["read".to_owned()].into(), Some(["greet".to_owned()].into())));
    assert_eq!((grant.expires, grant.label.as_str(), grant.ids.len()), (3_999_999_999, "less", 2));
    assert_eq!(vault.verify(&token, 4_000_000_000).err().map(|error| error.kind), Some(Kind::Expired));
    assert_eq!(vault.tokens()?.len(), 1);
    let field = bytes(&fs::read_to_string(folder.join(format!("{name}.field.hex")))?);
    assert_eq!(open_sealed(&vault.identity()?, b"golden", &field)?.as_slice(), b"a sealed field");
    // It is written as well, and goes on.
    vault.put("new", "generic", &vec![("token".to_owned(), Zeroizing::new("value".to_owned()))], 1_764_000_200)?;
    vault.rotate(None, 1_764_000_300)?;
    assert_eq!(Vault::open(&path, unlock(folder))?.list()?.len(), 3);
    Ok(())
}

#[test]
fn a_vault_with_a_key_file_of_the_first_version_is_read_and_written() -> Tested {
    let copies = Copies::new("key")?;
    check("key_file", |folder| Unlock::KeyFile(folder.join("key_file.key")), &copies.0)
}

#[test]
fn a_vault_with_a_passphrase_of_the_first_version_is_read_and_written() -> Tested {
    let copies = Copies::new("passphrase")?;
    check("passphrase", |_| Unlock::Passphrase(Zeroizing::new(b"the golden passphrase".to_vec())), &copies.0)?;
    let other = Protect::KeyFile(copies.0.join("other.key"));
    let vault = Vault::open(
        &copies.0.join("passphrase.vault"),
        Unlock::Passphrase(Zeroizing::new(b"the golden passphrase".to_vec())),
    )?;
    vault.rotate(Some(other), 1_764_000_400)?;
    assert!(!vault.has_passphrase()?);
    Ok(())
}

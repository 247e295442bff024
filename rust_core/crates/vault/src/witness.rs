//! Who saw how often a vault was written: files in a folder outside of it, one for each vault.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Kind, Result, VaultError};
use crate::files::{read, write};

/// A witness's file about one vault.
pub fn witness_of(folder: &Path, id: &[u8; 16]) -> PathBuf {
    folder.join(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The revision of a vault that a witness has seen; None: it has seen none.
pub fn read_witness(path: &Path) -> Result<Option<i64>> {
    match read(path, 64) {
        Ok((bytes, _)) => {
            let seen = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
            let strange = || VaultError::damaged(&format!("{} is not what a vault's witness writes", path.display()));
            seen.map(Some).ok_or_else(strange)
        }
        Err(error) if error.kind == Kind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Let a witness see a revision. Only who has the vault's lock may.
pub fn write_witness(path: &Path, revision: i64) -> Result<()> {
    if let Some(folder) = path.parent() {
        let mut make = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.recursive(true).create(folder).map_err(|error| VaultError::file(folder, &error))?;
    }
    write(path, format!("{revision}\n").as_bytes())
}

/// Refuse the vault at a path whose revision is below the newest that was seen.
pub fn not_older(path: &Path, witness: Option<&Path>, revision: i64, newest: Option<i64>) -> Result<()> {
    let Some(newest) = newest.filter(|newest| *newest > revision) else { return Ok(()) };
    let (path, place) = (path.display(), witness.map_or(String::new(), |folder| format!(" ({})", folder.display())));
    Err(VaultError::new(
        Kind::Older,
        format!("{path} is an older file of the vault: its change {revision}, where {newest} was seen{place}"),
    ))
}

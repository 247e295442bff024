//! Files that are private and never half written: a lock for the one writer, a new file beside, flush, rename, flush.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::error::{Kind, Result, VaultError};

const KEY_LINE: &str = "pyagent-vault-key-1 ";
/// Symbolic links that are followed one after another, as Linux does.
const MOST_LINKS: u32 = 40;
/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(15);
/// Keys that a key file may hold: while the key changes, the new one and the old one.
const MOST_KEYS: usize = 4;

/// Tells whether a file is another one now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    size: u64,
    modified: Option<std::time::SystemTime>,
    inode: u64,
}

/// The stamp of a file; None where it is not there.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { size: found.len(), modified: found.modified().ok(), inode })
}

/// A whole file of at most `most` bytes, and its stamp from before it was read.
pub fn read(path: &Path, most: u64) -> Result<(Zeroizing<Vec<u8>>, Option<Stamp>)> {
    let before = stamp(path);
    let file = File::open(path).map_err(|error| VaultError::file(path, &error))?;
    let size = file.metadata().map_err(|error| VaultError::file(path, &error))?.len();
    if size > most {
        return Err(VaultError::damaged(&format!("{} is larger than any vault", path.display())));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| VaultError::file(path, &error))?;
    Ok((bytes, before))
}

/// Where a path leads: what a symbolic link names, also where that is not there yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Put a private file in place, whole or not at all, so that a power cut keeps it. A symbolic link stays one: the file
/// that it names is replaced.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let path = &followed(path);
    let new = beside(path, "new");
    let failed = |error: std::io::Error| VaultError::file(path, &error);
    let result = (|| {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().create_new(true).write(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    })();
    if result.is_err() {
        // What is left is sealed, or a key in a private file; the next writer removes it.
        let _ = fs::remove_file(&new);
    }
    result.map_err(failed)
}

/// Remove what a writer of the file left beside it that was killed. For who has the lock.
pub fn clear(path: &Path) {
    // What cannot be removed is as harmless as it was.
    let _ = fs::remove_file(beside(&followed(path), "new"));
}

/// The lock of the one writer; it ends when the file is dropped, also with the process.
pub fn lock(path: &Path) -> Result<File> {
    let name = beside(&followed(path), "lock");
    let failed = |error: std::io::Error| VaultError::file(&name, &error);
    if let Some(folder) = name.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = private().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => {
                return Err(VaultError::new(Kind::Busy, "another process has been writing the vault for 15 seconds"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

/// The keys in a key file, the newest first. A file that others can read is refused.
pub fn read_keys(path: &Path) -> Result<Vec<Key>> {
    let (bytes, _) = read(path, 1024)?;
    #[cfg(unix)]
    {
        let found = fs::metadata(path).map_err(|error| VaultError::file(path, &error))?;
        if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0 {
            return Err(VaultError::new(Kind::Exposed, format!("{} can be read by others", path.display())));
        }
    }
    let keys: Option<Vec<Key>> = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().map(key_of).collect());
    keys.filter(|keys| (1..=MOST_KEYS).contains(&keys.len()))
        .ok_or_else(|| VaultError::damaged(&format!("{} is no key file of a vault", path.display())))
}

/// Write a key file; readable by its owner only.
pub fn write_keys(path: &Path, keys: &[&Key]) -> Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(keys.len() * 128));
    for key in keys {
        text.push_str(KEY_LINE);
        let mut room = Zeroizing::new([0; 64]);
        text.push_str(Base64UrlUnpadded::encode(key.as_bytes(), &mut *room).unwrap_or_default());
        text.push('\n');
    }
    write(path, text.as_bytes())
}

fn key_of(line: &str) -> Option<Key> {
    let mut bytes = [0; 32];
    let found = Base64UrlUnpadded::decode(line.strip_prefix(KEY_LINE)?, &mut bytes).ok()?.len();
    (found == bytes.len()).then(|| Key::new(bytes))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        return File::open(folder)?.sync_all();
    }
    Ok(())
}

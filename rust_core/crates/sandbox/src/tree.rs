//! A file tree of the program's own: only the places of its profile, read-only where they may not be changed.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::limits::kernel_is_at_least;
use crate::places::Places;

/// Devices without memory or effect.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Numbers below this one are given out once only; the least that the kernel takes is one more.
const RESERVED: u64 = 301;
const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Why the tree was not made.
#[derive(Debug)]
pub enum TreeError {
    /// Nothing has been changed: the program can be run in the old tree.
    Refused(io::Error),
    /// It was begun and cannot be used.
    Broken(String),
}

/// What the tree has beside the places.
#[derive(Clone, Debug)]
pub struct TreeOptions {
    /// A /proc of its own: the caller is the first of its process namespace.
    pub with_processes: bool,
    /// Bytes that /dev/shm may hold.
    pub shared_memory: u64,
    /// Processes that the namespace may hold, where the kernel can count them.
    pub most_processes: Option<u64>,
}

/// Make the tree and enter it. Needs a mount namespace of its own.
///
/// # Errors
/// See `TreeError`.
pub fn enter(places: &Places, options: &TreeOptions) -> Result<(), TreeError> {
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|error| TreeError::Refused(error.into()))?;
    let base = if Path::new("/tmp").is_dir() { "/tmp" } else { "/usr" };
    mount("pyagent", base, "tmpfs", QUIET, c"mode=0755,size=16m").map_err(|error| TreeError::Refused(error.into()))?;
    build(places, base, options)
}

fn build(places: &Places, base: &str, options: &TreeOptions) -> Result<(), TreeError> {
    step("old root", chdir(base))?;
    for name in ["new", "old"] {
        step(name, fs::create_dir(name))?;
    }
    step("first turn", pivot_root(".", "old"))?;
    step("first turn", chdir("/"))?;
    step("new root", mount_bind("/new", "/new"))?;
    for place in &places.places {
        let target = inside("/new", &place.path);
        make_target(&target, place.folder)?;
        step(&place.path, mount_bind_recursive(inside("/old", &place.source), &target))?;
    }
    for (link, target) in &places.links {
        let link = inside("/new", link);
        if link.symlink_metadata().is_err() {
            step(&link, link.parent().map_or(Ok(()), fs::create_dir_all))?;
            step(&link, symlink(target, &link))?;
        }
    }
    masks(places)?;
    devices(options.shared_memory)?;
    if options.with_processes {
        step("proc", fs::create_dir_all("/new/proc"))?;
        step("proc", mount("proc", "/new/proc", "proc", QUIET | MountFlags::NOEXEC, None))?;
        // Since 6.14 each process namespace has this setting to itself; before, it was the whole machine's.
        if let Some(most) = options.most_processes.filter(|_| kernel_is_at_least(6, 14)) {
            let _ = fs::write("/new/proc/sys/kernel/pid_max", (most.saturating_add(RESERVED)).to_string());
        }
    }
    for name in ["tmp", "run", "sys"] {
        step(name, fs::create_dir_all(inside("/new", Path::new(name))))?;
    }
    make_read_only(places)?;
    step("second turn", chdir("/new"))?;
    step("second turn", pivot_root(".", "."))?;
    step("second turn", unmount(".", UnmountFlags::DETACH))?;
    step("second turn", chdir("/"))
}

/// Put something empty over what is hidden within places.
fn masks(places: &Places) -> Result<(), TreeError> {
    for (path, folder) in &places.masks {
        let target = inside("/new", path);
        // A place within this one may lie over it.
        if target.symlink_metadata().is_err() {
            continue;
        }
        if *folder {
            let flags = QUIET | MountFlags::NOEXEC | MountFlags::RDONLY;
            step(path, mount("pyagent", &target, "tmpfs", flags, c"mode=0555,size=4k"))?;
        } else {
            make_target(Path::new("/nothing"), false)?;
            step(path, mount_bind("/nothing", &target))?;
        }
    }
    Ok(())
}

fn devices(shared_memory: u64) -> Result<(), TreeError> {
    step("dev", fs::create_dir_all("/new/dev/pts"))?;
    step("dev", fs::create_dir_all("/new/dev/shm"))?;
    for name in DEVICES {
        let (source, target) = (format!("/old/dev/{name}"), format!("/new/dev/{name}"));
        if Path::new(&source).exists() {
            make_target(Path::new(&target), false)?;
            step(&source, mount_bind(&source, &target))?;
        }
    }
    for (name, target) in [("fd", "self/fd"), ("stdin", "self/fd/0"), ("stdout", "self/fd/1"), ("stderr", "self/fd/2")]
    {
        step(name, symlink(Path::new("/proc").join(target), Path::new("/new/dev").join(name)))?;
    }
    let size = OsString::from(format!("mode=1777,size={shared_memory}"));
    let size = std::ffi::CString::new(size.into_vec()).map_err(|error| TreeError::Broken(error.to_string()))?;
    step("shm", mount("pyagent", "/new/dev/shm", "tmpfs", QUIET, size.as_c_str()))?;
    // Terminals of its own; a kernel that gives none is no reason to refuse.
    if mount(
        "devpts",
        "/new/dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"newinstance,ptmxmode=0666,mode=620",
    )
    .is_ok()
    {
        step("ptmx", symlink("pts/ptmx", "/new/dev/ptmx"))?;
    }
    Ok(())
}

/// Take the right to write from every mount outside the writable places, those inside others too.
fn make_read_only(places: &Places) -> Result<(), TreeError> {
    let table = step("mountinfo", fs::read("/old/proc/self/mountinfo"))?;
    for (point, flags) in table.split(|byte| *byte == b'\n').filter_map(mount_point) {
        let Ok(seen) = point.strip_prefix("/new") else { continue };
        let path = Path::new("/").join(seen);
        let own = ["/dev/shm", "/dev/pts"].iter().any(|name| path == Path::new(name)) || is_device(&path);
        if own || places.is_writable(&path) || flags.contains(MountFlags::RDONLY) {
            continue;
        }
        step(&path, mount_remount(&point, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | flags, c""))?;
    }
    Ok(())
}

fn is_device(path: &Path) -> bool {
    path.strip_prefix("/dev").is_ok_and(|name| DEVICES.iter().any(|device| name == Path::new(device)))
}

/// The mount point of a line of mountinfo, and those of its flags that must be kept.
fn mount_point(line: &[u8]) -> Option<(PathBuf, MountFlags)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let mut flags = MountFlags::empty();
    for option in fields.next()?.split(|byte| *byte == b',') {
        flags |= match option {
            b"ro" => MountFlags::RDONLY,
            b"nosuid" => MountFlags::NOSUID,
            b"nodev" => MountFlags::NODEV,
            b"noexec" => MountFlags::NOEXEC,
            _ => MountFlags::empty(),
        };
    }
    Some((PathBuf::from(OsString::from_vec(point)), flags))
}

/// The kernel writes blanks and the like as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        if let Some(digits) = digits {
            out.push(digits.iter().fold(0_u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
            rest = &after[3..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn inside(root: &str, path: &Path) -> PathBuf {
    Path::new(root).join(path.strip_prefix("/").unwrap_or(path))
}

fn make_target(target: &Path, folder: bool) -> Result<(), TreeError> {
    if target.exists() {
        return Ok(());
    }
    if folder {
        return step(target, fs::create_dir_all(target));
    }
    step(target, target.parent().map_or(Ok(()), fs::create_dir_all))?;
    step(target, fs::File::create(target).map(drop))
}

fn step<T, E: Into<io::Error>>(what: impl AsRef<std::ffi::OsStr>, outcome: Result<T, E>) -> Result<T, TreeError> {
    outcome.map_err(|error| {
        let error: io::Error = error.into();
        TreeError::Broken(format!("{}: {error}", String::from_utf8_lossy(what.as_ref().as_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::{mount_point, unescaped};
    use proptest::prelude::*;
    use rustix::mount::MountFlags;
    use std::path::Path;

    #[test]
    fn a_mount_point_is_read_with_its_flags() {
        let line = b"36 35 98:0 /mnt1 /new/a\\040b ro,nosuid,relatime master:1 - ext3 /dev/root rw";
        let expected = (Path::new("/new/a b").to_owned(), MountFlags::RDONLY | MountFlags::NOSUID);
        assert_eq!(mount_point(line), Some(expected));
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = mount_point(&line);
            prop_assert!(unescaped(&line).len() <= line.len());
        }
    }
}

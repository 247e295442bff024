//! What a program may use up: the kernel's limits for each process, and a watch over all of them together.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::processes;
use crate::profile::Limits;

/// How often memory and processes are looked at.
pub const LOOK: Duration = Duration::from_millis(40);
/// The writable folders are measured so seldom that it takes at most this part of the time.
const MEASURING: u32 = 20;
const LEAST_PAUSE: Duration = Duration::from_millis(400);

/// Take the kernel's limits for the calling process and all that it starts. `beside`: how many processes and threads
/// of the user the kernel counts already.
///
/// # Errors
/// What the kernel said.
pub fn apply(limits: &Limits, beside: u64) -> io::Result<()> {
    set(Resource::Core, 0, 0)?;
    for (resource, value) in [
        (Resource::As, limits.memory),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, limits.processes.map(|own| own.saturating_add(beside))),
    ] {
        if let Some(value) = value {
            set(resource, value, value)?;
        }
    }
    // One more second than the soft limit, so that a program may still say SIGXCPU's last words.
    limits.cpu_seconds.map_or(Ok(()), |value| set(Resource::Cpu, value, value.saturating_add(1)))
}

/// Whether the kernel counts a user's processes in each user namespace by itself.
#[must_use]
pub fn counts_by_namespace() -> bool {
    kernel_is_at_least(5, 14)
}

/// Whether this kernel is that version or a newer one.
#[must_use]
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let name = rustix::system::uname();
    let mut numbers =
        name.release().to_str().unwrap_or("").split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let allowed = getrlimit(resource).maximum;
    let at_most = |value: u64| Some(allowed.map_or(value, |most| most.min(value)));
    Ok(setrlimit(resource, Rlimit { current: at_most(soft), maximum: at_most(hard) })?)
}

/// Watches what all processes use together.
pub struct Watch {
    memory: Option<u64>,
    processes: Option<u64>,
    disk: Option<Disk>,
}

struct Disk {
    folders: Vec<PathBuf>,
    most: u64,
    next: Instant,
}

impl Watch {
    /// A watch that begins now. The folders are what the program may change.
    #[must_use]
    pub fn new(limits: &Limits, folders: Vec<PathBuf>) -> Self {
        let disk = limits.disk.map(|growth| {
            let most = size_of(&folders).saturating_add(growth);
            Disk { folders, most, next: Instant::now() + LEAST_PAUSE }
        });
        Self { memory: limits.memory, processes: limits.processes, disk }
    }

    /// Whether there is anything to look at.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.memory.is_some() || self.processes.is_some() || self.disk.is_some()
    }

    /// The limit that is exceeded, if one is; `root`: the process whose descendants count, by its number in /proc.
    pub fn exceeded(&mut self, root: i32) -> Option<&'static str> {
        if self.memory.is_some() || self.processes.is_some() {
            let (mut memory, mut tasks) = (0_u64, 0_u64);
            for pid in processes::descendants(root) {
                let used = processes::usage(pid);
                memory = memory.saturating_add(used.memory);
                tasks = tasks.saturating_add(used.tasks);
            }
            if self.memory.is_some_and(|most| memory > most) {
                return Some("memory");
            }
            if self.processes.is_some_and(|most| tasks > most) {
                return Some("processes");
            }
        }
        let disk = self.disk.as_mut()?;
        let begun = Instant::now();
        if begun < disk.next {
            return None;
        }
        let used = size_of(&disk.folders);
        disk.next = Instant::now() + (begun.elapsed() * MEASURING).max(LEAST_PAUSE);
        (used > disk.most).then_some("disk")
    }
}

/// Bytes that folders take up on their disks; links are not followed, and what is seen twice counts once.
fn size_of(folders: &[PathBuf]) -> u64 {
    let mut seen = HashSet::new();
    let mut total = 0_u64;
    let mut left: Vec<PathBuf> = folders.to_vec();
    while let Some(path) = left.pop() {
        let Ok(about) = path.symlink_metadata() else { continue };
        if !seen.insert((about.dev(), about.ino())) {
            continue;
        }
        total = total.saturating_add(about.blocks().saturating_mul(512));
        if about.is_dir() {
            left.extend(fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::size_of;
    use std::fs;
    use std::io;

    #[test]
    fn what_is_seen_twice_counts_once() -> io::Result<()> {
        let base = std::env::temp_dir().join(format!("pyagent-size-{}", std::process::id()));
        fs::create_dir_all(base.join("inner"))?;
        fs::write(base.join("inner/file"), vec![1; 100_000])?;
        fs::hard_link(base.join("inner/file"), base.join("same"))?;
        let once = size_of(std::slice::from_ref(&base));
        assert!((100_000..200_000).contains(&once), "{once}");
        assert_eq!(size_of(&[base.clone(), base.join("inner")]), once);
        fs::remove_dir_all(base)
    }
}

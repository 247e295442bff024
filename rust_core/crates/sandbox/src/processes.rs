//! Processes as /proc shows them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, kill_process};

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory of its own: neither files nor what it shares with its parent's program text.
    pub memory: u64,
    /// Its threads; 0: it is gone.
    pub tasks: u64,
}

/// Every process below `root`, without itself.
#[must_use]
pub fn descendants(root: i32) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in all() {
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = HashSet::new();
    let mut front = vec![root];
    while let Some(next) = front.pop() {
        for child in children.get(&next).into_iter().flatten() {
            if found.insert(*child) {
                front.push(*child);
            }
        }
    }
    found
}

/// What a process uses now.
#[must_use]
pub fn usage(pid: i32) -> Usage {
    fs::read(format!("/proc/{pid}/status")).map(|status| usage_of(&status)).unwrap_or_default()
}

/// Threads that a user runs now.
#[must_use]
pub fn threads_of(user: u32) -> u64 {
    let own =
        all().into_iter().filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|about| about.uid() == user));
    own.map(|pid| fs::metadata(format!("/proc/{pid}/task")).map_or(0, |about| about.nlink().saturating_sub(2))).sum()
}

/// Stop and kill everything below `root` until nothing is left. Gives up on what may not be signalled.
pub fn kill_below(root: i32, mut reap: impl FnMut()) {
    loop {
        let mut stopped = HashSet::new();
        // Stopped processes cannot fork, so this comes to an end even against a fork bomb.
        loop {
            let fresh: Vec<i32> = descendants(root).difference(&stopped).copied().collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                signal(pid, Signal::STOP);
                stopped.insert(pid);
            }
        }
        let killed = stopped.iter().filter(|pid| signal(**pid, Signal::KILL)).count();
        reap();
        if killed == 0 {
            return;
        }
        std::thread::yield_now();
    }
}

/// Send a signal; whether there was somebody to get it.
pub fn signal(pid: i32, signal: Signal) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

fn all() -> Vec<i32> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    parent_in(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field after the command's name, which may itself hold blanks and parentheses.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn usage_of(status: &[u8]) -> Usage {
    let mut found = Usage::default();
    for line in String::from_utf8_lossy(status).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let number =
            || value.split_ascii_whitespace().next().and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0);
        match name {
            "RssAnon" | "RssShmem" => found.memory = found.memory.saturating_add(number().saturating_mul(1024)),
            "Threads" => found.tasks = number(),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Usage, parent_in, usage_of};
    use proptest::prelude::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent_in(b"42 (a) b) S 7 42 42 0"), Some(7));
        assert_eq!(parent_in(b"42 (a"), None);
    }

    #[test]
    fn memory_is_what_is_anonymous_or_shared() {
        let status = b"Name:\tx\nRssAnon:\t   12 kB\nRssFile:\t 99 kB\nRssShmem:\t 1 kB\nThreads:\t3\n";
        assert_eq!(usage_of(status), Usage { memory: 13 * 1024, tasks: 3 });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (parent_in(&bytes), usage_of(&bytes));
        }
    }
}

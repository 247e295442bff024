//! The declarative profile: what to run, and all that it may use.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::hosts::Host;

/// What happens where this machine cannot keep a program inside its profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is not run.
    #[default]
    Required,
    /// It runs with what the machine has; what is missing is said by name.
    Best,
    /// It runs with limits and under supervision, but free.
    Off,
}

/// What of the network a program sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Nothing: it can make sockets of the UNIX family only.
    #[default]
    None,
    /// A loopback interface of its own.
    Loopback,
    /// Such an interface, and on it a proxy that leads to the hosts of the profile.
    Hosts,
    /// All that this machine sees.
    All,
}

/// One means of the kernel's, by the name that messages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// User namespaces: rights over namespaces of one's own.
    User,
    /// Mount namespaces: a file tree of one's own.
    Mount,
    /// Process namespaces, with a /proc of one's own.
    Pid,
    /// Network namespaces.
    Net,
    /// Namespaces of System V and POSIX inter-process communication.
    Ipc,
    /// Landlock: rights over files that hold for all descendants.
    Landlock,
    /// Filters of system calls.
    Seccomp,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::User, Self::Mount, Self::Pid, Self::Net, Self::Ipc, Self::Landlock, Self::Seccomp];

    /// The name in profiles and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Ipc => "ipc",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// What a program may use up; `None`: no limit of ours. The first five hold for each of its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of address space, and of memory that is really used by all processes together.
    pub memory: Option<u64>,
    /// Seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Processes and threads; all together.
    pub processes: Option<u64>,
    /// Bytes of the largest file that it may write.
    pub file_size: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Bytes by which the writable folders may grow, together.
    pub disk: Option<u64>,
    /// How long it may run.
    pub wall: Option<Duration>,
}

/// What to run, and all that it may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The program and its arguments; never empty once read.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub cwd: Option<PathBuf>,
    /// What to do where the machine lacks what the profile needs.
    pub mode: Mode,
    /// Whether it sees the system's programs, libraries and public settings.
    pub system: bool,
    /// Files and folders that it may read and execute.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may also change; they must exist.
    pub write: Vec<PathBuf>,
    /// A writable folder that it also sees as /tmp.
    pub tmp: Option<PathBuf>,
    /// What of the network it sees.
    pub network: Network,
    /// The hosts that it may reach, with `Network::Hosts`.
    pub hosts: Vec<Host>,
    /// Files and folders that it never sees, wherever they lie.
    pub hide: Vec<PathBuf>,
    /// What it may use up.
    pub limits: Limits,
    /// Mechanisms taken for absent: how tests look at machines that lack them.
    pub without: BTreeSet<Mechanism>,
}

/// A profile that cannot be read, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError(pub String);

impl fmt::Display for ProfileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// Read `key=value` entries, each ended by a NUL; `argv`, `env`, `read`, `write`, `hide`, `host` and
    /// `without` may come often.
    ///
    /// # Errors
    /// An unknown key or value, an entry without `=`, a relative path, no program.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        let mut found = Self::default();
        let entries = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        for entry in entries.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let (key, value) = split(entry, b'=').ok_or_else(|| wrong("entry", entry))?;
            found.set(key, value)?;
        }
        found.check()?;
        Ok(found)
    }

    /// Whether its parts fit each other.
    ///
    /// # Errors
    /// No program, or hosts beside another network.
    pub fn check(&self) -> Result<(), ProfileError> {
        if self.argv.is_empty() {
            return Err(ProfileError("no program is named".to_owned()));
        }
        if (self.network == Network::Hosts) == self.hosts.is_empty() {
            return Err(ProfileError("hosts are named beside another network, or none are".to_owned()));
        }
        Ok(())
    }

    /// Set one entry, as `parse` reads it.
    ///
    /// # Errors
    /// As `parse`.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), ProfileError> {
        match key {
            b"argv" => self.argv.push(text(value)),
            b"env" => {
                let (name, content) =
                    split(value, b'=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| wrong("env", value))?;
                self.env.push((text(name), text(content)));
            }
            b"cwd" => self.cwd = Some(path(value)?),
            b"mode" => {
                self.mode = match value {
                    b"required" => Mode::Required,
                    b"best" => Mode::Best,
                    b"off" => Mode::Off,
                    _ => return Err(wrong("mode", value)),
                }
            }
            b"system" => self.system = value == b"1",
            b"read" => self.read.push(path(value)?),
            b"write" => self.write.push(path(value)?),
            b"tmp" => self.tmp = Some(path(value)?),
            b"hide" => self.hide.push(path(value)?),
            b"host" => {
                let host = std::str::from_utf8(value).ok().and_then(Host::parse);
                self.hosts.push(host.ok_or_else(|| wrong("host", value))?);
            }
            b"network" => {
                self.network = match value {
                    b"none" => Network::None,
                    b"loopback" => Network::Loopback,
                    b"hosts" => Network::Hosts,
                    b"all" => Network::All,
                    _ => return Err(wrong("network", value)),
                }
            }
            b"memory" => self.limits.memory = Some(number(value)?),
            b"cpu_seconds" => self.limits.cpu_seconds = Some(number(value)?),
            b"processes" => self.limits.processes = Some(number(value)?),
            b"file_size" => self.limits.file_size = Some(number(value)?),
            b"open_files" => self.limits.open_files = Some(number(value)?),
            b"disk" => self.limits.disk = Some(number(value)?),
            b"wall_ms" => self.limits.wall = Some(Duration::from_millis(number(value)?)),
            b"without" => {
                let named = Mechanism::ALL.into_iter().find(|each| each.name().as_bytes() == value);
                self.without.insert(named.ok_or_else(|| wrong("without", value))?);
            }
            _ => return Err(wrong("key", key)),
        }
        Ok(())
    }

    /// The profile as `parse` reads it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |key: &str, value: &[u8]| {
            out.extend_from_slice(key.as_bytes());
            out.push(b'=');
            out.extend_from_slice(value);
            out.push(0);
        };
        for argument in &self.argv {
            put("argv", argument.as_bytes());
        }
        for (name, value) in &self.env {
            put("env", &[name.as_bytes(), b"=", value.as_bytes()].concat());
        }
        let one = |found: &Option<PathBuf>| found.as_deref().map(Path::as_os_str).map(OsStr::to_owned);
        for (key, value) in [("cwd", one(&self.cwd)), ("tmp", one(&self.tmp))] {
            if let Some(value) = value {
                put(key, value.as_bytes());
            }
        }
        for (key, paths) in [("read", &self.read), ("write", &self.write), ("hide", &self.hide)] {
            for path in paths {
                put(key, path.as_os_str().as_bytes());
            }
        }
        put(
            "mode",
            match self.mode {
                Mode::Required => b"required",
                Mode::Best => b"best",
                Mode::Off => b"off",
            },
        );
        put(
            "network",
            match self.network {
                Network::None => b"none",
                Network::Loopback => b"loopback",
                Network::Hosts => b"hosts",
                Network::All => b"all",
            },
        );
        for host in &self.hosts {
            put("host", host.to_string().as_bytes());
        }
        put("system", if self.system { b"1" } else { b"0" });
        let limits = &self.limits;
        for (key, value) in [
            ("memory", limits.memory),
            ("cpu_seconds", limits.cpu_seconds),
            ("processes", limits.processes),
            ("file_size", limits.file_size),
            ("open_files", limits.open_files),
            ("disk", limits.disk),
            ("wall_ms", limits.wall.map(|wall| u64::try_from(wall.as_millis()).unwrap_or(u64::MAX))),
        ] {
            if let Some(value) = value {
                put(key, value.to_string().as_bytes());
            }
        }
        for mechanism in &self.without {
            put("without", mechanism.name().as_bytes());
        }
        out
    }
}

fn split(entry: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = entry.iter().position(|byte| *byte == at)?;
    Some((&entry[..place], &entry[place + 1..]))
}

fn text(value: &[u8]) -> OsString {
    OsString::from_vec(value.to_vec())
}

fn path(value: &[u8]) -> Result<PathBuf, ProfileError> {
    let found = PathBuf::from(text(value));
    if found.is_absolute() { Ok(found) } else { Err(wrong("path (it must be absolute)", value)) }
}

fn number(value: &[u8]) -> Result<u64, ProfileError> {
    let digits = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    digits.ok_or_else(|| wrong("number", value))
}

fn wrong(what: &str, value: &[u8]) -> ProfileError {
    let shown: String = String::from_utf8_lossy(value).chars().take(80).collect();
    ProfileError(format!("the profile has a wrong {what}: {shown:?}"))
}

#[cfg(test)]
mod tests {
    use super::{Limits, Mechanism, Mode, Network, Profile};
    use crate::hosts::Host;
    use proptest::prelude::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;
    use std::time::Duration;

    fn text() -> impl Strategy<Value = OsString> {
        proptest::collection::vec(1_u8.., 0..20).prop_map(OsString::from_vec)
    }

    fn name() -> impl Strategy<Value = OsString> {
        "[A-Z_]{1,8}".prop_map(OsString::from)
    }

    fn place() -> impl Strategy<Value = PathBuf> {
        text().prop_map(|text| PathBuf::from(OsString::from_vec([b"/".to_vec(), text.into_vec()].concat())))
    }

    prop_compose! {
        fn profile()(
            argv in proptest::collection::vec(text(), 1..4),
            env in proptest::collection::vec((name(), text()), 0..4),
            cwd in proptest::option::of(place()),
            tmp in proptest::option::of(place()),
            read in proptest::collection::vec(place(), 0..4),
            write in proptest::collection::vec(place(), 0..4),
            mode in prop_oneof![Just(Mode::Required), Just(Mode::Best), Just(Mode::Off)],
            network in prop_oneof![Just(Network::None), Just(Network::Loopback), Just(Network::Hosts), Just(Network::All)],
            names in proptest::collection::vec("[a-z]{1,9}(:[1-9][0-9]{0,3})?", 1..4),
            hide in proptest::collection::vec(place(), 0..3),
            numbers in proptest::collection::vec(proptest::option::of(any::<u32>()), 7),
            without in proptest::collection::btree_set(proptest::sample::select(&Mechanism::ALL[..]), 0..4),
            system in any::<bool>(),
        ) -> Profile {
            let at = |index: usize| numbers.get(index).copied().flatten().map(u64::from);
            let limits = Limits {
                memory: at(0), cpu_seconds: at(1), processes: at(2), file_size: at(3), open_files: at(4), disk: at(5),
                wall: at(6).map(Duration::from_millis),
            };
            let hosts = names.iter().filter_map(|name| Host::parse(name)).filter(|_| network == Network::Hosts).collect();
            Profile { argv, env, cwd, mode, system, read, write, tmp, network, hosts, hide, limits, without }
        }
    }

    proptest! {
        #[test]
        fn every_profile_comes_back_from_its_bytes(profile in profile()) {
            prop_assert_eq!(Profile::parse(&profile.to_bytes()), Ok(profile));
        }

        #[test]
        fn any_bytes_are_a_profile_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Profile::parse(&bytes);
        }

        #[test]
        fn a_damaged_profile_opens_no_relative_place(profile in profile(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = profile.to_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(found) = Profile::parse(&bytes) {
                prop_assert!(!found.argv.is_empty());
                prop_assert!(found.read.iter().chain(&found.write).all(|path| path.is_absolute()));
            }
        }
    }

    #[test]
    fn a_profile_without_a_program_or_with_an_unknown_key_is_refused() {
        for bytes in [
            &b""[..],
            b"read=/usr\0",
            b"argv=ls\0colour=red\0",
            b"argv=ls\0read=usr\0",
            b"argv=ls\0memory=-1\0",
            b"argv=ls\0network=hosts\0",
            b"argv=ls\0host=a.test\0",
            b"argv=ls\0network=all\0host=a.test\0",
            b"argv=ls\0network=hosts\0host=*\0",
        ] {
            assert!(Profile::parse(bytes).is_err());
        }
    }
}

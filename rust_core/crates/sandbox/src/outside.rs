//! The supervisor: it stands between whoever asked and the program, and ends with nothing of it left.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, kill_process, pidfd_open, set_child_subreaper, wait, waitpid,
};

use crate::channel::{Message, Streams, send_profile};
use crate::inside::Outer;
use crate::profile::{Mechanism, Mode, Network, Profile};
use crate::{namespaces, processes};

/// Who is told, and may ask for the end.
pub trait Client {
    /// Take a message; `more`: members of its JSON.
    fn tell(&mut self, message: &Message, more: &str);
    /// Where it speaks, if it does.
    fn channel(&self) -> Option<&UnixStream>;
    /// What it says now: the program is to end within this time, or, `None`, at once.
    fn listen(&mut self) -> Option<Duration>;
}

/// Run a profile's program to its end. When the client or the parent process is gone, it is killed at once.
///
/// # Errors
/// The system's; nothing of the program is left then either.
pub fn run(profile: &Profile, streams: Streams, client: &mut dyn Client) -> io::Result<()> {
    let parent = getppid();
    let watched = parent.and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
    set_child_subreaper(Some(getpid()))?;
    // Before the namespaces: it stays outside of them.
    let proxy =
        if profile.network == Network::Hosts && profile.mode != Mode::Off { Some(Proxy::start()?) } else { None };
    let outer = if profile.mode == Mode::Off {
        Outer::default()
    } else {
        match namespaces::enter_outer(&profile.without) {
            Ok((held, reasons)) => Outer { held, reasons },
            Err(reason) => {
                client.tell(&Message::Refused(vec![reason]), "");
                return Ok(());
            }
        }
    };
    let alone = outer.held.contains(&Mechanism::Pid);
    let (mut channel, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("inside").args(told(&outer)).env_clear();
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(channel) = proxy.as_ref().map(|proxy| proxy.channel.try_clone()) {
        command.stdout(Stdio::from(OwnedFd::from(channel?)));
    }
    let child = command.spawn()?;
    drop(command);
    let first = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)).ok_or_else(|| io::Error::other("no process"))?;
    let sent = send_profile(&mut channel, &profile.to_bytes(), &streams);
    drop(streams);
    let mut supervisor = Supervisor { channel, first, received: Vec::new(), ended: None, deadline: None };
    if sent.is_ok() {
        let wall = profile.limits.wall.map(|wall| Instant::now() + wall);
        supervisor.attend(client, parent, watched.as_ref(), wall);
    }
    let _ = kill_process(first, Signal::KILL);
    let _ = waitpid(Some(first), WaitOptions::empty());
    if !alone {
        processes::kill_below(getpid().as_raw_nonzero().get(), || while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {});
    }
    let used = used();
    drop(proxy);
    if let Some(message) = supervisor.ended {
        client.tell(&message, &used);
    }
    Ok(())
}

/// The process that connects to the allowed hosts; it ends with this value.
struct Proxy {
    channel: UnixStream,
    process: Child,
}

impl Proxy {
    fn start() -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("proxy").env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { channel, process })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have been found among the descendants, and be gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Supervisor {
    channel: UnixStream,
    first: Pid,
    received: Vec<u8>,
    /// What is to be said when nothing is left.
    ended: Option<Message>,
    deadline: Option<Instant>,
}

impl Supervisor {
    /// Return when the program has ended or must not go on.
    fn attend(
        &mut self,
        client: &mut dyn Client,
        parent: Option<Pid>,
        watched: Option<&OwnedFd>,
        wall: Option<Instant>,
    ) {
        let mut started = false;
        loop {
            let until = [self.deadline, wall].into_iter().flatten().min();
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                let exceeded = if self.deadline.is_none() { "wall" } else { "" };
                self.ended = started.then(|| Message::Exited { code: -libc::SIGKILL, exceeded: exceeded.to_owned() });
                return;
            }
            let pause = until.and_then(|until| Timespec::try_from(until - now).ok());
            let (mut asks, mut gone) = (false, false);
            {
                let mut events = vec![PollFd::new(&self.channel, PollFlags::IN)];
                events.extend(watched.map(|parent| PollFd::new(parent, PollFlags::IN)));
                events.extend(client.channel().map(|channel| PollFd::new(channel, PollFlags::IN)));
                let _ = poll(&mut events, pause.as_ref());
                gone |= watched.is_some() && !events[1].revents().is_empty();
                if client.channel().is_some() {
                    asks = events.last().is_some_and(|event| !event.revents().is_empty());
                }
                if events[0].revents().is_empty() && !asks && !gone && getppid() == parent {
                    continue;
                }
            }
            if gone || getppid() != parent {
                return;
            }
            if asks {
                match client.listen() {
                    Some(grace) => {
                        self.deadline = Some(Instant::now() + grace);
                        let _ = self.channel.write_all(b"T");
                    }
                    None => return,
                }
            }
            if !self.hear(client, &mut started) {
                return;
            }
        }
    }

    /// Take what came from inside; false when nothing more will.
    fn hear(&mut self, client: &mut dyn Client, started: &mut bool) -> bool {
        let mut events = [PollFd::new(&self.channel, PollFlags::IN)];
        if poll(&mut events, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap_or(0) == 0 {
            return true;
        }
        let mut chunk = [0; 4096];
        let count = self.channel.read(&mut chunk).unwrap_or(0);
        self.received.extend_from_slice(&chunk[..count]);
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            match Message::from_line(String::from_utf8_lossy(&line).trim_end_matches('\n')) {
                Some(message @ Message::Started { .. }) => {
                    *started = true;
                    client.tell(&message, &format!("\"started\":{}", self.first.as_raw_nonzero()));
                }
                Some(message @ Message::Exited { .. }) => {
                    self.ended = Some(message);
                    return false;
                }
                Some(message) => {
                    client.tell(&message, "");
                    return false;
                }
                None => {}
            }
        }
        count > 0
    }
}

/// Processor time and memory of all that has ended, as members of JSON.
fn used() -> String {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return "\"cpu\":0,\"memory\":0".to_owned() };
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    format!("\"cpu\":{cpu:.6},\"memory\":{}", usage.max_rss().saturating_mul(1024))
}

fn told(outer: &Outer) -> Vec<String> {
    let held = outer.held.iter().map(|each| format!("+{}", each.name()));
    held.chain(outer.reasons.iter().map(|(each, reason)| format!("-{}={reason}", each.name()))).collect()
}

/// Read what the supervisor told the first process inside.
pub fn heard(arguments: impl Iterator<Item = String>) -> Outer {
    let mut outer = Outer::default();
    let named = |name: &str| Mechanism::ALL.into_iter().find(|each| each.name() == name);
    for argument in arguments {
        if let Some(mechanism) = argument.strip_prefix('+').and_then(named) {
            outer.held.insert(mechanism);
        }
        let refused = argument.strip_prefix('-').and_then(|rest| rest.split_once('='));
        if let Some((mechanism, reason)) = refused.and_then(|(name, reason)| Some((named(name)?, reason))) {
            outer.reasons.insert(mechanism, reason.to_owned());
        }
    }
    outer
}

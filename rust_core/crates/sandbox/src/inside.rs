//! The first process inside: it makes the program's world, locks itself and what follows into it, and runs it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal as NixSignal, kill};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getuid, pidfd_open, set_child_subreaper,
    set_parent_process_death_signal, setsid, wait,
};

use crate::channel::{Message, Streams, receive_profile, send_with};
use crate::limits::{self, LOOK, Watch};
use crate::namespaces::{self, Reasons};
use crate::places::Places;
use crate::profile::{Mechanism, Mode, Network, Profile};
use crate::tree::{self, TreeError, TreeOptions};
use crate::{calls, files, hosts, plan, processes};

/// How long a process that was left behind may stay a zombie.
const IDLE: Duration = Duration::from_millis(500);
const SHARED_MEMORY: u64 = 64 << 20;
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// What the supervisor entered before it started this process.
#[derive(Clone, Debug, Default)]
pub struct Outer {
    /// The mechanisms in force.
    pub held: BTreeSet<Mechanism>,
    /// Why others are not.
    pub reasons: Reasons,
}

/// Take the profile from the channel, run it, and say how it went.
///
/// # Errors
/// The supervisor is gone, or the system's.
pub fn run(mut channel: UnixStream, outer: Outer) -> io::Result<()> {
    let _ = setsid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (bytes, streams) = receive_profile(&mut channel)?;
    let profile = Profile::parse(&bytes).map_err(io::Error::other)?;
    let message = match prepare(&profile, outer) {
        Ok(ready) => return attend(channel, &profile, streams, ready),
        Err(message) => message,
    };
    channel.write_all(message.to_line().as_bytes())
}

struct Ready {
    held: BTreeSet<Mechanism>,
    missing: Vec<String>,
    watch: Watch,
    /// The port of the proxy on its loopback.
    proxy: Option<u16>,
}

fn prepare(profile: &Profile, outer: Outer) -> Result<Ready, Message> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Message::Failed {
        errno: libc::EPERM,
        message: format!("{what}: {error}"),
    };
    let folders: Vec<_> = profile.write.iter().chain(&profile.tmp).cloned().collect();
    if profile.mode == Mode::Off {
        limits::apply(&profile.limits, processes::threads_of(getuid().as_raw()))
            .map_err(|error| failed("the limits cannot be set", &error))?;
        return Ok(Ready {
            held: BTreeSet::new(),
            missing: Vec::new(),
            watch: Watch::new(&profile.limits, folders),
            proxy: None,
        });
    }
    let places = Places::find(profile).map_err(|message| Message::Failed { errno: libc::ENOENT, message })?;
    let user = outer.held.contains(&Mechanism::User);
    let beside = if user && limits::counts_by_namespace() || profile.limits.processes.is_none() {
        1
    } else {
        processes::threads_of(getuid().as_raw())
    };
    let Outer { mut held, mut reasons } = outer;
    let (inner, more) = namespaces::enter_inner(profile.network, &profile.without);
    held.extend(inner);
    reasons.extend(more);
    if held.contains(&Mechanism::Mount) {
        let options = TreeOptions {
            with_processes: held.contains(&Mechanism::Pid),
            shared_memory: profile.limits.memory.unwrap_or(SHARED_MEMORY).min(SHARED_MEMORY),
            most_processes: profile.limits.processes,
        };
        match tree::enter(&places, &options) {
            Ok(()) => {}
            Err(TreeError::Refused(error)) => {
                held.remove(&Mechanism::Mount);
                reasons.insert(Mechanism::Mount, error.to_string());
            }
            Err(TreeError::Broken(what)) => return Err(failed("the program's file tree cannot be made", &what)),
        }
    }
    if !held.contains(&Mechanism::Mount) && held.remove(&Mechanism::Pid) {
        // Its /proc would show everybody's processes.
        reasons.insert(Mechanism::Pid, "no mount namespace for its /proc".to_owned());
    }
    if held.contains(&Mechanism::Net) {
        namespaces::loopback_up().map_err(|error| failed("loopback cannot be switched on", &error))?;
    }
    let proxy = if profile.network == Network::Hosts && held.contains(&Mechanism::Net) {
        Some(listen(profile).map_err(|error| failed("the way to its hosts cannot be made", &error))?)
    } else {
        None
    };
    namespaces::drop_rights(user).map_err(|error| failed("rights cannot be given up", &error))?;
    let watch = Watch::new(&profile.limits, folders);
    restrict(profile, &places, &mut held, &mut reasons);
    let mut missing = plan::missing(&held, &reasons, profile.network);
    if !held.contains(&Mechanism::Mount) && !places.masks.is_empty() {
        missing.push("what is hidden in the places it sees: mount".to_owned());
    }
    if profile.mode == Mode::Required && !missing.is_empty() {
        return Err(Message::Refused(missing));
    }
    limits::apply(&profile.limits, beside).map_err(|error| failed("the limits cannot be set", &error))?;
    Ok(Ready { held, missing, watch, proxy })
}

/// Listen on the loopback of the program's network, and hand the listener to the proxy, which is outside. Gives the port.
fn listen(profile: &Profile) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut channel = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    let list = profile.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\0");
    send_with(&mut channel, list.as_bytes(), &[listener.as_fd()])?;
    Ok(listener.local_addr()?.port())
}

/// What tells a program's libraries of the proxy. Its own loopback they reach themselves.
fn proxy_variables(profile: &Profile, port: u16) -> Vec<(&'static str, String)> {
    let address = format!("http://127.0.0.1:{port}");
    let own = hosts::own(&profile.hosts).join(",");
    let mut found: Vec<_> = PROXY_VARIABLES.into_iter().map(|name| (name, address.clone())).collect();
    found.extend(["NO_PROXY", "no_proxy"].map(|name| (name, own.clone())));
    // Node looks at the variables only where this says so (from 22.21 and 24.5 on).
    found.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    found
}

fn restrict(profile: &Profile, places: &Places, held: &mut BTreeSet<Mechanism>, reasons: &mut Reasons) {
    let network = profile.network != Network::None;
    let tree = held.contains(&Mechanism::Mount);
    let landlock = if profile.without.contains(&Mechanism::Landlock) {
        Err("taken for absent".to_owned())
    } else {
        files::restrict(places, tree, network)
            .and_then(|version| version.ok_or_else(|| "this kernel's version is too old".to_owned()))
    };
    let seccomp = if profile.without.contains(&Mechanism::Seccomp) {
        Err("taken for absent".to_owned())
    } else {
        calls::restrict(profile.network)
    };
    for (mechanism, outcome) in [(Mechanism::Landlock, landlock.map(drop)), (Mechanism::Seccomp, seccomp)] {
        match outcome {
            Ok(()) => {
                held.insert(mechanism);
            }
            Err(reason) => {
                reasons.insert(mechanism, reason);
            }
        }
    }
    // Landlock and the filters say it too; without both it must still hold.
    let _ = rustix::thread::set_no_new_privs(true);
}

/// Run the program to its end, or to that of the supervisor's patience.
fn attend(mut channel: UnixStream, profile: &Profile, streams: Streams, mut ready: Ready) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    let program = match spawn(profile, streams, ready.proxy) {
        Ok(program) => program,
        Err(message) => return channel.write_all(message.to_line().as_bytes()),
    };
    let held = ready.held.iter().map(|each| each.name().to_owned()).collect();
    let started = Message::Started { held, missing: std::mem::take(&mut ready.missing) };
    channel.write_all(started.to_line().as_bytes())?;
    let alone = ready.held.contains(&Mechanism::Pid);
    let end = pidfd_open(program, PidfdFlags::empty())?;
    let own = own_number(alone);
    let pause = if ready.watch.is_needed() { LOOK } else { IDLE };
    let pause = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
    let mut code = None;
    let mut exceeded = "";
    while code.is_none() && exceeded.is_empty() {
        let mut events = [PollFd::new(&channel, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        let _ = poll(&mut events, Some(&pause));
        if !events[0].revents().is_empty() {
            if channel.read(&mut [0; 16]).map_or(true, |count| count == 0) {
                return Ok(()); // the supervisor is gone: all that is inside goes too
            }
            end_gently(alone, own);
        }
        reap(program, &mut code);
        if code.is_none() {
            exceeded = own.and_then(|own| ready.watch.exceeded(own)).unwrap_or("");
        }
    }
    if !alone {
        processes::kill_below(getpid().as_raw_nonzero().get(), || reap(program, &mut code));
    }
    let code = code.unwrap_or(-libc::SIGKILL);
    channel.write_all(Message::Exited { code, exceeded: exceeded.to_owned() }.to_line().as_bytes())
}

fn spawn(profile: &Profile, [stdin, stdout, stderr]: Streams, proxy: Option<u16>) -> Result<Pid, Message> {
    let failed = |error: &io::Error, what: String| Message::Failed {
        errno: error.raw_os_error().unwrap_or(libc::EINVAL),
        message: what,
    };
    let mut arguments = profile.argv.iter();
    let Some(name) = arguments.next() else {
        return Err(Message::Failed { errno: libc::EINVAL, message: String::new() });
    };
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs(profile.env.iter().map(|(name, value)| (name, value)));
    command.envs(proxy.into_iter().flat_map(|port| proxy_variables(profile, port)));
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr)).process_group(0);
    if let Some(folder) = &profile.cwd {
        if let Err(error) = fs::metadata(folder) {
            return Err(failed(
                &error,
                format!("its folder {} is not among what it may see: {error}", folder.display()),
            ));
        }
        command.current_dir(folder);
    }
    // The streams belong to the program alone: were they open here, their readers would never see the end.
    let started = command.spawn();
    drop(command);
    let child = started.map_err(|error| failed(&error, error.to_string()))?;
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(0))
        .ok_or(Message::Failed { errno: libc::ESRCH, message: String::new() })
}

/// Its own number as /proc shows it; `None`: there is no /proc.
fn own_number(alone: bool) -> Option<i32> {
    if alone {
        return Path::new("/proc/1").exists().then_some(1);
    }
    fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

fn end_gently(alone: bool, own: Option<i32>) {
    if alone {
        // All others of the namespace, whatever their numbers are in /proc.
        let _ = kill(nix::unistd::Pid::from_raw(-1), NixSignal::SIGTERM);
        return;
    }
    for pid in own.map(processes::descendants).into_iter().flatten() {
        processes::signal(pid, Signal::TERM);
    }
}

/// Collect every child that has ended, adopted ones too.
fn reap(program: Pid, code: &mut Option<i32>) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == program {
            let signal = status.terminating_signal().map(|signal| -signal);
            *code = signal.or_else(|| status.exit_status()).or(Some(-libc::SIGKILL));
        }
    }
}

//! Namespaces: a world of one's own for users, processes, mounts, network and shared memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use rustix::net::{AddressFamily, SendFlags, SocketType, send, socket_with};
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::profile::{Mechanism, Network};

/// Why a mechanism is not there, by mechanism.
pub type Reasons = BTreeMap<Mechanism, String>;

/// Rights that the first process of the namespaces needs to set them up.
const BUILDING: [CapabilitySet; 3] = [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN, CapabilitySet::SETPCAP];
/// Rights over files that root keeps in a user namespace: there they are over its own files alone.
const OF_ROOT: CapabilitySet =
    CapabilitySet::CHOWN.union(CapabilitySet::DAC_OVERRIDE).union(CapabilitySet::FOWNER).union(CapabilitySet::FSETID);

/// Enter a user namespace, and let the next child be the first of a process namespace. Gives what was entered.
///
/// Needs a process of one thread. Without user namespaces root's own rights do.
///
/// # Errors
/// The user namespace was entered and could not be set up: this process is of no more use.
pub fn enter_outer(without: &BTreeSet<Mechanism>) -> Result<(BTreeSet<Mechanism>, Reasons), String> {
    let mut held = BTreeSet::new();
    let mut reasons = Reasons::new();
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    match take(Mechanism::User, CloneFlags::CLONE_NEWUSER, without) {
        Ok(()) => {
            held.insert(Mechanism::User);
            let written = fs::write("/proc/self/setgroups", "deny")
                .and_then(|()| fs::write("/proc/self/uid_map", format!("{user} {user} 1")))
                .and_then(|()| fs::write("/proc/self/gid_map", format!("{group} {group} 1")));
            written.map_err(|error| format!("the user namespace cannot be set up: {error}"))?;
        }
        Err(reason) => {
            reasons.insert(Mechanism::User, reason);
        }
    }
    match take(Mechanism::Pid, CloneFlags::CLONE_NEWPID, without) {
        Ok(()) => {
            held.insert(Mechanism::Pid);
        }
        Err(reason) => {
            reasons.insert(Mechanism::Pid, reason);
        }
    }
    hand_on_rights().map_err(|error| format!("rights cannot be handed on: {error}"))?;
    Ok((held, reasons))
}

/// Enter the other namespaces; the network's only if the program is not to see this machine's.
pub fn enter_inner(network: Network, without: &BTreeSet<Mechanism>) -> (BTreeSet<Mechanism>, Reasons) {
    let mut held = BTreeSet::new();
    let mut reasons = Reasons::new();
    let mut wanted = vec![
        (Mechanism::Mount, CloneFlags::CLONE_NEWNS),
        (Mechanism::Ipc, CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS),
    ];
    if network != Network::All {
        wanted.push((Mechanism::Net, CloneFlags::CLONE_NEWNET));
    }
    for (mechanism, flag) in wanted {
        match take(mechanism, flag, without) {
            Ok(()) => {
                held.insert(mechanism);
            }
            Err(reason) => {
                reasons.insert(mechanism, reason);
            }
        }
    }
    (held, reasons)
}

/// Switch the network namespace's loopback interface on: one netlink message, RTM_NEWLINK with IFF_UP.
///
/// # Errors
/// What the kernel said.
pub fn loopback_up() -> io::Result<()> {
    const NEW_LINK: u16 = 16;
    const REQUEST: u16 = 1;
    const UP: u32 = 1;
    const LOOPBACK: i32 = 1;
    const LENGTH: u32 = 32;
    let mut message = Vec::with_capacity(32);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence, sender
    message.extend([0; 4]); // family, padding, type
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(UP.to_ne_bytes()); // flags
    message.extend(UP.to_ne_bytes()); // which of them change
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&socket, &message, SendFlags::empty())?;
    Ok(())
}

/// Give up all rights that are more than an ordinary user's, for ever.
///
/// # Errors
/// What the kernel said.
pub fn drop_rights(in_user_namespace: bool) -> io::Result<()> {
    let kept = if in_user_namespace && geteuid().is_root() { OF_ROOT } else { CapabilitySet::empty() };
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for each in CapabilitySet::all().difference(kept).iter() {
            // A kernel may know fewer than this list.
            let _ = remove_capability_from_bounding_set(each);
        }
    }
    clear_ambient_capability_set()?;
    let left = held.permitted & kept;
    set_capabilities(None, CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() })?;
    Ok(())
}

/// An exec by somebody other than root loses the rights of a fresh user namespace, unless they are ambient.
fn hand_on_rights() -> io::Result<()> {
    let held = capabilities(None)?;
    let wanted = BUILDING.into_iter().fold(CapabilitySet::empty(), |all, each| all | each);
    if geteuid().is_root() || !held.permitted.contains(wanted) {
        return Ok(());
    }
    set_capabilities(None, CapabilitySets { inheritable: held.inheritable | wanted, ..held })?;
    for each in BUILDING {
        configure_capability_in_ambient_set(each, true)?;
    }
    Ok(())
}

fn take(mechanism: Mechanism, flags: CloneFlags, without: &BTreeSet<Mechanism>) -> Result<(), String> {
    if without.contains(&mechanism) {
        return Err("taken for absent".to_owned());
    }
    unshare(flags).map_err(|error| error.desc().to_owned())
}

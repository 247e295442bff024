//! System calls that a program inside never gets: other processes' memory, mounts, namespaces, keys, the kernel.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, sock_filter,
};

use crate::profile::Network;

const DENIED: [c_long; 57] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_get_mempolicy,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: [c_long; 7] = [
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_modify_ldt,
    libc::SYS__sysctl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: [c_long; 0] = [];
/// Where a new namespace would give new rights.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];
/// Calls that give a file its mode, with the argument's place.
const MODES: [(c_long, u8); 4] =
    [(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (libc::SYS_fchmodat2, 2), (libc::SYS_mknodat, 2)];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: [(c_long, u8); 3] = [(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mknod, 1)];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: [(c_long, u8); 0] = [];
/// Calls that may make a file, with the place of their flags; the mode follows them.
const OPENS: [(c_long, u8); 1] = [(libc::SYS_openat, 2)];
#[cfg(target_arch = "x86_64")]
const OPENS_HERE: [(c_long, u8); 1] = [(libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS_HERE: [(c_long, u8); 0] = [];
/// The first number that this list knows nothing of (after Linux 6.17's `file_setattr`). Numbers from here on, those
/// of x86's other interfaces (0x4000_0000 and more) among them, do not exist for the program.
const UNKNOWN: u32 = 470;
/// ioctl requests that type into a terminal.
const TYPING: [u64; 2] = [libc::TIOCSTI, 0x541c];

/// Install the filters, for the caller and all its descendants; sets `no_new_privs`.
///
/// # Errors
/// What the kernel said, or that it is none of the processors that the filters know.
pub fn restrict(network: Network) -> Result<(), String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filters = [
        (rules(network).map_err(|error| error.to_string())?, libc::EPERM),
        // Their arguments lie in memory and cannot be looked at; libraries then use `clone` and `openat`.
        (BTreeMap::from([libc::SYS_clone3, libc::SYS_openat2].map(|number| (number, Vec::new()))), libc::ENOSYS),
    ];
    for (rules, error) in filters {
        let answer = SeccompAction::Errno(u32::try_from(error).unwrap_or(1));
        let program: seccompiler::BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)
            .and_then(TryInto::try_into)
            .map_err(|error: seccompiler::BackendError| error.to_string())?;
        apply_filter(&program).map_err(|error| error.to_string())?;
    }
    apply_filter(&only_known()).map_err(|error| error.to_string())
}

/// Classic BPF: load the number; `ENOSYS` from `UNKNOWN` on, else allow.
fn only_known() -> [sock_filter; 4] {
    const LOAD: u16 = 0x20;
    const AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    [
        sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: AT_LEAST, jt: 0, jf: 1, k: UNKNOWN },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ERRNO | libc::ENOSYS.unsigned_abs() },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ]
}

fn rules(network: Network) -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut found: BTreeMap<c_long, Vec<SeccompRule>> =
        DENIED.iter().chain(&DENIED_HERE).map(|number| (*number, Vec::new())).collect();
    let is = |index, operator, value| SeccompCondition::new(index, Length::Dword, operator, value);
    let mut namespaces = Vec::new();
    for flag in NAMESPACES.map(|flag| u64::from(flag.unsigned_abs())) {
        namespaces.push(SeccompRule::new(vec![is(0, Op::MaskedEq(flag), flag)?])?);
    }
    found.insert(libc::SYS_clone, namespaces);
    let mut typing = Vec::new();
    for request in TYPING {
        typing.push(SeccompRule::new(vec![is(1, Op::Eq, request)?])?);
    }
    found.insert(libc::SYS_ioctl, typing);
    let [unix, inet, inet6, netlink] =
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| u64::from(family.unsigned_abs()));
    let sockets = match network {
        Network::None => vec![SeccompRule::new(vec![is(0, Op::Ne, unix)?])?],
        Network::Loopback | Network::Hosts | Network::All => {
            let raw = u64::from(libc::SOCK_RAW.unsigned_abs());
            let others = [unix, inet, inet6, netlink].map(|family| is(0, Op::Ne, family));
            vec![
                SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)?,
                // Of netlink the routes alone: libraries ask it for this machine's addresses.
                SeccompRule::new(vec![is(0, Op::Eq, netlink)?, is(2, Op::Ne, 0)?])?,
                SeccompRule::new(vec![is(0, Op::Ne, netlink)?, is(1, Op::MaskedEq(0xf), raw)?])?,
            ]
        }
    };
    found.insert(libc::SYS_socket, sockets);
    found.extend(set_user_id()?);
    Ok(found)
}

/// Files that whoever runs them becomes another user by: made as root, they would be left behind for everybody.
fn set_user_id() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::BackendError> {
    let is = |index, operator, value| SeccompCondition::new(index, Length::Dword, operator, value);
    let bits = [libc::S_ISUID, libc::S_ISGID].map(u64::from);
    let creates = u64::from(libc::O_CREAT.unsigned_abs());
    let mut found: BTreeMap<c_long, Vec<SeccompRule>> = BTreeMap::new();
    for (number, mode) in MODES.into_iter().chain(MODES_HERE) {
        for bit in bits {
            found.entry(number).or_default().push(SeccompRule::new(vec![is(mode, Op::MaskedEq(bit), bit)?])?);
        }
    }
    for (number, flags) in OPENS.into_iter().chain(OPENS_HERE) {
        for bit in bits {
            let conditions = vec![is(flags, Op::MaskedEq(creates), creates)?, is(flags + 1, Op::MaskedEq(bit), bit)?];
            found.entry(number).or_default().push(SeccompRule::new(conditions)?);
        }
    }
    Ok(found)
}

//! Landlock: rights over files, TCP ports and signals that hold for the program and all its descendants.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::places::Places;

/// The newest set of rights that is asked for; the kernel gives what it knows.
const NEWEST: ABI = ABI::V7;
const DEVICES: [&str; 7] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];
/// The oldest that keeps contents: before it, files outside could be cut off.
const OLDEST: ABI = ABI::V3;

/// Take all rights over files but that to read the places, at their real paths. Nothing may be executed.
///
/// # Errors
/// What the kernel said.
pub fn read_only(places: &Places) -> Result<(), String> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let rules = places
        .places
        .iter()
        .map(|place| (place.source.as_path(), if place.folder { read } else { AccessFs::ReadFile.into() }));
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let made = ruleset.handle_access(AccessFs::from_all(NEWEST)).and_then(|set| set.scope(Scope::from_all(NEWEST)));
    let created = with_rules(made.and_then(Ruleset::create).map_err(|error| error.to_string())?, rules)?;
    created.restrict_self().map(drop).map_err(|error| error.to_string())
}

/// Take all rights but those over the places. Gives the version in force; `None`: the kernel has too little of it.
///
/// `tree`: whether the places are seen at their paths; `network`: whether TCP may be used.
///
/// # Errors
/// What the kernel said.
pub fn restrict(places: &Places, tree: bool, network: bool) -> Result<Option<i32>, String> {
    let read = AccessFs::from_read(NEWEST);
    let every = AccessFs::from_all(NEWEST);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut rules: Vec<(&Path, BitFlags<AccessFs>)> = vec![(Path::new("/proc"), read), (Path::new("/dev/shm"), every)];
    rules.extend(DEVICES.iter().map(|name| (Path::new(*name), device)));
    rules.push((Path::new("/dev/pts"), device | AccessFs::ReadDir));
    for place in places.places.iter().filter(|place| tree || place.source == place.path) {
        let rights = if place.writable { every } else { read };
        rules.push((&place.path, if place.folder { rights } else { rights & AccessFs::from_file(NEWEST) }));
    }
    if tree {
        // All names in the tree are the profile's; in the old one only those beneath a place may be listed.
        rules.push((Path::new("/"), AccessFs::ReadDir.into()));
    }
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let made = ruleset.handle_access(every).and_then(|set| set.scope(Scope::from_all(NEWEST)));
    let made = if network { made } else { made.and_then(|set| set.handle_access(AccessNet::from_all(NEWEST))) };
    let created = with_rules(made.and_then(Ruleset::create).map_err(|error| error.to_string())?, rules)?;
    let status = created.restrict_self().map_err(|error| error.to_string())?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. }
            if effective_abi >= OLDEST && status.ruleset != RulesetStatus::NotEnforced =>
        {
            Some(effective_abi as i32)
        }
        _ => None,
    })
}

fn with_rules<'a>(
    mut created: RulesetCreated,
    rules: impl IntoIterator<Item = (&'a Path, BitFlags<AccessFs>)>,
) -> Result<RulesetCreated, String> {
    for (path, rights) in rules {
        // What is not there needs no right.
        if let Ok(opened) = PathFd::new(path) {
            created = created.add_rule(PathBeneath::new(opened, rights)).map_err(|error| error.to_string())?;
        }
    }
    Ok(created)
}

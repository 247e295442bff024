//! Whether what a machine has keeps a program inside its profile.

use std::collections::BTreeSet;

use crate::namespaces::Reasons;
use crate::profile::{Mechanism, Network};

/// What is not kept, for people, each with the mechanism that is missing and why; empty: all is.
#[must_use]
pub fn missing(held: &BTreeSet<Mechanism>, reasons: &Reasons, network: Network) -> Vec<String> {
    let has = |mechanism| held.contains(&mechanism);
    let why = |mechanism: Mechanism| {
        let reason = reasons.get(&mechanism).map_or("not there", String::as_str);
        format!("{} ({reason})", mechanism.name())
    };
    let mut found = Vec::new();
    if !has(Mechanism::Mount) {
        let left = if has(Mechanism::Landlock) { "modes, times and names of files outside" } else { "files outside" };
        found.push(format!("{left}: {}", why(Mechanism::Mount)));
    }
    if !has(Mechanism::Pid) {
        found.push(format!("other processes: {}", why(Mechanism::Pid)));
    }
    if !has(Mechanism::Ipc) {
        found.push(format!("shared memory of others: {}", why(Mechanism::Ipc)));
    }
    if !has(Mechanism::Seccomp) {
        found.push(format!("dangerous system calls: {}", why(Mechanism::Seccomp)));
    }
    let net = match network {
        Network::None => has(Mechanism::Net) || has(Mechanism::Seccomp),
        Network::Loopback | Network::Hosts => has(Mechanism::Net),
        Network::All => true,
    };
    if !net {
        found.push(format!("the network: {}", why(Mechanism::Net)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::missing;
    use crate::namespaces::Reasons;
    use crate::profile::{Mechanism, Network};
    use std::collections::BTreeSet;

    fn without(absent: &[Mechanism]) -> BTreeSet<Mechanism> {
        Mechanism::ALL.into_iter().filter(|each| !absent.contains(each)).collect()
    }

    #[test]
    fn a_machine_with_all_mechanisms_lacks_nothing() {
        assert!(missing(&without(&[]), &Reasons::new(), Network::None).is_empty());
    }

    #[test]
    fn landlock_and_user_namespaces_are_not_the_only_way() {
        assert!(missing(&without(&[Mechanism::Landlock]), &Reasons::new(), Network::Loopback).is_empty());
        assert!(missing(&without(&[Mechanism::User]), &Reasons::new(), Network::None).is_empty());
    }

    #[test]
    fn no_network_is_kept_by_a_namespace_or_by_a_filter() {
        assert!(missing(&without(&[Mechanism::Net]), &Reasons::new(), Network::None).is_empty());
        assert_eq!(missing(&without(&[Mechanism::Net]), &Reasons::new(), Network::Loopback).len(), 1);
        assert_eq!(missing(&without(&[Mechanism::Net, Mechanism::Seccomp]), &Reasons::new(), Network::None).len(), 2);
        assert!(missing(&without(&[Mechanism::Net]), &Reasons::new(), Network::All).is_empty());
    }

    #[test]
    fn each_of_the_others_is_missed_with_its_reason() {
        for absent in [Mechanism::Mount, Mechanism::Pid, Mechanism::Ipc, Mechanism::Seccomp] {
            let reasons = Reasons::from([(absent, "no luck".to_owned())]);
            let found = missing(&without(&[absent]), &reasons, Network::All);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(&format!("{} (no luck)", absent.name())), "{found:?}");
        }
    }
}

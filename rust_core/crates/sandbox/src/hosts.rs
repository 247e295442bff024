//! The hosts that a program may reach: names, addresses and networks, each with its ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports of an entry that names none.
pub const WEB: [u16; 2] = [80, 443];
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// What is not of the public Internet (IANA's special-purpose registries, RFC 6890): address and length of the prefix.
const INSIDE_4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// The same of IPv6, by the first four groups.
const INSIDE_6: [([u16; 4], u8); 11] = [
    ([0x64, 0xff9b, 1, 0], 48),
    ([0x100, 0, 0, 0], 64),
    ([0x2001, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0], 32),
    ([0x3fff, 0, 0, 0], 20),
    ([0x5f00, 0, 0, 0], 16),
    ([0xfc00, 0, 0, 0], 7),
    ([0xfe80, 0, 0, 0], 10),
    ([0xfec0, 0, 0, 0], 10),
    ([0xff00, 0, 0, 0], 8),
    ([0, 0, 0, 0], 64),
];

/// What a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name, in small letters and without a dot at its end.
    Name(String),
    /// An address, as it was written.
    Address(IpAddr),
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    which: Which,
    /// The one port that is meant; `None`: those of the web.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Name(String),
    /// All names below this one.
    Below(String),
    Network(IpAddr, u8),
}

impl Target {
    /// Read a host as it stands in an address: a name, an IPv4 address, or an IPv6 one in brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|found| Self::Address(found.into()));
        }
        text.parse::<Ipv4Addr>().map_or_else(|_| name(text).map(Self::Name), |found| Some(Self::Address(found.into())))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

impl Host {
    /// Read an entry: `api.example.com`, `*.example.com`, `10.1.0.0/16`, each perhaps with `:port`; what of IPv6 has a
    /// port has brackets, `[fd00::/8]:5432`. `None`: it is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port_of(port)?)),
            _ => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let which = if let Some(below) = bare.strip_prefix("*.") {
            Which::Below(name(below)?)
        } else if let Some(network) = network(bare) {
            network
        } else {
            Which::Name(name(host)?)
        };
        Some(Self { which, port })
    }

    fn has(&self, port: u16) -> bool {
        self.port.map_or(WEB.contains(&port), |only| only == port)
    }

    fn names(&self, target: &str) -> bool {
        match &self.which {
            Which::Name(name) => name == target,
            Which::Below(name) => target.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.')),
            Which::Network(..) => false,
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        matches!(self.which, Which::Network(network, bits) if within(meant(address), network, bits))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.which, self.port) {
            (Which::Name(name), _) => write!(formatter, "{name}")?,
            (Which::Below(name), _) => write!(formatter, "*.{name}")?,
            (Which::Network(IpAddr::V6(address), bits), Some(_)) => write!(formatter, "[{address}/{bits}]")?,
            (Which::Network(address, bits), _) => write!(formatter, "{address}/{bits}")?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

/// Whether a program may ask for this at all. It must be known before a name is resolved: a question for a name is
/// itself a message to whoever answers for it.
#[must_use]
pub fn may_ask(hosts: &[Host], target: &Target, port: u16) -> bool {
    hosts.iter().filter(|host| host.has(port)).any(|host| match target {
        Target::Name(name) => host.names(name),
        Target::Address(address) => host.holds(*address),
    })
}

/// Whether it may be connected to this address, to which what it may ask for leads: those of the inside must be listed
/// as addresses. `localhost` is one by its name.
#[must_use]
pub fn may_reach(hosts: &[Host], target: &Target, address: IpAddr, port: u16) -> bool {
    let itself = matches!(target, Target::Name(name) if name == "localhost") && meant(address).is_loopback();
    itself || !is_inside(address) || hosts.iter().any(|host| host.has(port) && host.holds(address))
}

/// Those of this machine's own names and addresses that are not listed: what a program means by them is its own.
#[must_use]
pub fn own(hosts: &[Host]) -> Vec<&'static str> {
    let listed = |text: &str| {
        let target = text.parse().map_or_else(|_| Target::Name(text.to_owned()), Target::Address);
        hosts.iter().any(|host| match &target {
            Target::Name(name) => host.names(name),
            Target::Address(address) => host.holds(*address),
        })
    };
    ["localhost", "127.0.0.1", "::1"].into_iter().filter(|text| !listed(text)).collect()
}

/// Whether the address is not of the public Internet.
#[must_use]
pub fn is_inside(address: IpAddr) -> bool {
    let found = meant(address);
    let four = INSIDE_4.iter().map(|(network, bits)| (IpAddr::from(*network), *bits));
    let six = INSIDE_6.iter().map(|([a, b, c, d], bits)| (IpAddr::from([*a, *b, *c, *d, 0, 0, 0, 0]), *bits));
    four.chain(six).any(|(network, bits)| within(found, network, bits))
}

/// The IPv4 address that an IPv6 one stands for: mapped, NAT64, 6to4.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let [a, b, c, d, e, f, g, h] = six.segments();
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => four(g, h),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}

fn network(text: &str) -> Option<Which> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let Some(bits) = bits else {
        let single = meant(address);
        return Some(Which::Network(single, if single.is_ipv4() { 32 } else { 128 }));
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = digits(bits)?.parse().ok().filter(|bits| *bits <= longest)?;
    Some(Which::Network(address, bits))
}

/// A name of letters, digits, `-` and `_`, whose last part is no number: such names are read as addresses by some.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= LONGEST_LABEL && label.bytes().all(known)
    };
    let last = text.rsplit('.').next()?;
    let number = last.as_bytes().first().is_none_or(u8::is_ascii_digit);
    (text.len() <= LONGEST_NAME && text.split('.').all(fits) && !number).then(|| text.to_ascii_lowercase())
}

/// A port, written as people write it.
pub(crate) fn port_of(text: &str) -> Option<u16> {
    digits(text)?.parse().ok().filter(|port| *port > 0)
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{Host, Target, is_inside, may_ask, may_reach, own};
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn list(entries: &[&str]) -> Vec<Host> {
        entries.iter().filter_map(|entry| Host::parse(entry)).collect()
    }

    fn asks(entries: &[&str], host: &str, port: u16) -> bool {
        Target::parse(host).is_some_and(|target| may_ask(&list(entries), &target, port))
    }

    fn reaches(entries: &[&str], host: &str, address: &str, port: u16) -> bool {
        let target = Target::parse(host);
        let address: Option<IpAddr> = address.parse().ok();
        target.zip(address).is_some_and(|(target, address)| may_reach(&list(entries), &target, address, port))
    }

    #[test]
    fn an_entry_is_a_name_a_domain_an_address_or_a_network() {
        for text in [
            "api.example.com",
            "*.example.com",
            "127.0.0.1:8080",
            "10.0.0.0/8",
            "[::1]:80",
            "::1",
            "[fd00::/8]:5432",
            "localhost:1",
            "API.Example.COM.",
            "x_y-1.test",
        ] {
            assert!(Host::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "*",
            "*.",
            "a b",
            "a/b",
            "http://a",
            "a:0",
            "a:65536",
            "a:+1",
            "a:",
            ":80",
            "127.1",
            "0x7f.1",
            "1",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "a..b",
            "a*.com",
            "*.*.com",
            "ü.de",
            "[a]:1x",
            "a@b",
            "a.0x7f",
            "[1.2.3.4",
            "::1]",
            "a\r\nb",
        ] {
            assert!(Host::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_name_stands_for_itself_and_a_star_for_all_below() {
        assert!(asks(&["api.example.com"], "API.example.com.", 443));
        assert!(asks(&["api.example.com"], "api.example.com", 80));
        for other in
            ["example.com", "x.api.example.com", "api.example.com.evil.test", "93.184.216.34", "xapi.example.com"]
        {
            assert!(!asks(&["api.example.com"], other, 443), "{other}");
        }
        assert!(asks(&["*.example.com"], "a.b.example.com", 443));
        assert!(!asks(&["*.example.com"], "example.com", 443));
        assert!(!asks(&["*.example.com"], "evilexample.com", 443));
    }

    #[test]
    fn without_a_port_the_webs_are_meant_and_with_one_it_alone() {
        for port in [22, 25, 8080, 65535] {
            assert!(!asks(&["example.com", "other.test:22"], "example.com", port));
        }
        assert!(asks(&["example.com:8080"], "example.com", 8080));
        assert!(!asks(&["example.com:8080"], "example.com", 443));
    }

    #[test]
    fn an_address_of_the_inside_must_be_listed_as_one() {
        for inside in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0"] {
            assert!(!reaches(&["rebound.test"], "rebound.test", inside, 80), "{inside}");
        }
        assert!(reaches(&["rebound.test"], "rebound.test", "93.184.216.34", 80));
        assert!(reaches(&["office.test", "10.0.0.0/8"], "office.test", "10.1.2.3", 443));
        assert!(!reaches(&["office.test", "10.0.0.0/8:22"], "office.test", "10.1.2.3", 443));
        assert!(reaches(&["localhost:81"], "localhost", "127.0.0.1", 81));
        assert!(!reaches(&["localhost:81"], "localhost", "10.0.0.1", 81));
    }

    #[test]
    fn addresses_that_stand_for_others_are_those() {
        for inside in ["64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1", "::7f00:1", "ff02::1", "2001:db8::1"] {
            assert!(inside.parse().is_ok_and(is_inside), "{inside}");
        }
        for outside in ["2606:4700::1", "64:ff9b::0808:0808", "2002:0808:0808::1", "8.8.8.8"] {
            assert!(outside.parse().is_ok_and(|address| !is_inside(address)), "{outside}");
        }
    }

    #[test]
    fn what_is_not_listed_of_the_loopback_is_the_programs_own() {
        assert_eq!(own(&list(&["example.com"])), ["localhost", "127.0.0.1", "::1"]);
        assert_eq!(own(&list(&["127.0.0.1:8080", "localhost:1"])), ["::1"]);
    }

    proptest! {
        #[test]
        fn every_entry_comes_back_from_its_text(
            text in prop_oneof![
                "(\\*\\.)?[a-z][a-z0-9-]{0,5}(\\.[a-z][a-z0-9]{0,3}){0,2}(:[1-9][0-9]{0,3})?",
                "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(/[0-9]{1,2})?(:[1-9][0-9]{0,3})?",
                "\\[[0-9a-f]{1,4}::[0-9a-f]{1,4}(/[0-9]{1,3})?\\](:[1-9][0-9]{0,3})?",
            ]
        ) {
            if let Some(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Some(host));
            }
        }

        #[test]
        fn any_text_is_an_entry_or_none(text in ".{0,60}") {
            let _ = (Host::parse(&text), Target::parse(&text));
        }

        #[test]
        fn what_is_not_named_is_not_asked_for(host in "[a-z]{1,8}\\.(com|test)", port in any::<u16>()) {
            prop_assume!(host != "example.com");
            prop_assert!(!asks(&["example.com", "*.example.com", "10.0.0.0/8"], &host, port));
        }
    }
}

//! The head of one request to the proxy: read strictly, and written anew, so that nothing is understood in two ways.

use crate::hosts::{Target, port_of};

/// The longest head.
pub const LONGEST: usize = 32 << 10;
const WEB: u16 = 80;
/// Fields that concern one connection; those that `Connection` names are added.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// What is to be connected to, and what is sent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The host.
    pub target: Target,
    /// Its port.
    pub port: u16,
    /// The head for the host; `None`: a tunnel is asked for.
    pub head: Option<Vec<u8>>,
    /// Bytes that follow the head.
    pub body: u64,
}

/// Why a request is not done: an HTTP status and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub u16, pub String);

impl Request {
    /// Read a head, with the empty line at its end.
    ///
    /// # Errors
    /// What is no head, has a body of unknown length, or is no request to a proxy.
    pub fn parse(head: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(head).ok().and_then(|text| text.strip_suffix("\r\n\r\n"));
        let mut lines = text.ok_or_else(|| bad("the head of the request is not text"))?.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let mut words = first.split(' ');
        let (Some(method), Some(asked), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad("the first line is no request"));
        };
        if !is_token(method) || !asked.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("the first line is no request"));
        }
        let fields = lines.map(field).collect::<Option<Vec<_>>>().ok_or_else(|| bad("a line is no header field"))?;
        let body = length(&fields)?;
        if method == "CONNECT" {
            let (host, port) = asked.rsplit_once(':').ok_or_else(|| bad("CONNECT needs a host and a port"))?;
            let target = Target::parse(host).ok_or_else(|| bad("the host is neither a name nor an address"))?;
            let port = port_of(port).ok_or_else(|| bad("CONNECT needs a host and a port"))?;
            return if body == 0 {
                Ok(Self { target, port, head: None, body })
            } else {
                Err(bad("CONNECT has no body"))
            };
        }
        let (target, port, path) = address(asked)?;
        Ok(Self { head: Some(written(method, &target, port, path, &fields)), target, port, body })
    }
}

fn address(asked: &str) -> Result<(Target, u16, String), Refusal> {
    let scheme = asked.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    if scheme.is_none() {
        return Err(bad("this is a proxy: it takes CONNECT, and addresses that begin with http://"));
    }
    let rest = &asked[7..];
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port_of(port)),
        _ => (authority, Some(WEB)),
    };
    let target = Target::parse(host).ok_or_else(|| bad("the host is neither a name nor an address"))?;
    let port = port.ok_or_else(|| bad("the port is none"))?;
    if path.contains(['#', '\\']) {
        return Err(bad("the path holds what no path does"));
    }
    Ok((target, port, if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }))
}

fn written(method: &str, target: &Target, port: u16, path: String, fields: &[(&str, &str)]) -> Vec<u8> {
    let host = if port == WEB { target.to_string() } else { format!("{target}:{port}") };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    let named: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        // What says how long the body is stays, whoever asks for what.
        .filter(|name| name != "content-length")
        .collect();
    for (name, value) in fields {
        let small = name.to_ascii_lowercase();
        if !OF_CONNECTION.contains(&small.as_str()) && !named.contains(&small) {
            head.extend([name, ": ", value, "\r\n"]);
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    head.into_bytes()
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let plain = value.chars().all(|each| each == '\t' || !each.is_control());
    (is_token(name) && plain).then(|| (name, value.trim_matches([' ', '\t'])))
}

/// How long the body is. What could be read in two ways is refused.
fn length(fields: &[(&str, &str)]) -> Result<u64, Refusal> {
    let all = |wanted: &str| -> Vec<&str> {
        fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value).collect()
    };
    if !all("transfer-encoding").is_empty() {
        return Err(Refusal(411, "a body through this proxy needs a Content-Length".to_owned()));
    }
    if all("host").len() > 1 {
        return Err(bad("there are two Host fields"));
    }
    match all("content-length")[..] {
        [] => Ok(0),
        [one] if one.bytes().all(|byte| byte.is_ascii_digit()) => one.parse().map_err(|_| bad("the length is none")),
        _ => Err(bad("the length is none")),
    }
}

fn is_token(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

fn bad(what: &str) -> Refusal {
    Refusal(400, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Request};
    use crate::hosts::Target;
    use proptest::prelude::*;

    fn status(head: &str) -> u16 {
        Request::parse(head.as_bytes()).map_or_else(|Refusal(status, _)| status, |_| 200)
    }

    fn sent(head: &str) -> String {
        let found = Request::parse(head.as_bytes()).ok().and_then(|request| request.head);
        String::from_utf8(found.unwrap_or_default()).unwrap_or_default()
    }

    #[test]
    fn a_tunnel_names_a_host_and_a_port() {
        let found = Request::parse(b"CONNECT Example.com:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n");
        let target = Target::Name("example.com".to_owned());
        assert_eq!(found, Ok(Request { target, port: 443, head: None, body: 0 }));
        for asked in ["example.com", "example.com:", "example.com:0x50", ":443", "a@example.com:443", "/", "a:443/x"] {
            assert_eq!(status(&format!("CONNECT {asked} HTTP/1.1\r\n\r\n")), 400, "{asked}");
        }
    }

    #[test]
    fn a_request_is_written_anew_with_the_host_of_its_address() {
        let head = "GET http://example.com:8080/a?b HTTP/1.1\r\nhost: evil.test\r\nX: 1\r\nConnection: y, Close\r\n\
                    Y: 2\r\nProxy-Authorization: z\r\nUpgrade: websocket\r\n\r\n";
        let expected = "GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\nX: 1\r\nConnection: close\r\n\r\n";
        assert_eq!(sent(head), expected);
        assert_eq!(
            sent("GET http://example.com?q HTTP/1.0\r\n\r\n"),
            "GET /?q HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn the_length_of_a_body_cannot_be_hidden() {
        let head = "POST http://a.test/ HTTP/1.1\r\nContent-Length: 5\r\nConnection: content-length\r\n\r\n";
        assert!(sent(head).contains("Content-Length: 5"));
        assert_eq!(Request::parse(head.as_bytes()).map(|request| request.body), Ok(5));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (fields, answer) in [
            ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length: 1, 1\r\n", 400),
            ("Content-Length: 99999999999999999999\r\n", 400),
            ("Transfer-Encoding: chunked\r\n", 411),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 411),
            ("Host: a.test\r\nHost: b.test\r\n", 400),
            ("Host : a.test\r\n", 400),
            (" folded: 1\r\n", 400),
            ("X: 1\r\n folded\r\n", 400),
            ("X: a\nHost: b\r\n", 400),
            ("X: a\rHost: b\r\n", 400),
            ("X: a\0b\r\n", 400),
            ("no field\r\n", 400),
        ] {
            assert_eq!(status(&format!("POST http://a.test/ HTTP/1.1\r\n{fields}\r\n")), answer, "{fields:?}");
        }
        for first in [
            "GET / HTTP/1.1",
            "GET https://a.test/ HTTP/1.1",
            "GET http://u@a.test/ HTTP/1.1",
            "GET  http://a.test/ HTTP/1.1",
            "GET http://a.test/ HTTP/2",
            "GET http://a.test\\@b.test/ HTTP/1.1",
            "GET http://a.test#@b/ HTTP/1.1",
            "GET http://[::1/ HTTP/1.1",
            "G(T http://a.test/ HTTP/1.1",
            "GET http://a.test/\tx HTTP/1.1",
            "GET http://a.test:80:90/ HTTP/1.1",
            "GET ftp://a.test/ HTTP/1.1",
            "GET http:/// HTTP/1.1",
        ] {
            assert_eq!(status(&format!("{first}\r\n\r\n")), 400, "{first}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn a_damaged_request_sends_one_head_to_the_host_it_was_read_for(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), more in any::<prop::sample::Index>(), other in any::<u8>()
        ) {
            let mut head =
                b"POST http://example.com/path HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nX: y\r\n\r\n".to_vec();
            let (at, more) = (at.index(head.len()), more.index(head.len()));
            head[at] = byte;
            head[more] = other;
            if let Ok(Request { target, port, head: Some(sent), .. }) = Request::parse(&head) {
                let sent = String::from_utf8_lossy(&sent).into_owned();
                let host = if port == 80 { target.to_string() } else { format!("{target}:{port}") };
                let expected = format!("\r\nHost: {host}\r\n");
                prop_assert!(sent.contains(&expected));
                prop_assert_eq!(sent.to_ascii_lowercase().matches("\r\nhost:").count(), 1);
                prop_assert_eq!(sent.find("\r\n\r\n"), Some(sent.len() - 4));
                prop_assert!(!sent.replace("\r\n", "").contains(['\r', '\n']));
            }
        }
    }
}

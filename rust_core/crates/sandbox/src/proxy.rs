//! The way to the allowed hosts: a process outside the program's network, which accepts on a listener inside of it.
//!
//! It has the least that connects: no files but those that names are resolved with, no rights, no children. It knows
//! nothing of the engine, so that whoever overcame it would have a network and no more.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::channel::receive_with;
use crate::hosts::{Host, Target, may_ask, may_reach};
use crate::places::Places;
use crate::profile::{Limits, Network, Profile};
use crate::request::{LONGEST, Refusal, Request};
use crate::{calls, files, limits, namespaces};

/// Connections at a time.
const MOST: usize = 128;
const STACK: usize = 1 << 20;
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const TRIES: usize = 4;

/// Take the list and the listener from the first process inside, and serve until the supervisor kills it.
///
/// # Errors
/// The system's; then nothing is reached.
pub fn run(mut channel: UnixStream) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (bytes, mut descriptors) = receive_with(&mut channel)?;
    let listener = TcpListener::from(descriptors.pop().ok_or_else(|| io::Error::other("no listener"))?);
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let hosts: Arc<[Host]> = text.split('\0').filter_map(Host::parse).collect();
    let places = Places::find(&Profile { system: true, ..Profile::default() }).map_err(io::Error::other)?;
    let own = Limits { open_files: Some(4 * MOST as u64), file_size: Some(0), ..Limits::default() };
    limits::apply(&own, 0)?;
    namespaces::drop_rights(false)?;
    // Where the kernel has no Landlock the rest must do.
    let _ = files::read_only(&places);
    calls::restrict(Network::All).map_err(io::Error::other)?;
    serve(&listener, &hosts)
}

fn serve(listener: &TcpListener, hosts: &Arc<[Host]>) -> io::Result<()> {
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        if busy.load(Ordering::Relaxed) >= MOST {
            // Not waited for: the others must not wait either.
            let _ = say(&client, &Refusal(503, format!("more than {MOST} connections at a time")));
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let (hosts, counted) = (hosts.clone(), busy.clone());
        let work = move || {
            // Whatever goes wrong with one connection ends it alone.
            let _ = attend(&client, &hosts);
            counted.fetch_sub(1, Ordering::Relaxed);
        };
        if thread::Builder::new().stack_size(STACK).spawn(work).is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn attend(client: &TcpStream, hosts: &[Host]) -> io::Result<()> {
    client.set_read_timeout(Some(HEAD_PATIENCE))?;
    let (head, surplus) = match read_head(client)? {
        Ok(found) => found,
        Err(refusal) => return refuse(client, &refusal),
    };
    let (request, host) = match Request::parse(&head).and_then(|request| Ok((connect(&request, hosts)?, request))) {
        Ok((host, request)) => (request, host),
        Err(refusal) => return refuse(client, &refusal),
    };
    client.set_read_timeout(None)?;
    // Two small writes of a handshake must not wait for each other's receipt.
    client.set_nodelay(true)?;
    host.set_nodelay(true)?;
    let (mut to_host, mut to_client) = (&host, client);
    thread::scope(|scope| {
        let sending = || -> io::Result<()> {
            if let Some(head) = &request.head {
                to_host.write_all(head)?;
                // Not one byte more than the body: it would be another request.
                let mut body = surplus.chain(client).take(request.body);
                return io::copy(&mut body, &mut to_host).map(drop);
            }
            let mut rest = surplus.chain(client);
            io::copy(&mut rest, &mut to_host)?;
            host.shutdown(Shutdown::Write)
        };
        if request.head.is_none() {
            to_client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        }
        let sender = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            if sending().is_err() {
                let _ = host.shutdown(Shutdown::Both);
            }
        })?;
        let mut from_host = &host;
        let answered = io::copy(&mut from_host, &mut to_client);
        let _ = client.shutdown(if answered.is_ok() { Shutdown::Write } else { Shutdown::Both });
        if request.head.is_some() || answered.is_err() {
            // The answer is whole: what the program still wants to send nobody reads.
            let _ = client.shutdown(Shutdown::Both);
            let _ = host.shutdown(Shutdown::Both);
        }
        let _ = sender.join();
        Ok(())
    })
}

type Head = (Vec<u8>, io::Cursor<Vec<u8>>);

/// The head, and what came after it already.
fn read_head(mut client: &TcpStream) -> io::Result<Result<Head, Refusal>> {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = client.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let seen = received.len().saturating_sub(3);
        received.extend_from_slice(&chunk[..count]);
        if let Some(end) = received[seen..].windows(4).position(|four| four == b"\r\n\r\n") {
            let surplus = received.split_off(seen + end + 4);
            return Ok(Ok((received, io::Cursor::new(surplus))));
        }
        if received.len() > LONGEST {
            return Ok(Err(Refusal(431, "the head of the request is too long".to_owned())));
        }
    }
}

/// Connect to an address that was checked, of a host that is listed.
fn connect(request: &Request, hosts: &[Host]) -> Result<TcpStream, Refusal> {
    let Request { target, port, .. } = request;
    if !may_ask(hosts, target, *port) {
        return Err(Refusal(403, format!("{target}:{port} is not among the hosts that this program may reach")));
    }
    let found: Vec<SocketAddr> = match target {
        Target::Address(address) => vec![SocketAddr::new(*address, *port)],
        Target::Name(name) => match (name.as_str(), *port).to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(_) => return Err(Refusal(502, format!("the name {target} cannot be resolved"))),
        },
    };
    let allowed: Vec<_> = found.iter().filter(|each| may_reach(hosts, target, each.ip(), *port)).collect();
    if allowed.is_empty() {
        let shown = found.first().map_or_else(String::new, |each| format!(" ({})", each.ip()));
        let what = format!("{target}{shown} is an address of the inside, which must be listed as an address itself");
        return Err(Refusal(403, what));
    }
    let mut reason = String::new();
    for address in allowed.into_iter().take(TRIES) {
        match TcpStream::connect_timeout(address, CONNECT_PATIENCE) {
            Ok(host) => return Ok(host),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(Refusal(502, format!("{target}:{port} cannot be reached: {reason}")))
}

fn refuse(client: &TcpStream, refusal: &Refusal) -> io::Result<()> {
    say(client, refusal)?;
    // Closed with something unread, the answer would be lost with it.
    client.set_read_timeout(Some(LAST_WORDS))?;
    io::copy(&mut client.take(1 << 20), &mut io::sink()).map(drop)
}

/// Say why not, in the status line too: of an answer to CONNECT programs show no more.
fn say(mut client: &TcpStream, Refusal(status, what): &Refusal) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 {status} {what}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
         pyagent-sandbox: {what}\n",
        what.len() + "pyagent-sandbox: \n".len()
    );
    client.set_write_timeout(Some(LAST_WORDS))?;
    client.write_all(answer.as_bytes())?;
    client.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::serve;
    use crate::hosts::Host;
    use std::io::{self, Read, Write};
    use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;

    /// A server that answers each connection with what it got, and a proxy with a list; both for ever.
    fn world(list: impl Fn(u16) -> Vec<String>) -> io::Result<(SocketAddr, u16)> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let port = server.local_addr()?.port();
        thread::spawn(move || {
            for client in server.incoming().flatten() {
                thread::spawn(move || echo(client));
            }
        });
        let hosts: Arc<[Host]> = list(port).iter().filter_map(|entry| Host::parse(entry)).collect();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || serve(&listener, &hosts));
        Ok((address, port))
    }

    /// Answer when a request's empty line and as many bytes as its length have come.
    fn echo(mut client: TcpStream) -> io::Result<()> {
        let mut got = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            let count = client.read(&mut chunk)?;
            got.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&got).into_owned();
            let length = text.split("Content-Length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            if count == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0)) {
                client.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{text}").as_bytes())?;
                return client.shutdown(Shutdown::Write);
            }
        }
    }

    fn ask(proxy: SocketAddr, request: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(proxy)?;
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_listed_host_is_reached_by_a_request_and_by_a_tunnel() -> io::Result<()> {
        let (proxy, port) = world(|port| vec![format!("127.0.0.1:{port}")])?;
        let answer = ask(proxy, &format!("GET http://127.0.0.1:{port}/x HTTP/1.1\r\nHost: no\r\n\r\n"))?;
        assert!(answer.contains(&format!("GET /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")), "{answer}");
        let answer = ask(proxy, &format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nhello\r\n\r\n"))?;
        assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with("hello\r\n\r\n"), "{answer}");
        Ok(())
    }

    #[test]
    fn a_second_request_behind_a_body_is_not_sent_on() -> io::Result<()> {
        let (proxy, port) = world(|port| vec![format!("localhost:{port}")])?;
        let second = "GET http://evil.test/ HTTP/1.1\r\n\r\n";
        let answer =
            ask(proxy, &format!("POST http://localhost:{port}/ HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody{second}"))?;
        assert!(answer.ends_with("\r\n\r\nbody"), "{answer}");
        Ok(())
    }

    #[test]
    fn what_is_not_listed_is_refused_with_its_name() -> io::Result<()> {
        let (proxy, port) = world(|port| vec![format!("localhost:{port}"), "example.com".to_owned()])?;
        for asked in [format!("127.0.0.1:{port}"), "localhost:1".to_owned(), "example.com:22".to_owned()] {
            let answer = ask(proxy, &format!("CONNECT {asked} HTTP/1.1\r\n\r\n"))?;
            assert!(answer.starts_with(&format!("HTTP/1.1 403 {asked} is not among the hosts")), "{answer}");
        }
        Ok(())
    }
}

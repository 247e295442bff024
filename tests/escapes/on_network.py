"""Attempts to reach somebody who listens outside."""

from __future__ import annotations

import socket

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

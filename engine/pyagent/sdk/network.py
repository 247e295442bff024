"""The door to the network: which addresses nodes may reach. The inside, this machine and its networks, only if allowed.

A graph file must not open the inside of the machine that runs it (server-side request forgery), so it is the engine's
user who allows parts of it, by the setting `PYAGENT_ALLOW_PRIVATE`: hosts, addresses and networks with commas between
them, each with a port if only that is meant (`localhost:8080, 10.1.0.0/16, *.office.example, [::1]:5432`); `*` allows
all. Names are resolved once, each of their addresses is checked, and the connection goes to a checked address, so that
a name cannot point elsewhere between check and use (DNS rebinding).

HTTP goes through `pyagent.sdk.http_client`; other protocols `resolve` and connect to what that returns.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Self, TypeAlias

from pyagent.errors import NodeError, SetupError
from pyagent.settings import ALLOW_PRIVATE

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_BLOCKED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
        "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
"""Addresses that are not of the public Internet (IANA's special-purpose registries, RFC 6890)."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressBlocked(NodeError):
    """The host is on the inside: this machine, its networks, or a cloud's metadata service."""

    code = "node.address_blocked"
    hint = (
        "If it is meant to be reached, whoever runs the engine allows it: PYAGENT_ALLOW_PRIVATE=host, address or "
        "network, several with commas between them."
    )


class HostUnknown(NodeError):
    """The host's name cannot be resolved."""

    code = "node.host_unknown"
    hint = "Check the spelling of the host, and whether this machine has a network."


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPolicy:
    """What of the inside may be reached; the outside always may."""

    networks: tuple[tuple[Network, int | None], ...] = ()
    """Networks, each with the only port that is meant, or None for all."""
    hosts: tuple[tuple[str, int | None], ...] = ()
    """Names, or `*.` and a domain, for all hosts below it."""
    everything: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """The policy that the setting's text describes. Raises `SetupError` (`setup.allow_private`)."""
        networks: list[tuple[Network, int | None]] = []
        hosts: list[tuple[str, int | None]] = []
        entries = [entry for part in text.split(",") if (entry := part.strip())]
        for entry in entries:
            host, port = _with_port(entry)
            try:
                networks.append((ipaddress.ip_network(host, strict=False), port))
            except ValueError:
                if "/" in host or ":" in host or (name := _name(host)).strip("*.") == "" != host.strip("*"):
                    raise SetupError(
                        f"{ALLOW_PRIVATE.name}: {entry!r} is no host, address or network",
                        code="setup.allow_private",
                        hint="Write e.g. localhost:8080, 10.1.0.0/16, *.office.example, [::1]:5432; * allows all.",
                    ) from None
                hosts.append((name, port))
        return cls(networks=tuple(networks), hosts=tuple(hosts), everything=("*", None) in hosts)

    @classmethod
    def from_environment(cls) -> Self:
        """The policy of the setting `PYAGENT_ALLOW_PRIVATE`, as it is now. Raises `SetupError`."""
        return cls.parse(ALLOW_PRIVATE.text())

    def allows(self, host: str, address: str, port: int) -> bool:
        """Whether a connection to this address, which `host` was resolved to, is allowed."""
        if self.everything:
            return True
        found = _inner(ipaddress.ip_address(address))
        return (
            not is_inside(address)
            or any(_is_port(port, only) and found in network for network, only in self.networks)
            or any(_is_port(port, only) and _fits(_name(host), name) for name, only in self.hosts)
        )


def is_inside(address: str) -> bool:
    """Whether the address is not of the public Internet.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4) is what that is. Raises `ValueError`.
    """
    found = _inner(ipaddress.ip_address(address))
    return any(found in network for network in _BLOCKED if network.version == found.version)


async def resolve(host: str, port: int, *, policy: NetworkPolicy | None = None) -> list[str]:
    """The addresses of a host to connect to, in the system's order: all of them allowed.

    `policy` left out is the setting's. Raises `HostUnknown`, `AddressBlocked` if one of them is not allowed, and
    `SetupError` if the setting is wrong.
    """
    policy = policy or NetworkPolicy.from_environment()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise HostUnknown(f"the host {host!r} cannot be resolved: {reason}", details={"host": host}) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not policy.allows(host, address, port):
            named = "" if host == address else f" ({address})"
            raise AddressBlocked(
                f"{host}{named} is an address of the inside, which nodes may not reach",
                details={"host": host, "address": address, "port": port},
            )
    return addresses


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        address = ipaddress.IPv6Address(int(address))  # without its zone
        if (mapped := address.ipv4_mapped or address.sixtofour) is not None:
            return mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _with_port(entry: str) -> tuple[str, int | None]:
    """An entry's host and port; an IPv6 address has brackets if a port follows."""
    host, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) < 65536 and (":" not in host or host.endswith("]")):
        return host.removeprefix("[").removesuffix("]"), int(port)
    return entry.removeprefix("[").removesuffix("]"), None


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _fits(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _is_port(port: int, only: int | None) -> bool:
    return only is None or only == port


__all__ = ["AddressBlocked", "HostUnknown", "NetworkPolicy", "is_inside", "resolve"]

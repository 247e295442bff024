"""Payloads sealed at rest (`PYAGENT_SEAL`): by which vault's keys, and what blobs are called where they are kept.

Whether this process seals what it writes is decided when it opens a store. What is sealed is read whatever the setting
says: the vault is opened when the first sealed payload comes. Blobs are named by their content everywhere else; where
they are kept, a sealed one has a name that only the vault's holder can tell from the digest.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyagent.errors import StoreError
from pyagent.settings import SEAL, vault_file
from pyagent.vault import VaultFailed, open_vault

if TYPE_CHECKING:
    from pyagent.native import PayloadSeal

FINGERPRINT = 16
"""Bytes that tell one chunk of a blob from another."""


class StoreSealed(StoreError):
    """The store's payloads are sealed, or are to be, and the vault that this takes does not open."""

    code = "store.sealed"
    hint = "PYAGENT_VAULT names the vault's file; see docs/guides/secrets.md."


class _Kept:
    """What this process has found out."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.settled = False
        self.writer: PayloadSeal | None = None
        self.reader: PayloadSeal | None = None


_kept = _Kept()


def settle() -> None:
    """Read the setting, and open the vault where it asks for it; blocks. Raises `StoreSealed`."""
    writer = _opened("PYAGENT_SEAL is on") if SEAL.flag() else None
    with _kept.lock:
        _kept.writer = writer
        _kept.reader = writer
        _kept.settled = True


def writer() -> PayloadSeal | None:
    """What seals new payloads; None: they are not sealed. Raises `StoreSealed`."""
    if not _kept.settled:
        settle()
    return _kept.writer


def opened() -> PayloadSeal | None:
    """What opens sealed payloads, if one has been needed."""
    return _kept.reader


def reader() -> PayloadSeal:
    """What opens sealed payloads. Raises `StoreSealed`."""
    if _kept.reader is None:
        found = _opened("payloads of the store are sealed")
        with _kept.lock:
            _kept.reader = found
        return found
    return _kept.reader


def _opened(why: str) -> PayloadSeal:
    try:
        vault = open_vault()
        if vault is not None:
            return vault.payload_seal()
    except VaultFailed as error:
        raise StoreSealed(f"{why}, and the vault does not open: {error.message}", hint=error.hint) from None
    raise StoreSealed(
        f"{why}, and there is no vault at {vault_file()}",
        hint="Bring back the vault and its key file or passphrase: nobody can read what is sealed without. A new store"
        " takes a new one: `pyagent vault init`.",
    )


def kept_name(digest: str) -> str:
    """What a new blob of this digest is called where it is kept. Raises `StoreSealed`."""
    seal = writer()
    return digest if seal is None else seal.name(digest)


def known_names(digest: str) -> Sequence[str]:
    """What a blob may be called where it is kept, the likeliest first, as far as that can be told without opening the
    vault for it."""
    if (seal := opened()) is None:
        return (digest,)
    return (seal.name(digest), digest) if writer() is not None else (digest, seal.name(digest))


def other_names(digest: str) -> Sequence[str]:
    """What else it may be called, where none of `known_names` was found: the vault is opened for it, if there is one
    that opens."""
    if opened() is not None:
        return ()
    try:
        return (reader().name(digest),)
    except StoreSealed:
        return ()


def is_name_of(name: str, digest: str) -> bool:
    """Whether a blob of this digest may be called so."""
    return name == digest or ((seal := opened()) is not None and seal.name(digest) == name)


def fingerprint(chunk: bytes) -> bytes | None:
    """What tells a chunk from others, to the vault's holder; None: it is not to be sealed."""
    seal = writer()
    return None if seal is None else seal.fingerprint(chunk)


def is_fingerprint_of(expected: bytes, chunk: bytes) -> bool:
    """Whether that is what `fingerprint` gave for the chunk."""
    return (seal := opened()) is not None and seal.fingerprint(chunk) == expected

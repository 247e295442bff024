"""`pyagent vault public-key | seal | unseal`: a secret on its way to the owner of another vault."""

from __future__ import annotations

import asyncio
import sys

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json
from pyagent.cli.vault import ask_passphrase
from pyagent.errors import InputError
from pyagent.vault import require_vault, seal_text

_LARGEST = 1024 * 1024
"""Bytes that are sealed at a time."""


async def public_key(*, as_json: bool) -> Exit:
    """Print the key that others seal to. Raises `VaultFailed`."""
    vault = await asyncio.to_thread(require_vault, ask_passphrase)
    key = await asyncio.to_thread(vault.recipient)
    if as_json:
        print_json({"public_key": key})
    else:
        print(key)
    return Exit.DONE


async def seal(recipient: str) -> Exit:
    """Seal the standard input. Raises `VaultInvalid`, `InputError` (`input.too_large`)."""
    print(seal_text(recipient, await asyncio.to_thread(_input, _LARGEST)))
    return Exit.DONE


async def unseal() -> Exit:
    """Open the sealed text on the standard input. Raises `VaultFailed`, `InputError` (`input.too_large`)."""
    given = await asyncio.to_thread(_input, 2 * _LARGEST)
    vault = await asyncio.to_thread(require_vault, ask_passphrase)
    content = await asyncio.to_thread(vault.unseal_text, given.decode("ascii", "replace").strip())
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    return Exit.DONE


def _input(most: int) -> bytes:
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"the standard input is longer than {most // 1024} KiB",
            code="input.too_large",
            hint="Encrypt the file with a key of its own, and seal that key.",
        )
    return content

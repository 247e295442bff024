"""`pyagent token …`: tokens with capabilities, made by the vault's owner."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, table_console
from pyagent.cli.text import escape
from pyagent.cli.vault import ask_passphrase
from pyagent.errors import InputError, NotFound
from pyagent.vault import require_vault

if TYPE_CHECKING:
    from pyagent.vault import IssuedToken

_LONGEST = 16384
"""Characters that are read of a token."""


async def new(can: Sequence[str], expires: str, graphs: Sequence[str] | None, label: str, *, as_json: bool) -> Exit:
    """Make one. Raises `InputError` (`input.capability`), `VaultFailed`."""
    if not can:
        raise _no_capability("a token needs to allow something")
    capabilities, only, end = _capabilities(can), _graphs(graphs), _end(expires)
    vault = require_vault(ask_passphrase)
    text, token_id = await asyncio.to_thread(
        lambda: vault.issue(label=label, capabilities=capabilities, graphs=only, expires=end)
    )
    if as_json:
        print_json({"token": text, "id": token_id, "expires": end.isoformat()})
        return Exit.DONE
    sys.stdout.write(f"{text}\n")
    may = ", ".join(sorted(capabilities)) + (f" with {', '.join(sorted(only))}" if only else "")
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[dim]{escape(may)}, until {_at(end)}; to end it earlier: pyagent token revoke {token_id[:8]}[/]"
    )
    return Exit.DONE


async def narrow(
    can: Sequence[str] | None, expires: str | None, graphs: Sequence[str] | None, label: str, *, as_json: bool
) -> Exit:
    """Make one that allows less. Raises `InputError` (`input.capability`), `TokenRefused`, `VaultInvalid`."""
    from pyagent.vault import narrow_token

    text = narrow_token(
        sys.stdin.read(_LONGEST).strip(),
        label=label,
        capabilities=_capabilities(can) if can else None,
        graphs=_graphs(graphs),
        expires=_end(expires) if expires else None,
    )
    if as_json:
        print_json({"token": text})
    else:
        sys.stdout.write(f"{text}\n")
    return Exit.DONE


async def list_tokens(*, as_json: bool) -> Exit:
    """List them."""
    found = require_vault(ask_passphrase).tokens()
    if as_json:
        print_json(
            [
                {
                    "id": token.id,
                    "label": token.label,
                    "can": list(token.capabilities),
                    "made": token.made.isoformat(),
                    "expires": token.expires.isoformat(),
                    "revoked": token.revoked.isoformat() if token.revoked else None,
                }
                for token in found
            ]
        )
        return Exit.DONE
    console = table_console()
    if not found:
        console.print("No tokens. Make one: pyagent token new --can read")
        return Exit.DONE
    table = Table(box=None, pad_edge=False)
    for title in ("id", "can", "until", "label"):
        table.add_column(title, style="bold" if title == "id" else "")
    for token in found:
        table.add_row(token.id[:8], ", ".join(token.capabilities), _until(token), escape(token.label))
    console.print(table)
    return Exit.DONE


def _until(token: IssuedToken) -> str:
    if token.revoked is not None:
        return f"[red]revoked {_at(token.revoked)}[/]"
    return f"[dim]ended {_at(token.expires)}[/]" if token.expires <= datetime.now(UTC) else _at(token.expires)


async def revoke(token_id: str, *, as_json: bool) -> Exit:
    """Revoke one. Raises `NotFound` (`token.not_found`)."""
    vault = require_vault(ask_passphrase)
    wanted = token_id.lower()
    found = [token.id for token in vault.tokens() if token.id.startswith(wanted)]
    if re.fullmatch("[0-9a-f]{32}", wanted):
        # One that was narrowed elsewhere is not listed here, and may be revoked all the same.
        found = [wanted]
    if len(wanted) < 6 or len(found) != 1:
        raise NotFound(
            f"there is no one token {token_id!r}",
            code="token.not_found",
            hint="`pyagent token list` shows ids; give 6 characters or more.",
        )
    await asyncio.to_thread(vault.revoke, found[0])
    if as_json:
        print_json({"revoked": found[0]})
    else:
        Console(highlight=False, soft_wrap=True).print(f"[green]✓[/] {found[0][:8]} opens nothing any more")
    return Exit.DONE


def _capabilities(can: Sequence[str]) -> set[str]:
    from pyagent.server.capabilities import MEANINGS

    if unknown := sorted(set(can) - set(MEANINGS)):
        raise _no_capability(f"there is no capability {', '.join(unknown)}")
    return set(can)


def _no_capability(message: str) -> InputError:
    return InputError(
        message, code="input.capability", hint="Give --can read, --can run, --can approve or --can edit, or several."
    )


def _graphs(graphs: Sequence[str] | None) -> set[str] | None:
    return set(graphs) if graphs else None


def _end(expires: str) -> datetime:
    from pyagent.graph.duration import parse_duration

    try:
        return datetime.now(UTC).replace(microsecond=0) + parse_duration(expires)
    except (ValueError, OverflowError):
        raise InputError(
            f"{expires!r} is no time", code="input.syntax", hint="Give how long it is to open: 30m, 12h, 30d."
        ) from None


def _at(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")

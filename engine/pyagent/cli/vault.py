"""`pyagent vault …`: credentials at rest. Values come from a terminal or a pipe, and go to a terminal that agreed."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.table import Table

from pyagent.cli.amounts import many
from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, table_console
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.errors import InputError, NotFound
from pyagent.settings import VAULT_PASSPHRASE
from pyagent.settings import key_file as key_path
from pyagent.vault import make_vault, require_vault

if TYPE_CHECKING:
    from pyagent.sdk.credentials import CredentialKind
    from pyagent.vault import Secret, Vault

_LARGEST = 256 * 1024
"""Characters that are read from a pipe."""


def ask_passphrase() -> str:
    """The passphrase of the vault, from the terminal. Raises `InputError` (`input.no_terminal`) without one."""
    return _asked("Passphrase of the vault: ")


async def init(*, passphrase: bool, as_json: bool) -> Exit:
    """Make the vault, and say what opens it. Raises `VaultThere`."""
    given = VAULT_PASSPHRASE.given() or (_new_passphrase() if passphrase else None)
    vault = await asyncio.to_thread(make_vault, given)
    return _told_protection(vault, f"made the vault {vault.path}", as_json=as_json)


async def set_credential(name: str, kind: str | None, *, as_json: bool) -> Exit:
    """Set a credential. Raises `InputError` (`input.credential`), `VaultFailed`."""
    from pyagent.runtime.credentials import kind_named, of_environment, put_credential

    vault = require_vault(ask_passphrase)
    before = next((secret for secret in vault.secrets() if secret.name == name.lower()), None)
    kinds = _kinds()
    chosen = kind_named(kinds, kind or (before.kind if before else "generic"))
    fields = _fields_of_terminal(chosen, before) if sys.stdin.isatty() else _fields_of_pipe(chosen)
    version = await asyncio.to_thread(put_credential, vault, kinds, name, chosen.name, fields)
    if as_json:
        print_json({"name": name.lower(), "kind": chosen.name, "version": version})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    again = f", version {version}" if version > 1 else ""
    console.print(f"[green]✓[/] set {escape(name.lower())} ({chosen.name}{again})")
    if of_environment(name) is not None:
        console.print(f"  [yellow]PYAGENT_CREDENTIAL_{escape(name.upper())} is set: it wins over the vault[/]")
    return Exit.DONE


def _fields_of_pipe(kind: CredentialKind) -> dict[str, str | None]:
    text = sys.stdin.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise _no_fields(f"it is longer than {_LARGEST // 1024} KiB")
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            raise _no_fields("it is no JSON") from None
        fields = cast("dict[str, Any]", found)
        if wrong := [name for name, value in fields.items() if not isinstance(value, str)]:
            raise _no_fields(f"{', '.join(wrong)} is no text")
        return dict(fields)
    secret = [field.name for field in kind.fields if field.secret]
    if len(secret) != 1 or any(field.required and not field.secret for field in kind.fields):
        raise _no_fields(f"{kind.name} has more than one field")
    return {secret[0]: text.rstrip("\r\n")}


def _no_fields(why: str) -> InputError:
    return InputError(
        f"the standard input gives no credential: {why}",
        code="input.credential",
        hint='Give a JSON object of texts: {"user": "…", "password": "…"}',
    )


def _fields_of_terminal(kind: CredentialKind, before: Secret | None) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    known = before.fields if before is not None and before.kind == kind.name else ()
    keep = ", empty: as it is" if known else ""
    for field in kind.fields:
        need = "" if field.required else ", may be empty"
        question = f"{field.name} ({field.description}{keep if field.name in known else need}): "
        value = getpass.getpass(question) if field.secret else input(question)
        fields[field.name] = None if not value and field.name in known else value
    while kind.is_open and (name := input("name of a field (empty: done): ").strip()):
        fields[name] = getpass.getpass(f"{name}: ")
    return fields


async def get(name: str, *, show: bool, as_json: bool) -> Exit:
    """Tell of a credential. Raises `NotFound` (`credential.not_found`), `InputError` (`input.no_terminal`)."""
    vault = require_vault(ask_passphrase)
    secret = _find(vault, name)
    if show and not _agrees(f"Show the values of {secret.name} on this screen? [y/N] "):
        return Exit.CANCELLED
    values = (vault.get(name) or {}) if show else {}
    row = _row(secret, (await _users()).get(secret.name, []))
    if as_json:
        print_json({**row, **({"values": values} if show else {})})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(secret.name)}[/]  {secret.kind}, version {secret.version}")
    for field in secret.fields:
        console.print(f"  {escape(field)}: {escape(values[field]) if field in values else '••••'}")
    used = "never used" if secret.used is None else f"last used {_at(secret.used)}"
    console.print(f"  [dim]set {_at(secret.changed)}, {used}; asked for by {', '.join(row['graphs']) or 'no graph'}[/]")
    return Exit.DONE


async def list_credentials(*, as_json: bool) -> Exit:
    """List them all. Raises `VaultFailed`."""
    from pyagent.runtime.credentials import names_in_environment
    from pyagent.vault import open_vault

    vault = open_vault(ask_passphrase)
    users, given = await _users(), names_in_environment()
    secrets = vault.secrets() if vault is not None else []
    rows = [_row(secret, users.get(secret.name, [])) for secret in secrets]
    known = {secret.name for secret in secrets}
    for row in rows:
        row["in_environment"] = row["name"] in given
    rows += [_outside(name, users.get(name, []), given) for name in sorted({*given, *users} - known)]
    if as_json:
        print_json(rows)
        return Exit.DONE
    console = table_console()
    if not rows:
        console.print("No credentials. Set one: pyagent vault set NAME")
        return Exit.DONE
    table = Table(box=None, pad_edge=False)
    for title in ("name", "kind", "fields", "set", "used", "graphs"):
        table.add_column(title, style="bold" if title == "name" else "")
    for row in rows:
        kind = row["kind"] or ("environment" if row["in_environment"] else "[red]missing[/]")
        if row["kind"] and row["in_environment"]:
            kind += " [yellow](the environment's wins)[/]"
        table.add_row(
            escape(row["name"]),
            kind,
            escape(", ".join(row["fields"])),
            _at(datetime.fromisoformat(row["changed"])) if row["changed"] else "",
            _at(datetime.fromisoformat(row["used"])) if row["used"] else "",
            escape(", ".join(row["graphs"])),
        )
    console.print(table)
    if vault is None:
        console.print("[dim]There is no vault here: pyagent vault init[/]")
    return Exit.DONE


async def list_kinds(*, as_json: bool) -> Exit:
    """List the kinds."""
    kinds = _kinds()
    if as_json:
        print_json([{"name": kind.name, "title": kind.title, "fields": _described(kind)} for kind in kinds])
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    for kind in kinds:
        console.print(f"[bold]{kind.name}[/]  {escape(kind.title)}")
        for field in kind.fields:
            marks = ", ".join(word for word, on in (("needed", field.required), ("secret", field.secret)) if on)
            console.print(f"  {field.name}  [dim]{escape(field.description + (f' ({marks})' if marks else ''))}[/]")
    return Exit.DONE


def _described(kind: CredentialKind) -> list[dict[str, Any]]:
    return [{"name": field.name, "secret": field.secret, "required": field.required} for field in kind.fields]


async def remove(name: str, *, as_json: bool) -> Exit:
    """Take one out. Raises `NotFound` (`credential.not_found`)."""
    vault = require_vault(ask_passphrase)
    secret = _find(vault, name)
    users = (await _users()).get(secret.name, [])
    await asyncio.to_thread(vault.remove, name)
    if as_json:
        print_json({"removed": secret.name, "graphs": users})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]✓[/] removed {escape(secret.name)}")
    if users:
        console.print(f"  [yellow]{escape(', '.join(users))} still ask{'s' * (len(users) == 1)} for it[/]")
    return Exit.DONE


async def try_it(name: str, *, as_json: bool) -> Exit:
    """Try one. Raises `NotFound` (`credential.not_found`)."""
    from pyagent.runtime.credentials import try_credential
    from pyagent.vault import open_vault

    open_vault(ask_passphrase)
    tried = await try_credential(name, _kinds())
    if as_json:
        print_json({"name": name.lower(), "works": tried.works, "message": tried.message})
    else:
        sign = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]–[/]"}[tried.works]
        Console(highlight=False, soft_wrap=True).print(f"{sign} {escape(name.lower())}: {escape(tried.message)}")
    return Exit.FAILED if tried.works is False else Exit.DONE


async def rotate(*, passphrase: bool, key_file: bool, owner: bool, as_json: bool) -> Exit:
    """Seal everything anew. Raises `InputError` (`input.options`), `VaultFailed`."""
    if passphrase and key_file:
        raise InputError(
            "either a passphrase opens the vault or a key file",
            code="input.options",
            hint="Give --passphrase or --key-file, not both.",
        )
    vault = require_vault(ask_passphrase)
    if passphrase:
        await asyncio.to_thread(vault.protect, _new_passphrase())
    elif key_file:
        await asyncio.to_thread(vault.protect, None)
    else:
        await asyncio.to_thread(vault.rotate)
    if owner:
        await asyncio.to_thread(vault.renew_owner)
    what = f"sealed {many(len(vault.secrets()), 'credential')} under key {vault.generation()[0]}"
    return _told_protection(
        vault, what + (", the owner has new keys, all tokens ended" if owner else ""), as_json=as_json
    )


def _told_protection(vault: Vault, what: str, *, as_json: bool) -> Exit:
    opened_by = "passphrase" if vault.has_passphrase else "key file"
    file = None if vault.has_passphrase else str(key_path())
    if as_json:
        print_json({"vault": str(vault.path), "opened_by": opened_by, "key_file": file, "owner": vault.owner()})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]✓[/] {escape(what)}")
    if file is None:
        console.print("  the passphrase opens it: without it nobody can. Servers read PYAGENT_VAULT_PASSPHRASE.")
    else:
        console.print(f"  {escape(file)} opens it: back it up elsewhere than the vault, and keep it out of git.")
        console.print(
            "  [dim]Whoever has both files has the credentials; `pyagent vault rotate --passphrase` is safer.[/]"
        )
    return Exit.DONE


def _find(vault: Vault, name: str) -> Secret:
    for secret in vault.secrets():
        if secret.name == name.lower():
            return secret
    raise NotFound(
        f"the vault has no credential {name!r}",
        code="credential.not_found",
        hint="`pyagent vault list` shows those there are.",
    )


def _row(secret: Secret, graphs: list[str]) -> dict[str, Any]:
    return {
        "name": secret.name,
        "kind": secret.kind,
        "fields": list(secret.fields),
        "version": secret.version,
        "changed": secret.changed.isoformat(),
        "used": secret.used.isoformat() if secret.used else None,
        "graphs": graphs,
    }


def _outside(name: str, graphs: list[str], given: list[str]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"kind": None, "fields": [], "version": None, "changed": None, "used": None}
    return {"name": name, **nothing, "graphs": graphs, "in_environment": name in given}


def _kinds() -> list[CredentialKind]:
    from pyagent.sdk.registry import Registry

    return Registry.installed().credential_kinds()


async def _users() -> dict[str, list[str]]:
    from pyagent.runtime.credentials import users_of_credentials

    async with open_engine() as engine:
        return await users_of_credentials(engine.library, engine.store)


def _new_passphrase() -> str:
    first = _asked("New passphrase: ")
    if _asked("The same again: ") != first:
        raise InputError("the passphrases differ", code="input.passphrase", hint="Nothing was changed. Try again.")
    return first


def _asked(question: str) -> str:
    _require_terminal()
    return getpass.getpass(question)


def _agrees(question: str) -> bool:
    _require_terminal()
    return input(question).strip().lower() in ("y", "yes")


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise InputError(
            "there is nobody at a terminal to ask",
            code="input.no_terminal",
            hint="Do it at a terminal. A passphrase may also come from PYAGENT_VAULT_PASSPHRASE.",
        )


def _at(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")

"""`pyagent doctor`: what PyAgent needs on this machine, whether it is there, and how to get it."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.text import escape
from pyagent.errors import PyAgentError

_HOW_TO_ISOLATE = (
    "Allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; in a "
    "container, its seccomp profile)."
)
_ROOM = 1 << 30
"""Bytes of disk below which a run may well fail."""
_SOON_READ = 200_000_000
"""Bytes of a store that is read whole to find what is damaged: a second or two."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: str
    """`ok`; `missing`: something needed does not work; `optional`: something useful is not there."""
    detail: str
    hint: str = ""


async def doctor(*, as_json: bool) -> Exit:
    """Look at everything and print it; exit code 5 if something that is needed does not work."""
    findings = [await _looked_at(look) for look in _LOOKS]
    if as_json:
        print(json.dumps([vars(found) for found in findings], ensure_ascii=False, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        signs = {"ok": "[green]✓[/]", "missing": "[red]✗[/]", "optional": "[yellow]–[/]"}
        for found in findings:
            console.print(f"{signs[found.status]} [bold]{found.name}[/]  {escape(found.detail)}")
            if found.hint:
                console.print(f"    [dim]→[/] {escape(found.hint)}")
        bad = sum(found.status == "missing" for found in findings)
        console.print(
            f"\n[red]{bad} thing{'s' * (bad != 1)} that PyAgent needs {'do' if bad != 1 else 'does'} not work.[/]"
            if bad
            else "\n[green]Everything that PyAgent needs is there.[/]"
        )
    return Exit.STORE if any(found.status == "missing" for found in findings) else Exit.DONE


async def _looked_at(look: Callable[[], Awaitable[Finding]]) -> Finding:
    """A check must never be what fails."""
    try:
        return await look()
    except Exception as error:
        name = look.__name__.strip("_").replace("_", " ")
        hint = error.hint if isinstance(error, PyAgentError) else ""
        return Finding(name=name, status="missing", detail=f"{type(error).__name__}: {error}", hint=hint)


async def _python() -> Finding:
    return Finding(name="python", status="ok", detail=f"{platform.python_version()} at {sys.executable}")


async def _rust_module() -> Finding:
    hint = "In a working copy: make setup (needs cargo). Else: pip install pyagent[rust]"
    try:
        from pyagent.runtime.expressions import EvaluationContext, Expressions

        value = Expressions().evaluate("{{ 6 * 7 }}", EvaluationContext(now=datetime.now(UTC)))
    except ImportError as error:
        return Finding(name="rust module", status="missing", detail=f"pyagent_core: {error}", hint=hint)
    status = "ok" if value == 42 else "missing"
    return Finding(name="rust module", status=status, detail="pyagent_core evaluates expressions")


async def _sandbox() -> Finding:
    from pyagent.sdk.process import SandboxMissing, run_process
    from pyagent.sdk.sandbox import Sandbox
    from pyagent.settings import SANDBOX

    name, chosen = "sandbox", SANDBOX.text()
    if chosen == "off":
        return Finding(name=name, status="optional", detail="PYAGENT_SANDBOX=off: programs of steps run free")
    try:
        result = await run_process(["true"], sandbox=Sandbox(network="loopback"), timeout=30)
    except SandboxMissing as error:
        detail = f"programs of steps are not run; not kept: {'; '.join(error.details['missing'])}"
        return Finding(name=name, status="missing", detail=detail, hint=f"{_HOW_TO_ISOLATE} {error.hint}")
    if result.unkept:
        detail = f"PYAGENT_SANDBOX=best does not keep: {'; '.join(result.unkept)}"
        return Finding(name=name, status="optional", detail=detail, hint=_HOW_TO_ISOLATE)
    detail = f"programs of steps are kept by {', '.join(result.held)}"
    absent = "" if "landlock" in result.held else "; without Landlock, which would be a second wall around files"
    return Finding(name=name, status="ok", detail=detail + absent)


async def _dates() -> Finding:
    from pyagent.runtime import _luxon

    try:
        size = len(await asyncio.to_thread(_luxon.source))
    except PyAgentError as error:
        return Finding(name="luxon", status="missing", detail=error.message, hint=error.hint)
    return Finding(name="luxon", status="ok", detail=f"dates in expressions, {size // 1024} KiB")


async def _store() -> Finding:
    from pyagent.settings import STORE, is_neo4j, shown_address
    from pyagent.store.base import RunFilter
    from pyagent.store.location import open_store, sqlite_path

    store, path = open_store(), None if is_neo4j(STORE.text()) else sqlite_path()
    await store.open()
    try:
        await store.last_cursor()
        await store.list_runs(RunFilter(limit=1))
        small = path is not None and path.stat().st_size <= _SOON_READ
        faults = await store.faults() if small else []
    finally:
        await store.close()
    if path is None:
        return Finding(name="store", status="ok", detail=f"{shown_address(STORE.text())} answers")
    if faults:
        hint = (
            f"`pyagent store check` tells all. Restore a backup, or save what can be read: `sqlite3 {path} .recover`."
        )
        detail = f"{path} is damaged: {' '.join(faults[0].split())}"
        return Finding(name="store", status="missing", detail=detail, hint=hint)
    detail = f"{path}, {path.stat().st_size / 1048576:.1f} MiB"
    return Finding(
        name="store", status="ok", detail=detail if small else f"{detail}; `pyagent store check` reads all of it"
    )


async def _blobs() -> Finding:
    from pyagent.store.outside import OutsideBlobs

    outside = OutsideBlobs()
    if not outside.base:
        return Finding(name="blobs", status="ok", detail="large ones are kept with the store")
    await outside.try_out()
    return Finding(name="blobs", status="ok", detail=f"{outside.base} can be written and read")


async def _disk() -> Finding:
    from pyagent.runtime.scratch import scratch_root
    from pyagent.settings import STORE, is_neo4j, store_file

    places = {"runs' scratch": scratch_root()}
    if not is_neo4j(STORE.text()):
        places = {"the store": store_file().parent, **places}
    poor: list[str] = []
    shown: list[str] = []
    for what, place in places.items():
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        shown.append(f"{free / (1 << 30):.1f} GiB for {what}")
        if free < _ROOM:
            poor.append(str(place))
    hint = f"Free some space on {', '.join(poor)}." if poor else ""
    return Finding(name="disk", status="missing" if poor else "ok", detail=", ".join(shown), hint=hint)


async def _file_system() -> Finding:
    from pyagent.settings import STORE, is_neo4j, store_file
    from pyagent.store.mounts import NETWORK_HINT, mount_here

    name = "file system"
    if is_neo4j(STORE.text()):
        return Finding(name=name, status="ok", detail="the store is on a server")
    mount = mount_here(store_file())
    if mount is None:
        return Finding(name=name, status="ok", detail="this system does not tell which one the store is on")
    detail = f"{mount.type} at {mount.point}"
    if mount.is_network:
        detail += f", over the network ({mount.source}): SQLite's file may be damaged there"
        return Finding(name=name, status="optional", detail=detail, hint=NETWORK_HINT)
    return Finding(name=name, status="ok", detail=f"{detail} has the store")


async def _scratch() -> Finding:
    from pyagent.runtime.scratch import scratch_root

    root = scratch_root()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=root) as name:
        (Path(name) / "try").write_text("x")
    here = os.access(Path.cwd(), os.W_OK)
    hint = "" if here else "Reports go to .pyagent/ here; run from a folder that can be written, or give an output."
    detail = f"{root} can be written" + ("" if here else f"; {Path.cwd()} cannot")
    return Finding(name="scratch", status="ok" if here else "optional", detail=detail, hint=hint)


async def _nodes() -> Finding:
    from pyagent.sdk.registry import Registry

    registry = Registry.installed()
    found = await asyncio.to_thread(registry.all)
    if not found:
        return Finding(
            name="nodes", status="missing", detail="no node types are installed", hint="Install the distribution again."
        )
    detail = f"{len(found)} types: {', '.join(sorted({each.name.partition('.')[0] for each in found}))}"
    if registry.broken:
        first = registry.broken[0]
        hint = f"{first.hint} `pyagent node check` tells all."
        return Finding(name="nodes", status="optional", detail=f"{detail}; {first.message}", hint=hint)
    return Finding(name="nodes", status="ok", detail=detail)


_OF_NODES = {
    "aiosmtplib": "mail",
    "aiosqlite": "SQLite",
    "cronsim": "schedules",
    "dateutil": "dates",
    "defusedxml": "XML",
    "liquid": "templates",
    "openpyxl": "spreadsheets",
    "psycopg": "Postgres",
    "sqlalchemy": "SQL",
    "watchfiles": "watched folders",
    "websockets": "the page's live events",
}
"""Packages that nodes and the server import when they are used, and what for."""


async def _packages() -> Finding:
    import importlib.util

    absent = {name: what for name, what in _OF_NODES.items() if importlib.util.find_spec(name) is None}
    if absent:
        told = ", ".join(f"{name} ({what})" for name, what in absent.items())
        return Finding(
            name="packages", status="missing", detail=f"not there: {told}", hint="Install the distribution again."
        )
    return Finding(name="packages", status="ok", detail=f"for {', '.join(sorted(_OF_NODES.values()))}")


async def _settings() -> Finding:
    from pyagent.graph.problems import nearest
    from pyagent.settings import SETTINGS, given_names, unknown_names

    if unknown := unknown_names():
        hint = f"{nearest(unknown[0], [setting.name for setting in SETTINGS])} `pyagent settings` shows them."
        return Finding(
            name="settings", status="optional", detail=f"nobody reads {', '.join(unknown)}", hint=hint.strip()
        )
    given = given_names()
    detail = ", ".join(given) + " set in the environment" if given else "the defaults"
    return Finding(name="settings", status="ok", detail=detail)


async def _credentials() -> Finding:
    from pyagent.runtime.credentials import names_in_environment, short_in_environment
    from pyagent.settings import key_file
    from pyagent.vault import VaultFailed, open_vault

    name, given = "credentials", names_in_environment()
    parts = [f"{', '.join(given)} in the environment"] if given else []
    try:
        vault = await asyncio.to_thread(open_vault)
        if vault is None:
            hint = "`pyagent vault init` makes a vault, where they are sealed." if given else ""
            return _warned(name, ["no vault", *parts], short_in_environment(), hint)
        secrets = [secret.name for secret in vault.secrets()]
    except VaultFailed as error:
        return Finding(name=name, status="optional", detail=error.message, hint=error.hint)
    opened_by = "a passphrase" if vault.has_passphrase else f"the key file {key_file()}"
    parts = [f"{len(secrets)} in {vault.path}, opened by {opened_by}", *parts]
    if twice := sorted(set(secrets) & set(given)):
        parts.append(f"the environment's {', '.join(twice)} wins over the vault's")
    return _warned(name, parts, short_in_environment(), "")


def _warned(name: str, parts: list[str], short: list[str], hint: str) -> Finding:
    if not short:
        return Finding(name=name, status="ok", detail="; ".join(parts), hint=hint)
    parts.append(f"{', '.join(short)} has fewer than 4 characters: no log or export can be cleaned of it")
    return Finding(name=name, status="optional", detail="; ".join(parts), hint="Use a longer secret.")


async def _graphs() -> Finding:
    from pyagent.runtime.library import GraphLibrary, graph_folders

    folders = graph_folders()
    ids = [found.spec.id for found in GraphLibrary(folders).files()]
    where = ", ".join(map(str, folders)) or "no folder"
    hint = "" if ids else "Set PYAGENT_GRAPHS to a folder of graph files."
    return Finding(name="graphs", status="ok" if ids else "optional", detail=f"{len(ids)} in {where}", hint=hint)


async def _git() -> Finding:
    return await _program("git", "the pipeline reads a repository's version from its tags", "Install git.")


async def _uv() -> Finding:
    beside = Path(sys.executable).parent / "uv"
    if beside.exists():
        return Finding(name="uv", status="ok", detail=await _version(str(beside)))
    return await _program("uv", "the pipeline prepares test environments with it", "pip install uv")


async def _program(name: str, what: str, hint: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name=name, status="optional", detail=f"not found; {what}", hint=hint)
    return Finding(name=name, status="ok", detail=await _version(path))


async def _version(path: str) -> str:
    process = await asyncio.create_subprocess_exec(
        path, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    return out.decode(errors="replace").strip().splitlines()[0]


_LOOKS: tuple[Callable[[], Awaitable[Finding]], ...] = (
    _python,
    _rust_module,
    _sandbox,
    _dates,
    _settings,
    _credentials,
    _nodes,
    _packages,
    _graphs,
    _file_system,
    _store,
    _blobs,
    _scratch,
    _disk,
    _git,
    _uv,
)

"""Every environment variable that PyAgent reads: its name, type, default and meaning, and the one way to read it.

This module imports the standard library and `pyagent.errors` only, and does nothing at import. A variable that is not
declared here is read nowhere: a test walks the sources and holds it so. `pyagent settings` and
docs/reference/settings.md are made of these declarations.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from pyagent.errors import SetupError, StoreError

Kind = Literal["text", "path", "paths", "choice", "number", "flag", "json"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One environment variable."""

    name: str
    """Its name; with `family`, what its name begins with."""
    kind: Kind
    description: str
    """What it decides, in one sentence without a full stop."""
    default: str = ""
    """Taken where the variable is not set, or empty."""
    told_default: str = ""
    """What the default means, where `default` is empty or found out."""
    choices: tuple[str, ...] = ()
    family: bool = False
    """A prefix: each variable that begins so is one."""
    secret: bool = False
    """Its value is never shown."""

    def given(self, rest: str = "") -> str | None:
        """The variable as it is set (of a family, the one that ends in `rest`), or None; an empty one is not set."""
        return os.environ.get(self.name + rest) or None

    def text(self) -> str:
        """The value, or the default. Raises `SetupError` (`setup.setting`) for what is none of the choices."""
        value = self.given()
        if value is None:
            return self.default
        if self.choices and (value := value.lower()) not in self.choices:
            raise self._wrong(value, f"Use one of: {', '.join(self.choices)}.")
        return value

    def flag(self) -> bool:
        """Whether it is on: anything but `0`, `no`, `off` and `false`."""
        return self.text().lower() not in ("", "0", "no", "off", "false")

    def number(self) -> float:
        """The value as a number. Raises `SetupError` (`setup.setting`)."""
        try:
            return float(self.text())
        except ValueError:
            raise self._wrong(self.text(), "Give a number.") from None

    def path(self) -> Path | None:
        """The path, or None where none is set."""
        value = self.text()
        return Path(value).expanduser() if value else None

    def paths(self) -> list[Path]:
        """The paths, in order; `:` separates them (`;` on Windows)."""
        return [Path(part).expanduser() for part in self.text().split(os.pathsep) if part]

    def _wrong(self, value: str, hint: str) -> SetupError:
        return SetupError(f"{self.name} is {value!r}", code="setup.setting", hint=hint)


NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")

STORE = Setting(
    name="PYAGENT_STORE",
    kind="text",
    description="Where runs are kept: a path, `sqlite:///absolute/path`, or `neo4j://user:password@host:7687` (also "
    "`bolt`, `+s` for TLS); the password is never shown",
    told_default="`pyagent/pyagent.db` in the user's data folder (`XDG_DATA_HOME`)",
)
BLOBS = Setting(
    name="PYAGENT_BLOBS",
    kind="text",
    description="Where new large payloads are kept, of 64 KiB and more: a path, `file:///absolute/path`, or "
    "`s3://bucket/prefix` (needs `pyagent[s3]`). Those that are kept stay where they are",
    told_default="with a SQLite store in files beside it, with Neo4j in the database",
)
AWS = Setting(
    name="AWS_",
    kind="text",
    family=True,
    secret=True,
    description="How `s3://` is reached, by the usual names, read by obstore: `AWS_ACCESS_KEY_ID`, "
    "`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` (a server of your own), "
    "`AWS_ALLOW_HTTP` (`true`: also without TLS), and those of roles and containers",
)
GRAPHS = Setting(
    name="PYAGENT_GRAPHS",
    kind="paths",
    description="Folders of graph files, searched before `graphs` in the working directory and those that come "
    "with PyAgent",
)
NODES = Setting(
    name="PYAGENT_NODES",
    kind="paths",
    description="Folders of node types that need no packaging: `FOLDER/domain/name.py`; they win over installed ones",
)
WORK = Setting(
    name="PYAGENT_WORK",
    kind="path",
    description="Where runs have their work directories",
    told_default="`pyagent/work` in the user's cache folder (`XDG_CACHE_HOME`)",
)
MEMORY = Setting(
    name="PYAGENT_MEMORY",
    kind="path",
    description="Where memory indexes lie, a folder for each",
    told_default="`pyagent/memory` in the user's data folder (`XDG_DATA_HOME`)",
)
CREDENTIAL = Setting(
    name="PYAGENT_CREDENTIAL_",
    kind="json",
    family=True,
    secret=True,
    description="A credential that nodes ask for by name, such as `PYAGENT_CREDENTIAL_MAIL`: a JSON object of texts. "
    "It wins over one of the same name in the vault",
)
VAULT = Setting(
    name="PYAGENT_VAULT",
    kind="path",
    description="The vault: the file with the sealed credentials and tokens of `pyagent vault`",
    told_default="`credentials.vault` beside the store",
)
VAULT_KEY = Setting(
    name="PYAGENT_VAULT_KEY",
    kind="path",
    description="The key file of a vault that has no passphrase; keep it on another disk than backups of the vault",
    told_default="the vault's path with `.key`",
)
VAULT_PASSPHRASE = Setting(
    name="PYAGENT_VAULT_PASSPHRASE",
    kind="text",
    secret=True,
    description="The passphrase of the vault, for servers; people at a terminal are asked",
    told_default="none",
)
SEAL = Setting(
    name="PYAGENT_SEAL",
    kind="flag",
    default="off",
    description="Whether what runs put into the store is sealed with the vault's data key: inputs, outputs, items, "
    "logs, events, messages, checkpoints and blobs. What is sealed is read whatever this says, with that vault; what "
    "was not sealed stays as it is",
)
SANDBOX = Setting(
    name="PYAGENT_SANDBOX",
    kind="choice",
    default="required",
    choices=("required", "best", "off"),
    description="Whether programs that steps run must be kept in their sandbox. `required`: where this machine cannot, "
    "they are not run; `best`: they run with what it has, and the log names what is missing; `off`: they run free",
)
SANDBOX_PROGRAM = Setting(
    name="PYAGENT_SANDBOX_PROGRAM",
    kind="path",
    description="The program `pyagent-sandbox` that keeps them there, if not the one that was installed",
    told_default="the one of the compiled module's wheel; none on `PATH` is taken",
)
SQLITE_SYNCHRONOUS = Setting(
    name="PYAGENT_SQLITE_SYNCHRONOUS",
    kind="choice",
    default="once",
    choices=("normal", "once", "full"),
    description="What a power cut may undo (the death of a process undoes nothing). `normal`: the last commits; "
    "`once`: those, but not that a try of effects `once` has begun; `full`: nothing, each commit is flushed",
)
ALLOW_PRIVATE = Setting(
    name="PYAGENT_ALLOW_PRIVATE",
    kind="text",
    description="What of this machine and its networks nodes may reach: hosts, addresses and networks with commas "
    "between them, each perhaps with a port (`localhost:8080, 10.1.0.0/16, *.office.example`); `*` is all",
    told_default="nothing: nodes reach public addresses only",
)
RATE_STARTS = Setting(
    name="PYAGENT_RATE_STARTS",
    kind="text",
    default="3000/1m",
    description="How many runs a client of the server may start in which time; `off` is any number",
)
RATE_WEBHOOKS = Setting(
    name="PYAGENT_RATE_WEBHOOKS",
    kind="text",
    default="3000/1m",
    description="How many webhook calls of a client the server takes in which time; `off` is any number",
)
RATE_SHARED = Setting(
    name="PYAGENT_RATE_SHARED",
    kind="text",
    default="120/1m",
    description="How often a client may look at shared runs, and a shared run may be looked at, in which time; `off` "
    "is any number",
)
RATE_FAILURES = Setting(
    name="PYAGENT_RATE_FAILURES",
    kind="text",
    default="30/1m",
    description="How many wrong tokens, links and forms of a client the server answers in which time; `off` is any "
    "number",
)
KEEP_RUNS = Setting(
    name="PYAGENT_KEEP_RUNS",
    kind="text",
    description="Which ended runs a server keeps: a time (`30d`), the newest of each graph (`1000`), or several with "
    "commas between them, each perhaps for one status (`completed 7d, failed 90d`). What kept runs were forked from or "
    "called by stays",
    told_default="all",
)
KEEP_EVENTS = Setting(
    name="PYAGENT_KEEP_EVENTS",
    kind="text",
    description="Which events a server keeps: those of a time (`30d`), or so many (`1000000`); of two, what both keep",
    told_default="those of all runs that are kept",
)
WEBHOOK_MEMORY = Setting(
    name="PYAGENT_WEBHOOK_MEMORY",
    kind="text",
    default="256 MiB",
    description="Bytes of webhook calls' bodies that the server holds at one time, all senders together; who comes "
    "when they are taken is told to come again",
)
TRACEPARENT = Setting(
    name="TRACEPARENT",
    kind="text",
    description="The W3C trace context that runs of `pyagent run` are part of, as programs hand it to one another",
)
TRACESTATE = Setting(name="TRACESTATE", kind="text", description="What belongs to `TRACEPARENT`, handed on as it is")
OTEL_EXPORTER = Setting(
    name="OTEL_TRACES_EXPORTER",
    kind="text",
    description="Where spans of runs go: `otlp` (over HTTP), `console`, or another exporter that is installed; `none` "
    "is nowhere. Needs `pyagent[otel]`, which reads the other variables of OpenTelemetry",
    told_default="`otlp` where an endpoint is set, else `none`",
)
OTEL_ENDPOINT = Setting(
    name="OTEL_EXPORTER_OTLP_ENDPOINT",
    kind="text",
    description="The collector's address, such as `http://127.0.0.1:4318`",
)
OTEL_TRACES_ENDPOINT = Setting(
    name="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    kind="text",
    description="The same for spans alone, with its path",
)
OTEL_METRICS_EXPORTER = Setting(
    name="OTEL_METRICS_EXPORTER",
    kind="text",
    description="Where a server and a worker send their metrics, as `OTEL_TRACES_EXPORTER` says it of spans",
    told_default="`otlp` where an endpoint is set, else `none`",
)
OTEL_METRICS_ENDPOINT = Setting(
    name="OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    kind="text",
    description="The collector's address for metrics alone, with its path",
)
OTEL_METRIC_INTERVAL = Setting(
    name="OTEL_METRIC_EXPORT_INTERVAL",
    kind="number",
    default="60000",
    description="Milliseconds from one sending of metrics to the next",
)
OTEL_DISABLED = Setting(
    name="OTEL_SDK_DISABLED",
    kind="choice",
    default="false",
    choices=("true", "false"),
    description="`true`: no spans, and no metrics are sent",
)
DEBUG = Setting(name="PYAGENT_DEBUG", kind="flag", default="0", description="Whether errors come with a traceback")

SETTINGS: tuple[Setting, ...] = (
    STORE,
    BLOBS,
    AWS,
    GRAPHS,
    NODES,
    WORK,
    MEMORY,
    CREDENTIAL,
    VAULT,
    VAULT_KEY,
    VAULT_PASSPHRASE,
    SEAL,
    SANDBOX,
    SANDBOX_PROGRAM,
    SQLITE_SYNCHRONOUS,
    ALLOW_PRIVATE,
    RATE_STARTS,
    RATE_WEBHOOKS,
    RATE_SHARED,
    RATE_FAILURES,
    WEBHOOK_MEMORY,
    KEEP_RUNS,
    KEEP_EVENTS,
    TRACEPARENT,
    TRACESTATE,
    OTEL_EXPORTER,
    OTEL_ENDPOINT,
    OTEL_TRACES_ENDPOINT,
    OTEL_METRICS_EXPORTER,
    OTEL_METRICS_ENDPOINT,
    OTEL_METRIC_INTERVAL,
    OTEL_DISABLED,
    DEBUG,
)
"""All of them, in the order in which they are told."""


def shown(setting: Setting) -> list[Mapping[str, Any]]:
    """What a setting is now, without secrets: `{name, value, from, kind, default, description}`; of a family, each."""
    names = sorted(name for name in os.environ if name.startswith(setting.name)) if setting.family else [setting.name]
    return [
        {
            "name": name,
            "value": ("set" if setting.secret else shown_address(os.environ[name]))
            if os.environ.get(name)
            else setting.default,
            "from": "environment" if os.environ.get(name) else "default",
            "kind": setting.kind,
            "default": setting.default or setting.told_default.replace("`", ""),
            "description": setting.description,
        }
        for name in names or [f"{setting.name}<NAME>"]
    ]


def given_names() -> list[str]:
    """The variables of the environment that are meant for PyAgent, by their names."""
    return sorted(name for name in os.environ if name.startswith("PYAGENT_"))


def unknown_names() -> list[str]:
    """Those of them that nothing reads, as a name with a typing error."""
    known = {setting.name for setting in SETTINGS if not setting.family}
    families = tuple(setting.name for setting in SETTINGS if setting.family)
    return [name for name in given_names() if name not in known and not name.startswith(families)]


def shown_address(address: str) -> str:
    """An address as it may be shown: without the password. Other texts stay as they are."""
    # Up to the last `@`: a password that should have been percent-encoded must not be shown either.
    return re.sub(r"(?s)^([A-Za-z][A-Za-z0-9+.-]*://[^:/@]*):.*@", r"\1:***@", address)


def is_neo4j(address: str) -> bool:
    """Whether an address is one of a Neo4j server."""
    return address.partition("://")[0] in NEO4J_SCHEMES and "://" in address


def machine_file() -> Path:
    """The file beside which lies what belongs to the store of PYAGENT_STORE on this machine: the server's token. Where
    the store is a server, the default store's file, which need not exist. Raises `StoreError`."""
    return data_folder() / "pyagent" / "pyagent.db" if is_neo4j(STORE.text()) else store_file()


def vault_file() -> Path:
    """Where the vault of this machine is, there or not. Raises `StoreError`."""
    return VAULT.path() or machine_file().with_name("credentials.vault")


def key_file() -> Path:
    """Where its key file is, there or not. Raises `StoreError`."""
    return VAULT_KEY.path() or Path(f"{vault_file()}.key")


def witness_folder() -> Path:
    """The folder beside the store that remembers how often vaults were written, there or not: an older file is then
    refused. Raises `StoreError`."""
    return machine_file().with_name("vaults-seen")


def data_folder() -> Path:
    """The user's data folder (`XDG_DATA_HOME`)."""
    home = os.environ.get("XDG_DATA_HOME", "")
    # The specification of the variable: a relative path is to be ignored.
    return Path(home) if home.startswith("/") else Path("~/.local/share").expanduser()


def store_file(url: str | None = None) -> Path:
    """The SQLite file that an address means. None: PYAGENT_STORE, else `pyagent/pyagent.db` in the data folder.

    Takes a path, `sqlite:///absolute/path` (a fourth slash is no matter) or `sqlite:relative/path`. Raises `StoreError`
    `store.unknown_scheme`.
    """
    address = url or STORE.text()
    if not address:
        return data_folder() / "pyagent" / "pyagent.db"
    scheme, colon, rest = address.partition(":")
    if not colon or "/" in scheme or "\\" in scheme or len(scheme) == 1:
        return Path(address).expanduser()
    if scheme != "sqlite" or (rest.startswith("//") and not rest.startswith("///")) or rest in ("", "///"):
        raise StoreError(
            f"{shown_address(address)!r} is no address of a SQLite store.",
            code="store.unknown_scheme",
            hint="Set PYAGENT_STORE to a path, to sqlite:///absolute/path or neo4j://user:password@host:7687, or unset "
            "it for the default.",
        )
    path = unquote(rest)
    return Path("/" + path.lstrip("/") if path.startswith("/") else path).expanduser()

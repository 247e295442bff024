"""The other end of `expression_process`: runs expressions in a process that can be killed. Started by its path.

It has no environment, imports nothing but the standard library and the compiled module, and ends itself by an alarm
if a run outlasts its time in native code, which nothing else can stop.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from functools import partial
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

_IN, _OUT = sys.stdin.buffer, sys.stdout.buffer
_SPARE = 256 << 20
"""Bytes of address space beside a run's memory: its data as JSON, both ways, and Python itself."""

_COMPILING = 10
"""Seconds that compiling, and luxon's first start, may take."""


def _load(path: str) -> Any:
    loader = ExtensionFileLoader("_native", path)
    spec = spec_from_loader("_native", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _read() -> dict[str, Any] | None:
    """One message: a line of JSON, which says how many bytes follow each of its parts."""
    line = _IN.readline()
    return json.loads(line) if line else None


def _write(message: dict[str, Any], blob: bytes = b"", *, flush: bool = True) -> None:
    _OUT.write(json.dumps(message).encode() + b"\n" + blob)
    if flush:
        _OUT.flush()


def _answer(asked: dict[str, Any], kind: str, name: str, which: str, port: str) -> bytes | None:
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    _write({"ask": [kind, name, which, port]})
    found = _read()
    if found is None:
        sys.exit(0)
    signal.setitimer(signal.ITIMER_REAL, left)
    if "refused" in found:
        asked["refused"] = True
        raise LookupError("refused")
    return None if found["bytes"] is None else _IN.read(found["bytes"])


class _Refused(Exception):
    pass


def _compiled(native: Any, engine: Any, asked: dict[str, Any]) -> int:
    signal.setitimer(signal.ITIMER_REAL, _COMPILING)
    try:
        return engine.compile(asked["code"], asked["parameters"])
    except native.ScriptError as error:
        if error.args[0] != "needs_luxon":
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    _write({"need": "luxon"})
    found = _read()
    if found is None:
        sys.exit(0)
    if found["bytes"] is None:
        raise _Refused
    signal.setitimer(signal.ITIMER_REAL, _COMPILING)
    try:
        engine.provide_luxon(_IN.read(found["bytes"]).decode())
        return engine.compile(asked["code"], asked["parameters"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _run(engine: Any, program: int, asked: dict[str, Any], run: dict[str, Any]) -> Any:
    host = partial(_answer, asked) if asked["host"] else None
    signal.setitimer(signal.ITIMER_REAL, asked["alarm"])
    try:
        return engine.run(program, run["arguments"], run["as_text"], run["now"], run["seed"], host)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Answer runs until there are no more."""
    # An interrupt at the terminal is for the process that this one works for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    native = _load(sys.argv[1])
    engine: Any = None
    domain: Any = None
    while (asked := _read()) is not None:
        for run in asked["runs"]:
            run["arguments"] = tuple(
                given if size is None else _IN.read(size)
                for given, size in zip(run["arguments"], run["blobs"], strict=True)
            )
        limits = asked["timezone"], asked["time_limit"], asked["memory_limit"]
        try:
            if (asked["domain"], *limits) != domain:
                # Nothing of one graph is there when another's code runs.
                engine = domain = None
                _bound(limits[2] * 4 + _SPARE)
                engine = native.Engine(timezone=limits[0], time_limit=limits[1], memory_limit=limits[2])
                domain = (asked["domain"], *limits)
            program = _compiled(native, engine, asked)
            for run in asked["runs"]:
                value = _run(engine, program, asked, run)
                if "refused" in asked:
                    raise _Refused
                if isinstance(value, bytes):
                    _write({"bytes": len(value)}, value, flush=False)
                else:
                    _write({"value": value}, flush=False)
        except native.ScriptError as error:
            _write({"error": list(error.args)})
        except MemoryError:
            _write({"error": ["memory", "the memory limit was reached", 0, 0]})
        except (LookupError, _Refused):
            _write({"refused": True})
        else:
            _write({"done": True})


def _bound(more: int) -> None:
    """Let the process take so many bytes more of address space than it has, where the system tells how many it has."""
    if sys.platform != "linux":
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


if __name__ == "__main__":
    main()

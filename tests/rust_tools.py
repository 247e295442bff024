"""Cargo for tests: where it builds, and tools that are installed once into the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pyagent.sdk.places import cache_folder

RUST = Path(__file__).parents[1] / "rust_core"


def cargo(*arguments: str, timeout: float = 900, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run cargo in the workspace, with the folder for builds that `make` uses."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    target = {"CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(cache_folder() / "cargo-target"))}
    given = {**os.environ, **target, "CARGO_TERM_COLOR": "never", **environment}
    subprocess.run([RUST.parent / "scripts" / "rust-target"], env=given, check=True)
    return subprocess.run(
        ["cargo", *arguments], cwd=RUST, capture_output=True, text=True, timeout=timeout, check=False, env=given
    )


def tool(name: str, version: str) -> Path:
    """The folder of a cargo tool's binary, installed there by the first who asks. Skips where the registry fails."""
    folder = cache_folder() / f"{name}-{version}"
    with (cache_folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (folder / "bin" / name).is_file():
            made = cargo("install", name, "--version", version, "--locked", "--root", str(folder), "--quiet")
            shutil.rmtree(folder / "target", ignore_errors=True)
            if made.returncode:
                pytest.skip(f"{name} {version} cannot be installed here: {made.stderr[-300:]}")
    return folder / "bin"

"""Set up this working copy: a virtual environment, the pinned packages, the project, the Rust module.

Needs Python 3.11 or later, cargo and npm; uses the standard library only. Each stage is done once and leaves a
stamp, a hash of what it was made from, in `.venv/.stamps`: a set-up with nothing to do takes milliseconds
and needs no network. What takes long to build is kept in `$XDG_CACHE_HOME/pyagent` (`~/.cache/pyagent`),
so that a second clone of the same sources does not build it again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

if sys.version_info < (3, 11):  # noqa: UP036  any python3 may have started this file
    for candidate in ("python3.13", "python3.12", "python3.11", "python3.14"):
        if shutil.which(candidate) and subprocess.call([candidate, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execvp(candidate, [candidate, *sys.argv])  # noqa: S606
    sys.exit("PyAgent needs Python 3.11 or later.\n  hint: install it, or run `make PYTHON=/path/to/python3.11`.")

import fcntl
import hashlib
import platform
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".stamps"
LOCKED = ROOT / "requirements" / "locked.txt"
RUST = ROOT / "rust_core"
PROGRAMS = RUST / "crates" / "py" / "target" / "data" / "scripts"
"""Programs that the module's wheel installs beside Python's; `data` in its pyproject.toml names the folder."""
WEB = ROOT / "web"
DESIGNER = ROOT / "engine" / "pyagent" / "server" / "static" / "designer"
"""Where the server has the built designer."""
LUXON = ROOT / "engine" / "pyagent" / "runtime" / "_luxon.py"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyagent"
KEPT_BUILDS = 4
"""Builds of the Rust module, and of the designer, that stay in the cache."""


class SetupFailed(Exception):
    """A stage could not be done; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of the set-up: `made_from` tells whether `run` must run again."""

    name: str
    made_from: Callable[[], str]
    run: Callable[[str], None]
    is_there: Callable[[], bool] = lambda: True
    """Whether what the stage left outside the environment is still there."""


def main() -> int:
    """Do the stages whose stamps are not current; 0 when all are done, else 1."""
    try:
        if environment_is_usable() and all(is_current(stage) for stage in STAGES):
            return 0
        with locked():
            if not environment_is_usable():
                make_environment()
            for stage in STAGES:
                if not is_current(stage):
                    do(stage)
    except SetupFailed as failure:
        print(f"set-up failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up interrupted; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def is_current(stage: Stage) -> bool:
    """Whether the stage was done from what it would be done from now."""
    stamp = STAMPS / stage.name
    return stamp.is_file() and stamp.read_text() == stage.made_from() and stage.is_there()


def do(stage: Stage) -> None:
    """Run a stage and leave its stamp."""
    key = stage.made_from()
    with timed(stage.name):
        stage.run(key)
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / stage.name).write_text(key)


# Stages


def environment_is_usable() -> bool:
    """Whether `.venv` has a Python that starts and was made at this path: its scripts name it absolutely."""
    if not os.access(PYTHON, os.X_OK):
        return False
    settings = dict(line.split(" = ", 1) for line in (VENV / "pyvenv.cfg").read_text().splitlines() if " = " in line)
    made_at = settings.get("command", str(VENV)).split()[-1]
    version = tuple(int(part) for part in settings.get("version", "3.11").split(".")[:2])
    return made_at == str(VENV) and version >= (3, 11)


def make_environment() -> None:
    """Make `.venv` anew from the Python that runs this file."""
    with timed("environment"):
        base = getattr(sys, "_base_executable", sys.executable)
        command(
            [base, "-m", "venv", "--clear", VENV],
            hint="Python's venv module is needed; on Debian: apt-get install python3-venv.",
        )


def install_packages(_: str) -> None:
    """Install the pinned packages, compiled, so that the first start is not the slow one."""
    uv_only = VENV / "uv.txt"
    uv_only.write_text(pin_of("uv"))
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command([*pip, "--require-hashes", "-r", uv_only], hint=NETWORK_HINT)
    uv("--require-hashes", "--compile-bytecode", "-r", LOCKED, hint=NETWORK_HINT)


def install_project(_: str) -> None:
    """Install the project as links to its sources."""
    uv("--offline", "--no-deps", "--no-build-isolation", "--editable", ROOT)


def install_core(key: str) -> None:
    """Install the Rust module, from the cache when these sources were built before."""
    kept = CACHE / "core" / key
    if not kept.is_dir():
        print("        (built once for these sources; the first time takes a minute or two)", flush=True)
        build_core(kept)
    forget_old_builds(kept)
    uv("--offline", "--no-deps", "--reinstall", *kept.glob("*.whl"))


def forget_old_builds(used: Path) -> None:
    """Keep this build in the cache and those that were used last beside it."""
    os.utime(used)
    for old in sorted(used.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_BUILDS]:
        shutil.rmtree(old)


def build_core(kept: Path) -> None:
    """Build the Rust module's wheel into `kept`, which appears only when it is complete."""
    if shutil.which("cargo") is None:
        raise SetupFailed("cargo was not found.\n  hint: install Rust 1.89 or later.")
    fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
    manifest = RUST / "crates" / "py" / "Cargo.toml"
    maturin = [VENV / "bin" / "maturin", "build", "--quiet", "--release", "--locked", "--compatibility", "linux"]
    if sys.platform != "linux":
        maturin = maturin[:-2]
    environment = {"CARGO_TARGET_DIR": str(CACHE / "cargo-target")}
    hint = "The first build fetches crates; see the messages above."
    cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", RUST / "Cargo.toml"]
    try:
        command([ROOT / "scripts" / "rust-target"], environment=environment)
        PROGRAMS.mkdir(parents=True, exist_ok=True)
        if sys.platform == "linux":
            command([*cargo, "--package", "pyagent-sandbox"], environment=environment, hint=hint)
            shutil.copy2(CACHE / "cargo-target" / "release" / "pyagent-sandbox", PROGRAMS)
        command(
            [*maturin, "--manifest-path", manifest, "--interpreter", PYTHON, "--out", fresh],
            environment=environment,
            hint=hint,
        )
        fresh.rename(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def core_sources() -> Iterator[Path]:
    """The files that the Rust module is built from."""
    for folder, names, files in os.walk(RUST):
        names[:] = sorted(set(names) - {"target", "fuzz", "tests", "benches"})
        yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".md"))


def install_web_packages(_: str) -> None:
    """Install what the designer is built and tested with."""
    if shutil.which("npm") is None:
        raise SetupFailed("npm was not found.\n  hint: install Node.js 20.19 or later.")
    command(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", WEB], hint=NETWORK_HINT)


def install_designer(key: str) -> None:
    """Build the designer, or take it from the cache when these sources were built before."""
    kept = CACHE / "designer" / key
    if not kept.is_dir():
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        try:
            vite = WEB / "node_modules" / ".bin" / "vite"
            command([vite, "build", WEB, "--outDir", fresh, "--emptyOutDir", "--logLevel", "warn"])
            fresh.rename(kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    forget_old_builds(kept)
    shutil.rmtree(DESIGNER, ignore_errors=True)
    shutil.copytree(kept, DESIGNER)


def web_sources() -> Iterator[Path]:
    """The files that the designer is built from."""
    yield from (WEB / name for name in ("index.html", "package-lock.json", "postcss.config.cjs", "vite.config.ts"))
    yield from sorted(path for path in (WEB / "src").rglob("*") if path.is_file() and ".test." not in path.name)


STAGES = (
    Stage(name="packages", made_from=lambda: digest([LOCKED]), run=install_packages),
    Stage(name="project", made_from=lambda: digest([ROOT / "pyproject.toml"]), run=install_project),
    Stage(
        name="core",
        made_from=lambda: f"{digest(core_sources())}-{sys.platform}-{platform.machine()}",
        run=install_core,
    ),
    Stage(
        name="dates",
        made_from=lambda: digest([LUXON]),
        run=lambda _: command([PYTHON, "-m", "pyagent.runtime._luxon"], hint=NETWORK_HINT),
        is_there=lambda: any(CACHE.glob("luxon-*.mjs")),
    ),
    Stage(
        name="web packages",
        made_from=lambda: digest([WEB / "package-lock.json", WEB / ".npmrc"]),
        run=install_web_packages,
        is_there=(WEB / "node_modules").is_dir,
    ),
    Stage(
        name="designer",
        made_from=lambda: digest(web_sources()),
        run=install_designer,
        is_there=(DESIGNER / "index.html").is_file,
    ),
)

NETWORK_HINT = "The first set-up needs the package registries (later ones do not): check the network, then try again."


# Helpers


def digest(files: Iterable[Path]) -> str:
    """One hash over the names and bytes of `files`."""
    found = hashlib.sha256()
    for path in files:
        found.update(f"{path.relative_to(ROOT)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:32]


def pin_of(package: str) -> str:
    """The lines of the lock file that pin `package`, hashes included."""
    lines = LOCKED.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{package}=="))
    end = next(index for index in range(start, len(lines)) if not lines[index].endswith("\\"))
    return "\n".join(lines[start : end + 1]) + "\n"


def uv(*arguments: str | Path, hint: str = "") -> None:
    """Run `uv pip install` in the environment."""
    command([VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON, *arguments], hint=hint)


def command(line: list[str | Path], *, hint: str = "", environment: dict[str, str] | None = None) -> None:
    """Run a command that may speak to the terminal; raises `SetupFailed` when it fails."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = subprocess.run([str(part) for part in line], env=inherited | (environment or {}), cwd=ROOT)
    if found.returncode:
        text = " ".join(Path(part).name if isinstance(part, Path) else part for part in line[:4])
        raise SetupFailed(f"`{text} …` ended with {found.returncode}." + (f"\n  hint: {hint}" if hint else ""))


@contextmanager
def locked() -> Generator[None]:
    """One set-up at a time on this machine: builds share a cache."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (CACHE / "setup.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def timed(name: str) -> Generator[None]:
    """Say what is being done, and how long it took."""
    print(f"set-up: {name} …", flush=True)
    start = time.monotonic()
    yield
    print(f"set-up: {name} done in {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())

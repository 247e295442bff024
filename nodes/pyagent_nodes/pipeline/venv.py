"""Virtual environments made by uv: resolved once, kept as a lock list, made again without network."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from pyagent.sdk import Context, NodeError
from pyagent.sdk.environment import CLIENT_VARIABLES, user_environment
from pyagent.sdk.places import cache_folder
from pyagent.sdk.process import ProcessResult, log_unkept, run_process
from pyagent_nodes.pipeline.licences import LICENCES, read_licences
from pyagent_nodes.pipeline.programs import (
    TEST_VARIABLES,
    client_sandbox,
    find_program,
    looks_offline,
)
from pyagent_nodes.pipeline.project import read_toml
from pyagent_nodes.pipeline.shapes import Blob, Environment, Project, Source

_READY = ".pyagent-environment"
_RUNNERS = {"pytest": ["pytest"], "unittest": list[str](), "none": list[str]()}
_DECIDING_FILES = re.compile(r"^(pyproject\.toml|setup\.(py|cfg)|tox\.ini|.*requirements.*\.(txt|in))$")
_BUILD_VARIABLES = re.compile(CLIENT_VARIABLES.pattern + "|" + TEST_VARIABLES.pattern, re.IGNORECASE)
_COPIED = {"UV_LINK_MODE": "copy"}
"""In its sandbox the cache is another mount, and hard links do not lead from one to another."""


class EnvironmentFailed(NodeError):
    """The environment for the tests cannot be made (`pipeline.environment.*`)."""

    code = "pipeline.environment.failed"
    hint = "The details hold what uv said. Try the same requirements by hand: uv pip install …"


class NoPython(EnvironmentFailed):
    """No interpreter of the wanted version is installed."""

    code = "pipeline.environment.no_python"
    hint = "Install that Python, or give `python` another version; `uv python list` shows what there is."


class EnvironmentOffline(EnvironmentFailed):
    """Packages are missing from the cache and the index cannot be reached."""

    code = "pipeline.environment.no_network"
    hint = "Run once with network: what the tests need is then kept in the cache."


def environment_folder(ctx: Context) -> Path:
    """Where the run's environment is. Raises `EnvironmentFailed` if a build has put a link to elsewhere there."""
    folder = ctx.work_dir / "environment"
    if folder.is_symlink():
        raise EnvironmentFailed(
            f"{folder} is a link", hint="What the repository's build runs has put it there; look at that."
        )
    return folder


def environment_python(ctx: Context) -> Path:
    """Its interpreter."""
    return environment_folder(ctx) / "bin" / "python"


class Uv:
    """uv with the user's index and cache settings, bound to one step."""

    def __init__(self, ctx: Context, timeout: float) -> None:
        self._ctx = ctx
        self._program = find_program("uv")
        self._timeout = timeout
        self.version = ""

    async def run(self, *arguments: str | Path, env: dict[str, str] | None = None) -> ProcessResult:
        """Run uv outside the repository, so that the repository's own uv settings do not count."""
        ctx = self._ctx
        return await run_process(
            [self._program, "--no-progress", "--color", "never", *arguments],
            cwd=ctx.work_dir,
            env=user_environment(_BUILD_VARIABLES, {"UV_PYTHON_DOWNLOADS": "never", **_COPIED, **(env or {})}),
            sandbox=client_sandbox(ctx.work_dir),
            timeout=self._timeout,
            cancel=ctx.cancel,
            on_line=lambda _, line: ctx.log(line, level="debug") if line.strip() else None,
            grace=0.5,
        )

    async def install(self, what: Sequence[str], *, env: dict[str, str], cached: bool) -> None:
        """`uv pip install` into the run's environment; from the cache first if all should be there.

        Raises `EnvironmentOffline` and `EnvironmentFailed`.
        """
        command = ["pip", "install", "--python", str(environment_python(self._ctx)), "--no-sources", *what]
        if cached:
            result = await self.run(*command, "--offline", env=env)
            if result.ok:
                return
            self._ctx.log("not all of it is in the cache; asking the package index")
        result = await self.run(*command, env=env)
        if result.ok:
            return
        said = result.error_text.strip()
        if looks_offline(said):
            retried = await self.run(*command, "--offline", env=env)
            if retried.ok:
                return
            raise EnvironmentOffline(
                "packages that the tests need are not in the cache and the package index cannot be reached",
                details={"uv": said[-4000:]},
            )
        reason = "it took too long" if result.timed_out else _reason(said)
        raise EnvironmentFailed(f"the test environment cannot be installed: {reason}", details={"uv": said[-4000:]})


def _reason(said: str) -> str:
    lines = [line.strip(" ×╰─▶│") for line in said.splitlines() if line.strip(" ×╰─▶│")]
    return " ".join(lines[:3])[:500] or "uv said nothing"


def environment_key(root: Path, project: Project, python: str) -> str:
    """A hash of all that decides what is installed."""
    digest = hashlib.sha256()
    wanted = [project.test_requirements, project.test_extras, project.runner, project.dependencies]
    digest.update(json.dumps([wanted, python, sys.platform, platform.machine()]).encode())
    for path in sorted(root.rglob("*")):
        if _DECIDING_FILES.match(path.name) and path.is_file() and len(path.relative_to(root).parts) <= 3:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _lock_file(key: str) -> Path:
    return cache_folder() / "environments" / f"{key}.json"


def read_lock(key: str) -> list[str] | None:
    """The exact requirements that were found the last time; None if there was none."""
    try:
        found = json.loads(_lock_file(key).read_text())
        return [str(line) for line in found["lock"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_lock(key: str, lock: Sequence[str]) -> None:
    """Keep the exact requirements for the next time."""
    target = _lock_file(key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=target.parent, suffix=".tmp", delete=False) as file:
        json.dump({"lock": list(lock)}, file)
    Path(file.name).replace(target)


async def find_python(uv: Uv, wanted: str, requires: str) -> tuple[str, str]:
    """Path and version of an interpreter: the wanted one, else ours if it fits, else one that fits.

    Raises `NoPython`.
    """
    own = platform.python_version()
    request = wanted or (requires if requires else own)
    ours = getattr(sys, "_base_executable", sys.executable)
    for candidate in ([] if wanted else [ours]) + [request]:
        if candidate == ours and requires:
            with contextlib.suppress(InvalidSpecifier):
                if own not in SpecifierSet(requires):
                    continue
        result = await uv.run("python", "find", "--no-project", "--system", candidate)
        if result.ok and (path := result.text.strip()):
            version = await uv.run("python", "find", "--no-project", "--system", "--show-version", candidate)
            return path, version.text.strip().split()[-1] if version.ok else own
    raise NoPython(f"no Python {request} is installed", details={"requires_python": requires})


def _build_variables(source: Source, root: Path) -> dict[str, str]:
    """Builds that ask version control for a version find none in a copy: say it."""
    if source.kind == "path" and not (root / "PKG-INFO").is_file():
        version = source.version or "0.0.0"
        return {"SETUPTOOLS_SCM_PRETEND_VERSION": version, "PBR_VERSION": version, "VERSIONINGIT_PRETEND": version}
    return {}


async def make_environment(
    ctx: Context, source: Source, project: Project, tree: Path, *, python: str, timeout: float
) -> Environment:
    """A fresh environment with the package itself, imported from the work tree, and all that its tests need."""
    started = time.monotonic()
    uv = Uv(ctx, timeout)
    asked = await uv.run("--version")
    log_unkept(asked, ctx)
    uv.version = asked.text.split("(")[0].strip()
    interpreter, version = await find_python(uv, python, project.requires_python)
    key = environment_key(tree, project, version)
    lock = read_lock(key)
    reused = lock is not None
    ctx.progress(0.1, f"Python {version}")
    await _fresh(ctx, uv, interpreter)
    build = _build_variables(source, tree)
    if lock is not None:
        ctx.progress(0.3, f"installing {len(lock)} packages, as the last time")
        await _install_lock(ctx, uv, lock)
        package = await _install_package(ctx, uv, tree, project, "", ["--no-deps"], build, cached=True)
    else:
        ctx.progress(0.3, "finding and installing what the tests need")
        wanted = [
            f"-r{tree / line[3:]}" if line.startswith("-r ") else line for line in project.test_requirements
        ] + _RUNNERS[project.runner]
        extras = f"[{','.join(project.test_extras)}]" if project.test_extras else ""
        package = await _install_package(ctx, uv, tree, project, extras, wanted, build, cached=False)
        if package == "not installed" and (wanted or project.dependencies):
            await uv.install([*project.dependencies, *wanted], env=build, cached=False)
        frozen = await uv.run("pip", "freeze", "--exclude-editable", "--python", environment_python(ctx))
        lock = [line for line in frozen.text.splitlines() if "==" in line]
        own = canonicalize_name(project.name)
        lock = [line for line in lock if canonicalize_name(line.split("==")[0]) != own]
        write_lock(key, lock)
        ctx.log(f"{len(lock)} packages installed", packages=lock)
    _put(environment_folder(ctx) / _READY, key)
    return Environment(
        key=key, python=version, lock=lock, package=package, tool=uv.version,
        licences=await _keep_licences(ctx), reused=reused,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _put(path: Path, text: str) -> None:
    """Write a file of ours where builds write, too: not through a link that one has left there."""
    path.unlink(missing_ok=True)
    path.write_text(text)


async def _keep_licences(ctx: Context) -> Blob:
    found = await asyncio.to_thread(read_licences, environment_folder(ctx))
    ref = await ctx.blobs.put(LICENCES.dump_json(found), name="licences.json", media_type="application/json")
    return Blob.of(ref)


async def _fresh(ctx: Context, uv: Uv, interpreter: str) -> None:
    folder = ctx.work_dir / "environment"
    if folder.is_symlink():
        folder.unlink()
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    result = await uv.run("venv", "--no-project", "--python", interpreter, folder)
    if not result.ok:
        said = result.error_text.strip()
        raise EnvironmentFailed(f"no virtual environment can be made: {_reason(said)}", details={"uv": said[-4000:]})


async def _install_lock(ctx: Context, uv: Uv, lock: Sequence[str]) -> None:
    if lock:
        listed = ctx.work_dir / "lock.txt"
        _put(listed, "\n".join(lock) + "\n")
        await uv.install(["--no-deps", "-r", str(listed)], env={}, cached=True)


async def _install_package(
    ctx: Context,
    uv: Uv,
    tree: Path,
    project: Project,
    extras: str,
    beside: Sequence[str],
    env: dict[str, str],
    *,
    cached: bool,
) -> Literal["in place", "copied", "not installed"]:
    """Install the package from the work tree and what stands beside it; says how, or that it could not be.

    Raises `EnvironmentFailed` where the repository names a build system, and that fails.
    """
    if not project.build_backend:
        return "not installed"
    try:
        await uv.install(["--editable", f"{tree}{extras}", *beside], env=env, cached=cached)
    except EnvironmentOffline:
        raise
    except EnvironmentFailed as error:
        said = str(error.details.get("uv", ""))
        if "editable" in said:
            ctx.log("the build cannot install in place; a copy is installed", level="warning")
            await uv.install([f"{tree}{extras}", *beside], env=env, cached=cached)
            return "copied"
        if _names_build_system(tree):
            raise
        # Nobody said that this can be built: a pyproject.toml may be there for its tools' settings alone.
        ctx.log(f"the repository cannot be installed, its tests run beside it: {error.message}", level="warning")
        return "not installed"
    return "in place"


def _names_build_system(tree: Path) -> bool:
    return "build-system" in read_toml(tree / "pyproject.toml") or (tree / "setup.py").is_file()


async def open_environment(
    ctx: Context, source: Source, project: Project, environment: Environment, tree: Path
) -> Path:
    """The environment's interpreter; it is made again from its lock list where it is missing."""
    ready = environment_folder(ctx) / _READY
    if not (ready.is_file() and ready.read_text() == environment.key):
        ctx.log("making the test environment again")
        uv = Uv(ctx, 600)
        interpreter, _ = await find_python(uv, environment.python, "")
        await _fresh(ctx, uv, interpreter)
        await _install_lock(ctx, uv, environment.lock)
        if environment.package != "not installed":
            build = _build_variables(source, tree)
            await _install_package(ctx, uv, tree, project, "", ["--no-deps"], build, cached=True)
        _put(ready, environment.key)
    return environment_python(ctx)

"""Source distributions from the package index, kept by hash so that the second run needs no network."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pyagent.sdk import CancelToken, NodeError
from pyagent.sdk.environment import CLIENT_VARIABLES, user_environment
from pyagent.sdk.places import cache_folder
from pyagent.sdk.process import run_process
from pyagent_nodes.pipeline.archives import sha256_of
from pyagent_nodes.pipeline.programs import client_sandbox, looks_offline

_REQUIREMENT = re.compile(
    r"""^\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)
        \s*==\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)
        (?:\s+--hash=sha256:(?P<sha256>[0-9a-fA-F]{64}))?\s*$""",
    re.VERBOSE,
)


class FetchError(NodeError):
    """The repository cannot be had (`pipeline.fetch.*`)."""

    code = "pipeline.fetch.failed"
    hint = "Try it by hand: pip download --no-deps --no-binary :all: NAME==VERSION"


class PackageNotFound(FetchError):
    """The index has no such package, version, or source distribution."""

    code = "pipeline.fetch.not_found"
    hint = "Check the name and the version, and that this release has a source distribution."


class HashMismatch(FetchError):
    """The archive is not the one that was asked for."""

    code = "pipeline.fetch.hash_mismatch"
    hint = "The index served other bytes than were pinned: do not use them. If the pin is wrong, correct it."


class NoNetwork(FetchError):
    """The package index cannot be reached and the cache lacks the package."""

    code = "pipeline.fetch.no_network"
    hint = "Connect once, so that the package is kept in the cache, or give a path."


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One release of a package."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    sha256: str | None = None
    """Of its source distribution, if pinned."""

    @classmethod
    def parse(cls, text: str) -> Requirement | None:
        """Read `name==version` with an optional `--hash=sha256:…`; None if the text is something else."""
        found = _REQUIREMENT.match(text)
        if found is None:
            return None
        sha256 = found["sha256"]
        return cls(
            name=canonicalize_name(found["name"]),
            version=found["version"],
            sha256=sha256.lower() if sha256 else None,
        )

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A source distribution in the cache."""

    path: Path
    sha256: str
    cached: bool
    """It was there before."""


def _folder() -> Path:
    return cache_folder() / "sources"


def find_cached(requirement: Requirement) -> Archive | None:
    """The archive, if the cache has it with the right hash. A damaged one is removed."""
    sha256 = requirement.sha256
    if sha256 is None:
        note = _folder() / "releases" / f"{requirement.name}-{requirement.version}.json"
        try:
            sha256 = str(json.loads(note.read_text())["sha256"])
        except (OSError, ValueError, KeyError):
            return None
    folder = _folder() / sha256
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if sha256_of(path) != sha256:
            path.unlink(missing_ok=True)
        elif _is_release(path.name, requirement):
            return Archive(path=path, sha256=sha256, cached=True)
    return None


def _is_release(file_name: str, requirement: Requirement) -> bool:
    """Whether an archive's name is that of the release: a pinned hash must not stand for another version."""
    stem = re.sub(r"\.(tar\.\w+|tgz|zip)$", "", file_name)
    name, _, version = stem.rpartition("-")
    return canonicalize_name(name) == requirement.name and version == requirement.version


def _keep(requirement: Requirement, downloaded: Path) -> Archive:
    """Move a download into the cache; a kill in the middle leaves nothing half done."""
    sha256 = sha256_of(downloaded)
    folder = _folder() / sha256
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / downloaded.name
    downloaded.replace(target)
    releases = _folder() / "releases"
    releases.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=releases, suffix=".tmp", delete=False) as note:
        json.dump({"sha256": sha256}, note)
    Path(note.name).replace(releases / f"{requirement.name}-{requirement.version}.json")
    return Archive(path=target, sha256=sha256, cached=False)


async def download(requirement: Requirement, *, timeout: float, cancel: CancelToken) -> Archive:
    """The release's source distribution, from the cache or else from the package index through pip.

    `timeout` in seconds. pip checks a pinned hash before it looks into the archive; ours is a second look.
    Raises `PackageNotFound`, `HashMismatch`, `NoNetwork` and `FetchError`.
    """
    if (found := find_cached(requirement)) is not None:
        return found
    staging = _folder() / "downloads"
    staging.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=staging))
    try:
        wanted = f"{requirement.name}=={requirement.version}"
        if requirement.sha256:
            wanted += f" --hash=sha256:{requirement.sha256}"
        (folder / "requirements.txt").write_text(wanted + "\n")
        result = await run_process(
            [
                sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", requirement.name,
                "--disable-pip-version-check", "--no-input", "--retries", "1", "--progress-bar", "off",
                "--dest", folder / "files", "--requirement", folder / "requirements.txt",
            ],
            env=user_environment(CLIENT_VARIABLES),
            sandbox=client_sandbox(folder),
            timeout=timeout,
            cancel=cancel,
            grace=0.5,
        )  # fmt: skip
        if not result.ok:
            raise _why(requirement, result.text + result.error_text, result.timed_out)
        files = [path for path in (folder / "files").iterdir() if path.is_file()]
        if len(files) != 1:
            raise FetchError(f"pip left {len(files)} files for {requirement}, not one")
        kept = _keep(requirement, files[0])
        if requirement.sha256 and kept.sha256 != requirement.sha256:
            shutil.rmtree(kept.path.parent, ignore_errors=True)
            raise HashMismatch(f"{requirement} has SHA-256 {kept.sha256}, not {requirement.sha256}")
        return kept
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _why(requirement: Requirement, said: str, timed_out: bool) -> FetchError:
    """The error behind what pip said; its words are part of its interface only in English."""
    details = {"pip": said.strip()[-2000:]}
    if "DO NOT MATCH THE HASHES" in said:
        return HashMismatch(f"the source distribution of {requirement} has another SHA-256", details=details)
    if looks_offline(said):
        return NoNetwork(f"{requirement} is not in the cache and the package index cannot be reached", details=details)
    if "No matching distribution found" in said or "404 Client Error" in said:
        return PackageNotFound(f"the package index has no source distribution of {requirement}", details=details)
    if timed_out:
        return NoNetwork(f"the download of {requirement} took too long", details=details)
    return FetchError(
        f"pip could not download {requirement}: {said.strip().splitlines()[-1] if said.strip() else 'no output'}",
        hint="The details hold what pip said.",
        details=details,
    )

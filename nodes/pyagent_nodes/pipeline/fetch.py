"""`pipeline.fetch`: a repository becomes a source tree of the run's own."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field, StringConstraints

from pyagent.sdk import Blobs, Context, Item, Items, NodeParams, Outputs, Where, node
from pyagent.sdk.fields import FOLDER, DurationOrSeconds
from pyagent.sdk.process import run_process
from pyagent.sdk.threads import in_thread
from pyagent_nodes.pipeline.archives import ArchiveLimits, pack, sha256_of
from pyagent_nodes.pipeline.programs import tool_sandbox
from pyagent_nodes.pipeline.shapes import Blob, Source
from pyagent_nodes.pipeline.sources import FetchError, PackageNotFound, Requirement, download
from pyagent_nodes.pipeline.workspace import source_folder, unpack_source

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "requirements.txt", "Pipfile")


class NotARepository(FetchError):
    """The folder holds no Python source."""

    code = "pipeline.fetch.not_a_repository"
    hint = "Give the root folder of a Python repository: it has a pyproject.toml or setup.py, or at least .py files."


class FetchParams(NodeParams):
    """What to fetch, and how much of it."""

    repository: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        description="A folder, or a published source distribution as name==version [--hash=sha256:…]",
        json_schema_extra=FOLDER,
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256 that the source distribution must have"
    )
    max_files: int = Field(50_000, ge=1, description="More files than this are refused")
    max_size: ByteSize = Field(
        ByteSize(1 << 30), ge=1 << 20, description="Larger ones are refused, all files together", examples=["256 MiB"]
    )
    timeout: DurationOrSeconds = Field(timedelta(minutes=5), gt=timedelta(), description="How long a download may take")


@node("pipeline.fetch", title="Fetch repository", icon="download", effects="idempotent")
async def fetch(items: Items, params: FetchParams, ctx: Context) -> Outputs:
    """Copy a folder, or download a source distribution, into a source tree of the run's own.

    A folder is copied without version control, environments and caches; links that leave it are not followed. A
    source distribution comes from the user's cache or the package index, is checked against its pinned SHA-256 and
    unpacked within limits. Puts out one item: what came in, and `source`.

    Fails with `pipeline.fetch.not_found`, `.not_a_repository`, `.hash_mismatch`, `.no_network`, `.too_large` or
    `.bad_archive`.
    """
    started = time.monotonic()
    requirement = Requirement.parse(params.repository)
    folder = Path(params.repository).expanduser()
    if requirement is not None and not folder.exists():
        source = await _fetch_package(requirement, params, ctx)
    else:
        source = await _fetch_path(folder, params, ctx)
    ctx.log(
        f"{source.name} {source.version}".rstrip() + f": {source.files} files, {source.size / 1024:.0f} KiB",
        sha256=source.sha256,
    )
    source = source.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
    json = {**(items[0].json if items else {}), "source": source.as_json()}
    return {"out": [Item(json, {"archive": source.archive.ref})]}


async def _fetch_package(requirement: Requirement, params: FetchParams, ctx: Context) -> Source:
    if params.sha256:
        requirement = Requirement(name=requirement.name, version=requirement.version, sha256=params.sha256)
    ctx.progress(0.1, f"getting {requirement}")
    archive = await download(requirement, timeout=params.timeout.total_seconds(), cancel=ctx.cancel)
    ctx.log(f"{archive.path.name} {'was in the cache' if archive.cached else 'downloaded'}", sha256=archive.sha256)
    ctx.progress(0.7, "unpacking")
    return await _install(
        archive.path, ctx,
        repository=params.repository, kind="package", name=requirement.name, version=requirement.version,
        sha256=archive.sha256, media_type="application/gzip",
    )  # fmt: skip


async def _fetch_path(folder: Path, params: FetchParams, ctx: Context) -> Source:
    where = Where(node=ctx.node_id, field="with.repository")
    if not folder.exists():
        looks_like_path = any(mark in params.repository for mark in "/\\~")
        raise PackageNotFound(
            f"{params.repository!r} is neither a folder nor name==version",
            hint="Give an existing folder." if looks_like_path else "Give an existing folder, or name==version.",
            where=where,
        )
    if not folder.is_dir():
        raise NotARepository(f"{folder} is not a folder", where=where)
    folder = folder.resolve()
    if not _is_repository(folder):
        raise NotARepository(f"{folder} holds no Python source", where=where)
    ctx.progress(0.1, f"copying {folder.name}")
    limits = ArchiveLimits(files=params.max_files, total=params.max_size)
    packed = ctx.work_dir / ".packing.tar.gz"
    ctx.work_dir.mkdir(parents=True, exist_ok=True)
    name = folder.name or "repository"
    try:
        await in_thread(lambda check: pack(folder, packed, name, limits, check), ctx.cancel)
        sha256 = await in_thread(lambda check: sha256_of(packed, check), ctx.cancel)
        ctx.progress(0.7, "unpacking")
        return await _install(
            packed, ctx,
            repository=str(folder), kind="path", name=name, version=await _tagged_version(folder, ctx),
            sha256=sha256, media_type="application/gzip",
        )  # fmt: skip
    finally:
        packed.unlink(missing_ok=True)


def _is_repository(folder: Path) -> bool:
    if any((folder / name).is_file() for name in PROJECT_FILES):
        return True
    return any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/*.py", "*/*/*.py"))


async def _tagged_version(folder: Path, ctx: Context) -> str:
    """The version that the latest tag of a git repository names; builds that ask git cannot ask the copy."""
    if not (folder / ".git").exists() or shutil.which("git") is None:
        return ""
    result = await run_process(
        ["git", "-C", folder, "describe", "--tags", "--abbrev=0"],
        timeout=10,
        cancel=ctx.cancel,
        grace=0.5,
        sandbox=tool_sandbox(read=(folder,)),
    )
    tag = result.text.strip()
    return tag.removeprefix("v") if result.ok and tag[:2].lstrip("v")[:1].isdigit() else ""


async def _install(archive: Path, ctx: Context, *, media_type: str, **known: str) -> Source:
    """Keep the archive as a blob and unpack it where the other steps look for it."""
    blobs: Blobs = ctx.blobs
    ref = await blobs.put(archive, name=archive.name.lstrip("."), media_type=media_type)
    folder = source_folder(ctx)
    shutil.rmtree(folder, ignore_errors=True)  # left by a try that was killed
    shutil.rmtree(ctx.work_dir / "tree", ignore_errors=True)
    files, size = await unpack_source(ctx, archive, folder)
    return Source.model_validate({**known, "archive": Blob.of(ref), "files": files, "size": size, "path": str(folder)})

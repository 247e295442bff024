"""The files of a run: the pristine source, and the work tree with the patch that a step asks for.

Both are made again from blobs wherever they are missing, so a step can run after a crash, in a fork, or elsewhere.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from pyagent.sdk import Context
from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.archives import ArchiveLimits, unpack
from pyagent_nodes.pipeline.shapes import Patch, Source
from pyagent_nodes.pipeline.threads import in_thread

_STATE = ".patch"


def source_folder(ctx: Context) -> Path:
    """Where the pristine source is."""
    return ctx.work_dir / "source"


def tree_folder(ctx: Context) -> Path:
    """Where the work tree is: tests run here, and patches change it."""
    return ctx.work_dir / "tree"


async def open_source(ctx: Context, source: Source) -> Path:
    """The pristine source; nobody may change a file in it. Raises `NotFound` if its archive was deleted."""
    folder = source_folder(ctx)
    if not folder.is_dir():
        await unpack_source(ctx, await ctx.blobs.get(source.archive.ref), folder)
    return folder


async def unpack_source(ctx: Context, archive: bytes | Path, folder: Path) -> tuple[int, int]:
    """Unpack into `folder` in one move, so that a killed step leaves nothing half done; gives files and bytes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unpacking-"))
    try:
        found = await in_thread(
            lambda check: unpack(archive, staging / "files", ArchiveLimits(), check=check), ctx.cancel
        )
        try:
            (staging / "files").rename(folder)
        except OSError:  # a step beside this one was quicker
            if not folder.is_dir():
                raise
        return found.files, found.size
    finally:
        shutil.rmtree(staging, ignore_errors=True)


async def load_patch(ctx: Context, patch: Patch | None) -> list[patches.FilePatch]:
    """All hunks of a patch, those taken back too."""
    return patches.decode(await ctx.blobs.get(patch.blob.ref)) if patch else []


async def open_tree(ctx: Context, source: Source, patch: Patch | None = None) -> Path:
    """The work tree with exactly the hunks in force that `patch` says (without one: as it was fetched)."""
    files = await load_patch(ctx, patch)
    reverted = patch.reverted if patch else []
    return await open_tree_with(ctx, source, files, reverted)


async def open_tree_with(ctx: Context, source: Source, files: list[patches.FilePatch], reverted: list[str]) -> Path:
    """The work tree with these files patched, less the reverted hunks.

    Only files that a patch names are ever written: what builds and tests put beside them stays.
    """
    original = await open_source(ctx, source)
    tree = tree_folder(ctx)
    state = ctx.work_dir / _STATE
    if not tree.is_dir():
        staging = Path(tempfile.mkdtemp(dir=ctx.work_dir, prefix=".copying-"))
        await in_thread(lambda check: _copy(original, staging / "tree", check), ctx.cancel)
        state.unlink(missing_ok=True)
        (staging / "tree").rename(tree)
        staging.rmdir()
    touched = {patch.path: patch for patch in files}
    before = set[str](json.loads(state.read_text())) if state.exists() else set[str]()
    # The list of files that may differ from the original is written first: a kill in the middle is repaired.
    state.write_text(json.dumps(sorted(before | touched.keys())))
    for path in sorted(before | touched.keys()):
        text = read_text(original / path)
        if path in touched:
            text = patches.apply(text, touched[path], reverted)
        if read_text(tree / path) != text:
            write_text(tree / path, text)
    state.write_text(json.dumps(sorted(touched)))
    return tree


def _copy(original: Path, target: Path, check: object) -> None:
    assert callable(check)

    def copy(source: str, destination: str) -> str:
        check()
        return shutil.copy(source, destination)

    shutil.copytree(original, target, symlinks=True, copy_function=copy)


def read_text(path: Path) -> str:
    """A file's text with its line ends as they are; raises `UnicodeDecodeError` if it is not UTF-8."""
    return path.read_bytes().decode()


def write_text(path: Path, text: str) -> None:
    """Write a text with its line ends as they are."""
    path.write_bytes(text.encode())

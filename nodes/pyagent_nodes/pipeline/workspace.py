"""The files of a run: the pristine source, and the work tree with the patch that a step asks for.

Both are made again from blobs wherever they are missing, so a step can run after a crash, in a fork, or elsewhere.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from pyagent.sdk import Context
from pyagent.sdk.threads import in_thread
from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.archives import ArchiveLimits, unpack
from pyagent_nodes.pipeline.shapes import Patch, Source

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
    _write_state(state, sorted(before | touched.keys()))
    for path in sorted(before | touched.keys()):
        text = read_text(original / path)
        if path in touched:
            text = patches.apply(text, touched[path], reverted)
        _put(tree, path, text.encode())
    _write_state(state, sorted(touched))
    return tree


def _put(tree: Path, name: str, content: bytes) -> None:
    """Make `name` in the tree a file of just this content, whatever the tests have put there.

    Nothing is written through a link, which may lead out of the tree.
    """
    path = tree
    for part in Path(name).parts[:-1]:
        path /= part
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            path.mkdir()
    path = tree / name
    if path.is_file() and not path.is_symlink():
        # As bytes: a kill may have cut the file within a character.
        if path.read_bytes() == content:
            return
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(content)


def _write_state(state: Path, files: list[str]) -> None:
    """All or nothing: a kill in the middle leaves the list that was there."""
    new = state.with_name(f"{state.name}.new")
    new.unlink(missing_ok=True)  # builds write here, too: nothing is written through a link that one has left
    new.write_text(json.dumps(files))
    new.replace(state)


def _copy(original: Path, target: Path, check: object) -> None:
    assert callable(check)

    def copy(source: str, destination: str) -> str:
        check()
        return shutil.copy(source, destination)

    shutil.copytree(original, target, symlinks=True, copy_function=copy)


def read_text(path: Path) -> str:
    """A file's text with its line ends as they are; raises `UnicodeDecodeError` if it is not UTF-8."""
    return path.read_bytes().decode()

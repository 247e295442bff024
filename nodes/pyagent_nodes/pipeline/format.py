"""`pipeline.format`: formatting and safe lint fixes as a patch that can be taken back hunk by hunk."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Outputs, node
from pyagent.sdk.fields import DurationOrSeconds
from pyagent.sdk.process import ProcessResult, run_process
from pyagent.sdk.threads import Check, in_thread
from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.archives import repository_files
from pyagent_nodes.pipeline.changes import describe_patch
from pyagent_nodes.pipeline.programs import find_program, tool_sandbox
from pyagent_nodes.pipeline.project import read_toml
from pyagent_nodes.pipeline.shapes import Source
from pyagent_nodes.pipeline.workspace import open_source, open_tree_with, read_text

_SUFFIXES = (".py", ".pyi")
_UNREADABLE = re.compile(r"error: Failed to (parse|read) ")


class FormatFailed(NodeError):
    """ruff could not do its work."""

    code = "pipeline.format.failed"
    hint = "The details hold what ruff said."


class FormatParams(NodeParams):
    """What to change, and how boldly."""

    source: Source = Field(description="The fetched repository")
    lint: bool = Field(True, description="Also apply lint fixes that keep the meaning")
    select: list[str] = Field(
        default_factory=list, description="Lint rules to fix; without any, those the repository has chosen, or ruff's"
    )
    exclude: list[str] = Field(default_factory=list, description="Paths and patterns to leave alone")
    timeout: DurationOrSeconds = Field(timedelta(minutes=5), gt=timedelta(), description="How long ruff may take")


@node("pipeline.format", title="Format code", icon="wand", ports_out=("changed", "unchanged"), effects="idempotent")
async def format_code(items: Items, params: FormatParams, ctx: Context) -> Outputs:
    """Format the code and apply safe lint fixes with ruff, by the repository's own settings if it has any.

    The work tree has the changes afterwards; the fetched source is left as it is. The item that comes in goes on with
    `patch` (all hunks as a blob, and a unified diff as a blob), to `unchanged` when the patch is empty.

    Fails with `pipeline.format.failed`.
    """
    started = time.monotonic()
    original = await open_source(ctx, params.source)
    scratch = Path(tempfile.mkdtemp(dir=ctx.work_dir, prefix="format-"))
    try:
        copy = scratch / "tree"
        await in_thread(lambda check: _copy_sources(original, copy, check), ctx.cancel)
        ctx.progress(0.2, "running ruff")
        await _run_ruff(copy, params, ctx)
        ctx.progress(0.6, "comparing")
        files, texts = await in_thread(lambda check: _differences(original, copy, check), ctx.cancel)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    await open_tree_with(ctx, params.source, files, [])
    patch = await describe_patch(ctx, files, texts, [], seconds=round(time.monotonic() - started, 3))
    for change in patch.files[:50]:
        ctx.log(f"{change.path}: {change.hunks} hunks, +{change.added} −{change.removed}")
    ctx.log(f"{len(patch.files)} files changed" if patch.files else "nothing to change")
    port = "changed" if patch.files else "unchanged"
    return {port: [Item({**(items[0].json if items else {}), "patch": patch.as_json()}, {"diff": patch.diff.ref})]}


def _copy_sources(original: Path, target: Path, check: Check) -> None:
    """Copy what ruff reads: sources and settings."""
    for path in repository_files(original, check):
        if path.suffix in _SUFFIXES or path.suffix == ".toml":
            to = target / path.relative_to(original)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    target.mkdir(parents=True, exist_ok=True)


def has_ruff_settings(root: Path) -> bool:
    """Whether the repository has settings for ruff at its root."""
    if any((root / name).is_file() for name in ("ruff.toml", ".ruff.toml")):
        return True
    return "ruff" in (read_toml(root / "pyproject.toml").get("tool") or {})


async def _run_ruff(tree: Path, params: FormatParams, ctx: Context) -> None:
    own = has_ruff_settings(tree)
    result = await _ruff_twice(tree, params, ctx, own)
    if own and result is not None and not result.timed_out:
        ctx.log("ruff cannot use the repository's settings; its defaults are used", level="warning")
        result = await _ruff_twice(tree, params, ctx, False)
    if result is not None:
        said = result.error_text.strip()
        raise FormatFailed(f"ruff failed ({result.outcome}): {said[-300:]}", details={"ruff": said[-4000:]})


async def _ruff_twice(tree: Path, params: FormatParams, ctx: Context, own: bool) -> ProcessResult | None:
    """Fix, then format; gives the result of the one that failed."""
    # Without settings of its own a repository must not get those of a folder above the work tree.
    common = ["--no-cache", "--no-respect-gitignore", *([] if own else ["--isolated"])]
    for pattern in params.exclude:
        common += ["--exclude" if not own else "--extend-exclude", pattern]
    fix = ["check", "--fix-only", "--no-unsafe-fixes", "--exit-zero"]
    if params.select:
        fix += ["--select", ",".join(params.select)]
    commands = [fix] if params.lint else []
    for command in [*commands, ["format"]]:
        options = (
            common
            if command[0] == "check"
            else ["--exclude" if option == "--extend-exclude" else option for option in common]
        )
        result = await run_process(
            [find_program("ruff"), *command, *options, "."],
            cwd=tree, timeout=params.timeout.total_seconds(), cancel=ctx.cancel, grace=0.5,
            on_line=lambda _, line: ctx.log(line, level="debug"), sandbox=tool_sandbox(tree),
        )  # fmt: skip
        # `format` ends with 2 for a file that does not parse, too; the others are formatted then.
        if not result.ok and not _only_syntax(result):
            return result
    return None


def _only_syntax(result: ProcessResult) -> bool:
    """Whether all that ruff could not do are files that are no Python, or not in UTF-8."""
    lines = [line for line in result.error_text.splitlines() if line.startswith("error:")]
    return result.exit_code == 2 and bool(lines) and all(_UNREADABLE.match(line) for line in lines)


def _differences(original: Path, changed: Path, check: Check) -> tuple[list[patches.FilePatch], dict[str, str]]:
    found: list[patches.FilePatch] = []
    texts: dict[str, str] = {}
    for path in repository_files(changed, check):
        name = path.relative_to(changed).as_posix()
        if path.suffix not in _SUFFIXES:
            continue
        try:
            before, after = read_text(original / name), read_text(path)
        except UnicodeDecodeError:
            continue
        if (patch := patches.compare(name, before, after)) is not None:
            found.append(patch)
            texts[name] = before
    return found, texts

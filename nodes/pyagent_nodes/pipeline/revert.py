"""`pipeline.revert`: takes back the part of a patch that breaks tests, found by bisection."""

from __future__ import annotations

import ast
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, node
from pyagent.sdk.fields import DurationOrSeconds
from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.bisection import Budget, Verdict, find_guilty
from pyagent_nodes.pipeline.changes import describe_patch
from pyagent_nodes.pipeline.programs import SuiteNetwork
from pyagent_nodes.pipeline.results import FINE
from pyagent_nodes.pipeline.shapes import Environment, Patch, Project, Source, Tests
from pyagent_nodes.pipeline.suite import command_of, run_suite
from pyagent_nodes.pipeline.venv import open_environment
from pyagent_nodes.pipeline.workspace import load_patch, open_source, open_tree, open_tree_with, read_text


class RevertParams(NodeParams):
    """The patch, and the tests it broke."""

    source: Source = Field(description="The fetched repository")
    project: Project = Field(description="What is known of it")
    environment: Environment = Field(description="Where its tests can run")
    patch: Patch = Field(description="The changes that were tested")
    tests: Tests = Field(description="The run whose regressions are to be explained")
    baseline: Tests | None = Field(None, description="The run before the changes; tells how long a test may take")
    probes: int = Field(64, ge=1, description="Test runs that the search may make")
    probe_timeout: DurationOrSeconds = Field(
        timedelta(minutes=2),
        gt=timedelta(),
        description="How long one of them may take; with a baseline, 5 s and twice what it took are enough",
    )
    network: SuiteNetwork = False
    rounds: int = Field(5, ge=1, description="After so many rounds the whole patch is taken back")


@node(
    "pipeline.revert",
    title="Revert what breaks",
    icon="undo",
    ports_out=("again", "unrelated"),
    effects="idempotent",
)
async def revert(items: Items, params: RevertParams, ctx: Context) -> Outputs:
    """Find which part of a patch makes tests fail that passed before, and take it back.

    First the files are halved, then the hunks of the guilty ones; each probe runs only the newly failing tests. The
    item goes on to `again` with a smaller `patch`, to be tested as a whole; or to `unrelated` when the tests fail
    without the patch as well, so that it is not to blame.
    """
    started = time.monotonic()
    json = items[0].json if items else {}
    search = await _Search.open(params, ctx)
    if not search.units:
        ctx.log("nothing of the patch is left: it is not to blame", level="warning")
        return {"unrelated": [Item(json)]}
    if params.patch.round >= params.rounds:
        ctx.log(f"tests still fail after {params.patch.round} rounds: the whole patch is taken back", level="warning")
        verdict = Verdict(guilty=tuple(search.units), exact=False)
    else:
        ctx.log(f"{len(search.select)} tests fail that passed before; searching {len(search.units)} changes")
        if await search.fails([]):
            ctx.log("the tests fail without the patch as well: it is not to blame", level="warning")
            await open_tree(ctx, params.source, params.patch)
            return {"unrelated": [Item(json)]}
        verdict = await search.run()
    reverted = [*params.patch.reverted, *verdict.guilty]
    await open_tree_with(ctx, params.source, search.files, reverted)
    broke = search.select[0] + (f" and {len(search.select) - 1} more" if len(search.select) > 1 else "")
    by = "" if verdict.exact else " (not searched to the end)"
    places = {unit: _place(file, index) for file in search.files for index, unit in enumerate(file.units)}
    notes = [*params.patch.notes, *(f"{places[unit]}: broke {broke}{by}" for unit in verdict.guilty)]
    for unit in verdict.guilty:
        ctx.log(f"taken back: {places[unit]}", change=unit)
    patch = await describe_patch(
        ctx, search.files, search.texts, reverted, notes=notes, round=params.patch.round + 1,
        seconds=round(params.patch.seconds + time.monotonic() - started, 3), blob=params.patch.blob,
    )  # fmt: skip
    return {"again": [Item({**json, "patch": patch.as_json()}, {"diff": patch.diff.ref})]}


def _place(file: patches.FilePatch, index: int) -> str:
    """Where a hunk is, for people: lines of the fetched file."""
    hunk = file.hunks[index]
    first, last = hunk.start + 1, hunk.start + len(hunk.old)
    return f"{file.path}, line {first}" if last <= first else f"{file.path}, lines {first} to {last}"


class _Search:
    """The bisection's checks: patch the tree, run the newly failing tests."""

    def __init__(self, params: RevertParams, ctx: Context, files: list[patches.FilePatch], python: Path) -> None:
        self.params = params
        self.ctx = ctx
        self.files = files
        self.texts: dict[str, str] = {}
        self.python = python
        self.units = [unit for file in files for unit in file.units if unit not in params.patch.reverted]
        """Hunks in force."""
        # After a hang all tests behind it are missing; the one that hung tells enough.
        hung = params.tests.running if params.tests.status == "timeout" else ""
        self.select = [hung] if hung else list(params.tests.regressions)
        self.budget = Budget(left=params.probes)
        longest = params.probe_timeout.total_seconds()
        self.timeout = min(longest, 5 + 2 * params.baseline.seconds) if params.baseline else longest
        self._known: dict[frozenset[str], bool] = {frozenset(self.units): True}
        self._count = 0

    @classmethod
    async def open(cls, params: RevertParams, ctx: Context) -> _Search:
        original = await open_source(ctx, params.source)
        tree = await open_tree(ctx, params.source, params.patch)
        python = await open_environment(ctx, params.source, params.project, params.environment, tree)
        search = cls(params, ctx, await load_patch(ctx, params.patch), python)
        search.texts = {file.path: read_text(original / file.path) for file in search.files}
        return search

    async def run(self) -> Verdict:
        """The guilty hunks; whole files where hunks cannot be told apart."""
        by_file = {file.path: [unit for unit in file.units if unit in self.units] for file in self.files}
        by_file = {path: units for path, units in by_file.items() if units}

        async def files_fail(paths: Sequence[str]) -> bool:
            return await self.fails([unit for path in paths for unit in by_file[path]])

        whole = await find_guilty(list(by_file), files_fail, self.budget)
        guilty_files = set(whole.guilty)
        coarse = [unit for path in by_file if path in guilty_files for unit in by_file[path]]
        if not whole.exact:
            return Verdict(guilty=tuple(coarse), exact=False)
        self.ctx.log(f"guilty files: {', '.join(whole.guilty)}")
        innocent = [unit for unit in self.units if unit not in set(coarse)]

        async def hunks_fail(units: Sequence[str]) -> bool:
            return await self.fails([*innocent, *units])

        if len(coarse) == len(whole.guilty):  # one hunk each
            return Verdict(guilty=tuple(coarse), exact=True)
        fine = await find_guilty(coarse, hunks_fail, self.budget)
        if fine.exact and not await hunks_fail([unit for unit in coarse if unit not in set(fine.guilty)]):
            return fine
        return Verdict(guilty=tuple(coarse), exact=False)

    async def fails(self, kept: Sequence[str]) -> bool:
        """Whether the newly failing tests fail with only these hunks in force."""
        key = frozenset(kept)
        if key in self._known:
            return self._known[key]
        self.ctx.cancel.check()
        reverted = [unit for file in self.files for unit in file.units if unit not in key]
        broken = self._unparsable(reverted)
        if broken:
            self.ctx.log(f"{len(kept)} changes: {broken} would not parse", level="debug")
            failed = True
        else:
            failed = await self._probe(kept, reverted)
        self._known[key] = failed
        return failed

    def _unparsable(self, reverted: list[str]) -> str:
        """A file that is no Python with these hunks taken back, as when one opens a bracket that another closes."""
        for file in self.files:
            if file.path.endswith(".py") and 0 < patches.counts(file, reverted)[0] < len(file.hunks):
                try:
                    ast.parse(patches.apply(self.texts[file.path], file, reverted))
                except (SyntaxError, ValueError):
                    return file.path
        return ""

    async def _probe(self, kept: Sequence[str], reverted: list[str]) -> bool:
        params, ctx = self.params, self.ctx
        tree = await open_tree_with(ctx, params.source, self.files, reverted)
        runner, arguments = command_of(params.tests.command)
        assert runner != "none", "a suite without tests has no regressions"
        run = await run_suite(
            ctx, tree=tree, python=self.python, runner=runner, arguments=arguments, select=self.select,
            timeout=self.timeout, network=params.network, say=False,
        )  # fmt: skip
        outcomes = {case.id: case.outcome for case in run.cases}
        failed = any(outcomes.get(test) not in FINE for test in self.select)
        self._count += 1
        ctx.log(
            f"probe {self._count}: {len(kept)} of {len(self.units)} changes, {'fails' if failed else 'passes'}"
            f" in {run.seconds:.1f} s"
        )
        ctx.progress(min(self._count / max(params.probes, 1), 1.0), f"probe {self._count}")
        return failed

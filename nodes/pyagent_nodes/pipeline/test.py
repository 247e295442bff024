"""`pipeline.test`: the repository's own tests, with a result for each."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Literal

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, Items, JsonObject, NodeError, NodeParams, NodeTimeout, Outputs, Where, node
from pyagent.sdk.fields import DurationOrSeconds, FieldPath, format_duration, with_field
from pyagent_nodes.pipeline.programs import SuiteNetwork
from pyagent_nodes.pipeline.results import compare, load_cases, save_run
from pyagent_nodes.pipeline.shapes import Environment, Patch, Project, Source, Tests
from pyagent_nodes.pipeline.suite import command_of, run_suite
from pyagent_nodes.pipeline.venv import open_environment
from pyagent_nodes.pipeline.workspace import open_tree


class TestHang(NodeTimeout):
    """The suite outlived its time; what was known by then is in the details."""

    __test__ = False
    code = "pipeline.test.timeout"
    hint = "The named test hangs, or the suite needs a longer `timeout`."


class SuiteBroken(NodeError):
    """The test runner itself failed, by a usage error or a crash; it goes on as the item's `error`."""

    code = "pipeline.test.broken"
    hint = "The log holds what it printed; a plugin that the settings name may be missing."


class TestParams(NodeParams):
    """Which tree, how, and against what it is compared."""

    __test__ = False
    source: Source = Field(description="The fetched repository")
    project: Project = Field(description="What is known of it")
    environment: Environment = Field(description="Where its tests can run")
    patch: Patch | None = Field(None, description="Changes to test; without them the repository is tested as fetched")
    baseline: Tests | None = Field(None, description="An earlier run to compare with")
    command: str | None = Field(
        None, description="Test command, `pytest …` or `unittest …`, instead of the one that was found"
    )
    timeout: DurationOrSeconds = Field(
        timedelta(minutes=15), gt=timedelta(), description="How long the whole suite may take"
    )
    memory: ByteSize | None = Field(
        None, ge=64 << 20, description="Memory at most; of each process, address space too", examples=["2 GiB"]
    )
    network: SuiteNetwork = False
    on_hang: Literal["fail", "report"] = Field(
        "fail", description="fail: a suite that outlives its time fails the step; report: it counts as failed"
    )
    into: FieldPath = Field("tests", description="The field that gets the result")


@node("pipeline.test", title="Run tests", icon="flask", ports_out=("passed", "failed"), effects="idempotent")
async def run_tests(items: Items, params: TestParams, ctx: Context) -> Outputs:
    """Run the repository's own tests in its environment and route by their outcome.

    Without a baseline, `failed` gets the item if any test failed; with one, if any test that passed in it does not
    pass now. A repository without tests passes, with the status `no tests`. The item that comes in goes on with the
    result in the field that `into` names.

    Fails with `pipeline.test.timeout` when the suite hangs (`on_hang`).
    """
    json = items[0].json if items else {}
    tree = await open_tree(ctx, params.source, params.patch)
    python = await open_environment(ctx, params.source, params.project, params.environment, tree)
    runner, arguments = command_of(params.project.test_command if params.command is None else params.command)
    if runner == "none":
        ctx.log("the repository has no tests", level="warning")
        results, log = await save_run(ctx, [], b"")
        tests = Tests(
            status="no tests", runner="none", command="", counts={}, total=0, failing=[], results=results, log=log
        )  # fmt: skip
        return {"passed": [Item(with_field(json, params.into, tests.as_json()))]}
    ctx.log(f"running {shlex.join(['python', '-m', runner, *arguments])}")
    run = await run_suite(
        ctx, tree=tree, python=python, runner=runner, arguments=arguments, timeout=params.timeout.total_seconds(),
        memory=params.memory, network=params.network,
    )  # fmt: skip
    results, log = await save_run(ctx, run.cases, run.log)
    before = await load_cases(ctx, params.baseline) if params.baseline else None
    regressions, fixed = compare(before, run.cases) if before is not None else ([], [])
    error: JsonObject = {}
    if run.status == "timeout":
        hang = TestHang(
            f"the tests did not end within {format_duration(params.timeout)}; "
            f"{len(run.cases)} of {run.collected} had ended" + (f", {run.running} was running" if run.running else ""),
            where=Where(node=ctx.node_id, step=ctx.step),
            details={"running": run.running, "counts": run.counts, "results": results.as_json()},
        )
        if params.on_hang == "fail":
            raise hang
        error = {"code": hang.code, "message": hang.message, "hint": hang.hint}
    elif run.status == "broken":
        last = run.log.decode(errors="replace").strip().splitlines()[-1:]
        broken = SuiteBroken(f"the test runner failed with exit code {run.exit_code}: {' '.join(last)}"[:1000])
        error = {"code": broken.code, "message": broken.message, "hint": broken.hint}
    tests = Tests(
        status=run.status, runner=runner, command=run.command, counts=run.counts, total=len(run.cases),
        failing=[case for case in run.cases if case.outcome in ("failed", "error")][:50],
        regressions=regressions, fixed=fixed, running=run.running, error=error, exit_code=run.exit_code,
        seconds=run.seconds, results=results, log=log,
    )  # fmt: skip
    good = not regressions if before is not None else run.status in ("passed", "no tests")
    ctx.log(
        f"{run.status}: " + (", ".join(f"{count} {name}" for name, count in run.counts.items()) or "no results"),
        level="info" if good else "warning",
        regressions=len(regressions),
    )
    return {"passed" if good else "failed": [Item(with_field(json, params.into, tests.as_json()))]}

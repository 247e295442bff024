"""Runs a repository's own test suite in its environment and collects each test's result as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyagent.sdk import Context
from pyagent.sdk.environment import user_environment
from pyagent.sdk.process import ProcessLimits, ProcessResult, log_unkept, run_process
from pyagent_nodes.pipeline.programs import TEST_VARIABLES, suite_sandbox
from pyagent_nodes.pipeline.project import has_pytest_settings, read_toml
from pyagent_nodes.pipeline.shapes import Outcome, TestCase

RUNNERS = Path(__file__).with_name("runners")
GOOD = frozenset({"passed", "xfailed", "xpassed", "skipped"})
"""Outcomes that do not fail a suite."""
_PYTEST_NO_TESTS = 5
_LOOK_EVERY = 0.25
_PROCESSES = 4096
"""More than a suite needs, and less than takes a machine down."""


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """How a run of the suite went."""

    status: Literal["passed", "failed", "no tests", "timeout", "broken"]
    cases: tuple[TestCase, ...]
    """In the order in which they ended; without those that never did."""
    running: str
    """The test that ran when the suite was cut off, or empty."""
    collected: int
    command: str
    exit_code: int
    seconds: float
    log: bytes

    @property
    def counts(self) -> dict[str, int]:
        """Tests by outcome."""
        return dict(sorted(Counter(case.outcome for case in self.cases).items()))


@dataclass(kw_only=True)
class Report:
    """What the runner's report says so far; `feed` it the report's new bytes."""

    cases: dict[str, TestCase] = field(default_factory=dict[str, TestCase])
    collected: int = 0
    running: str = ""
    ended: bool = False
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take the report's next bytes, which may end inside a line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # two writers, or a killed one
                continue
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "collected":
                self.collected += int(event["count"])
            case "start":
                self.running = str(event["id"])
            case "result":
                case = TestCase(
                    id=str(event["id"]), outcome=event["outcome"], seconds=event["seconds"], message=event["message"]
                )
                self.cases[case.id] = _worse(self.cases.get(case.id), case)
                self.running = ""
            case "end":
                self.ended = True
            case _:
                return


_RANK: tuple[Outcome, ...] = ("passed", "xfailed", "skipped", "xpassed", "failed", "error")


def _worse(one: TestCase | None, other: TestCase) -> TestCase:
    """Of two results under one id, the worse: an id may stand for several tests."""
    if one is None or _RANK.index(other.outcome) >= _RANK.index(one.outcome):
        return other
    return one


def command_of(text: str) -> tuple[Literal["pytest", "unittest", "none"], tuple[str, ...]]:
    """The runner and its arguments of a test command; words alone are arguments of pytest."""
    words = shlex.split(text)
    if words[:2] == ["python", "-m"]:
        words = words[2:]
    if not words:
        return "none", ()
    if words[0] == "unittest":
        return "unittest", tuple(words[1:])
    return "pytest", tuple(words[1:] if words[0] == "pytest" else words)


def pytest_arguments(root: Path, empty_settings: Path) -> list[str]:
    """Options that keep pytest inside the repository.

    pytest looks for settings in all folders above; a work tree inside another project must not get that project's.
    """
    if has_pytest_settings(root, read_toml(root / "pyproject.toml")):
        return []
    return ["-c", str(empty_settings), f"--rootdir={root}", f"--confcutdir={root}"]


def files_of(ids: Collection[str], root: Path) -> list[str]:
    """The files that hold these pytest ids, to collect no others; none if an id names no file."""
    found = sorted({test.split("::", 1)[0] for test in ids})
    return found if all((root / path).is_file() for path in found) else []


async def run_suite(
    ctx: Context,
    *,
    tree: Path,
    python: Path,
    runner: Literal["pytest", "unittest"],
    arguments: Sequence[str] = (),
    select: Collection[str] | None = None,
    timeout: float,
    memory: int | None = None,
    network: bool | Sequence[str] = False,
    say: bool = True,
) -> SuiteRun:
    """Run the suite, or the tests selected by id, in `tree` with `python`.

    `timeout` in seconds, `memory` in bytes. Without `network` the tests see a loopback of their
    own, which with a list leads to those hosts. Never raises for what the tests do: a
    suite that hangs is cut off with what was known by then. `say`: report progress and failing tests to the run.
    """
    ctx.work_dir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=ctx.work_dir, prefix="tests-"))
    try:
        for name in ("home", "tmp", "runners"):
            (scratch / name).mkdir()
        for path in RUNNERS.glob("pyagent_*.py"):
            shutil.copy(path, scratch / "runners")
        report_file = scratch / "report.jsonl"
        report_file.touch()
        env = user_environment(
            TEST_VARIABLES,
            {
                "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
                "VIRTUAL_ENV": str(python.parent.parent),
                "HOME": str(scratch / "home"),
                "TMPDIR": str(scratch / "tmp"),
                "PYTHONPATH": str(scratch / "runners"),
                # Patched files may keep size and second: a stale .pyc would then be run.
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYAGENT_TEST_REPORT": str(report_file),
            },
        )
        if select is not None:
            (scratch / "select.json").write_text(json.dumps(sorted(select)))
            env["PYAGENT_TEST_SELECT"] = str(scratch / "select.json")
        if runner == "pytest":
            (scratch / "pytest.ini").write_text("[pytest]\n")
            argv = [
                "-m", "pytest", "-p", "pyagent_pytest_report", "-p", "no:cacheprovider",
                *pytest_arguments(tree, scratch / "pytest.ini"), *(files_of(select or (), tree) or arguments),
            ]  # fmt: skip
        else:
            argv = ["-m", "pyagent_unittest_report", *arguments]
        report = Report()
        ended = asyncio.Event()
        watching = asyncio.create_task(_watch(ctx, report_file, report, ended, say))
        try:
            result = await run_process(
                [python, *argv],
                cwd=tree,
                env=env,
                timeout=timeout,
                limits=ProcessLimits(memory=memory, processes=_PROCESSES, output=1 << 20),
                sandbox=suite_sandbox(
                    python, tree, scratch, read=(python.parent.parent,), network=network, tmp=scratch / "tmp"
                ),
                cancel=ctx.cancel,
                grace=0.5,
            )
        finally:
            ended.set()
            await asyncio.wait({watching})
        log_unkept(result, ctx)
        return _run_of(runner, arguments, report, result, {str(scratch): "(temporary)", str(tree): "."})
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _run_of(
    runner: str, arguments: Sequence[str], report: Report, result: ProcessResult, paths: Mapping[str, str]
) -> SuiteRun:
    """Judge the run. `paths`: how folders of this run are to be called, so that equal runs have equal results."""
    cases = tuple(
        case.model_copy(update={"message": _renamed(case.message, paths)}) if case.message else case
        for case in report.cases.values()
    )
    # To unittest an unexpected success is a failure; to pytest it is none unless it is told to be strict.
    fine = GOOD if runner == "pytest" else GOOD - {"xpassed"}
    bad = any(case.outcome not in fine for case in cases)
    if result.timed_out:
        status = "timeout"
    elif bad:
        status = "failed"
    elif not report.ended and not (runner == "pytest" and result.exit_code == _PYTEST_NO_TESTS):
        status = "broken"
    elif not cases:
        status = "no tests" if result.exit_code in (0, 1, _PYTEST_NO_TESTS) else "broken"
    else:
        # A suite may fail as a whole, e.g. by a coverage threshold: no test says so, so none of them is to blame.
        status = "passed" if result.exit_code in (0, 1) else "broken"
    return SuiteRun(
        status=status,
        cases=cases,
        running=report.running,
        collected=report.collected,
        command=shlex.join(["python", "-m", runner, *arguments]),
        exit_code=result.exit_code,
        seconds=round(result.duration, 3),
        log=result.stdout + (b"\n" if result.stdout and result.stderr else b"") + result.stderr,
    )


def _renamed(text: str, paths: Mapping[str, str]) -> str:
    for path, name in paths.items():
        text = text.replace(path, name)
    return text


async def _watch(ctx: Context, path: Path, report: Report, ended: asyncio.Event, say: bool) -> None:
    """Read the report while the suite runs, to its end, and tell the run how far it is."""
    told = 0
    with path.open("rb") as file:
        last = False
        while not last:
            last = ended.is_set()
            report.feed(file.read())
            if say and report.collected:
                done = len(report.cases)
                ctx.progress(min(done / report.collected, 1.0), f"{done} of {report.collected} tests")
                for case in list(report.cases.values())[told:done]:
                    if case.outcome not in GOOD:
                        ctx.log(f"{case.outcome}: {case.id}", level="warning")
                told = done
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), None if last else _LOOK_EVERY)

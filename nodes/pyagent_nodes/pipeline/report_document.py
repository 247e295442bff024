"""The report as data: what `report.json` holds. Fields are only ever added; a changed meaning gets a new `schema`.

All that may differ between two runs on the same repository is in `run` and `times`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyagent_nodes.pipeline.shapes import (
    Audit,
    Check,
    Docs,
    Environment,
    FileChange,
    Finding,
    Licence,
    Patch,
    Project,
    Severity,
    Shape,
    Source,
    TestCase,
    Tests,
)


class RunPart(Shape):
    """The run that wrote the report."""

    id: str
    graph: str
    output: str
    """Folder of the report."""


class SourcePart(Shape):
    """What was examined."""

    repository: str
    kind: Literal["path", "package"]
    name: str
    version: str
    sha256: str
    files: int
    size: int


class EnvironmentPart(Shape):
    """Where the tests ran."""

    python: str
    tool: str
    package: Literal["in place", "copied", "not installed"]
    packages: list[str]


class SuitePart(Shape):
    """A run of the tests."""

    status: Literal["passed", "failed", "no tests", "timeout", "broken"]
    command: str
    counts: dict[str, int]
    total: int
    failing: list[TestCase]
    """Without times; the first fifty."""
    error: dict[str, str]


class TestsPart(Shape):
    """The tests before and after the changes."""

    __test__ = False
    before: SuitePart | None
    after: SuitePart | None
    regressions: list[str]
    """Passed before and do not pass after."""
    fixed: list[str]


class ChangesPart(Shape):
    """What was changed."""

    kept: bool
    """False: a person rejected the changes."""
    files: list[FileChange]
    reverted: list[str]
    notes: list[str]
    rounds: int
    """How often something was taken back."""
    patch: str
    """File beside the report; empty if nothing was changed or kept."""


class AuditPart(Shape):
    """What the audit found."""

    counts: dict[Severity, int]
    checks: list[Check]
    """Without times."""
    findings: list[Finding]
    licences: list[Licence]


class DocsPart(Shape):
    """The documentation that was written."""

    index: str
    """File below the report's folder."""
    pages: int
    modules: int
    classes: int
    functions: int
    documented: float


class ReportDocument(Shape):
    """The whole report."""

    schema_version: Literal[1] = Field(1, alias="schema")
    verdict: Literal["good", "failing tests", "no tests", "findings"]
    """`failing tests` outweighs `findings` of severity high or critical, and these outweigh `no tests`."""
    run: RunPart
    source: SourcePart
    project: Project
    environment: EnvironmentPart | None
    changes: ChangesPart | None
    tests: TestsPart
    audit: AuditPart | None
    docs: DocsPart | None
    versions: dict[str, str]
    """Of the programs that did the work."""
    times: dict[str, float]
    """Seconds by step."""


def suite_part(tests: Tests) -> SuitePart:
    """A suite's run without what changes from time to time."""
    return SuitePart(
        status=tests.status,
        command=tests.command,
        counts=tests.counts,
        total=tests.total,
        failing=[case.model_copy(update={"seconds": 0.0}) for case in tests.failing],
        error={name: str(value) for name, value in tests.error.items()},
    )


def build_document(
    *,
    run: RunPart,
    source: Source,
    project: Project,
    environment: Environment | None,
    baseline: Tests | None,
    tests: Tests | None,
    patch: Patch | None,
    keep: bool,
    audit: Audit | None,
    findings: list[Finding],
    licences: list[Licence],
    docs: Docs | None,
    versions: dict[str, str],
) -> ReportDocument:
    """Put the parts together and judge."""
    after = tests or baseline
    return ReportDocument.model_validate(
        {
            "schema": 1,
            "verdict": _verdict(after if keep else baseline or after, audit),
            "run": run,
            "source": SourcePart.model_validate(
                source.model_dump(include=set(SourcePart.model_fields))
            ),
            "project": project.model_copy(update={"seconds": 0.0}),
            "environment": environment
            and EnvironmentPart(
                python=environment.python, tool=environment.tool, package=environment.package,
                packages=environment.lock,
            ),
            "changes": patch
            and ChangesPart(
                kept=keep, files=patch.files, reverted=patch.reverted, notes=patch.notes, rounds=patch.round,
                patch="changes.patch" if patch.files and keep else "",
            ),
            "tests": TestsPart(
                before=suite_part(baseline) if baseline else None,
                after=suite_part(tests) if tests else None,
                regressions=tests.regressions if tests else [],
                fixed=tests.fixed if tests else [],
            ),
            "audit": audit
            and AuditPart(
                counts=audit.counts,
                checks=[check.model_copy(update={"seconds": 0.0}) for check in audit.checks],
                findings=findings,
                licences=licences,
            ),
            "docs": docs
            and DocsPart(index=f"docs/{docs.index}", **docs.model_dump(include=_DOCS_FIELDS)),
            "versions": versions,
            "times": _times(source, project, environment, baseline, tests, patch, audit, docs),
        }
    )  # fmt: skip


_DOCS_FIELDS = {"pages", "modules", "classes", "functions", "documented"}


def _verdict(tests: Tests | None, audit: Audit | None) -> str:
    if tests is not None and tests.status in ("failed", "timeout", "broken"):
        return "failing tests"
    if audit is not None and audit.counts.get("critical", 0) + audit.counts.get("high", 0):
        return "findings"
    return "no tests" if tests is None or tests.status == "no tests" else "good"


def _times(
    source: Source, project: Project, environment: Environment | None, baseline: Tests | None, tests: Tests | None,
    patch: Patch | None, audit: Audit | None, docs: Docs | None,
) -> dict[str, float]:  # fmt: skip
    parts = {
        "fetch": source, "understand": project, "environment": environment, "tests before": baseline,
        "changes": patch, "tests after": tests, "audit": audit, "docs": docs,
    }  # fmt: skip
    found = {name: part.seconds for name, part in parts.items() if part is not None}
    for check in audit.checks if audit else []:
        if check.status == "checked":
            found[f"audit: {check.name}"] = check.seconds
    return found

"""`pipeline.report`: one page and one JSON file about everything that was done."""

from __future__ import annotations

import asyncio
import platform
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import Field, TypeAdapter

from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Outputs, Where, node
from pyagent.sdk.fields import FOLDER
from pyagent.sdk.places import private_folder
from pyagent_nodes.pipeline.archives import unpack
from pyagent_nodes.pipeline.licences import LICENCES
from pyagent_nodes.pipeline.report_document import RunPart, build_document
from pyagent_nodes.pipeline.report_html import render
from pyagent_nodes.pipeline.shapes import (
    Audit,
    Docs,
    Environment,
    Finding,
    Licence,
    Patch,
    Project,
    Source,
    Tests,
)

_REPORTS = Path(".pyagent") / "reports"
_FINDINGS = TypeAdapter(list[Finding])
# The first says that a folder is a report's: it comes before the others, and is there until the next takes its place.
_FILES = ("report.json", "docs", "changes.patch", "tests-before.json", "tests-after.json", "report.html")


class ReportFailed(NodeError):
    """The report cannot be written."""

    code = "pipeline.report.failed"
    hint = "Give `output` a folder that can be written, on a disk with room."


class ReportParams(NodeParams):
    """What to report, and where."""

    source: Source = Field(description="The fetched repository")
    project: Project = Field(description="What is known of it")
    environment: Environment | None = Field(None, description="Where its tests ran")
    baseline: Tests | None = Field(None, description="Its tests before the changes")
    tests: Tests | None = Field(None, description="Its tests after the changes")
    patch: Patch | None = Field(None, description="The changes")
    keep: bool = Field(True, description="Whether the changes are kept: written beside the report as a patch")
    audit: Audit | None = Field(None, description="What the audit found")
    docs: Docs | None = Field(None, description="The documentation")
    output: str | None = Field(
        None, description="Folder for the report; left out: .pyagent/reports/<run id>", json_schema_extra=FOLDER
    )


@node("pipeline.report", title="Write report", icon="file-text", effects="idempotent")
async def report(items: Items, params: ReportParams, ctx: Context) -> Outputs:
    """Write `report.html`, `report.json`, `changes.patch`, each test's result and the documentation into a folder.

    Puts out one small item: `verdict`, `html`, `json` and `output` (paths), `tests`, `findings` (counts), `changed`
    (files). Writing again replaces the files.

    Fails with `pipeline.report.failed` when the folder cannot be written.
    """
    output = Path(params.output or _REPORTS / ctx.run_id).expanduser().absolute()
    findings: list[Finding] = []
    licences: list[Licence] = []
    if params.audit is not None:
        findings = _FINDINGS.validate_json(await ctx.blobs.get(params.audit.findings.ref))
        if params.environment is not None:
            licences = LICENCES.validate_json(await ctx.blobs.get(params.environment.licences.ref))
    document = build_document(
        run=RunPart(id=ctx.run_id, graph=ctx.graph_id, output=str(output)),
        source=params.source, project=params.project, environment=params.environment, baseline=params.baseline,
        tests=params.tests, patch=params.patch, keep=params.keep, audit=params.audit, findings=findings,
        licences=licences, docs=params.docs, versions=_versions(params),
    )  # fmt: skip
    diff = (await ctx.blobs.get(params.patch.diff.ref)).decode(errors="replace") if params.patch else ""
    files = {"changes.patch": diff.encode()} if document.changes is not None and document.changes.patch else {}
    for name, tests in (("tests-before.json", params.baseline), ("tests-after.json", params.tests)):
        if tests is not None:
            files[name] = await ctx.blobs.get(tests.results.ref)
    files["report.json"] = document.model_dump_json(indent=2, by_alias=True).encode() + b"\n"
    files["report.html"] = render(document, diff).encode(errors="replace")
    docs = await ctx.blobs.get(params.docs.archive.ref) if params.docs else None
    try:
        if params.output is None:
            private_folder(output)
        await asyncio.to_thread(_write, output, files, docs)
    except OSError as error:
        raise ReportFailed(
            f"{output} cannot be written: {error.strerror or error}", where=Where(node=ctx.node_id, field="with.output")
        ) from error
    ctx.log(f"report: {output / 'report.html'}")
    after = document.tests.after or document.tests.before
    return {
        "out": [
            Item(
                {
                    "verdict": document.verdict,
                    "output": str(output),
                    "html": str(output / "report.html"),
                    "json": str(output / "report.json"),
                    "tests": after.counts if after else {},
                    "status": after.status if after else "no tests",
                    "regressions": len(document.tests.regressions),
                    "reverted": len(document.changes.reverted) if document.changes else 0,
                    "changed": len(document.changes.files) if document.changes else 0,
                    "findings": {name: count for name, count in params.audit.counts.items() if count}
                    if params.audit
                    else {},
                    "docs": str(output / document.docs.index) if document.docs else None,
                }
            )
        ]
    }


def _versions(params: ReportParams) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in ("pyagent", "ruff", "bandit"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if params.environment is not None and params.environment.tool:
        name, _, number = params.environment.tool.partition(" ")
        found[name] = number
    return found


def _write(output: Path, files: Mapping[str, bytes], docs: bytes | None) -> None:
    """Write all files beside the folder's own first, so that a failure leaves no half report.

    Raises `ReportFailed` rather than replace what no report has written: somebody's `docs`, where `output` is `.`.
    """
    output.mkdir(parents=True, exist_ok=True)
    if not (output / _FILES[0]).is_file():
        for name in _FILES:
            if (output / name).exists():
                raise ReportFailed(
                    f"{output} has {name}, which no report has written", hint="Give `output` a folder of its own."
                )
    staging = Path(tempfile.mkdtemp(dir=output, prefix=".writing-"))
    try:
        if docs is not None:
            unpack(docs, staging / "docs", check=lambda: None)
        for name, content in files.items():
            (staging / name).write_bytes(content)
        for name in _FILES:
            target = output / name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            if (staging / name).exists():
                (staging / name).replace(target)
            else:
                target.unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)

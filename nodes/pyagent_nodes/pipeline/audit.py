"""`pipeline.audit`: code, secrets, dependencies and licences of a repository."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import Field, TypeAdapter

from pyagent.sdk import Context, Item, Items, NodeCancelled, NodeError, NodeParams, Outputs, node, threads
from pyagent.sdk.fields import DurationOrSeconds, format_duration
from pyagent.sdk.process import ProcessLimits, run_process
from pyagent_nodes.pipeline import advisories
from pyagent_nodes.pipeline.advisory_source import is_service, read_advisories
from pyagent_nodes.pipeline.archives import repository_files
from pyagent_nodes.pipeline.licences import LICENCES
from pyagent_nodes.pipeline.programs import tool_sandbox
from pyagent_nodes.pipeline.project import is_test_file
from pyagent_nodes.pipeline.secret_scan import scan
from pyagent_nodes.pipeline.shapes import (
    SEVERITIES,
    Audit,
    Blob,
    Check,
    Environment,
    Finding,
    Severity,
    Source,
)
from pyagent_nodes.pipeline.workspace import open_source

_BANDIT_SEVERITY: dict[str, Severity] = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
_BIGGEST_TEXT = 2 << 20
FINDINGS = TypeAdapter(list[Finding])


class AuditFailed(NodeError):
    """A part of the audit could not be done; it is reported as not checked."""

    code = "pipeline.audit.failed"
    hint = "The rest of the audit holds; this part can be done again by a fork from its step."


class AuditParams(NodeParams):
    """What to audit, and against what."""

    source: Source = Field(description="The fetched repository")
    environment: Environment | None = Field(
        None, description="Its environment; without it dependencies and licences are not checked"
    )
    advisories: str = Field(
        "",
        description="A service with OSV's API (https://api.osv.dev, or an address that ends in /v1), or the address "
        "or file of advisories as OSV JSON; empty: dependencies are not checked",
    )
    test_files: bool = Field(False, description="Also report findings of the code check in test files")
    timeout: DurationOrSeconds = Field(timedelta(minutes=5), gt=timedelta(), description="How long one check may take")


@node("pipeline.audit", title="Audit", icon="shield", effects="idempotent")
async def audit(items: Items, params: AuditParams, ctx: Context) -> Outputs:
    """Audit the fetched source: bandit on the code, a scan for secrets, advisories and licences of dependencies.

    A check that cannot be made is reported as `not checked` with the reason; it never passes for clean. Findings name
    the file and line of the source as it was fetched. Puts out one item: what came in, and `audit`.
    """
    started = time.monotonic()
    root = await open_source(ctx, params.source)
    checks: list[Check] = []
    found: list[Finding] = []
    parts = (
        ("code", _check_code(root, params, ctx)),
        ("secrets", _check_secrets(root, ctx)),
        ("dependencies", _check_dependencies(params, ctx)),
        ("licences", _check_licences(params, ctx)),
    )
    results = await asyncio.gather(*(_timed(part) for _, part in parts), return_exceptions=True)
    for (name, _), result in zip(parts, results, strict=True):
        if isinstance(result, AuditFailed):
            checks.append(Check.model_validate({"name": name, "status": "not checked", "reason": result.message}))
            ctx.log(f"{name}: not checked, {result.message}", level="warning")
        elif isinstance(result, BaseException):
            raise result
        else:
            (by, findings), seconds = result
            found += findings
            checks.append(
                Check.model_validate(
                    {"name": name, "status": "checked", "by": by, "findings": len(findings), "seconds": seconds}
                )
            )
            ctx.log(f"{name}: {len(findings)} findings ({by})")
    found.sort(key=lambda one: (SEVERITIES.index(one.severity), one.check, one.file, one.line, one.rule))
    ref = await ctx.blobs.put(FINDINGS.dump_json(found), name="findings.json", media_type="application/json")
    report = Audit(
        counts={severity: sum(one.severity == severity for one in found) for severity in SEVERITIES},
        total=len(found), findings=Blob.of(ref), checks=checks,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip
    return {"out": [Item({**(items[0].json if items else {}), "audit": report.as_json()}, {"findings": ref})]}


async def _timed(part: Any) -> tuple[tuple[str, Sequence[Finding]], float]:
    started = time.monotonic()
    return await part, round(time.monotonic() - started, 3)


async def _check_code(root: Path, params: AuditParams, ctx: Context) -> tuple[str, list[Finding]]:
    """bandit over the Python files."""
    ctx.progress(0.1, "bandit")
    result = await run_process(
        [sys.executable, "-m", "bandit", "--recursive", "--format", "json", "--quiet", "--exit-zero", "."],
        cwd=root, timeout=params.timeout.total_seconds(), cancel=ctx.cancel, grace=0.5,
        limits=ProcessLimits(output=64 << 20), sandbox=tool_sandbox(read=(root,)),
    )  # fmt: skip
    if result.timed_out:
        raise AuditFailed(
            f"bandit did not end within {format_duration(params.timeout)}", hint="Raise `timeout` of the step."
        )
    try:
        report = json.loads(result.stdout)
    except ValueError as error:
        last = result.error_text.strip().splitlines()[-1:]
        raise AuditFailed(f"bandit failed ({result.outcome}): {' '.join(last)[:300]}") from error
    found: list[Finding] = []
    skipped = 0
    for one in report["results"]:
        path = Path(one["filename"])
        if not params.test_files and (is_test_file(path) or path.name == "conftest.py"):
            skipped += 1
            continue
        found.append(
            Finding(
                check="code", rule=one["test_id"], severity=_BANDIT_SEVERITY.get(one["issue_severity"], "info"),
                message=one["issue_text"], file=path.as_posix(), line=one["line_number"],
                more=one.get("more_info") or "",
            )
        )  # fmt: skip
    for error in report.get("errors", []):
        path = Path(error["filename"]).as_posix()
        found.append(Finding(check="code", rule="unreadable", severity="info", message=error["reason"], file=path))
    if skipped:
        ctx.log(f"code: {skipped} findings in test files are left out")
    return f"bandit {_version('bandit')}", found


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


async def _check_secrets(root: Path, ctx: Context) -> tuple[str, list[Finding]]:
    """The texts of the repository."""

    def work(check: threads.Check) -> list[Finding]:
        found: list[Finding] = []
        for path in repository_files(root, check):
            check()
            if path.stat().st_size > _BIGGEST_TEXT:
                continue
            data = path.read_bytes()
            if b"\0" in data[:8192]:
                continue
            name = path.relative_to(root).as_posix()
            for secret in scan(data.decode(errors="replace")):
                found.append(
                    Finding.model_validate(
                        {
                            "check": "secrets", "rule": secret.rule, "severity": secret.severity,
                            "message": secret.message, "file": name, "line": secret.line,
                        }
                    )
                )  # fmt: skip
        return found

    return "patterns and entropy", await threads.in_thread(work, ctx.cancel)


async def _check_dependencies(params: AuditParams, ctx: Context) -> tuple[str, list[Finding]]:
    """Advisories for what is installed."""
    where = params.advisories
    if not where:
        raise AuditFailed("no advisory source is configured", hint="Give `advisories` a file or an address.")
    if params.environment is None:
        raise AuditFailed(
            "it is not known what is installed", hint="Give `environment` the outcome of the step that made it."
        )
    installed = {
        name: version.split(" ")[0] for name, version in (line.split("==", 1) for line in params.environment.lock)
    }
    try:
        records = await read_advisories(where, installed, timeout=params.timeout.total_seconds(), ctx=ctx)
    except TimeoutError as error:
        raise AuditFailed(
            f"{where} did not answer within {format_duration(params.timeout)}", hint="Raise `timeout` of the step."
        ) from error
    except httpx.HTTPError as error:
        raise AuditFailed(
            f"{where} cannot be reached: {error or type(error).__name__}",
            hint="Give `advisories` a file for work without network.",
        ) from error
    except OSError as error:
        raise AuditFailed(
            f"{where} cannot be read: {error.strerror}", hint="Give `advisories` a file that is there."
        ) from error
    except ValueError as error:
        raise AuditFailed(
            f"{where} is not a list of advisories in OSV's format: {error}",
            hint="Give `advisories` an export of osv.dev, or https://api.osv.dev.",
        ) from error
    except NodeCancelled:
        raise
    except NodeError as error:
        raise AuditFailed(f"{where} cannot be asked: {error.message}", hint=error.hint) from error
    found = list(advisories.match(records, installed))
    if is_service(where):
        return f"{len(installed)} packages asked of {where}", found
    return f"{len(records)} advisories from {where}", found


async def _check_licences(params: AuditParams, ctx: Context) -> tuple[str, list[Finding]]:
    """The metadata of what is installed."""
    if params.environment is None:
        raise AuditFailed(
            "it is not known what is installed", hint="Give `environment` the outcome of the step that made it."
        )
    licences = LICENCES.validate_json(await ctx.blobs.get(params.environment.licences.ref))
    found = [
        Finding(
            check="licences",
            rule="no-licence",
            severity="info",
            message=f"{one.package} {one.version} does not say under which licence it is",
        )
        for one in licences
        if not one.licence
    ]
    return "metadata of the installed packages", found

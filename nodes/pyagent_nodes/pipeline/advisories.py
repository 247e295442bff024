"""Matches installed packages with security advisories in OSV's format (https://ossf.github.io/osv-schema/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pyagent_nodes.pipeline.shapes import Finding, Severity

_SEVERITY: dict[str, Severity] = {
    "CRITICAL": "critical", "HIGH": "high", "MODERATE": "medium", "MEDIUM": "medium", "LOW": "low",
}  # fmt: skip
_BY_SCORE: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


class NotAdvisories(ValueError):
    """The document holds no advisories in OSV's format."""


def records_of(document: Any) -> list[Mapping[str, Any]]:
    """The advisories of a document: one, a list of them, or one below `vulns`. Raises `NotAdvisories`."""
    if isinstance(document, Mapping):
        found = cast("Mapping[str, Any]", document)
        document = found.get("vulns", [found])
    if not isinstance(document, list):
        raise NotAdvisories("the document is neither an advisory nor a list of them")
    records = [
        cast("Mapping[str, Any]", record) for record in cast("list[Any]", document) if isinstance(record, Mapping)
    ]
    if len(records) != len(cast("list[Any]", document)) or any("id" not in record for record in records):
        raise NotAdvisories("an advisory has no `id`")
    return records


def match(records: Sequence[Mapping[str, Any]], installed: Mapping[str, str]) -> Iterator[Finding]:
    """Advisories that apply. `installed`: version by package name."""
    versions = {canonicalize_name(name): (name, version) for name, version in installed.items()}
    for record in records:
        if record.get("withdrawn"):
            continue
        for affected in record.get("affected") or []:
            package = affected.get("package") or {}
            if str(package.get("ecosystem", "")).lower() != "pypi":
                continue
            name, version = versions.get(canonicalize_name(str(package.get("name", ""))), ("", ""))
            if not name or not _affects(affected, version):
                continue
            fixed = sorted({event["fixed"] for events in _events(affected) for event in events if "fixed" in event})
            summary = str(record.get("summary") or str(record.get("details") or "").split("\n")[0] or "no summary")
            yield Finding(
                check="dependencies",
                rule=str(record["id"]),
                severity=_severity(record, affected),
                message=f"{name} {version}: {summary[:300]}" + (f" (fixed in {', '.join(fixed)})" if fixed else ""),
                more=next((str(ref.get("url", "")) for ref in record.get("references") or []), ""),
            )
            break


def _events(affected: Mapping[str, Any]) -> Iterator[list[Mapping[str, str]]]:
    for part in affected.get("ranges") or []:
        if part.get("type") in ("ECOSYSTEM", "SEMVER"):
            yield part.get("events") or []


def _affects(affected: Mapping[str, Any], version: str) -> bool:
    if version in (affected.get("versions") or []):
        return True
    try:
        ours = Version(version)
    except InvalidVersion:
        return False
    return any(_in_range(events, ours) for events in _events(affected))


def _in_range(events: Sequence[Mapping[str, str]], ours: Version) -> bool:
    """OSV's own algorithm: the last event at or before our version decides."""
    parsed: list[tuple[Version, int]] = []
    try:
        for event in events:
            if "introduced" in event:
                text = event["introduced"]
                parsed.append((Version("0.dev0") if text == "0" else Version(text), 1))
            elif "fixed" in event:
                parsed.append((Version(event["fixed"]), 0))
            elif "last_affected" in event:
                parsed.append((Version(event["last_affected"]), 2))
    except InvalidVersion:
        return False
    inside = False
    for at, kind in sorted(parsed):
        if kind == 1 and ours >= at:
            inside = True
        elif (kind == 0 and ours >= at) or (kind == 2 and ours > at):
            inside = False
    return inside


def _severity(record: Mapping[str, Any], affected: Mapping[str, Any]) -> Severity:
    for holder in (affected, record):
        for field in ("database_specific", "ecosystem_specific"):
            word = str((holder.get(field) or {}).get("severity", "")).upper()
            if word in _SEVERITY:
                return _SEVERITY[word]
    for score in [*(affected.get("severity") or []), *(record.get("severity") or [])]:
        try:
            number = float(score.get("score", ""))
        except ValueError:
            continue  # a CVSS vector: its score is not computed here
        for least, severity in _BY_SCORE:
            if number >= least:
                return severity
        return "info"
    return "medium"

"""Renders the report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pyagent_nodes.pipeline.report_document import ReportDocument, SuitePart
from pyagent_nodes.pipeline.shapes import SEVERITIES
from pyagent_nodes.pipeline.theme import page

MOST_DIFF_LINES = 3000
"""Longer patches are shown up to here; the file beside the report holds all of it."""
MOST_FINDINGS = 500
_VERDICTS = {
    "good": ("All tests pass, nothing grave was found", "good"),
    "failing tests": ("Tests fail", "bad"),
    "findings": ("Grave findings", "warn"),
    "no tests": ("The repository has no tests", "warn"),
}
_STYLE = """
.badge{display:inline-block;padding:.25rem .8rem;border-radius:999px;font-weight:600;font-size:.95rem;border:1px solid}
.badge.good,.t.good{color:var(--good)}.badge.bad,.t.bad{color:var(--bad)}.badge.warn,.t.warn{color:var(--warn)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.9rem;margin:1.6rem 0}
.card{background:var(--soft);border:1px solid var(--line);border-radius:12px;padding:1rem 1.1rem}
.card b{display:block;font-size:1.55rem;line-height:1.2;font-variant-numeric:tabular-nums}
.card span{color:var(--muted);font-size:.88rem}
.bar{display:flex;height:.6rem;border-radius:999px;overflow:hidden;background:var(--line);margin:.7rem 0}
.bar i{display:block;height:100%}.passed{background:var(--good)}.failed,.error{background:var(--bad)}
.skipped,.xfailed,.xpassed{background:var(--warn)}
.sev{font-weight:600;white-space:nowrap}.critical,.high{color:var(--bad)}.medium{color:var(--warn)}.low,.info{color:var(--muted)}
.diff{max-height:34rem;overflow:auto;padding:.6rem 0}.diff span{display:block;padding:0 1rem;white-space:pre}
.diff .a{background:var(--add)}.diff .d{background:var(--del)}.diff .h{color:var(--muted)}.diff .f{font-weight:600;margin-top:.6rem}
td code{overflow-wrap:anywhere}.times td:last-child{width:45%}.times i{display:block;height:.6rem;border-radius:4px;
background:var(--accent);min-width:2px}footer{margin-top:3rem;color:var(--muted);font-size:.85rem}
"""  # noqa: E501


def render(report: ReportDocument, diff: str) -> str:
    """The page. `diff`: the unified diff of what was changed, kept or not."""
    source = report.source
    title = f"{report.project.name} {report.project.version or source.version}".strip()
    text, tone = _VERDICTS[report.verdict]
    summary = f"<p>{escape(report.project.summary)}</p>" if report.project.summary else ""
    body = (
        f"<h1>{escape(title)}</h1><p class=lead><code>{escape(source.repository)}</code></p>"
        f'<span class="badge {tone}">{text}</span>{summary}{_cards(report)}{_tests(report)}{_changes(report, diff)}'
        f"{_audit(report)}{_docs(report)}{_project(report)}{_times(report)}"
        f"<footer>Run <code>{escape(report.run.id)}</code> of the graph <code>{escape(report.run.graph)}</code>. "
        "The same as data: <a href=report.json>report.json</a>.</footer>"
    )
    return page(f"{title}: report", body, style=_STYLE)


def _table(head: Iterable[str], rows: Iterable[str], kind: str = "") -> str:
    numbers = ("Changes", "Lines", "Findings")
    heads = "".join(f"<th{' class=n' if one in numbers else ''}>{escape(one)}</th>" for one in head)
    return (
        f'<div class=scroll><table class="{kind}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def _cards(report: ReportDocument) -> str:
    suite = report.tests.after or report.tests.before
    cards: list[tuple[str, str]] = []
    if suite is not None:
        passed = suite.counts.get("passed", 0)
        cards.append((f"{passed} / {suite.total}" if suite.total else "none", "tests passed"))
    if report.changes is not None:
        hunks = len(report.changes.reverted)
        reverted = f", {hunks} {'change' if hunks == 1 else 'changes'} taken back" if hunks else ""
        cards.append((str(len(report.changes.files)), f"files changed{reverted}"))
    if report.audit is not None:
        grave = report.audit.counts.get("critical", 0) + report.audit.counts.get("high", 0)
        cards.append((str(len(report.audit.findings)), f"findings, {grave} of them grave"))
    if report.docs is not None:
        cards.append((f"{report.docs.documented:.0%}", "of the interface is documented"))
    return "<div class=cards>" + "".join(
        f"<div class=card><b>{escape(number)}</b><span>{escape(label)}</span></div>" for number, label in cards
    ) + "</div>"  # fmt: skip


def _suite(name: str, suite: SuitePart, file: str) -> str:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in suite.counts.items()) or "no results"
    bar = "".join(
        f'<i class="{escape(outcome)}" style="width:{100 * count / suite.total:.3f}%"></i>'
        for outcome, count in suite.counts.items()
        if suite.total
    )
    error = ""
    if suite.error:
        error = (
            f"<p class='t bad'><b>{escape(suite.error.get('code', ''))}</b>: "
            f"{escape(suite.error.get('message', ''))}</p>"
            f"<p>{escape(suite.error.get('hint', ''))}</p>"
        )
    return (
        f"<h3>{name}: {escape(suite.status)}</h3><div class=bar>{bar}</div>"
        f"<p>{escape(counts)} (<a href={file}>each test</a>)</p>{error}"
    )


def _tests(report: ReportDocument) -> str:
    tests = report.tests
    if tests.before is None and tests.after is None:
        return "<h2>Tests</h2><p>Not run.</p>"
    parts = ["<h2>Tests</h2>"]
    command = (tests.after or tests.before or SuitePart.model_construct(command="")).command
    if command:
        parts.append(f"<p><code>{escape(command)}</code></p>")
    if tests.before is not None:
        parts.append(_suite("Before the changes", tests.before, "tests-before.json"))
    if tests.after is not None:
        parts.append(_suite("After the changes", tests.after, "tests-after.json"))
    for label, ids in (("Broken by the changes", tests.regressions), ("Repaired by the changes", tests.fixed)):
        if ids:
            listed = "".join(f"<li><code>{escape(test)}</code></li>" for test in ids[:200])
            parts.append(f"<h3>{label}</h3><ul>{listed}</ul>")
    failing = (tests.after or tests.before).failing if (tests.after or tests.before) else []  # type: ignore[union-attr]
    if failing:
        parts.append("<h3>Failing</h3>")
        parts += [
            f"<details><summary><code>{escape(case.id)}</code> ({escape(case.outcome)})</summary>"
            f"<pre>{escape(case.message)}</pre></details>"
            for case in failing
        ]
    return "".join(parts)


def _changes(report: ReportDocument, diff: str) -> str:
    changes = report.changes
    if changes is None:
        return ""
    parts = ["<h2>Changes</h2>"]
    if not changes.kept:
        parts.append("<p class='t warn'>They were rejected and are not kept.</p>")
    if changes.files:
        rows = (
            f"<tr><td><code>{escape(file.path)}</code></td><td class=n>{file.hunks}</td>"
            f"<td class=n>+{file.added} −{file.removed}</td></tr>"
            for file in changes.files
        )
        parts.append(_table(("File", "Changes", "Lines"), rows))
        link = f" <a href={changes.patch}>changes.patch</a>" if changes.patch else ""
        parts.append(f"<details><summary>Show the patch</summary>{_diff(diff)}</details><p>{link}</p>")
    else:
        parts.append("<p>Nothing is left to change.</p>" if changes.reverted else "<p>There was nothing to change.</p>")
    if changes.notes:
        listed = "".join(f"<li>{escape(note)}</li>" for note in changes.notes)
        parts.append(f"<h3>Taken back because tests broke</h3><ul>{listed}</ul>")
    return "".join(parts)


def _diff(diff: str) -> str:
    lines = diff.split("\n")
    found: list[str] = []
    for line in lines[:MOST_DIFF_LINES]:
        kind = "f" if line.startswith(("+++", "---")) else {"+": "a", "-": "d", "@": "h"}.get(line[:1], "")
        found.append(f'<span class="{kind}">{escape(line) or " "}</span>')
    if len(lines) > MOST_DIFF_LINES:
        found.append(f"<span class=h>… {len(lines) - MOST_DIFF_LINES} more lines in changes.patch</span>")
    return f"<pre class=diff>{''.join(found)}</pre>"


def _audit(report: ReportDocument) -> str:
    audit = report.audit
    if audit is None:
        return ""
    rows = (
        f'<tr><td>{escape(check.name)}</td><td class="t {"good" if check.status == "checked" else "warn"}">'
        f"{escape(check.status)}</td><td class=n>{check.findings if check.status == 'checked' else ''}</td>"
        f"<td>{escape(check.by or check.reason)}</td></tr>"
        for check in audit.checks
    )
    parts = ["<h2>Audit</h2>", _table(("Check", "", "Findings", "By, or why not"), rows)]
    order = {severity: index for index, severity in enumerate(SEVERITIES)}
    shown = sorted(audit.findings, key=lambda one: order[one.severity])[:MOST_FINDINGS]
    if shown:
        rows = (
            f'<tr><td class="sev {one.severity}">{one.severity}</td><td>{_rule(one.rule, one.more)}</td>'
            f"<td>{escape(one.message)}</td>"
            f"<td><code>{escape(one.file)}{f':{one.line}' if one.line else ''}</code></td></tr>"
            for one in shown
        )
        parts.append(_table(("Severity", "Rule", "Finding", "Where"), rows))
        if len(audit.findings) > MOST_FINDINGS:
            parts.append(f"<p>{len(audit.findings) - MOST_FINDINGS} more in report.json.</p>")
        parts.append("<p class=lead>Files and lines are those of the source as it was fetched.</p>")
    if audit.licences:
        rows = (
            f"<tr><td>{escape(one.package)}</td><td>{escape(one.version)}</td>"
            f"<td>{escape(one.licence) or '<i>not named</i>'}</td></tr>"
            for one in audit.licences
        )
        table = _table(("Package", "Version", "Licence"), rows)
        parts.append(
            f"<details><summary>Licences of {len(audit.licences)} installed packages</summary>{table}</details>"
        )
    return "".join(parts)


def _rule(rule: str, more: str) -> str:
    # Advisories come from outside: only a plain web address may become a link.
    if more.startswith(("https://", "http://")):
        return f'<a href="{escape(more)}" rel="noreferrer">{escape(rule)}</a>'
    return escape(rule)


def _docs(report: ReportDocument) -> str:
    docs = report.docs
    if docs is None:
        return ""
    return (
        f'<h2>Documentation</h2><p><a href="{escape(docs.index)}">API reference and module map</a>: '
        f"{docs.pages} pages, "
        f"{docs.modules} modules, {docs.classes} classes, {docs.functions} functions and methods.</p>"
    )


def _project(report: ReportDocument) -> str:
    project, environment = report.project, report.environment
    languages = ", ".join(f"{name} {lines}" for name, lines in list(project.languages.items())[:8])
    facts = {
        "Licence": project.licence,
        "Lines by language": languages,
        "Files": f"{report.source.files} ({report.source.size / 1024:.0f} KiB)",
        "Packages": ", ".join(project.packages),
        "Python": project.requires_python,
        "Build": project.build_backend,
        "Dependencies": ", ".join(project.dependencies) or "none",
        "Tested with": f"Python {environment.python}, {len(environment.packages)} packages" if environment else "",
        "SHA-256": report.source.sha256,
        "By": ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    }
    rows = (f"<tr><td>{name}</td><td>{escape(value)}</td></tr>" for name, value in facts.items() if value)
    return f"<h2>The repository</h2>{_table(('', ''), rows)}"


def _times(report: ReportDocument) -> str:
    longest = max(report.times.values(), default=0.0) or 1.0
    rows = (
        f"<tr><td>{escape(name)}</td><td class=n>{seconds:.2f} s</td>"
        f'<td><i style="width:{100 * seconds / longest:.1f}%"></i></td></tr>'
        for name, seconds in report.times.items()
    )
    return f"<h2>Times</h2>{_table(('Step', '', ''), rows, 'times')}"

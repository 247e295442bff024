"""A run as one HTML page that needs nothing else: a picture, a timeline, steps with their data. It has no scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from pyagent.graph.show.style import STYLE as PICTURE_STYLE
from pyagent.graph.show.svg import escape as escape_xml
from pyagent.graph.show.svg import svg
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.run_page import PageStep, RunPageData
from pyagent.sdk.registry import Registry

_STYLE = """
:root{color-scheme:light dark;--back:#fff;--card:#f7f8fa;--line:#d9dee7;--text:#1b2330;--soft:#5b6677;--bar:#2f7cf6;
--completed:#147a49;--failed:#c22f35;--waiting:#8f6209;--running:#1d62d1;--skipped:#5b6677;--cancelled:#5b6677;
--unknown:#8a3585;--paused:#8f6209;--queued:#5b6677;--graph:#f7f8fa}
@media(prefers-color-scheme:dark){:root{--back:#12161d;--card:#1c222c;--line:#343d4b;--text:#e8edf4;--soft:#a3afc0;
--bar:#5c98fa;--completed:#4ec98c;--failed:#f5757a;--waiting:#e5b454;--running:#7aabfb;--skipped:#a3afc0;
--cancelled:#a3afc0;--unknown:#d58fd0;--paused:#e5b454;--queued:#a3afc0;--graph:#12161d}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);
font:15px/1.5 Inter,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:36px 0 12px}
p{margin:0 0 8px}
.soft{color:var(--soft)}
.badge{display:inline-block;padding:1px 10px;border-radius:99px;border:1px solid currentColor;font-size:13px;
font-weight:600}
.is-completed{color:var(--completed)}.is-failed{color:var(--failed)}.is-waiting{color:var(--waiting)}
.is-running{color:var(--running)}.is-skipped{color:var(--skipped)}.is-cancelled{color:var(--cancelled)}
.is-unknown{color:var(--unknown)}.is-paused{color:var(--paused)}.is-queued{color:var(--queued)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:16px 0 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.error{border-left:4px solid var(--failed);background:var(--card);border-radius:0 8px 8px 0;padding:10px 14px;
margin:16px 0;overflow-wrap:anywhere;white-space:pre-wrap}
.picture,.gantt,.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:12px;background:var(--card)}
.picture{background:var(--graph)}
.picture svg,.gantt svg{display:block;margin:0 auto}
.gantt text{font-size:12px;fill:var(--text)}
.gantt .track{fill:none;stroke:var(--line)}
.gantt .bar{fill:var(--bar)}
.gantt .bar.is-completed{fill:var(--completed)}.gantt .bar.is-failed{fill:var(--failed)}
.gantt .bar.is-waiting{fill:var(--waiting)}.gantt .bar.is-unknown{fill:var(--unknown)}
.gantt .time{fill:var(--soft)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:8px 12px;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:13px}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
details{margin-top:6px}summary{cursor:pointer;color:var(--soft)}
pre{margin:8px 0;padding:10px 12px;background:var(--back);border:1px solid var(--line);border-radius:8px;overflow:auto;
max-height:420px;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{margin-top:40px;color:var(--soft);font-size:13px}
@media print{pre{max-height:none}.picture,.gantt,.scroll{break-inside:avoid}}
"""
_GANTT_STEPS = 200
"""Steps that the timeline shows."""
_ROW, _LABEL, _WIDTH = 22, 200, 1040
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WORDS = {
    "completed": "Completed",
    "failed": "Failed",
    "waiting": "Waiting",
    "running": "Running",
    "skipped": "Skipped",
    "cancelled": "Cancelled",
    "unknown": "Outcome unknown",
    "paused": "Paused",
    "queued": "Queued",
}


def _hash(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)} {_hash(PICTURE_STYLE)}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may do: nothing but to look as it does. The page says it of itself, too."""


def run_html(data: RunPageData, registry: Registry) -> str:
    """The whole page."""
    title = escape(f"{data.name}: {_WORDS[data.status].lower()}")
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main>\n",
            *_head(data),
            f'<h2>Graph</h2><div class="picture">{_picture(data, registry)}</div>\n',
            *_timeline(data.steps),
            *_table(data),
            *_data("Inputs", data.inputs),
            *_data("Outputs", data.outputs),
            f"<footer>Run {escape(data.id)} of {escape(data.graph)}, as it stood at {_time(datetime.now(UTC))}. "
            "Secrets are left out. Made by PyAgent.</footer>\n</main></body></html>\n",
        )
    )


def escape(text: str) -> str:
    """As text or attribute, without what turns the direction of the text after it."""
    return escape_xml(_TURNS.sub("\ufffd", text))


def _head(data: RunPageData) -> Iterator[str]:
    yield f'<h1>{escape(data.name)}</h1><p><span class="badge is-{data.status}">{_WORDS[data.status]}</span></p>\n'
    facts = [("Run", data.id), ("Graph", data.graph), ("Created", _time(data.created_at))]
    if not data.production:
        facts.append(("Kind", "Test run"))
    if data.until:
        facts.append(("Up to", data.until))
    if data.started_at is not None:
        facts.append(("Started", _time(data.started_at)))
    if data.ended_at is not None:
        facts.append(("Ended", _time(data.ended_at)))
    took = _seconds(data.started_at, data.ended_at)
    if took is not None:
        facts.append(("Took", _took(took)))
    yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(value)}</dd>' for name, value in facts)}</dl>\n"
    if data.error:
        yield _error(data.error, data.hint)


def _error(message: str, hint: str) -> str:
    said = f'<div class="soft">{escape(hint)}</div>' if hint else ""
    return f'<div class="error">{escape(message)}{said}</div>\n'


def _picture(data: RunPageData, registry: Registry) -> str:
    """The graph, with how each node stands and how many items it put out."""
    drawn = svg(data.spec, GraphChecker(registry).catalogue)

    # Every text in it is escaped, so quotes are the artist's own; ids are words.
    before, *parts = drawn.split('data-node="')
    for number, part in enumerate(parts):
        node, quote, rest = part.partition('"')
        status = data.marks.get(node)
        if status is not None:
            count = data.counts.get(node, 0)
            told = f"{count} item{'' if count == 1 else 's'}" if count else ""
            place, closing, after = rest.partition("></text>")
            parts[number] = f'{node}{quote} data-status="{status}"{place}>{told}{closing[1:]}{after}'
    return 'data-node="'.join((before, *parts))


def _timeline(steps: Sequence[PageStep]) -> Iterator[str]:
    timed = [step for step in steps if step.started_at is not None][:_GANTT_STEPS]
    if not timed:
        return
    start = min(step.started_at for step in timed if step.started_at is not None)
    end = max(step.ended_at or step.started_at or start for step in timed)
    whole = max((end - start).total_seconds(), 0.001)
    room = _WIDTH - _LABEL - 90
    height = len(timed) * _ROW + 16
    yield (
        f'<h2>Timeline</h2><div class="gantt"><svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-label="When each step ran"><g>'
    )
    for row, step in enumerate(timed):
        begun = step.started_at or start
        left = _LABEL + room * (begun - start).total_seconds() / whole
        width = max(room * ((step.ended_at or begun) - begun).total_seconds() / whole, 2.0)
        top = 8 + row * _ROW
        took = _seconds(step.started_at, step.ended_at)
        told = _took(took) if took is not None else _WORDS[step.status]
        label = step.label if len(step.label) <= 28 else f"{step.label[:27]}…"
        yield (
            f'<text x="12" y="{top + 15}">{escape(label)}</text>'
            f'<path class="track" d="M{_LABEL} {top + _ROW}H{_WIDTH - 12}"/>'
            f'<rect class="bar is-{step.status}" x="{left:.1f}" y="{top + 5}" width="{width:.1f}" height="12" rx="3">'
            f"<title>{escape(step.step)}: {_WORDS[step.status]}</title></rect>"
            f'<text class="time" x="{left + width + 6:.1f}" y="{top + 15}">{told}</text>'
        )
    yield "</g></svg></div>\n"


def _table(data: RunPageData) -> Iterator[str]:
    yield (
        '<h2>Steps</h2><div class="scroll"><table><thead><tr><th>Step</th><th>Status</th>'
        '<th class="number">Tries</th><th class="number">Took</th><th class="number">In</th>'
        '<th class="number">Out</th></tr></thead><tbody>\n'
    )
    for step in data.steps:
        took = _seconds(step.started_at, step.ended_at)
        yield (
            f'<tr><td><strong>{escape(step.label)}</strong> <span class="soft">{escape(step.step)}</span>'
            f"{_error(step.error, step.hint) if step.error else ''}{''.join(_ports(step))}</td>"
            f'<td class="is-{step.status}">{_WORDS[step.status]}</td><td class="number">{step.attempt}</td>'
            f'<td class="number">{_took(took) if took is not None else ""}</td>'
            f'<td class="number">{step.items_in}</td><td class="number">{_out(step.items_out)}</td></tr>\n'
        )
    yield "</tbody></table></div>\n"
    if data.left_out:
        yield f'<p class="soft">{data.left_out} more steps are not shown.</p>\n'


def _ports(step: PageStep) -> Iterator[str]:
    for port in step.ports:
        if not port.count:
            continue
        items = "".join(f"<pre>{escape(text)}</pre>" for text in port.shown)
        left = port.count - len(port.shown)
        more = f'<p class="soft">{left} more are not shown.</p>' if left else ""
        many = f"{port.count} item{'' if port.count == 1 else 's'}"
        yield f"<details><summary>{escape(port.port)}: {many}</summary>{items}{more}</details>"


def _data(title: str, json: str | None) -> Iterator[str]:
    if json is not None and json not in ("{}", "null"):
        yield f"<h2>{title}</h2><pre>{escape(json)}</pre>\n"


def _out(counts: Mapping[str, int]) -> str:
    if len(counts) < 2:
        return str(sum(counts.values()))
    return ", ".join(f"{escape(port)} {count}" for port, count in counts.items())


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start is not None and end is not None else None


def _took(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


__all__ = ["POLICY", "run_html"]

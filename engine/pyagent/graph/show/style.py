"""The style sheet of drawn graphs: light, dark, and the colours of a run's steps."""

from __future__ import annotations

_LIGHT = (
    "--pg-back:#f7f8fa;--pg-card:#fff;--pg-line:#d9dee7;--pg-text:#1b2330;--pg-soft:#677386;--pg-edge:#9aa5b5;"
    "--pg-label:#eef1f5;--pg-body:#eef1f680;--pg-shadow:#1b23301f;--pg-tint:94%;--pg-ink:38%"
)
_DARK = (
    "--pg-back:#12161d;--pg-card:#1c222c;--pg-line:#343d4b;--pg-text:#e8edf4;--pg-soft:#93a0b3;--pg-edge:#66738a;"
    "--pg-label:#2a3240;--pg-body:#232b3780;--pg-shadow:#0008;--pg-tint:22%;--pg-ink:72%"
)
_HUES = (212, 262, 168, 28, 338, 190, 48, 300)
_STATUS = {
    "waiting": "#c78a16",
    "running": "#2f7cf6",
    "completed": "#1f9d61",
    "failed": "#dc3d43",
    "unknown": "#a3479e",
}

STYLE = (
    f".pyagent-graph{{{_LIGHT};background:var(--pg-back);font-family:Inter,system-ui,-apple-system,'Segoe UI',"
    "Roboto,sans-serif;max-width:100%;height:auto}"
    f"@media(prefers-color-scheme:dark){{.pyagent-graph{{{_DARK}}}}}"
    f"[data-theme=light] .pyagent-graph{{{_LIGHT}}}"
    f"[data-theme=dark] .pyagent-graph{{{_DARK}}}"
    + "".join(f".pyagent-graph .hue-{index}{{--pg-hue:{hue}}}" for index, hue in enumerate(_HUES))
    + "".join(f".pyagent-graph [data-status={status}]{{--pg-status:{colour}}}" for status, colour in _STATUS.items())
    + ".pyagent-graph .card{fill:var(--pg-card);stroke:var(--pg-status,var(--pg-line));stroke-width:1.25;"
    "filter:drop-shadow(0 1px 2px var(--pg-shadow));transition:stroke .2s}"
    ".pyagent-graph .body{fill:var(--pg-body);stroke:var(--pg-line);stroke-width:1.25;stroke-dasharray:5 4}"
    ".pyagent-graph .slot{fill:hsl(var(--pg-hue) 80% var(--pg-tint))}"
    ".pyagent-graph .icon{fill:none;stroke:hsl(var(--pg-hue) 62% var(--pg-ink));stroke-width:2;"
    "stroke-linecap:round;stroke-linejoin:round}"
    ".pyagent-graph .title{font-size:13px;font-weight:600;fill:var(--pg-text)}"
    ".pyagent-graph .type{font-size:11px;fill:var(--pg-soft)}"
    ".pyagent-graph .meta{font-size:11px;fill:var(--pg-status,var(--pg-soft));text-anchor:end;"
    "font-variant-numeric:tabular-nums;paint-order:stroke;stroke:var(--pg-card);stroke-width:5px}"
    ".pyagent-graph .dot{fill:var(--pg-status,transparent)}"
    ".pyagent-graph .edge path{fill:none;stroke:var(--pg-edge);stroke-width:1.75}"
    ".pyagent-graph .edge.back path{stroke-dasharray:6 4}"
    ".pyagent-graph .edge.error path{stroke:#dc3d4399}"
    ".pyagent-graph .edge[data-active] path{stroke:#2f7cf6;stroke-width:2.25}"
    ".pyagent-graph .head{fill:var(--pg-edge)}"
    ".pyagent-graph .port rect,.pyagent-graph .join rect{fill:var(--pg-label);stroke:var(--pg-back);stroke-width:2}"
    ".pyagent-graph .port text,.pyagent-graph .join text{font-size:10.5px;fill:var(--pg-soft);text-anchor:middle}"
    ".pyagent-graph .port.error text{fill:#dc3d43}"
    ".pyagent-graph .kind-trigger .card{stroke-width:2}"
    ".pyagent-graph .disabled,.pyagent-graph [data-status=skipped],.pyagent-graph [data-status=cancelled]{opacity:.5}"
    ".pyagent-graph [data-status=skipped] .card{stroke-dasharray:4 3}"
    ".pyagent-graph [data-status=running] .card,.pyagent-graph [data-status=failed] .card,"
    ".pyagent-graph [data-status=waiting] .card{stroke-width:2}"
    ".pyagent-graph [data-status=running] .dot{animation:pg-pulse 1.2s ease-in-out infinite}"
    "@keyframes pg-pulse{50%{opacity:.25}}"
    "@media(prefers-reduced-motion:reduce){.pyagent-graph .dot{animation:none!important}}"
)
"""One line of CSS, scoped to `.pyagent-graph`."""

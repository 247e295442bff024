"""`python -m bench [ROW …]`: measure the rows, print the table, write `.bench/latest.json`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import chains, codec, designer, expressions, memory, metrics, sandbox, shapes, starts, webhooks
from bench.frame import Row, report
from bench.machine import describe
from bench.measure import ROOT, SideFailed, measure

ROWS: list[Row] = [
    *chains.ROWS,
    *expressions.ROWS,
    *memory.ROWS,
    *shapes.ROWS,
    *starts.ROWS,
    *webhooks.ROWS,
    *codec.ROWS,
    *metrics.ROWS,
    *sandbox.ROWS,
    *designer.ROWS,
]
LATEST = ROOT / ".bench" / "latest.json"


def main(asked: list[str]) -> int:
    """0 when every row was measured and none is below its bar."""
    console = Console() if sys.stdout.isatty() else Console(width=160)
    unknown = set(asked) - {row.id for row in ROWS}
    if unknown:
        console.print(f"There is no row {', '.join(sorted(unknown))}; there are {', '.join(row.id for row in ROWS)}.")
        return 2
    machine = describe()
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, load {machine['load']}"
    )
    found: list[dict[str, Any]] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        for row in ROWS:
            if asked and row.id not in asked:
                continue
            started = time.monotonic()
            with console.status(f"{row.id}: {row.work}"):
                try:
                    found.append(report(row, *measure(row, Path(folder) / row.id)))
                except SideFailed as error:
                    console.print(f"{row.id} could not be measured: {error}", markup=False)
                    failed = True
                    continue
            console.print(f"{row.id} measured in {time.monotonic() - started:.0f} s")
    console.print(table(found))
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(found, indent=2) + "\n")
    LATEST.with_name("machine.json").write_text(json.dumps(machine, indent=2) + "\n")
    return 1 if failed or any(line["met"] is False for line in found) else 0


def table(found: list[dict[str, Any]]) -> Table:
    """The figures for people."""
    made = Table(title="Medians; the ratio says how many times better than the peer")
    for name in ("id", "work", "ours", "peer", "ratio", "bar", "limit", "runs", "spread"):
        made.add_column(name, justify="right" if name in ("ours", "ratio", "runs", "spread") else "left")
    for line in found:
        ratio = f"{line['ratio']:.2f}" if line["ratio"] is not None else ""
        style = {True: "green", False: "red", None: ""}[line["met"]]
        made.add_row(
            line["id"],
            line["work"],
            f"{line['ours']:.4g} {line['unit']}",
            f"{line['peer_value']:.4g} {line['peer']}" if line["peer"] else "",
            f"[{style}]{ratio}[/]" if style else ratio,
            line["bar"] or "",
            f"{line['limit_value']:.4g} {line['limit']}" if "limit" in line else "",
            str(line["runs"]),
            f"± {line['spread'] * 100:.0f} %",
        )
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""P12: seconds from the shell's prompt and back."""

from __future__ import annotations

from bench.frame import Row, Side
from bench.measure import ROOT

TINY = str(ROOT / "tests" / "bench" / "tiny.yaml")

ROWS = [
    Row(
        id="P12",
        work="cold start of pyagent --version",
        unit="s",
        ours=Side(name="PyAgent", command=["{bin}/pyagent", "--version"]),
        limit=Side(name="python -c pass", command=["{python}", "-c", "pass"]),
        samples=11,
    ),
    Row(
        id="P12b",
        work="pyagent run of a tiny graph",
        unit="s",
        ours=Side(name="PyAgent", command=["{bin}/pyagent", "run", TINY]),
        peer=Side(name="import langgraph.pregel", command=["{python}", "-c", "import langgraph.pregel"]),
        samples=9,
    ),
]

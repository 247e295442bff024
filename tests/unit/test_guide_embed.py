"""The guide to graphs in one's own program: its example prints what it says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pyagent.sdk.process import run_process

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "embed.md"


async def test_the_example_prints_what_the_guide_says(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [printed] = re.findall(r"prints\n\n```\n(.*?)```", text, re.DOTALL)

    program = program.replace("sqlite:///tmp/embedded.db", f"sqlite://{tmp_path}/embedded.db")
    result = await run_process([sys.executable, "-c", program], cwd=tmp_path, timeout=60)

    assert result.ok, result.error_text
    assert result.text == printed

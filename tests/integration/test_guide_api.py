"""The commands of the guide on the API do what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from server_process import ServerProcess

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq"),
]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "api.md"
GREET = """\
pyagent: 1
id: greet
inputs: {name: {type: string, default: you}}
outputs: {hello: "{{ $('greet').first().json.hello }}"}
nodes: [{id: greet, use: data.set@1, with: {fields: {hello: "Hello {{ $inputs.name }}"}}}]
"""
ASK = """\
pyagent: 1
id: ask
nodes: [{id: ask, use: flow.approve@1, with: {title: Keep it?}}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""


def test_the_examples_of_the_guide_print_what_they_say(tmp_path: Path) -> None:
    for name, text in (("greet", GREET), ("ask", ASK)):
        (tmp_path / f"{name}.yaml").write_text(text)
    script = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL))
    expected = [line.removeprefix("# ") for line in script.splitlines() if line.startswith("# ")]
    with ServerProcess(tmp_path) as server:
        result = subprocess.run(
            ["sh", "-e", "-u", "-c", script.replace("http://127.0.0.1:8642", server.address)],
            cwd=tmp_path,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DATA": str(tmp_path), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == expected

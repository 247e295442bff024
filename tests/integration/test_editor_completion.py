"""Editors complete graph files: asked of the real yaml-language-server, with what `install-editor` writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from language_server import VERSION, LanguageServer
from pyagent.cli.editor import SCHEMA, install

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]

GRAPH = """\
pyagent: 1
id: demo
nodes:
  - id: decide
    use: flow.switch@1
    with:
      rules: [{when: "{{ $json.a }}", to: one}]
      \n  - id: values
    use: data.set@1
    with:
      \n  - id: next
    use: \nedges:
  - decide -> values
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server, installed once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyagent" / f"yaml-ls-{VERSION}"
    path = cache / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "package.json").write_text("{}")
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"yaml-language-server@{VERSION}"]
        try:
            subprocess.run(command, cwd=cache, check=True, capture_output=True, timeout=100)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"yaml-language-server cannot be installed here: {error}")
    return path


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    install(tmp_path, ["graphs/*.yaml"], [])
    return tmp_path / SCHEMA


def test_parameters_are_offered_by_the_node_type(program: Path, schema: Path) -> None:
    with LanguageServer(program, schema, GRAPH) as server:
        switch = server.completions("to: one}]\n      ")
        values = server.completions("data.set@1\n    with:\n      ")
        types = server.completions("id: next\n    use: ")
    assert "mode" in switch
    assert "fields" not in switch
    assert "fields" in values
    assert "rules" not in values
    assert "Value by path" in values["fields"]
    assert {"flow.switch@1", "data.set@1"} <= set(types)
    assert "Inputs: in. Outputs: out." in types["data.set@1"]


def test_node_types_say_what_they_do_and_mistakes_are_marked(program: Path, schema: Path) -> None:
    text = (
        GRAPH.replace("    use: \n", "    use: flow.noop@1\n")
        .replace("with:\n      \n", "with: {}\n")
        .replace("      \n", "")
    )
    with LanguageServer(program, schema, text) as server:
        said = server.hover("use: flow.sw")
        errors = server.errors()
    assert "Send each item to the port of the rule that holds" in said
    assert errors == []
    wrong = text.replace("rules:", "ruless:").replace("id: demo", "id: Demo")
    with LanguageServer(program, schema, wrong) as server:
        errors = server.errors()
    assert any("ruless" in error for error in errors)
    assert any("pattern" in error for error in errors)


def test_the_schema_stays_small(schema: Path) -> None:
    written = schema.read_text(encoding="utf-8")
    types = len(json.loads(written)["$defs"]["NodeSpec"]["allOf"])
    assert len(written) < 40_000 + 6_000 * types

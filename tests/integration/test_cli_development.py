"""While graphs and nodes are written: `run --watch`, `serve --dev` and `up`, with real processes and real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from server_process import PYAGENT, environment, free_port

pytestmark = pytest.mark.integration
GRAPH = """\
pyagent: 1
id: say
outputs: {said: "{{ $('say').first().json.said }}"}
nodes:
  - {id: say, use: text.say@1}
"""
NODE = '''\
from pyagent.sdk import Context, Item, JsonObject, NoParams, node

WORD = {word!r}


@node("text.say", title="Say", effects="none", each_item=True)
async def say(item: Item, params: NoParams, ctx: Context) -> JsonObject:
    """Say a word."""
    return {{"said": WORD}}
'''


def write(folder: Path, word: str) -> None:
    path = folder / "nodes" / "text" / "say.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "new.py").write_text(NODE.format(word=word))
    (folder / "new.py").replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "say.yaml").write_text(GRAPH)
    write(tmp_path, "one")
    return tmp_path


class Program:
    """A process whose lines are waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = ""

    def until(self, text: str) -> str:
        """The output up to a line that has the text."""
        assert self.process.stdout is not None
        start = len(self.printed)
        while text not in self.printed[start:]:
            line = self.process.stdout.readline()
            assert line, f"it ended before it said {text!r}: {self.printed}"
            self.printed += line
        return self.printed[start:]


@contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [*PYAGENT, *arguments],
        env={**environment(folder), "PYTHONUNBUFFERED": "1", **variables},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


def test_a_watched_graph_runs_again_when_its_file_or_a_node_changes(folder: Path) -> None:
    with running(folder, "run", "./say.yaml", "--watch") as program:
        program.until("Runs again when")
        assert "said  one" in program.printed
        write(folder, "two")
        assert "said  two" in program.until("Runs again when")
        (folder / "say.yaml").write_text(GRAPH.replace("json.said", "json.said + '!'"))
        assert "said  two!" in program.until("Runs again when")
        (folder / "say.yaml").write_text("pyagent: [")
        assert "graph.yaml" in program.until("Runs again when")
        (folder / "say.yaml").write_text(GRAPH)
        assert "said  two" in program.until("Runs again when")
        os.killpg(program.process.pid, signal.SIGINT)
        assert program.process.wait(20) == 0


def test_a_server_in_development_uses_new_code_for_the_next_run(folder: Path) -> None:
    port = free_port()

    def said() -> str:
        done = subprocess.run(
            [*PYAGENT, "run", "say", "--json"], env=environment(folder), cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])["run"]["outputs"]["said"]

    assert said() == "one"
    with running(folder, "serve", "--port", str(port), "--dev") as program:
        program.until("Node modules are watched")
        token = (folder / "server-token").read_text().strip()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ) as client:
            outputs = []
            for word in ("one", "two"):
                if word == "two":
                    write(folder, word)
                    program.until("changed: runs that begin now use it.")
                made = client.post("/api/v1/runs", json={"graph": "say", "inputs": {}}).raise_for_status().json()
                shown = subprocess.run(
                    [*PYAGENT, "show", made["id"], "--follow", "--json"],
                    env=environment(folder),
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                outputs.append(json.loads(shown.stdout.splitlines()[-1])["run"]["outputs"]["said"])
        assert outputs == ["one", "two"]
        write(folder, "three")
        (folder / "nodes" / "text" / "broken.py").write_text("x = (")
        program.until("broken.py:1 cannot be imported")


def test_up_starts_a_server_opens_its_page_and_the_next_one_finds_it(folder: Path) -> None:
    port = str(free_port())
    browser = folder / "browser"
    browser.write_text(f'#!{sys.executable}\nimport sys\nopen("{folder}/opened", "a").write(sys.argv[1] + "\\n")\n')
    browser.chmod(0o755)
    with running(folder, "up", "--port", port, BROWSER=f"{browser} %s") as program:
        program.until("?once=")
        again = subprocess.run(
            [*PYAGENT, "up", "--port", port, "--no-browser", "--json"],
            env=environment(folder),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert again.returncode == 0, again.stderr
        link = json.loads(again.stdout)["link"]
        assert httpx.get(link, trust_env=False, follow_redirects=True).status_code == 200
    opened = (folder / "opened").read_text()
    assert f"http://127.0.0.1:{port}/?once=" in opened

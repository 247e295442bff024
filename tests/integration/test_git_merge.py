"""git shows and merges graph files by PyAgent, as `pyagent graph install-git` sets it up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyagent.graph.yaml import load_text

pytestmark = pytest.mark.integration

GRAPH = """\
# what comes in
pyagent: 1
id: triage
nodes:
  - id: start
    use: flow.manual@1
  - id: fetch
    use: data.set@1
    with: {fields: {url: a}}
  - id: keep
    use: data.set@1
    timeout: 1m
edges:
  - start -> fetch
  - fetch -> keep
layout:
  start: [0, 0]
  fetch: [200, 0]
  keep: [400, 0]
"""
FILE = "graphs/triage.yaml"


class Repository:
    """A git repository with a graph in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder.parent / "home"
        home.mkdir()
        folder.mkdir()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PAGER": "cat",
        }
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@localhost")
        self.write(GRAPH)

    def git(self, *arguments: str, ok: bool | None = True) -> str:
        """Run git; its standard output and error."""
        return self.run("git", *arguments, ok=ok)

    def pyagent(self, *arguments: str, ok: bool | None = True) -> str:
        return self.run(str(Path(sys.executable).with_name("pyagent")), *arguments, ok=ok)

    def run(self, *command: str, ok: bool | None) -> str:
        found = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ok is None or (found.returncode == 0) is ok, found.stdout
        return found.stdout

    def read(self) -> str:
        return (self.folder / FILE).read_text(encoding="utf-8")

    def write(self, text: str) -> None:
        path = self.folder / FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, *edits: tuple[str, str], branch: str | None = None, start: str = "main") -> None:
        """Replace texts in the graph and commit that, on a new branch if one is named."""
        if branch:
            self.git("switch", "-q", "-c", branch, start)
        text = self.read()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        self.write(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"on {branch or 'this branch'}")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "work")
    found.pyagent("graph", "install-git")
    found.commit()
    return found


def two_branches(repository: Repository, mine: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> None:
    repository.commit(*theirs, branch="theirs")
    repository.commit(*mine, branch="mine")


NODE = "edges:\n"
TAIL = "  - fetch -> keep\n"


def adds(name: str) -> list[tuple[str, str]]:
    """Edits that add a node behind `keep`, drawn at one place."""
    return [
        (NODE, f"  # for {name}\n  - id: {name}\n    use: flow.noop@1\n{NODE}"),
        (TAIL, f"{TAIL}  - keep -> {name}\n"),
        ("  keep: [400, 0]\n", f"  keep: [400, 0]\n  {name}: [600, 0]\n"),
    ]


def test_branches_that_edit_different_nodes_of_one_graph_merge(repository: Repository) -> None:
    two_branches(repository, [("url: a", "url: b  ")], [("timeout: 1m", "timeout: 2m   # slow")])
    repository.git("merge", "-q", "--no-edit", "theirs")
    assert "url: b" in repository.read()
    assert "timeout: 2m   # slow" in repository.read()
    assert repository.read().startswith("# what comes in\n")


def test_lines_side_by_side_merge_where_git_alone_would_not(repository: Repository) -> None:
    edits = [("timeout: 1m", "timeout: 1m\n    on_error: continue")], [("timeout: 1m", "timeout: 2m")]
    two_branches(repository, *edits)
    repository.git("merge", "-q", "--no-edit", "theirs")
    node = load_text(repository.read()).spec.by_id["keep"]
    assert (node.on_error, node.timeout and node.timeout.total_seconds()) == ("continue", 120)


def test_branches_that_edit_the_same_field_give_a_conflict_that_names_it(repository: Repository) -> None:
    two_branches(repository, [("timeout: 1m", "timeout: 3m")], [("timeout: 1m", "timeout: 2m")])
    told = repository.git("merge", "--no-edit", "theirs", ok=False)
    assert "graphs/triage.yaml:12 conflict nodes.keep.timeout: both changed it" in told
    assert "UU graphs/triage.yaml" in repository.git("status", "--short")
    told = repository.pyagent("graph", "check", FILE, ok=False)
    assert f"{FILE}:12:1 graph.conflict a merge left 1 conflict open: line 12 (nodes.keep.timeout)" in told
    lines = repository.read().split("\n")
    assert lines[12:15] == ["    timeout: 3m", "=======", "    timeout: 2m"]
    repository.write("\n".join([*lines[:11], lines[12], *lines[16:]]))
    repository.pyagent("graph", "check", FILE)
    repository.git("commit", "-q", "-a", "--no-edit")


def test_nodes_added_at_the_same_place_merge(repository: Repository) -> None:
    two_branches(repository, adds("mail"), adds("page"))
    repository.git("merge", "-q", "--no-edit", "theirs")
    spec = load_text(repository.read()).spec
    assert [node.id for node in spec.nodes] == ["start", "fetch", "keep", "mail", "page"]
    assert list(map(str, spec.edges))[-2:] == ["keep -> mail", "keep -> page"]
    assert (spec.layout["mail"], spec.layout["page"]) == ((600, 0), (600, 80))
    assert "  # for mail\n  - id: mail\n" in repository.read()
    assert "  # for page\n  - id: page\n" in repository.read()
    assert "without problems" in repository.pyagent("graph", "check", FILE)


def test_a_rebase_merges_commit_by_commit(repository: Repository) -> None:
    two_branches(repository, adds("mail"), adds("page"))
    repository.commit(("timeout: 1m", "timeout: 5m"))
    repository.git("rebase", "-q", "theirs")
    spec = load_text(repository.read()).spec
    assert {"mail", "page"} <= set(spec.by_id)
    assert "timeout: 5m" in repository.read()


def test_a_stash_is_put_on_top_of_another_edit(repository: Repository) -> None:
    repository.write(repository.read().replace("timeout: 1m", "timeout: 1m\n    notes: mine"))
    repository.git("stash", "-q")
    repository.commit(("timeout: 1m", "timeout: 4m"))
    repository.git("stash", "pop", "-q")
    node = load_text(repository.read()).spec.by_id["keep"]
    assert (node.notes, node.timeout and node.timeout.total_seconds()) == ("mine", 240)


def test_a_node_that_one_branch_deleted_and_the_other_leads_to_is_a_conflict(repository: Repository) -> None:
    keep = "  - id: keep\n    use: data.set@1\n    timeout: 1m\n"
    two_branches(repository, [(keep, ""), (TAIL, ""), ("  keep: [400, 0]\n", "")], adds("page"))
    told = repository.git("merge", "--no-edit", "theirs", ok=False)
    assert "conflict nodes.keep: one deleted it, the other changed or uses it" in told
    assert "conflict edges[keep -> page]: its node was deleted on one side" in told


def test_a_merge_of_graphs_that_do_not_work_together_is_not_committed(repository: Repository) -> None:
    uses = ("    timeout: 1m\n", "    timeout: 1m\n    with: {fields: {u: \"{{ $('fetch').first().json.url }}\"}}\n")
    two_branches(
        repository, [uses], [("  - start -> fetch\n  - fetch -> keep\n", "  - start -> keep\n  - keep -> fetch\n")]
    )
    told = repository.git("merge", "--no-edit", "theirs", ok=False)
    assert "merged, but the two versions do not work together" in told
    assert "graph.expr.not_upstream" in told
    assert "<<<<<<<" not in repository.read()


def test_a_file_that_is_no_graph_any_more_is_merged_by_lines(repository: Repository) -> None:
    two_branches(repository, [("id: triage", "id: [triage")], [("timeout: 1m", "timeout: 2m")])
    told = repository.git("merge", "--no-edit", "theirs")
    assert "merged by lines instead" in told
    assert "id: [triage" in repository.read()
    assert "timeout: 2m" in repository.read()


def test_git_diff_tells_what_changed_in_the_graph(repository: Repository) -> None:
    text = repository.read().replace("timeout: 1m", "timeout: 2m").replace("use: flow.manual@1", "use:   flow.manual@1")
    repository.write(text)
    assert repository.git("diff").splitlines() == [
        f"graph {FILE}",
        '  ~ nodes.keep.timeout: "1m" → "2m"  (line 12)',
    ]
    assert repository.pyagent("graph", "diff", f"HEAD:{FILE}", FILE) == '~ nodes.keep.timeout: "1m" → "2m"  (line 12)\n'
    repository.write("a: [")
    assert "+a: [" in repository.git("diff")
    repository.git("rm", "-q", "--cached", FILE)
    assert "deleted file" in repository.git("diff", "--cached")


def test_installing_again_does_nothing_and_undo_leaves_no_trace(repository: Repository) -> None:
    attributes = repository.folder / ".gitattributes"
    assert "graphs/*.yaml diff=pyagent-graph merge=pyagent-graph\n" in attributes.read_text()
    assert repository.pyagent("graph", "install-git").startswith("nothing to do")
    attributes.write_text("*.png binary\n\n" + attributes.read_text())
    before = repository.git("config", "--local", "--list")
    assert str(Path(sys.executable).with_name("pyagent")) in before
    repository.pyagent("graph", "install-git", "--undo")
    assert attributes.read_text() == "*.png binary\n"
    assert "pyagent" not in repository.git("config", "--local", "--list")
    assert repository.pyagent("graph", "install-git", "--undo") == "nothing to do\n"


def test_graphs_outside_of_a_folder_of_their_own_are_found_by_name(repository: Repository) -> None:
    folder = repository.folder / "etc"
    folder.mkdir()
    (folder / "my graph.yaml").write_text(GRAPH)
    (folder / "other.yaml").write_text("a: 1\n")
    told = repository.pyagent("graph", "install-git")
    assert '"/etc/my graph.yaml" diff=pyagent-graph' in told
    assert "other.yaml" not in told
    assert "merge: pyagent-graph" in repository.git("check-attr", "merge", "etc/my graph.yaml")


def test_all_repositories_of_a_user_can_be_set_up_at_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work")
    repository.pyagent("graph", "install-git", "--global", "--pattern", "*.graph.yaml", "--pattern", FILE)
    repository.commit()
    two_branches(repository, adds("mail"), adds("page"))
    repository.git("merge", "-q", "--no-edit", "theirs")
    repository.pyagent("graph", "install-git", "--global", "--undo")
    assert "pyagent" not in repository.git("config", "--list")


def test_outside_of_a_repository_installing_says_what_to_do(tmp_path: Path, repository: Repository) -> None:
    repository.folder = tmp_path
    told = repository.pyagent("graph", "install-git", ok=False)
    assert "setup.git" in told
    assert "hint: Run this in a git repository, or with --global." in told

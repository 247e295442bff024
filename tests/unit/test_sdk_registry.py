"""Where node types are found: installed packages, local folders, and new code of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.sdk import NodeType, Registry
from pyagent.sdk.node import NodeDefinitionError

NODE = '''\
"""A node."""
from pyagent.sdk import Context, Item, JsonObject, NoParams, node
from ._word import WORD


@node("{name}", title="{title}", effects="none", each_item=True)
async def made(item: Item, params: NoParams, ctx: Context) -> JsonObject:
    """Say a word."""
    return {{"said": WORD}}
'''


def write(folder: Path, name: str, *, title: str = "A", word: str = "one") -> Path:
    domain, _, rest = name.partition(".")
    path = folder / domain / f"{rest}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(NODE.format(name=name, title=title))
    (path.parent / "_word.py").write_text(f"WORD = {word!r}\n")
    return path


async def said(node_type: NodeType | None) -> str:
    from pyagent.testing import run_node

    assert node_type is not None
    return (await run_node(node_type, [{}])).json()[0]["said"]


async def test_a_module_in_a_domains_folder_is_a_node_type_though_python_has_a_module_of_that_name(tmp_path: Path):
    write(tmp_path, "io.shout")
    registry = Registry({}, found=[tmp_path])

    assert await said(registry.get("io.shout")) == "one"
    assert registry.get("io.whisper") is None
    assert [found.name for found in registry.all()] == ["io.shout"]
    assert registry.broken == []


def test_a_folder_that_was_named_wins_over_what_is_installed_and_one_that_was_only_found_does_not(tmp_path: Path):
    write(tmp_path, "flow.noop", title="Mine")
    write(tmp_path, "flow.extra", title="More")
    installed = {"flow": "pyagent_nodes.flow"}

    def title(registry: Registry, use: str) -> str | None:
        found = registry.get(use)
        return found.title if found else None

    assert title(Registry(installed, named=[tmp_path]), "flow.noop") == "Mine"
    assert title(Registry(installed, found=[tmp_path]), "flow.noop") == "Do nothing"
    assert title(Registry(installed, found=[tmp_path]), "flow.extra") == "More"
    assert title(Registry(installed, found=[tmp_path]), "flow.if") is not None
    assert "More" in {found.title for found in Registry(installed, found=[tmp_path]).all()}


async def test_a_changed_folder_is_new_code_for_whoever_looks_again_and_old_code_stays_whole(tmp_path: Path):
    write(tmp_path, "text.say", word="one")
    old = Registry({}, found=[tmp_path]).get("text.say")
    write(tmp_path, "text.say", word="two")
    new = Registry({}, found=[tmp_path]).get("text.say")

    assert await said(old) == "one"
    assert await said(new) == "two"


def test_a_folder_domain_or_module_that_is_made_later_is_found_without_a_restart(tmp_path: Path):
    registry = Registry({"flow": "pyagent_nodes.flow"}, found=[tmp_path / "nodes"])
    assert registry.get("text.say") is None
    assert "flow.if" in {found.name for found in registry.all()}
    for name in ("text.say", "text.sing", "flow.extra"):
        write(tmp_path / "nodes", name)
        assert registry.get(name) is not None
        assert name in {found.name for found in registry.all()}
    assert registry.domains == ["flow", "text"]


def test_the_folders_that_are_searched_are_those_named_by_the_setting_and_nodes_here_and_beside_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("named", "here/nodes", "graphs/nodes", "beside/nodes"):
        write(tmp_path / name, f"{name.partition('/')[0]}.say")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYAGENT_NODES", str(tmp_path / "named"))
    monkeypatch.setenv("PYAGENT_GRAPHS", str(tmp_path / "graphs"))

    registry = Registry.installed(beside=[tmp_path / "beside"])

    assert {"named", "here", "graphs", "beside", "flow"} <= set(registry.domains)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", ":1 cannot be imported: SyntaxError"),
        ("import nothing_of_that_name", ":1 cannot be imported: ModuleNotFoundError"),
        (
            "from pyagent.sdk import node\n\n@node('a b', title='x')\nasync def f(a, b, c): ...",
            "'a b' is not a node name",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_line_and_hides_no_other(
    tmp_path: Path, text: str, said: str
):
    write(tmp_path, "text.good")
    (tmp_path / "text" / "bad.py").write_text(text)
    registry = Registry({}, found=[tmp_path])

    with pytest.raises(NodeDefinitionError) as caught:
        registry.get("text.bad")

    assert str(tmp_path / "text" / "bad.py") in caught.value.message
    assert said in caught.value.message
    assert [found.name for found in registry.all()] == ["text.good"]
    assert [error.code for error in registry.broken] == ["node.definition"]


def test_tests_and_helpers_in_a_domains_folder_are_no_node_modules(tmp_path: Path):
    write(tmp_path, "text.say")
    (tmp_path / "text" / "test_say.py").write_text("raise RuntimeError")
    (tmp_path / "text" / "conftest.py").write_text("raise RuntimeError")
    (tmp_path / "empty").mkdir()

    registry = Registry({}, found=[tmp_path, tmp_path / "nowhere"])

    assert [found.name for found in registry.all()] == ["text.say"]
    assert registry.broken == []
    assert registry.domains == ["text"]

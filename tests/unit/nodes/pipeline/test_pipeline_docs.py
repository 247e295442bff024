"""`pipeline.docs`: the public interface by syntax alone, as pages without scripts."""

from __future__ import annotations

import io
import re
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pyagent_nodes.pipeline.apidoc import Api, read_api
from pyagent_nodes.pipeline.apidoc_html import Renderer

FILES = {
    "src/lib/__init__.py": '"""A library."""\nfrom .core import Thing, make as build\n'
    "from ._hidden import offered\n"
    '__all__ = ["Thing", "build", "offered"]\n',
    "src/lib/core.py": '"""The core.\n\nUses `Thing`."""\nimport os\nfrom . import other\n'
    'LIMIT: int = 3\n"""How many."""\n'
    "class Base: ...\n"
    'class Thing(Base):\n    """Holds <b>things</b> & ``make``.\n\n    >>> Thing(1)\n    """\n'
    "    size: int = 0\n"
    "    def __init__(self, n: int, *, deep: bool = False) -> None: ...\n"
    '    @property\n    def name(self) -> str:\n        """The name."""\n'
    "    @classmethod\n    async def open(cls, path: os.PathLike[str]) -> 'Thing': ...\n"
    "    def _private(self): ...\n"
    'def make(kind: str = "<x>", *rest: int, **named) -> Thing:\n    """Make a thing."""\n'
    "def _helper(): ...\n",
    "src/lib/other.py": "if True:\n    def maybe(): ...\n",
    "src/lib/_hidden.py": "def offered(): ...\n",
    "src/lib/_secret.py": "def inner(): ...\n",
    "src/lib/broken.py": "def (:\n",
    "src/lib/not-a-name.py": "raise SystemExit\n",
    "src/lib/index.py": "",
}


def api_of(folder: Path) -> Api:
    """The interface of these files."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_api(folder, ["src/lib"], lambda: None)


def test_public_names_are_read_with_signatures_and_docstrings(tmp_path: Path) -> None:
    api = api_of(tmp_path)
    modules = {module.name: module for module in api.modules}
    assert list(modules) == ["lib", "lib._hidden", "lib.core", "lib.index", "lib.other"]
    core = modules["lib.core"]
    assert [function.signature for function in core.functions] == [
        "make(kind: str='<x>', *rest: int, **named) -> Thing"
    ]
    thing = core.classes[1]
    assert thing.bases == ("Base",)
    assert [(method.kind, method.signature) for method in thing.methods] == [
        ("method", "__init__(n: int, *, deep: bool=False) -> None"),
        ("property", "name -> str"),
        ("async class method", "open(path: os.PathLike[str]) -> 'Thing'"),
    ]
    assert [(value.name, value.doc) for value in core.values] == [("LIMIT", "How many.")]
    assert core.imports == ["lib.other"]
    assert [(alias.name, alias.target) for alias in modules["lib"].aliases] == [
        ("Thing", "lib.core.Thing"), ("build", "lib.core.make"), ("offered", "lib._hidden.offered"),
    ]  # fmt: skip
    assert [function.name for function in modules["lib.other"].functions] == ["maybe"]
    assert api.unparsed == ["src/lib/broken.py"]


def test_the_share_of_documented_names_is_counted(tmp_path: Path) -> None:
    api = api_of(tmp_path)
    # Documented: lib, lib.core, Thing, Thing.name, make. Not: three modules, Base, open, maybe, offered.
    assert api.documented() == 5 / 12
    assert Api(modules=[], unparsed=[]).documented() == 1


class Links(HTMLParser):
    """Collects what a page offers and what it asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids.add(found.get("id") or "")
        self.links.add(found.get("href") or "")


def test_every_link_leads_to_a_name_that_is_there(tmp_path: Path) -> None:
    pages = Renderer(api_of(tmp_path), "lib 1.0").pages()
    parsed = {name: Links(text) for name, text in pages.items()}
    assert set(pages) == {
        "index.html", "lib.html", "lib.core.html", "lib.other.html", "lib._hidden.html", "lib.index.html",
    }  # fmt: skip
    links = {link for page in parsed.values() for link in page.links if link}
    assert "lib.core.html#Thing" in links
    for link in links:
        file, _, anchor = link.partition("#")
        assert file in pages, link
        assert not anchor or anchor in parsed[file].ids, link


def test_pages_are_escaped_and_hold_no_script(tmp_path: Path) -> None:
    pages = Renderer(api_of(tmp_path), "<lib>").pages()
    core = pages["lib.core.html"]
    assert "Holds &lt;b&gt;things&lt;/b&gt; &amp;" in core
    assert "&#x27;&lt;x&gt;&#x27;" in core
    assert "&gt;&gt;&gt; Thing(1)" in core
    for text in pages.values():
        assert "script" not in Links(text).tags
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
        assert "default-src 'none'" in text


async def test_the_node_packs_the_pages_and_keeps_the_fields_of_all_items(bench: Any) -> None:
    bench.write({**FILES, "pyproject.toml": '[project]\nname = "lib"\nversion = "1.0"\n'})
    await bench.ready()
    bench.item["mine"] = 1
    await bench.step("docs", "source", "project")
    docs = bench.item["docs"]
    assert bench.item["mine"] == 1
    assert (docs["modules"], docs["unparsed"]) == (5, ["src/lib/broken.py"])
    with tarfile.open(fileobj=io.BytesIO(bench.content(docs["archive"]))) as archive:
        assert len(archive.getnames()) == docs["pages"] == 6
    first = docs["archive"]["digest"]
    await bench.step("docs", "source", "project")
    assert bench.item["docs"]["archive"]["digest"] == first

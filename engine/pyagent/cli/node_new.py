"""`pyagent node new`: a node type with its test and example graph, in a local folder or in a package of its own."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json
from pyagent.cli.text import escape
from pyagent.errors import InputError
from pyagent.sdk import Registry

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_LONGEST_NAME = 100
"""Characters of a name: file names made of it must fit a file system's 255 bytes, with what is put before and behind.
"""

_NODE = Template('''\
"""`$name`: texts in capitals."""

from __future__ import annotations

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field, with_field
from pydantic import Field


class $params(NodeParams):
    """Parameters of `$name`."""

    field: FieldPath = Field("text", description="The text to put in capitals")
    mark: str = Field("", description="What is put behind it", examples=["!"])


@node("$name", title="$title", icon="box", effects="none", each_item=True)
async def $function(item: Item, params: $params, ctx: Context) -> JsonObject:
    """Put a text of each item in capitals."""
    text = read_field(item.json, params.field)
    if not isinstance(text, str):
        raise NodeError(
            f"{params.field} is not a text",
            code="$domain.no_text",
            hint="Name the field that holds the text in `field`.",
        )
    try:
        return with_field(item.json, params.field, text.upper() + params.mark)
    except ValueError as error:
        raise NodeError(str(error), code="$domain.field", hint="Name another field.") from None
''')

_TEST = Template('''\
"""`$name`: what it does, and that it keeps to what every node type does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
$imports
from pyagent.testing import NodeCase, node_problems, run_example, run_node
$own_imports
$definitions


def test_a_text_is_put_in_capitals() -> None:
    run = asyncio.run(run_node($function, [{"text": "hello"}, {"text": "Grüße"}], {"mark": "!"}))
    assert run.json() == [{"text": "HELLO!"}, {"text": "GRÜSSE!"}]
    assert run.sources() == [[0], [1]]


def test_an_item_without_the_text_is_told() -> None:
    with pytest.raises(NodeError) as caught:
        asyncio.run(run_node($function, [{}]))
    assert caught.value.code == "$domain.no_text"


def test_it_keeps_to_what_every_node_type_does() -> None:
    cases = [NodeCase(items=[{"text": "hello"}]), NodeCase(params={"mark": "!"}, items=[{"text": "a"}, {"text": "b"}])]
    assert asyncio.run(node_problems($function, cases)) == []


def test_its_example_gives_what_it_says() -> None:
    assert asyncio.run(run_example($example, $function)) == ""
''')

_EXAMPLE = Template("""\
pyagent: 1
id: example_$id
name: $title
description: A text in capitals.
inputs: {text: {type: string}}
outputs: {text: "{{ $$('$id').first().json.text }}"}
nodes:
  - id: $id
    use: $name@1
    with: {mark: "!"}
""")
_SAID = {"inputs": {"text": "hello"}, "outputs": {"text": "HELLO!"}}

_PYPROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "Node types of the domain $domain for PyAgent"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["pyagent"]

# A domain is a package; its node types are found by their names.
[project.entry-points."pyagent.nodes"]
$domain = "$package"

[tool.hatch.build.targets.wheel]
packages = ["$package"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
""")
_README = Template("""\
# $distribution

Node types of the domain `$domain` for PyAgent. `pip install -e .` beside PyAgent, then

```
pyagent node show $name
pyagent node check $name
pytest
```
""")


def new_node(name: str, *, folder: Path | None, package: bool, as_json: bool) -> Exit:
    """Write the files of a new node type. Raises `InputError` (`input.node_name`, `input.exists`)."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is not the name of a node type",
            code="input.node_name",
            hint="Use `domain.name` in lower case, such as text.shout.",
        )
    if len(name) > _LONGEST_NAME:
        raise InputError(
            f"{name[:40]}… has {len(name)} characters; the name of a node type has {_LONGEST_NAME} at most",
            code="input.node_name",
            hint="Choose a shorter one, such as text.shout.",
        )
    files = _package(name, folder) if package else _local(name, folder or Path("nodes"))
    if taken := [path for path in files if path.exists() and path.name not in ("pyproject.toml", "README.md")]:
        raise InputError(f"{taken[0]} is there already", code="input.exists", hint="Choose another name or folder.")
    shadowed = Registry.installed().get(name) is not None
    made: list[Path] = []
    try:
        for path, text in files.items():
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                made.append(path)
                path.write_text(text, encoding="utf-8")
    except OSError:
        # Half a node type would be in the way of the next try.
        for path in made:
            path.unlink(missing_ok=True)
        raise
    module = next(path for path in files if path.suffix == ".py" and path.stem == _module(name))
    if as_json:
        print_json({"type": f"{name}@1", "files": [str(path) for path in files], "shadows": shadowed})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    for path in files:
        console.print(f"wrote {escape(str(path))}")
    if shadowed:
        console.print(
            f"[yellow]{name} is installed already:[/] of two types of one name, that of a folder which PYAGENT_NODES "
            "names is taken, else the installed one"
        )
    if package:
        root = next(path for path in files if path.name == "pyproject.toml").parent
        console.print(f"\nInstall it: [bold]pip install -e {escape(str(root))}[/]")
    console.print(f"{'Then t' if package else chr(10) + 'T'}ry it: [bold]pyagent node check {escape(str(module))}[/]")
    return Exit.DONE


def _module(name: str) -> str:
    stem = name.partition(".")[2].replace(".", "_")
    return f"{stem}_" if keyword.iskeyword(stem) else stem


def _words(name: str) -> dict[str, str]:
    domain, _, rest = name.partition(".")
    stem = rest.replace(".", "_")
    return {
        "name": name,
        "domain": domain,
        "id": stem,
        "title": rest.replace(".", " ").replace("_", " ").capitalize(),
        "params": "".join(part.capitalize() for part in stem.split("_")) + "Params",
        "function": f"{stem}_" if keyword.iskeyword(stem) else stem,
    }


def _example(words: Mapping[str, str], folder: Path) -> dict[Path, str]:
    rest = words["name"].partition(".")[2]
    return {
        folder / "examples" / f"{rest}.yaml": _EXAMPLE.substitute(words),
        folder / "examples" / f"{rest}.json": json.dumps(_SAID, indent=2) + "\n",
    }


def _local(name: str, folder: Path) -> dict[Path, str]:
    """A module in a folder that needs no packaging, its test beside it."""
    words = _words(name)
    home = folder / words["domain"]
    rest = name.partition(".")[2]
    test = _TEST.substitute(
        words,
        imports="from pyagent.sdk import NodeError, Registry",
        own_imports="",
        definitions=f'DOMAIN = Path(__file__).parents[1] / "{words["domain"]}"\n'
        f'{words["function"]} = Registry.of_folder(DOMAIN).require("{name}")',
        example=f'DOMAIN / "examples" / "{rest}.yaml"',
    )
    return {
        home / f"{_module(name)}.py": _NODE.substitute(words),
        # Not beside it: pytest searches a test's folder for modules, and `text/csv.py` is not Python's csv.
        folder / "tests" / f"test_{words['domain']}_{words['id']}.py": test,
        **_example(words, home),
    }


def _package(name: str, folder: Path | None) -> dict[Path, str]:
    """A distribution of its own, with the entry point of its domain."""
    words = _words(name)
    package = f"pyagent_nodes_{words['domain']}"
    distribution = package.replace("_", "-")
    words |= {"package": package, "distribution": distribution}
    root = folder or Path(distribution)
    rest = name.partition(".")[2]
    test = _TEST.substitute(
        words,
        imports="from pyagent.sdk import NodeError",
        own_imports=f"\nfrom {package}.{_module(name)} import {words['function']}\n",
        definitions=f'EXAMPLES = Path(__file__).parents[1] / "{package}" / "examples"',
        example=f'EXAMPLES / "{rest}.yaml"',
    )
    home = root / package
    found = {root / "pyproject.toml": _PYPROJECT.substitute(words), root / "README.md": _README.substitute(words)}
    if not (home / "__init__.py").exists():
        found[home / "__init__.py"] = f'"""Node types of the domain `{words["domain"]}`."""\n'
    return found | {
        home / f"{_module(name)}.py": _NODE.substitute(words),
        root / "tests" / f"test_{words['id']}.py": test,
        **_example(words, home),
    }

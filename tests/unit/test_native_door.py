"""The door to the compiled module: a panic behind it is an error like any other, in every function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyagent_core import _native

from pyagent.native import CoreFault

SOURCES = sorted((Path(__file__).parents[2] / "rust_core" / "crates" / "py" / "src").glob("*.rs"))


def test_a_panic_becomes_an_error_and_the_module_goes_on() -> None:
    for words in ("out of luck", "again"):
        with pytest.raises(CoreFault, match=words) as caught:
            _native.panic_behind_the_door(words)
        assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_function_does_its_work_behind_the_guard(source: Path) -> None:
    text = source.read_text()
    found = [match.end() for match in re.finditer(r"#\[pyfunction\]", text)]
    methods = [text[match.end() :] for match in re.finditer(r"#\[pymethods\]\s*impl[^{]*\{\n", text)]
    bodies = [re.split(r"\bfn (?=\w)", text[start:], maxsplit=1)[1] for start in found]
    for block in methods:
        bodies += re.split(r"(?m)^    (?:pub )?fn (?=\w)", block.split("\n}\n", 1)[0])[1:]
    for body in bodies:
        name = re.match(r"\w+", body)
        inside = body.split("{\n", 1)[1].lstrip()
        assert inside.startswith("guarded(|"), f"{source.name}: {name and name[0]} is not guarded"

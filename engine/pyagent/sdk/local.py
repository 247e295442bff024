"""Node types in plain folders, without packaging: `FOLDER/domain/name.py`.

Each domain folder is imported as a package under a name that is made of its files' content. So a folder `io` or `code`
takes no module's place, and a changed folder is another package: whoever holds the old one keeps it whole, whoever
looks again gets the new one, and nobody gets a mixture.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

_PREFIX = "pyagent_local_"


def domain_folders(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The folders of each domain: those inside of `folders` that have an identifier's name and hold modules."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        try:
            inside = sorted(path for path in folder.iterdir() if path.name.isidentifier() and path.is_dir())
        except OSError:
            continue
        for path in inside:
            if next(node_files(path), None) is not None:
                found.setdefault(path.name, []).append(path.absolute())
    return found


def node_files(folder: Path) -> Iterator[Path]:
    """The modules of a domain folder that may hold node types: no tests, nothing that begins with `_`."""
    try:
        names = sorted(folder.glob("*.py"))
    except OSError:
        return
    for path in names:
        if path.stem.isidentifier() and not path.name.startswith(("_", "test_")) and path.stem != "conftest":
            yield path


def local_package(folder: Path) -> str:
    """The name of the package that a domain folder is now, made known to Python if it was not.

    Raises `OSError`, and whatever its `__init__.py` raises.
    """
    folder = folder.absolute()
    digest = hashlib.blake2b(str(folder).encode(), digest_size=8)
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    name = f"{_PREFIX}{digest.hexdigest()}_{folder.name}"
    if name in sys.modules:
        return name
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    initial = folder / "__init__.py"
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    module.__file__ = str(initial)
    sys.modules[name] = module
    if initial.is_file():
        try:
            exec(compile(initial.read_bytes(), initial, "exec", dont_inherit=True), vars(module))  # noqa: S102
        except BaseException:
            del sys.modules[name]
            raise
    return name


class _Finder(MetaPathFinder):
    """Finds modules inside of local packages, by their sources alone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX) or not path:
            return None
        last = fullname.rpartition(".")[2]
        for folder in map(Path, path):
            inner = folder / last
            for file, within in ((folder / f"{last}.py", None), (inner / "__init__.py", [str(inner)])):
                if file.is_file():
                    return importlib.util.spec_from_file_location(
                        fullname, file, loader=_Source(fullname, str(file)), submodule_search_locations=within
                    )
        return None


class _Source(SourceFileLoader):
    """Compiles the source each time: Python takes a compiled file for current by size and whole seconds."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True)

"""Finds node types: by the entry-point group `pyagent.nodes`, and in local folders; importing as little as it can.

An entry point names a package, one a domain: `flow = "pyagent_nodes.flow"`. The type `flow.switch` is looked for in
its module `switch` first, so that a run imports only the nodes its graph uses. A local folder `nodes/text` is the
domain `text`: what PYAGENT_NODES names wins over what is installed, what is only found (`nodes` in the working
directory or beside graphs) does not.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from pyagent.errors import NotFound
from pyagent.sdk.credentials import GENERIC, CredentialKind
from pyagent.sdk.local import domain_folders, local_package, node_files
from pyagent.sdk.node import NodeDefinitionError, NodeType
from pyagent.settings import GRAPHS, NODES

GROUP = "pyagent.nodes"
"""The entry-point group of packages with node types."""


class Registry:
    """Node types by `use` (`flow.switch@1`)."""

    def __init__(
        self,
        packages: Mapping[str, str | Sequence[str]],
        *,
        named: Sequence[Path] = (),
        found: Sequence[Path] = (),
    ) -> None:
        """`packages`: import paths by domain. `named`: local folders that win over packages, `found`: that do not."""
        self._packages = {
            domain: [given] if isinstance(given, str) else list(given) for domain, given in packages.items()
        }
        self.folders = (*named, *found)
        """Local folders that are searched, there or not."""
        self.broken: list[NodeDefinitionError] = []
        """Modules that could not be imported when all types were asked for."""
        self._named, self._found = named, found
        self._types: dict[str, NodeType] = {}
        self._complete: set[str] = set()

    @classmethod
    def installed(cls, beside: Sequence[Path] = ()) -> Registry:
        """All node types installed in this environment, and those of local folders.

        These are, in order: the folders of PYAGENT_NODES, which win over installed packages; then `nodes` in the
        working directory and in the folders of `beside` and PYAGENT_GRAPHS.
        """
        packages: dict[str, list[str]] = {}
        for entry in entry_points(group=GROUP):
            packages.setdefault(entry.name, []).append(entry.value)
        near = [Path(), *beside, *GRAPHS.paths()]
        found = list(dict.fromkeys((folder / "nodes").absolute() for folder in near))
        return cls(packages, named=[folder.absolute() for folder in NODES.paths()], found=found)

    @classmethod
    def of_folder(cls, folder: Path) -> Registry:
        """The node types of one domain's folder, alone."""
        registry = cls({})
        registry._places = {folder.absolute().name: [folder.absolute()]}
        return registry

    @cached_property
    def _places(self) -> dict[str, list[str | Path]]:
        """Packages and folders by domain, as they were at the last look."""
        return self._all_places()

    def _all_places(self) -> dict[str, list[str | Path]]:
        """Packages and folders by domain, in the order in which they are searched."""
        places: dict[str, list[str | Path]] = {}
        for given in (domain_folders(self._named), self._packages, domain_folders(self._found)):
            for domain, inside in given.items():
                places.setdefault(domain, []).extend(inside)
        return places

    @property
    def domains(self) -> list[str]:
        """The domains that there are."""
        self._look_again()
        return sorted(self._places)

    @property
    def packages(self) -> list[str]:
        """Import paths of the installed packages with node types."""
        return [package for packages in self._packages.values() for package in packages]

    def add(self, node_type: NodeType) -> None:
        """Register a type by hand, as tests and embedding programs do."""
        self._types[node_type.use] = node_type

    def get(self, use: str) -> NodeType | None:
        """The type, or None. `use` without `@version` means version 1.

        Raises `NodeDefinitionError` where the local module of that name cannot be imported.
        """
        if "@" not in use:
            use += "@1"
        if use in self._types:
            return self._types[use]
        if (found := self._found_type(use)) is None:
            self._look_again()
            found = self._found_type(use)
        return found

    def _found_type(self, use: str) -> NodeType | None:
        domain, _, rest = use.partition("@")[0].partition(".")
        for place in self._places.get(domain, ()):
            # Of a domain that was loaded only folders may have something new.
            if domain in self._complete and not isinstance(place, Path):
                continue
            if (module := _module_of(place, rest)) is not None:
                self._collect(module)
            if use in self._types:
                return self._types[use]
        self._load(domain)
        return self._types.get(use)

    def require(self, use: str) -> NodeType:
        """The type. Raises `NotFound` (`node.not_found`), and what `get` raises."""
        if (found := self.get(use)) is None:
            raise NotFound(
                f"there is no node type {use!r}",
                code="node.not_found",
                hint="`pyagent node list` shows those there are.",
            )
        return found

    def all(self) -> list[NodeType]:
        """Every type, by name; modules that cannot be imported are in `broken` then."""
        self._look_again()
        for domain in list(self._places):
            self._load(domain)
        return sorted(self._types.values(), key=lambda found: (found.name, found.version))

    def credential_kinds(self) -> list[CredentialKind]:
        """Every kind of credential that packages of nodes tell in their module `_credentials`, and `generic`, by name.

        Modules that cannot be imported are in `broken` then.
        """
        self._look_again()
        kinds = {GENERIC.name: GENERIC}
        for place in [place for places in self._places.values() for place in places]:
            try:
                module = _module_of(place, "_credentials")
            except Exception as error:
                what = error if isinstance(error, NodeDefinitionError) else None
                self.broken.append(what or _not_importable(f"{place}._credentials", error))
                continue
            for kind in getattr(module, "KINDS", ()):
                # places that come first win
                kinds.setdefault(kind.name, kind)
        return [kinds[name] for name in sorted(kinds)]

    def _look_again(self) -> None:
        """Take in local folders that were made since the last look."""
        for domain, places in self._all_places().items():
            if places != self._places.get(domain):
                self._places[domain] = places
                self._complete.discard(domain)

    def _load(self, domain: str) -> None:
        if domain in self._complete:
            return
        self._complete.add(domain)
        for place in self._places.get(domain, ()):
            for module in self._modules(place):
                self._collect(module)

    def _modules(self, place: str | Path) -> Iterator[ModuleType]:
        if isinstance(place, Path):
            for path in node_files(place):
                try:
                    yield _local_module(place, path)
                except NodeDefinitionError as error:
                    self.broken.append(error)
            return
        if (root := self._imported(place)) is None:
            return
        yield root
        for found in pkgutil.walk_packages(getattr(root, "__path__", []), prefix=f"{place}.", onerror=lambda _: None):
            if (module := self._imported(found.name)) is not None:
                yield module

    def _imported(self, name: str) -> ModuleType | None:
        """The module of an installed package; None where it cannot be imported, which hides no other's types."""
        try:
            return importlib.import_module(name)
        except Exception as error:
            self.broken.append(_not_importable(name, error))
            return None

    def _collect(self, module: ModuleType) -> None:
        for value in vars(module).values():
            if isinstance(value, NodeType):
                # places that come first win
                self._types.setdefault(value.use, value)


def _module_of(place: str | Path, name: str) -> ModuleType | None:
    """The module of a package or folder in which the node type `domain.name` is looked for, if it is there."""
    stem = name.replace(".", "_")
    # `if` is a keyword, so the module of `flow.if` is `if_`.
    for candidate in (stem, f"{stem}_"):
        if isinstance(place, Path):
            if (path := place / f"{candidate}.py").is_file():
                return _local_module(place, path)
        elif importlib.util.find_spec(place) and importlib.util.find_spec(f"{place}.{candidate}"):
            return importlib.import_module(f"{place}.{candidate}")
    return None


def _local_module(folder: Path, path: Path) -> ModuleType:
    try:
        return importlib.import_module(f"{local_package(folder)}.{path.stem}")
    except NodeDefinitionError as error:
        error.message = f"{path}: {error.message}"
        raise
    except Exception as error:
        line = _line_in(error, path)
        raise _not_importable(f"{path}{f':{line}' if line else ''}", error) from error


def _not_importable(what: str, error: Exception) -> NodeDefinitionError:
    found = NodeDefinitionError(
        f"{what} cannot be imported: {type(error).__name__}: {error}",
        hint="Correct the module; `pyagent node check PATH` looks at it alone.",
    )
    found.__cause__ = error
    return found


def _line_in(error: BaseException, path: Path) -> int | None:
    """The last line of this file that the error went through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found

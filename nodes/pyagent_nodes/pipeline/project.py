"""Reads what a repository says of itself: metadata, languages, how it is tested. Nothing of it is run."""

from __future__ import annotations

import ast
import email.parser
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyagent.sdk.threads import Check
from pyagent_nodes.pipeline.archives import repository_files
from pyagent_nodes.pipeline.requirements import TestNeeds, read_ini, test_needs
from pyagent_nodes.pipeline.shapes import Project

LANGUAGES = {
    ".py": "Python", ".pyi": "Python", ".pyx": "Cython", ".c": "C", ".h": "C", ".cpp": "C++", ".cc": "C++",
    ".rs": "Rust", ".go": "Go", ".java": "Java", ".js": "JavaScript", ".mjs": "JavaScript", ".ts": "TypeScript",
    ".tsx": "TypeScript", ".html": "HTML", ".css": "CSS", ".sh": "Shell", ".sql": "SQL", ".ipynb": "Jupyter",
    ".md": "Markdown", ".rst": "reStructuredText", ".toml": "TOML", ".yaml": "YAML", ".yml": "YAML",
    ".json": "JSON", ".f90": "Fortran",
}  # fmt: skip
_NOT_SOURCE = {"docs", "doc", "examples", "example", "benchmarks", "scripts", "tools", "build", "dist"}
_TEST_FOLDERS = {"tests", "test", "testing"}
_NOT_MODULES = {"setup.py", "conftest.py", "noxfile.py", "tasks.py", "__init__.py", "__main__.py", "fabfile.py"}
_PYTEST_OPTIONS_KEPT = ("-m", "-k", "--pyargs")
_BIGGEST_READ = 4 << 20


@dataclass(frozen=True, kw_only=True)
class TestCommand:
    """How the tests are started."""

    __test__ = False
    runner: Literal["pytest", "unittest", "none"]
    arguments: tuple[str, ...] = ()
    found_in: str = ""

    @property
    def text(self) -> str:
        """As a person would type it."""
        return shlex.join(["python", "-m", self.runner, *self.arguments]) if self.runner != "none" else ""


def is_test_file(path: Path) -> bool:
    """Whether a file, by its path from the root, holds tests."""
    if path.suffix != ".py":
        return False
    name = path.name
    in_tests = any(part in _TEST_FOLDERS for part in path.parts[:-1])
    return (
        name.startswith("test_")
        or name.endswith("_test.py")
        or (name == "tests.py")
        or (in_tests and name.startswith("test"))
    )


def read_project(root: Path, fallback_name: str, fallback_version: str, check: Check) -> Project:
    """Describe the repository at `root`."""
    files = list(repository_files(root, check))
    relative = [path.relative_to(root) for path in files]
    lines: Counter[str] = Counter()
    size = 0
    for path in files:
        check()
        status = path.stat()
        size += status.st_size
        if (language := LANGUAGES.get(path.suffix.lower())) and status.st_size <= _BIGGEST_READ:
            lines[language] += path.read_bytes().count(b"\n")
    pyproject = read_toml(root / "pyproject.toml")
    metadata = _metadata(root, pyproject)
    test_files = [path for path in relative if is_test_file(path)]
    needs = test_needs(root, pyproject, metadata["extras"])
    command = find_test_command(root, pyproject, needs, test_files)
    requirements = [line for line in needs.requirements if line]
    build = pyproject.get("build-system") or {}
    buildable = bool(build) or "project" in pyproject or _old(root)
    return Project(
        name=metadata["name"] or fallback_name,
        version=metadata["version"] or fallback_version,
        summary=metadata["summary"],
        licence=metadata["licence"],
        languages=dict(lines.most_common()),
        files=len(files),
        lines=sum(lines.values()),
        size=size,
        packages=find_packages(relative),
        requires_python=metadata["requires_python"],
        build_backend=str(build.get("build-backend") or ("setuptools.build_meta" if buildable else "")),
        dependencies=metadata["dependencies"],
        test_requirements=requirements,
        test_extras=needs.extras,
        test_groups=needs.groups,
        runner=command.runner,
        test_command=command.text,
        test_files=len(test_files),
        evidence={
            "test_command": command.found_in,
            "test_requirements": ", ".join(needs.found_in),
            "metadata": metadata["found_in"],
        },
    )


def _old(root: Path) -> bool:
    return (root / "setup.py").is_file() or read_ini(root / "setup.cfg").has_section("metadata")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; empty if it is missing or cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _metadata(root: Path, pyproject: Mapping[str, Any]) -> dict[str, Any]:
    """Name, version and the like: from PKG-INFO (a built fact), pyproject.toml, setup.cfg, then setup.py."""
    found: dict[str, Any] = {
        "name": "", "version": "", "summary": "", "licence": "", "requires_python": "", "dependencies": [],
        "extras": {}, "found_in": "",
    }  # fmt: skip
    sources = (
        ("PKG-INFO", lambda: _from_pkg_info(root / "PKG-INFO")),
        ("pyproject.toml", lambda: _from_pyproject(pyproject)),
        ("setup.cfg", lambda: _from_setup_cfg(root / "setup.cfg")),
        ("setup.py", lambda: _from_setup_py(root / "setup.py")),
    )
    used: list[str] = []
    for name, read in sources:
        part = {key: value for key, value in read().items() if value and not found[key]}
        if part:
            found.update(part)
            used.append(name)
    found["found_in"] = ", ".join(used)
    return found


def _from_pkg_info(path: Path) -> dict[str, Any]:
    try:
        message = email.parser.HeaderParser().parsestr(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}
    required = [str(line) for line in message.get_all("Requires-Dist", [])]
    extras = {str(name): list[str]() for name in message.get_all("Provides-Extra", [])}
    return {
        "name": str(message.get("Name", "")),
        "version": str(message.get("Version", "")),
        "summary": str(message.get("Summary", "")),
        "licence": str(message.get("License-Expression") or message.get("License") or "").strip().split("\n")[0],
        "requires_python": str(message.get("Requires-Python", "")),
        "dependencies": [line for line in required if not re.search(r";.*\bextra\s*==", line)],
        "extras": extras,
    }


def _from_pyproject(pyproject: Mapping[str, Any]) -> dict[str, Any]:
    project = pyproject.get("project") or {}
    poetry = (pyproject.get("tool") or {}).get("poetry") or {}
    licence = project.get("license") or poetry.get("license") or ""
    if isinstance(licence, Mapping):
        licence = str(licence.get("text", "")).strip().split("\n")[0]
    python = (poetry.get("dependencies") or {}).get("python", "")
    return {
        "name": project.get("name") or poetry.get("name") or "",
        "version": project.get("version") or poetry.get("version") or "",
        "summary": project.get("description") or poetry.get("description") or "",
        "licence": licence,
        "requires_python": project.get("requires-python") or (python if str(python).startswith(">") else ""),
        "dependencies": list(project.get("dependencies") or []),
        "extras": {**(poetry.get("extras") or {}), **(project.get("optional-dependencies") or {})},
    }


def _from_setup_cfg(path: Path) -> dict[str, Any]:
    ini = read_ini(path)

    def get(section: str, key: str) -> str:
        value = ini.get(section, key, fallback="").strip()
        return "" if value.startswith(("attr:", "file:")) else value

    extras = dict(ini["options.extras_require"]) if ini.has_section("options.extras_require") else {}
    return {
        "name": get("metadata", "name"),
        "version": get("metadata", "version"),
        "summary": get("metadata", "description"),
        "licence": get("metadata", "license"),
        "requires_python": get("options", "python_requires"),
        "dependencies": [line for line in get("options", "install_requires").splitlines() if line.strip()],
        "extras": {name: value.split("\n") for name, value in extras.items()},
    }


def _from_setup_py(path: Path) -> dict[str, Any]:
    """What `setup(...)` is given as literals."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    names = {
        "name": "name", "version": "version", "description": "summary", "license": "licence",
        "python_requires": "requires_python", "install_requires": "dependencies", "extras_require": "extras",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == "setup":
            for keyword in call.keywords:
                if keyword.arg in names:
                    try:
                        found[names[keyword.arg]] = ast.literal_eval(keyword.value)
                    except ValueError:
                        continue
    kinds = {"dependencies": list, "extras": dict}
    return {key: value for key, value in found.items() if isinstance(value, kinds.get(key, str))}


def has_pytest_settings(root: Path, pyproject: Mapping[str, Any]) -> bool:
    """Whether pytest would take its settings from the repository."""
    return (
        any((root / name).is_file() for name in ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"))
        or "pytest" in (pyproject.get("tool") or {})
        or read_ini(root / "tox.ini").has_section("pytest")
        or read_ini(root / "setup.cfg").has_section("tool:pytest")
    )


def find_test_command(
    root: Path, pyproject: Mapping[str, Any], needs: TestNeeds, test_files: Sequence[Path]
) -> TestCommand:
    """How the repository starts its tests: what tox, hatch or make run, pytest's settings, then what tests import."""
    for line in needs.commands:
        if command := _parse_command(root, line):
            return command
    if has_pytest_settings(root, pyproject):
        return TestCommand(runner="pytest", found_in="pytest's settings")
    if not test_files:
        return TestCommand(runner="none")
    if any(re.match(r"pytest\b", line, re.I) for line in needs.requirements):
        return TestCommand(runner="pytest", found_in="test requirements")
    imports: Counter[str] = Counter()
    for path in test_files[:200]:
        text = (root / path).read_bytes()[:_BIGGEST_READ]
        imports.update(
            name for name in ("pytest", "unittest") if re.search(rb"^\s*(import|from) " + name.encode(), text, re.M)
        )
        if re.search(rb"^(async )?def test", text, re.M):
            imports["pytest"] += 1  # a bare function: unittest would not see it
    if imports["unittest"] and not imports["pytest"]:
        return TestCommand(runner="unittest", found_in="imports of the test files")
    return TestCommand(runner="pytest", found_in="test files")


def _parse_command(root: Path, line: str) -> TestCommand | None:
    try:
        words = shlex.split(re.sub(r"\$[{(].*?[)}]", "", line))
    except ValueError:
        return None
    for index, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name in ("pytest", "py.test"):
            return TestCommand(
                runner="pytest", arguments=_pytest_arguments(root, words[index + 1 :]), found_in=f"command {line!r}"
            )
        if name == "unittest" and index and words[index - 1] == "-m":
            kept = tuple(word for word in words[index + 1 :] if word not in ("-v", "--verbose", "-q"))
            return TestCommand(runner="unittest", arguments=kept, found_in=f"command {line!r}")
    return None


def _pytest_arguments(root: Path, words: Sequence[str]) -> tuple[str, ...]:
    """What decides which tests run: paths, markers and keywords; how to print and measure is left out."""
    kept: list[str] = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if (
            word in _PYTEST_OPTIONS_KEPT
            or before in _PYTEST_OPTIONS_KEPT
            or (not word.startswith("-") and not before.startswith("--cov") and (root / word.split("::")[0]).exists())
        ):
            kept.append(word)
    return tuple(kept)


def find_packages(files: Sequence[Path]) -> list[str]:
    """Importable packages and single modules, as paths from the root: `src/humanize`, `six.py`."""
    initial = {path.parent for path in files if path.name == "__init__.py"}
    tops = {
        folder
        for folder in initial
        if folder.parts
        and folder.parent not in initial
        and not any(part in _NOT_SOURCE or part in _TEST_FOLDERS for part in folder.parts)
    }
    modules = {
        path
        for path in files
        if path.suffix == ".py"
        and path.parent.as_posix() in (".", "src")
        and path.name not in _NOT_MODULES
        and not is_test_file(path)
    }
    # Folders without __init__.py under src are namespace packages.
    namespaces = {
        Path(*path.parts[:2])
        for path in files
        if path.suffix == ".py" and len(path.parts) > 2 and path.parts[0] == "src"
        and not any(Path(*path.parts[:2]) in (top, *top.parents) for top in tops)
    }  # fmt: skip
    return sorted(path.as_posix() for path in tops | modules | namespaces)

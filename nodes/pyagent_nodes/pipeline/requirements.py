"""What a repository's tests need: read from tox, hatch, extras, dependency groups and requirements files."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEST_NAMES = ("tests", "test", "testing", "unittest", "pytest")
DEVELOPMENT_NAMES = ("dev", "develop", "development")
REQUIREMENT_FILES = (
    "requirements/{name}.txt", "requirements/{name}.in", "requirements-{name}.txt", "requirements_{name}.txt",
    "{name}-requirements.txt", "{name}_requirements.txt", "tests/requirements.txt", "test/requirements.txt",
)  # fmt: skip


@dataclass(kw_only=True)
class TestNeeds:
    """Everything to install beside the package itself, and where it was found."""

    __test__ = False
    requirements: list[str] = field(default_factory=list[str])
    """Requirements, or `-r FILE` with a path from the root."""
    extras: list[str] = field(default_factory=list[str])
    groups: list[str] = field(default_factory=list[str])
    commands: list[str] = field(default_factory=list[str])
    """Test commands that tox, hatch or make would run."""
    found_in: list[str] = field(default_factory=list[str])

    def add(self, where: str, *, requirements: Sequence[str] = (), extras: Sequence[str] = ()) -> None:
        """Take over what one place says."""
        fresh = [one for one in requirements if one not in self.requirements]
        fresh_extras = [one for one in extras if one not in self.extras]
        if fresh or fresh_extras:
            self.requirements += fresh
            self.extras += fresh_extras
            self.found_in.append(where)


def test_needs(root: Path, pyproject: Mapping[str, Any], extras: Mapping[str, Sequence[str]]) -> TestNeeds:
    """What the tests of the repository at `root` need. `extras`: the package's extras, by name.

    All that is said for tests is taken together; what is said for development at large counts only where nothing is
    said for tests.
    """
    needs = TestNeeds()
    _from_tox(root, pyproject, extras, needs)
    _from_hatch(pyproject, needs)
    _from_makefile(root, needs)
    for names in (TEST_NAMES, DEVELOPMENT_NAMES):
        for name in names:
            if match := next((extra for extra in extras if extra.lower() == name), None):
                needs.add(f"extra {match}", extras=[match])
            if name in (groups := _groups(pyproject)):
                needs.groups.append(name)
                needs.add(f"dependency group {name}", requirements=groups[name])
            for pattern in REQUIREMENT_FILES:
                path = pattern.format(name=name)
                if (root / path).is_file():
                    needs.add(path, requirements=[f"-r {path}"])
                    break
        if needs.found_in:
            break
    return needs


def _groups(pyproject: Mapping[str, Any]) -> dict[str, list[str]]:
    """Dependency groups (PEP 735) and their older kin in poetry and PDM, with their includes resolved."""
    raw: dict[str, Any] = dict(pyproject.get("dependency-groups") or {})
    tool = pyproject.get("tool") or {}
    for name, group in ((tool.get("pdm") or {}).get("dev-dependencies") or {}).items():
        raw.setdefault(name, group)
    poetry = tool.get("poetry") or {}
    if old := poetry.get("dev-dependencies"):
        raw.setdefault("dev", _from_poetry(old))
    for name, group in (poetry.get("group") or {}).items():
        raw.setdefault(name, _from_poetry(group.get("dependencies") or {}))

    def resolve(name: str, seen: frozenset[str]) -> list[str]:
        found: list[str] = []
        for entry in raw.get(name) or []:
            if isinstance(entry, str):
                found.append(entry)
            elif (other := entry.get("include-group")) and other not in seen:
                found += resolve(other, seen | {other})
        return found

    return {name.lower(): resolve(name, frozenset({name})) for name in raw}


def _from_poetry(table: Mapping[str, Any]) -> list[str]:
    """Poetry's own table as requirements; entries from paths, git and URLs are left out."""
    found: list[str] = []
    for name, value in table.items():
        if name == "python":
            continue
        extras = value.get("extras", []) if isinstance(value, Mapping) else []
        version = value.get("version") if isinstance(value, Mapping) else value
        if not isinstance(version, str):
            continue
        bracket = f"[{','.join(extras)}]" if extras else ""
        found.append(f"{name}{bracket}{_poetry_version(version)}")
    return found


def _poetry_version(text: str) -> str:
    parts: list[str] = []
    for part in text.replace(" ", "").split(","):
        if part in ("*", ""):
            continue
        if part[0] in "^~" and not part.startswith("~="):
            numbers = [int(number) for number in re.findall(r"\d+", part)]
            if part[0] == "^":
                index = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
            else:
                index = min(1, len(numbers) - 1)
            upper = [*numbers[:index], numbers[index] + 1]
            parts.append(f">={'.'.join(map(str, numbers))},<{'.'.join(map(str, upper))}")
        else:
            parts.append(part if part[0] in "<>=!~" else f"=={part}")
    return ",".join(parts)


def _ini(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return configparser.ConfigParser()
    return parser


def read_ini(path: Path) -> configparser.ConfigParser:
    """An ini file; empty if it is missing or cannot be read."""
    try:
        return _ini(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return configparser.ConfigParser()


def _from_tox(root: Path, pyproject: Mapping[str, Any], extras: Mapping[str, Sequence[str]], needs: TestNeeds) -> None:
    table = (pyproject.get("tool") or {}).get("tox") or {}
    where = "tox.ini [testenv]"
    ini = read_ini(root / "tox.ini")
    if not ini.has_section("testenv") and isinstance(table.get("legacy_tox_ini"), str):
        ini, where = _ini(table["legacy_tox_ini"]), "pyproject.toml [tool.tox]"
    if ini.has_section("testenv"):
        section = ini["testenv"]
        named = [name for name in _lines(section.get("extras", "")) if name in extras]
        groups = _groups(pyproject)
        deps = [line for line in _lines(section.get("deps", "")) if _usable(line)]
        for name in _lines(section.get("dependency_groups", "")):
            deps += groups.get(name.lower(), [])
        needs.add(where, requirements=[_normal(root, line) for line in deps], extras=named)
        needs.commands += _commands(section.get("commands", ""))
    elif base := (table.get("env_run_base") or (table.get("env") or {}).get("test")):
        where = "pyproject.toml [tool.tox]"
        deps = [line for line in base.get("deps", []) if isinstance(line, str) and _usable(line)]
        for name in base.get("dependency_groups", []):
            deps += _groups(pyproject).get(str(name).lower(), [])
        named = [name for name in base.get("extras", []) if name in extras]
        needs.add(where, requirements=[_normal(root, line) for line in deps], extras=named)
        for command in base.get("commands", []):
            needs.commands.append(shlex.join(str(word) for word in command if isinstance(word, str)))


def _from_hatch(pyproject: Mapping[str, Any], needs: TestNeeds) -> None:
    environments = ((pyproject.get("tool") or {}).get("hatch") or {}).get("envs") or {}
    for name in ("hatch-test", "test", "tests", "default"):
        table = environments.get(name) or {}
        listed = [*table.get("dependencies", []), *table.get("extra-dependencies", [])]
        usable = [line for line in listed if isinstance(line, str) and _usable(line)]
        needs.add(f"pyproject.toml [tool.hatch.envs.{name}]", requirements=usable)
        script = (table.get("scripts") or {}).get("test")
        needs.commands += [script] if isinstance(script, str) else script or []


def _from_makefile(root: Path, needs: TestNeeds) -> None:
    try:
        text = (root / "Makefile").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if found := re.search(r"^test\s*:.*\n((?:\t.*\n?)+)", text, re.MULTILINE):
        needs.commands += [line.strip().lstrip("@-") for line in found[1].splitlines()]


def _lines(text: str) -> list[str]:
    found = (line.strip() for line in re.split(r"[\n]", text))
    return [line for line in found if line and not line.startswith("#")]


def _usable(line: str) -> bool:
    """Whether a line of tox's deps holds for every environment and needs no substitution."""
    return "{" not in line and not re.match(r"^[\w!,{}.-]+:\s", line) and not line.startswith("-c")


def _normal(root: Path, line: str) -> str:
    """`-rFILE` and `-r FILE` in one form."""
    if found := re.match(r"^(?:-r|--requirement)[\s=]*(.+)$", line):
        path = found[1].strip()
        return f"-r {path}" if (root / path).is_file() else ""
    return line


def _commands(text: str) -> list[str]:
    """tox's commands as they would be typed: joined lines, without its placeholders."""
    joined = re.sub(r"\\\s*\n", " ", text)
    found: list[str] = []
    for line in _lines(joined):
        plain = re.sub(r"\{posargs:([^{}]*)\}", r"\1", line)
        plain = re.sub(r"\{env_?python\}", "python", plain)
        found.append(re.sub(r"\s+", " ", re.sub(r"\S*\{[^{}]*\}", "", plain)).strip().lstrip("- "))
    return [command for command in found if command]

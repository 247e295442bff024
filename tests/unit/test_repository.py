"""What must hold for the repository as a whole: its files, pins, sizes and generated pages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "requirements" / "locked.txt"
LONGEST_MODULE = 600


def tracked(*patterns: str) -> list[Path]:
    """Text files that git tracks and that are in the working copy."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for name in found.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode()


def imports_of(path: Path) -> set[str]:
    """The first parts of the absolute imports of a module."""
    found: set[str] = set()
    for part in ast.walk(ast.parse(text_of(path))):
        if isinstance(part, ast.Import):
            found |= {name.name.partition(".")[0] for name in part.names}
        elif isinstance(part, ast.ImportFrom) and not part.level and part.module:
            found.add(part.module.partition(".")[0])
    return found


def requirements() -> dict[str, Requirement]:
    lines = [line.removesuffix(" \\") for line in LOCKED.read_text().splitlines() if not line.startswith((" ", "#"))]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def test_every_pin_has_a_hash_and_no_address() -> None:
    text = LOCKED.read_text()
    assert "://" not in text
    assert not re.search(r"^--?(index-url|extra-index-url|find-links|trusted-host)", text, re.MULTILINE)
    entries = re.split(r"\n(?! )", text.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_pins_fit_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = requirements()
    asked = [Requirement(line) for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]]
    unmet = [
        str(requirement)
        for requirement in asked
        if (found := pinned.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(next(iter(found.specifier)).version, prereleases=True)
    ]
    assert unmet == [], "run `make lock`"


def test_every_import_of_the_product_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"] + extras}
    own = {"pyagent", "pyagent_core", "pyagent_nodes", *sys.stdlib_module_names}
    providers = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in tracked("engine/*.py", "nodes/*.py")
        if path.parent.name not in ("runners", "testing")  # started by another Python; needs the tests' packages
        for module in imports_of(path) - own
        if not declared & {canonicalize_name(name) for name in providers.get(module, ())}
    }
    assert undeclared == set()


def test_lock_files_of_other_languages_hold_no_download_addresses() -> None:
    found = [path.name for path in tracked("*lock.json", "*lock.yaml") if '"resolved": "http' in text_of(path)]
    assert found == [], "set omit-lockfile-registry-resolved in npm"


def test_no_tracked_file_names_a_path_of_this_machine() -> None:
    here = re.compile("|".join(rf"(?<![\w./}}-]){re.escape(str(path))}(?=[/\s\"'`])" for path in (ROOT, Path.home())))
    found = [str(path.relative_to(ROOT)) for path in tracked() if here.search(text_of(path))]
    assert found == []


def test_no_tracked_file_names_the_package_index_in_use() -> None:
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    hosts = set(re.findall(r"https?://(?:[^@/'\" ]*@)?([\w.-]+\.\w+)", settings))
    found = [str(path) for path in tracked() for host in hosts if host in text_of(path)]
    assert found == []


def test_no_module_is_longer_than_one_subject_needs() -> None:
    lengths = {
        str(path.relative_to(ROOT)): text_of(path).count("\n") for path in tracked("*.py", "*.rs", "*.ts", "*.tsx")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_module_says_its_subject_in_its_first_line() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked("engine/*.py", "nodes/*.py", "scripts/*.py")
        if text_of(path).strip() and not ast.get_docstring(ast.parse(text_of(path)))
    ]
    assert silent == []


def test_every_error_that_is_raised_says_what_to_do() -> None:
    modules = {path: ast.parse(text_of(path)) for path in tracked("engine/*.py", "nodes/*.py")}
    classes = {
        part.name: part for tree in modules.values() for part in ast.walk(tree) if isinstance(part, ast.ClassDef)
    }

    def ancestors(name: str) -> list[ast.ClassDef]:
        found = classes.get(name)
        if found is None:
            return []
        return [found, *(up for base in found.bases if isinstance(base, ast.Name) for up in ancestors(base.id))]

    def hinted(found: ast.ClassDef) -> bool:
        """By a class attribute, or by an initializer of its own that passes one on."""
        assigned = [target for part in found.body if isinstance(part, ast.Assign) for target in part.targets]
        own = {target.id for target in assigned if isinstance(target, ast.Name)}
        made = [part for part in found.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        passed = [part.arg for method in made for part in ast.walk(method) if isinstance(part, ast.keyword)]
        return "hint" in own or "hint" in passed

    silent: list[str] = []
    for path, tree in modules.items():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            line = ancestors(call.func.id)
            if not line or line[-1].name != "PyAgentError" or any(hinted(found) for found in line[:-1]):
                continue
            if not any(word.arg in ("hint", None) for word in call.keywords):
                silent.append(f"{path.relative_to(ROOT)}:{call.lineno}: {call.func.id}")
    assert silent == []


def test_tracked_files_are_small() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > 1 << 20] == []


def test_generated_files_are_current() -> None:
    found = subprocess.run([sys.executable, "scripts/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    "target", re.findall(r"^\.PHONY: (?!help)(\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
)
def test_make_help_lists_every_target(target: str) -> None:
    found = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)  # its first target
    assert f"make {target} " in found.stdout


@pytest.mark.parametrize("script", [path.name for path in (ROOT / "scripts").glob("*") if not path.suffix])
def test_scripts_are_valid_and_executable(script: str) -> None:
    path = ROOT / "scripts" / script
    if path.is_file():
        assert path.stat().st_mode & 0o111
        subprocess.run(["bash", "-n", path], check=True)


def test_no_two_test_modules_have_the_same_name() -> None:
    names = [path.name for path in tracked("tests/*.py") if path.name.startswith("test_")]
    assert sorted(name for name in names if names.count(name) > 1) == []

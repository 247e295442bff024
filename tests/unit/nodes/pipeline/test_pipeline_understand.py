"""`pipeline.understand`: metadata, test commands and what tests need, read from many kinds of repositories."""

from __future__ import annotations

from typing import Any

import pytest

TEST = "import pytest\n\ndef test_a():\n    assert True\n"
UNITTEST = "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass\n"


async def understood(bench: Any, files: dict[str, str]) -> dict[str, Any]:
    """The project that these files make."""
    bench.write({"pyproject.toml": "", **files})
    await bench.step("fetch", repository=str(bench.repository))
    await bench.step("understand", "source")
    return bench.item["project"]


async def test_metadata_languages_and_packages_are_read_without_importing(bench: Any) -> None:
    project = await understood(
        bench,
        {
            "pyproject.toml": '[build-system]\nrequires=["hatchling"]\nbuild-backend="hatchling.build"\n'
            '[project]\nname="thing"\nversion="1.2"\ndescription="Does"\nrequires-python=">=3.9"\n'
            'license="MIT"\ndependencies=["attrs>=20"]\n',
            "src/thing/__init__.py": "raise SystemExit('imported')\n",
            "src/thing/sub/__init__.py": "",
            "docs/index.md": "# Docs\n",
            "tests/__init__.py": "",
            "tests/test_thing.py": TEST,
        },
    )
    assert (project["name"], project["version"], project["licence"]) == ("thing", "1.2", "MIT")
    assert project["build_backend"] == "hatchling.build"
    assert project["dependencies"] == ["attrs>=20"]
    assert project["packages"] == ["src/thing"]
    assert project["languages"] == {"Python": 5, "TOML": 10, "Markdown": 1}
    assert project["test_files"] == 1


async def test_setup_py_is_read_but_never_run(bench: Any) -> None:
    project = await understood(
        bench,
        {
            "setup.py": "from setuptools import setup\nopen('/tmp/should-not-exist', 'w')\n"
            "setup(name='old', version='0.1', install_requires=['six'], extras_require={'test': ['pytest']})\n",
            "old.py": "",
            "test_old.py": UNITTEST,
        },
    )
    assert (project["name"], project["version"], project["dependencies"]) == ("old", "0.1", ["six"])
    assert project["test_extras"] == ["test"]
    assert project["packages"] == ["old.py"]


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"tests/test_a.py": TEST}, "python -m pytest"),
        ({"tests/test_a.py": UNITTEST}, "python -m unittest"),
        ({"tests/test_a.py": UNITTEST, "pytest.ini": "[pytest]\n"}, "python -m pytest"),
        ({"tests/test_a.py": UNITTEST, "tox.ini": "[testenv]\ncommands = pytest {posargs}\n"}, "python -m pytest"),
        (
            {
                "tests/test_a.py": TEST,
                "tox.ini": "[testenv]\ncommands =\n    {envpython} -m unittest discover -s tests -v\n",
            },
            "python -m unittest discover -s tests",
        ),
        (
            {"tests/test_a.py": TEST, "tox.ini": "[testenv]\ncommands = coverage run -m pytest -m 'not slow' tests\n"},
            "python -m pytest -m 'not slow' tests",
        ),
        ({"tests/test_a.py": TEST, "Makefile": "test:\n\tpython -m unittest -v ${tests}\n"}, "python -m unittest"),
        (
            {"tests/test_a.py": UNITTEST, "pyproject.toml": '[tool.hatch.envs.default.scripts]\ntest = "pytest -x"\n'},
            "python -m pytest",
        ),
        ({"a.py": "x = 1\n"}, ""),
    ],
)
async def test_the_documented_test_command_is_found(bench: Any, files: dict[str, str], command: str) -> None:
    project = await understood(bench, files)
    assert project["test_command"] == command
    assert (project["runner"] == "none") == (command == "")


@pytest.mark.parametrize(
    ("files", "requirements", "extras"),
    [
        ({"requirements/tests.txt": "pytest\n"}, ["-r requirements/tests.txt"], []),
        ({"requirements-dev.txt": "pytest\n"}, ["-r requirements-dev.txt"], []),
        ({"requirements-dev.txt": "", "requirements-test.txt": ""}, ["-r requirements-test.txt"], []),
        (
            {"pyproject.toml": '[dependency-groups]\ntest = ["pytest", {include-group = "more"}]\nmore = ["six"]\n'},
            ["pytest", "six"],
            [],
        ),
        ({"pyproject.toml": '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n'}, [], []),
        (
            {"pyproject.toml": '[project]\nname="x"\n[project.optional-dependencies]\nTests = ["pytest"]\n'},
            [],
            ["Tests"],
        ),
        (
            {"tox.ini": "[testenv]\ndeps =\n    -rdeps.txt\n    py38: old\n    {env:X}\n    attrs\n", "deps.txt": ""},
            ["-r deps.txt", "attrs"],
            [],
        ),
        (
            {"pyproject.toml": '[tool.poetry.group.test.dependencies]\npytest = "^8.1"\nsix = {version = "~1.2"}\n'},
            ["pytest>=8.1,<9", "six>=1.2,<1.3"],
            [],
        ),
        ({"pyproject.toml": '[tool.pdm.dev-dependencies]\ntest = ["pytest"]\n'}, ["pytest"], []),
    ],
)
async def test_what_the_tests_need_is_found(
    bench: Any, files: dict[str, str], requirements: list[str], extras: list[str]
) -> None:
    project = await understood(bench, {"tests/test_a.py": TEST, **files})
    assert project["test_requirements"] == requirements
    assert project["test_extras"] == extras


async def test_files_that_cannot_be_read_are_passed_over(bench: Any) -> None:
    project = await understood(
        bench, {"pyproject.toml": "not [toml", "tox.ini": "not ini", "setup.cfg": "\0", "setup.py": "not (python"}
    )
    assert project["name"] == "repository"
    assert project["runner"] == "none"


async def test_the_source_is_unpacked_again_where_the_work_folder_is_gone(bench: Any, tmp_path: Any) -> None:
    bench.write({"a.py": "x = 1\n"})
    await bench.step("fetch", repository=str(bench.repository))
    bench.work_dir = tmp_path / "another machine"
    await bench.step("understand", "source")
    assert bench.item["project"]["lines"] == 1

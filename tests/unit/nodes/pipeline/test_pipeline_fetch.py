"""`pipeline.fetch`: folders, source distributions from the cache, and what goes wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import NodeError
from pyagent.sdk.process import ProcessResult
from pyagent_nodes.pipeline import sources
from pyagent_nodes.pipeline.sources import Requirement, find_cached

Make = Callable[[Mapping[str, bytes]], Path]


def offline(said: str, exit_code: int = 1) -> Any:
    """A pip that cannot do it, and says why."""

    async def run(argv: Any, **options: Any) -> ProcessResult:
        return ProcessResult(exit_code=exit_code, stdout=b"", stderr=said.encode(), timed_out=False, duration=0)

    return run


def serving(archive: Path, name: str) -> Any:
    """A pip that downloads this file."""

    async def run(argv: Any, **options: Any) -> ProcessResult:
        folder = Path(argv[argv.index("--dest") + 1])
        folder.mkdir(parents=True)
        (folder / name).write_bytes(archive.read_bytes())
        return ProcessResult(exit_code=0, stdout=b"", stderr=b"", timed_out=False, duration=0)

    return run


async def test_a_folder_is_copied_without_junk(bench: Any) -> None:
    bench.write({"setup.py": "", "pkg/a.py": "x = 1\n", ".git/config": "secret", "venv/pyvenv.cfg": ""})
    assert await bench.step("fetch", repository=str(bench.repository)) == "out"
    source = bench.item["source"]
    assert source["kind"] == "path"
    assert source["files"] == 2
    found = Path(source["path"])
    assert found.is_relative_to(bench.work_dir)
    assert sorted(path.name for path in found.rglob("*.py")) == ["a.py", "setup.py"]
    assert not (found / ".git").exists()


async def test_what_came_in_goes_on_and_the_archive_is_a_blob(bench: Any) -> None:
    bench.write({"a.py": ""})
    bench.item = {"mine": 1}
    await bench.step("fetch", repository=str(bench.repository))
    assert bench.item["mine"] == 1
    archive = bench.content(bench.item["source"]["archive"])
    assert hashlib.sha256(archive).hexdigest() == bench.item["source"]["sha256"]
    assert len(json.dumps(bench.item)) < 2000


@pytest.mark.parametrize(
    ("repository", "code"),
    [
        ("/no/such/folder", "pipeline.fetch.not_found"),
        ("humanize", "pipeline.fetch.not_found"),
        ("humanize>=4", "pipeline.fetch.not_found"),
    ],
)
async def test_what_is_neither_folder_nor_release_is_not_found(bench: Any, repository: str, code: str) -> None:
    with pytest.raises(NodeError) as caught:
        await bench.step("fetch", repository=repository)
    assert caught.value.code == code
    assert caught.value.hint
    assert caught.value.where.field == "with.repository"


async def test_a_folder_without_python_and_a_file_are_no_repositories(bench: Any) -> None:
    bench.write({"readme.txt": ""})
    for path in (bench.repository, bench.repository / "readme.txt"):
        with pytest.raises(NodeError) as caught:
            await bench.step("fetch", repository=str(path))
        assert caught.value.code == "pipeline.fetch.not_a_repository"


async def test_a_release_is_downloaded_once_and_then_comes_from_the_cache(
    bench: Any, archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive({"six-1.0/six.py": b"x = 1\n"})
    monkeypatch.setattr(sources, "run_process", serving(made, "six-1.0.tar.gz"))
    await bench.step("fetch", repository="Six==1.0")
    assert bench.item["source"]["name"] == "six"
    assert (Path(bench.item["source"]["path"]) / "six.py").read_text() == "x = 1\n"
    monkeypatch.setattr(sources, "run_process", offline("no network: this must not be called"))
    await bench.step("fetch", repository="six==1.0")
    assert "six-1.0.tar.gz was in the cache" in bench.messages


async def test_other_bytes_than_pinned_are_refused_and_not_kept(
    bench: Any, archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive({"six-1.0/six.py": b""})
    monkeypatch.setattr(sources, "run_process", serving(made, "six-1.0.tar.gz"))
    with pytest.raises(NodeError) as caught:
        await bench.step("fetch", repository=f"six==1.0 --hash=sha256:{'0' * 64}")
    assert caught.value.code == "pipeline.fetch.hash_mismatch"
    assert (
        find_cached(Requirement(name="six", version="1.0", sha256=hashlib.sha256(made.read_bytes()).hexdigest()))
        is None
    )


async def test_a_pinned_hash_does_not_stand_for_another_version(
    bench: Any, archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive({"six-1.0/six.py": b""})
    monkeypatch.setattr(sources, "run_process", serving(made, "six-1.0.tar.gz"))
    await bench.step("fetch", repository="six==1.0")
    sha256 = bench.item["source"]["sha256"]
    assert find_cached(Requirement(name="six", version="1.0", sha256=sha256)) is not None
    assert find_cached(Requirement(name="six", version="2.0", sha256=sha256)) is None


async def test_a_damaged_file_in_the_cache_is_fetched_again(
    bench: Any, archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive({"six-1.0/six.py": b""})
    monkeypatch.setattr(sources, "run_process", serving(made, "six-1.0.tar.gz"))
    await bench.step("fetch", repository="six==1.0")
    found = find_cached(Requirement(name="six", version="1.0"))
    assert found is not None
    found.path.write_bytes(b"damaged")
    await bench.step("fetch", repository="six==1.0")
    assert "six-1.0.tar.gz downloaded" in bench.messages


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ERROR: No matching distribution found for nope==1.0", "pipeline.fetch.not_found"),
        (
            "WARNING: Retrying … NewConnectionError('… Name or service not known')\n"
            "ERROR: No matching distribution found for nope==1.0",
            "pipeline.fetch.no_network",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "pipeline.fetch.hash_mismatch"),
        ("ERROR: the build broke", "pipeline.fetch.failed"),
    ],
)
async def test_what_pip_says_becomes_a_clear_error(
    bench: Any, monkeypatch: pytest.MonkeyPatch, said: str, code: str
) -> None:
    monkeypatch.setattr(sources, "run_process", offline(said))
    with pytest.raises(NodeError) as caught:
        await bench.step("fetch", repository="nope==1.0")
    assert caught.value.code == code
    assert caught.value.hint
    assert said[:100] in caught.value.details["pip"]
    assert not list((bench.work_dir / "source").glob("*"))


async def test_a_cancelled_copy_stops_and_leaves_no_archive(bench: Any) -> None:
    bench.write({f"{number}.py": "x\n" for number in range(200)})
    bench.cancel.trigger()
    with pytest.raises(NodeError) as caught:
        await asyncio.wait_for(bench.step("fetch", repository=str(bench.repository)), 1)
    assert caught.value.code == "node.cancelled"
    assert not list(bench.work_dir.glob("**/*.tar.gz"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("humanize==4.17.0", ("humanize", "4.17.0", None)),
        (" More_Itertools == 11.2.1 ", ("more-itertools", "11.2.1", None)),
        (f"a==1 --hash=sha256:{'AB' * 32}", ("a", "1", "ab" * 32)),
        ("./a==1", None),
        ("a>=1", None),
        ("a==1; rm -rf", None),
        ("--index-url=x==1", None),
    ],
)
def test_only_a_plain_pinned_release_is_a_requirement(text: str, expected: tuple[str, str, str | None] | None) -> None:
    found = Requirement.parse(text)
    assert (found and (found.name, found.version, found.sha256)) == expected

"""Packing repositories and unpacking archives that nobody has vouched for."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pyagent_nodes.pipeline.archives import ArchiveError, ArchiveLimits, TooLarge, pack, repository_files, unpack

Make = Callable[[Mapping[str, bytes]], Path]


def never() -> None:
    """Nothing is cancelled."""


def test_the_single_top_folder_is_left_out(archive: Make, tmp_path: Path) -> None:
    found = unpack(archive({"six-1.0/six.py": b"x = 1\n", "six-1.0/a/b.py": b""}), tmp_path / "out", check=never)
    assert (tmp_path / "out" / "six.py").read_bytes() == b"x = 1\n"
    assert (tmp_path / "out" / "a" / "b.py").exists()
    assert (found.files, found.size) == (2, 6)


@pytest.mark.parametrize("name", ["../evil.py", "top/../../evil.py", "/etc/evil", "top\\..\\..\\evil.py", "C:/evil.py"])
def test_a_path_that_leads_out_of_the_archive_is_refused(archive: Make, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="leads out") as caught:
        unpack(archive({"top/fine.py": b"", name: b"evil"}), tmp_path / "out", check=never)
    assert caught.value.code == "pipeline.fetch.bad_archive"
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_links_and_devices_of_an_archive_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as file:
        for kind, name in ((tarfile.SYMTYPE, "t/link"), (tarfile.LNKTYPE, "t/hard"), (tarfile.CHRTYPE, "t/device")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
        info = tarfile.TarInfo("t/fine.py")
        file.addfile(info, io.BytesIO())
    assert unpack(path, tmp_path / "out", check=never).files == 1
    assert [found.name for found in (tmp_path / "out").iterdir()] == ["fine.py"]


def test_an_archive_that_unpacks_to_too_much_is_refused(archive: Make, tmp_path: Path) -> None:
    made = archive({"t/zeros": bytes(100_000)})
    with pytest.raises(ArchiveError, match="more than"):
        unpack(made, tmp_path / "out", ArchiveLimits(total=50_000), check=never)
    with pytest.raises(ArchiveError, match="more than 2 files"):
        unpack(archive({f"t/{n}": b"" for n in range(3)}), tmp_path / "out", ArchiveLimits(files=2), check=never)
    assert not (tmp_path / "out").exists()


def test_a_zip_bomb_is_stopped_by_what_it_really_holds(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("t/zeros", bytes(1_000_000))
    with pytest.raises(ArchiveError, match="more than"):
        unpack(path, tmp_path / "out", ArchiveLimits(total=500_000), check=never)


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.tar"
    with tarfile.open(path, "w") as file:
        for content in (b"one", b"two"):
            info = tarfile.TarInfo("t/same.py")
            info.size = 3
            file.addfile(info, io.BytesIO(content))
    with pytest.raises(ArchiveError, match="twice"):
        unpack(path, tmp_path / "out", check=never)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08\x00broken"])
def test_a_damaged_archive_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(content)
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(tmp_path / "bad.tar.gz", tmp_path / "out", check=never)


def test_the_same_repository_packs_to_the_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.py").write_text("x\n")
    pack(root, tmp_path / "one", "root", ArchiveLimits(), never)
    (root / "a" / "x.py").touch()
    pack(root, tmp_path / "two", "root", ArchiveLimits(), never)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    unpack(tmp_path / "one", tmp_path / "out", check=never)
    assert (tmp_path / "out" / "a" / "x.py").read_text() == "x\n"


def test_junk_environments_and_links_out_are_not_part_of_a_repository(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in (".git/config", ".venv/x.py", "odd/pyvenv.cfg", "odd/lib/y.py", "a/__pycache__/x.pyc", "a/real.py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "a" / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "a" / "outside").symlink_to(tmp_path)
    (root / "a" / "inside.py").symlink_to(root / "a" / "real.py")
    (root / "a" / "dangling.py").symlink_to(root / "nowhere")
    found = [path.relative_to(root).as_posix() for path in repository_files(root)]
    assert found == ["a/inside.py", "a/real.py"]


def test_a_repository_beyond_the_limits_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.py").write_text("")
    with pytest.raises(TooLarge) as caught:
        pack(root, tmp_path / "packed", "root", ArchiveLimits(files=2), never)
    assert caught.value.code == "pipeline.fetch.too_large"

"""Large blobs in a folder of their own (`PYAGENT_BLOBS`), and what the setting may say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blob_cases import LARGE, BlobPlaceCases, Place, folder_place
from pyagent.errors import SetupError, StoreError
from pyagent.store.blobs import digest_of
from pyagent.store.outside import base_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store_parts import new_run, random_bytes


class TestFolder(BlobPlaceCases):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return folder_place(tmp_path / "a place" / "blobs")

    async def test_a_disk_that_is_not_mounted_is_not_written_to(self, store: SqliteStore, tmp_path: Path) -> None:
        run = await store.create_run(new_run())
        content = random_bytes(LARGE, 1)
        await store.put_blob(run.id, digest_of(content), content)
        shutil.rmtree(tmp_path / "a place" / "blobs")
        (tmp_path / "a place" / "blobs").mkdir()
        other = random_bytes(LARGE, 2)
        for call in (store.put_blob(run.id, digest_of(other), other), store.get_blob(digest_of(content))):
            with pytest.raises(StoreError) as caught:
                await call
            assert caught.value.code == "store.blobs_unavailable"
            assert "mounted" in (caught.value.hint or "")
        [fault] = await store.faults()
        assert "cannot be looked at" in fault


@pytest.mark.parametrize(
    ("setting", "base"),
    [
        ("", ""),
        ("/srv/blobs", "file:///srv/blobs"),
        ("/srv/the blobs/", "file:///srv/the%20blobs"),
        ("file:///srv/the%20blobs/", "file:///srv/the%20blobs"),
        ("s3://bucket", "s3://bucket"),
        ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
    ],
)
def test_a_setting_means_a_place(setting: str, base: str) -> None:
    assert base_of(setting) == base


@pytest.mark.parametrize(
    "setting",
    [
        "s3://",
        "s3://key:hidden@bucket",
        "s3://bucket/a?secret=hidden",
        "gs://hidden",
        "file://hidden/a",
        "s3://b//hidden",
    ],
)
def test_a_setting_that_is_no_place_is_refused_and_not_shown(setting: str) -> None:
    with pytest.raises(SetupError) as caught:
        base_of(setting)
    assert caught.value.code == "setup.setting"
    assert "hidden" not in f"{caught.value} {caught.value.hint} {caught.value.as_dict()}"


async def test_a_relative_path_is_one_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYAGENT_BLOBS", "blobs")
    store = SqliteStore(tmp_path / "pyagent.db")
    assert store.outside.base == (tmp_path / "blobs").as_uri()

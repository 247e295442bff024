"""Which file system a store's file is on is known, and one over the network is warned about."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from pyagent.cli.commands import run as pyagent
from pyagent.store import mounts
from pyagent.store.mounts import mount_here, mount_of
from pyagent.store.sqlite import SqliteStore

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,noatime shared:1 - ext4 /dev/vda1 rw
40 27 0:50 / /home rw,relatime shared:5 master:2 - nfs4 files.example:/export/home rw,vers=4.2
41 40 254:2 / /home/ada/disk rw - xfs /dev/vdb rw
42 27 0:51 / /mnt/with\040space rw - cifs //nas/share\040one rw
43 27 0:52 / /srv/old rw - ext4 /dev/vdc rw
44 27 0:53 / /srv/old rw - fuse.sshfs ada@host: rw
45 27 0:54 / /mnt/c rw - 9p C:\134 rw
a line that is none
46 27 0:55 / /broken - ext4
"""


@pytest.mark.parametrize(
    ("path", "point", "kind", "network"),
    [
        ("/var/lib/pyagent.db", "/", "ext4", False),
        ("/home/ada/pyagent.db", "/home", "nfs4", True),
        ("/home", "/home", "nfs4", True),
        ("/homes/pyagent.db", "/", "ext4", False),
        ("/home/ada/disk/pyagent.db", "/home/ada/disk", "xfs", False),
        ("/mnt/with space/pyagent.db", "/mnt/with space", "cifs", True),
        ("/mnt/with", "/", "ext4", False),
        ("/srv/old/pyagent.db", "/srv/old", "fuse.sshfs", True),
        ("/mnt/c/pyagent.db", "/mnt/c", "9p", True),
        ("/broken/pyagent.db", "/", "ext4", False),
    ],
)
def test_a_path_is_on_the_file_system_of_its_longest_mount_point(
    path: str, point: str, kind: str, network: bool
) -> None:
    found = mount_of(path, TABLE)
    assert found is not None
    assert (found.point, found.type, found.is_network) == (point, kind, network)


def test_nothing_is_known_of_a_path_that_no_mount_leads_to() -> None:
    assert mount_of("/var/lib/pyagent.db", "") is None
    assert mount_of("/var/lib/pyagent.db", "40 27 0:50 / /home rw - nfs4 x:/y rw") is None


def test_the_file_system_of_a_link_is_that_of_what_it_leads_to(tmp_path: Path, network: Path) -> None:
    (tmp_path / "link.db").symlink_to(network / "pyagent.db")
    found = mount_here(tmp_path / "link.db")
    assert found is not None
    assert found.point == str(network)


def test_a_system_without_a_table_of_mounts_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    assert mount_here(tmp_path) is None


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the table of mounts says is on NFS."""
    folder = (tmp_path / "shared").resolve()
    folder.mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(f"27 1 254:1 / / rw - ext4 /dev/vda1 rw\n40 27 0:50 / {folder} rw - nfs4 files.example:/x rw\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)
    return folder


async def test_a_store_on_a_network_file_system_is_warned_about_once(
    network: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (network / "pyagent.db", network / "pyagent.db", tmp_path / "local.db"):
        store = SqliteStore(path)
        await store.open()
        await store.close()
    [said] = [record for record in caplog.records if record.name == "pyagent.store"]
    assert said.levelno == logging.WARNING
    for part in (str(network / "pyagent.db"), "nfs4", "local disk", "Neo4j"):
        assert part in said.getMessage()


@pytest.mark.parametrize(("shared", "status"), [(True, "optional"), (False, "ok")])
def test_the_doctor_tells_of_a_store_on_a_network_file_system(
    shared: bool,
    status: str,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYAGENT_STORE", str((network if shared else tmp_path) / "store.db"))
    pyagent(["doctor", "--json"])
    [found] = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "file system"]
    assert found["status"] == status
    assert ("files.example:/x" in found["detail"]) is shared
    assert ("PYAGENT_STORE" in found["hint"]) is shared

"""Nothing gets out of a sandbox: every attempt of `escapes.attempts` fails, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from escapes import attempts
from marked_processes import have_ended, marked
from pyagent.sdk.process import ProcessLimits, ProcessResult, run_process
from pyagent.sdk.sandbox import Sandbox, python_places

pytestmark = pytest.mark.integration
SCRIPT = Path(attempts.__file__)
VERSION = sys.version_info[:2]
LIMITS = ProcessLimits(
    memory=400 << 20, cpu_seconds=4, processes=40, file_size=100 << 20, open_files=256, disk=60 << 20, output=1 << 20
)


@dataclass
class World:
    """What is outside: a secret, a process, and those who listen."""

    folder: Path
    inside: Path
    victim: subprocess.Popen[bytes]
    known: dict[str, Any]
    heard: list[bytes]

    def untouched(self) -> bool:
        """Whether all that is outside is as it was."""
        secret = self.folder / "secret"
        about = secret.stat()
        names = sorted(path.name for path in self.folder.iterdir())
        return (
            names == ["secret", "socket"]
            and secret.read_text() == "treasure"
            and (about.st_mode & 0o777, int(about.st_mtime)) == (0o644, 1_700_000_000)
            and self.victim.poll() is None
            and not self.heard
        )


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts are made inside a sandbox, whatever this user has set."""
    monkeypatch.delenv("PYAGENT_SANDBOX", raising=False)


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="escapes-", dir="/var/tmp") as name:
        base = Path(name)
        base.chmod(0o755)
        folder, inside = base / "outside", base / "inside"
        folder.mkdir(mode=0o777)
        inside.mkdir()
        folder.chmod(0o777)
        inside.chmod(0o777)
        (folder / "secret").write_text("treasure")
        (folder / "secret").chmod(0o644)
        os.utime(folder / "secret", (1_700_000_000, 1_700_000_000))
        state = base / "shown" / "state"
        state.mkdir(parents=True)
        for path in (state / "key", state.with_name("token")):
            path.write_text("treasure")
            path.chmod(0o666)
        state.with_name("alias").symlink_to("state")
        for path in (state, state.parent):
            path.chmod(0o777)
        victim = subprocess.Popen(["sleep", "600.0420"], env={"HIDDEN_SECRET": "hush"}, cwd=folder)
        heard: list[bytes] = []
        with (
            socket.create_server(("0.0.0.0", 0)) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_UNIX) as abstract,
            socket.socket(socket.AF_UNIX) as path,
            ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as allowed,
        ):
            threading.Thread(target=allowed.serve_forever, args=(0.02,), daemon=True).start()
            udp.bind(("127.0.0.1", 0))
            abstract.bind(f"\0{base.name}")
            path.bind(str(folder / "socket"))
            (folder / "socket").chmod(0o777)
            for server in (abstract, path):
                server.listen()
            for server in (tcp, abstract, path):
                threading.Thread(target=_accept, args=(server, heard), daemon=True).start()
            threading.Thread(target=_receive, args=(udp, heard), daemon=True).start()
            known = {
                "outside": str(folder), "secret": str(folder / "secret"), "home": str(Path.home()), "pid": victim.pid,
                "port": tcp.getsockname()[1], "udp": udp.getsockname()[1], "abstract": base.name,
                "socket": str(folder / "socket"), "processes": LIMITS.processes, "addresses": _addresses(),
                "hidden": str(state), "allowed": allowed.server_address[1], "marker": f"600.{os.getpid()}0421",
            }  # fmt: skip
            yield World(folder=folder, inside=inside, victim=victim, known=known, heard=heard)
            allowed.shutdown()
        victim.kill()
        victim.wait()


class _Echo(BaseHTTPRequestHandler):
    """A host that may be reached: it answers with what it was asked, of each request on a connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"{self.requestline}\n{self.headers}\n".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _accept(server: socket.socket, heard: list[bytes]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        heard.append(b"a connection")
        connection.close()


def _receive(udp: socket.socket, heard: list[bytes]) -> None:
    while True:
        try:
            heard.append(udp.recv(100))
        except OSError:
            return


def _addresses() -> list[str]:
    found = {"127.0.0.1", "0.0.0.0", "127.0.0.2"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    return sorted(found)


async def attempt(
    world: World, name: str, *, network: Any = "none", without: frozenset[str] = frozenset()
) -> ProcessResult:
    """Let one try its luck, for some seconds."""
    return await run_process(
        [sys.executable, "-I", "-B", SCRIPT, name, json.dumps(world.known)],
        cwd=world.inside,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        timeout=12,
        grace=0.1,
        limits=LIMITS,
        sandbox=Sandbox(
            read=(SCRIPT.parent, *python_places()),
            write=(world.inside, Path(world.known["hidden"]).parent),
            hide=(Path(world.known["hidden"]), Path(world.known["hidden"]).with_name("token")),
            network=(f"localhost:{world.known['allowed']}", "example.invalid") if network == "hosts" else network,
            without=without,
        ),
    )


OF_NETWORK = ("tcp", "udp", "raw", "packet", "netlink", "vsock", "crypto_socket", "abstract", "path_socket", "resolve")
CASES = [(name, "none") for name in sorted(attempts.ATTEMPTS) if not name.startswith("proxy")]
CASES += [(name, network) for name, _ in CASES if name.startswith(OF_NETWORK) for network in ("loopback", "hosts")]
CASES += [(name, "hosts") for name in sorted(attempts.ATTEMPTS) if name.startswith("proxy")]


@pytest.mark.parametrize(("name", "network"), CASES)
async def test_it_does_not_get_out(world: World, name: str, network: str) -> None:
    result = await attempt(world, name, network=network)
    assert b"ESCAPED" not in result.stdout, result.text
    assert b"ModuleNotFoundError" not in result.stderr, "it was not tried"
    assert world.untouched()
    assert have_ended(marked(world.known["marker"]))


@pytest.mark.parametrize(
    "name", ["read_file", "by_a_child", "list_folder", "write_outside", "proc_environment", "trace"]
)
async def test_without_landlock_the_file_tree_holds(world: World, name: str) -> None:
    result = await attempt(world, name, without=frozenset({"landlock"}))
    assert b"ESCAPED" not in result.stdout, result.text
    assert world.untouched()


# Without a sandbox these succeed, and touch nothing but the test's own folder: the attempts are real ones.
REAL = [
    "read_file", "by_a_child", "write_outside", "change_mode", "hard_link", "proc_root", "proc_environment", "tcp",
    "udp", "abstract_socket", "path_socket", "signal_outside", "other_processes", "io_uring", "keys", "read_memory",
    "new_user_namespace", "clone_user_namespace", "swap_folder", "hidden_read", "hidden_list", "hidden_file",
    "hidden_by_other_ways", "hidden_write",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
async def test_without_a_sandbox_the_same_attempt_gets_out(world: World, name: str) -> None:
    free = await run_process(
        [sys.executable, "-I", "-B", SCRIPT, name, json.dumps(world.known)], cwd=world.inside, timeout=12, grace=0.1
    )
    assert b"ESCAPED" in free.stdout or not world.untouched(), free.text + free.error_text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.timeout(1500)
def test_nothing_gets_out_of_an_ordinary_users_sandbox_either() -> None:
    nobody = pwd.getpwnam("nobody")
    as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "env", "--"]
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="nobody-", dir="/var/tmp") as home:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": ":".join(entry for entry in sys.path if entry.startswith(str(root))),
        }  # fmt: skip
        for python in (sys.executable, "/usr/bin/python3"):  # the one may lie in root's home
            check = [*as_nobody, python, "-c", f"import ssl, sys, pyagent\nassert sys.version_info[:2] == {VERSION}"]
            if subprocess.run(check, env=environment, capture_output=True, cwd="/").returncode == 0:
                break
        else:
            pytest.skip("no interpreter that others may run")
        done = subprocess.run(
            [
                *as_nobody, python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                "-k", "get_out or gets_out or landlock", "--override-ini=addopts=", f"--basetemp={home}/tests",
                str(Path(__file__)),
            ],
            cwd=root, capture_output=True, text=True, timeout=1500, env=environment,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

"""A Postgres of the tests' own: Debian's programs, a new cluster in a temporary folder, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "not a secret"


@dataclass(frozen=True)
class Postgres:
    """A running server; the user `ann` owns the database `data`."""

    port: int

    @property
    def credential(self) -> dict[str, str]:
        """What `io.sql` wants of a credential."""
        return {"url": f"postgresql://127.0.0.1:{self.port}/data", "user": "ann", "password": PASSWORD}


def programs() -> Path:
    """Where the newest installed server is. Raises `FileNotFoundError`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        raise FileNotFoundError("no Postgres: install the Debian packages in requirements/debian.txt")
    return found[-1].parent


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Make a cluster and run it. A server refuses to run as root, so root runs it as `postgres` or `nobody`."""
    where = programs()
    folder = Path(tempfile.mkdtemp(prefix="pyagent-postgres-"))
    account = _account()
    become = ["runuser", "-u", account, "--"] if account else []
    if account:
        folder.chmod(0o755)
        shutil.chown(folder, account)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, environment = folder / "data", {**os.environ, "LC_ALL": "C.UTF-8"}
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    server: subprocess.Popen[bytes] | None = None
    try:
        _run(
            [*become, str(where / "initdb"), "-D", str(data), "-U", "ann", "--pwfile", str(secret), "-A",
             "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-instructions"],
            environment,
        )  # fmt: skip
        options = {
            "listen_addresses": "127.0.0.1",
            "fsync": "off",
            "unix_socket_directories": "",
            "log_statement": "none",
        }
        command = [*become, str(where / "postgres"), "-D", str(data), "-p", str(port)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = (folder / "log").open("wb")
        with log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        environment |= {"PGPASSWORD": PASSWORD}
        end = time.monotonic() + 30
        ready = [str(where / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres", "-U", "ann"]
        while subprocess.run(ready, env=environment, check=False).returncode:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "log").read_text(errors="replace"))
            time.sleep(0.05)
        _run([str(where / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "ann", "data"], environment)
        yield Postgres(port)
    finally:
        if server is not None:
            _stop(data, server)
        shutil.rmtree(folder, ignore_errors=True)


def _stop(data: Path, server: subprocess.Popen[bytes]) -> None:
    # The server's own process id: that of its parent, runuser, would not reach it.
    pid_file = data / "postmaster.pid"
    if pid_file.is_file():
        os.kill(int(pid_file.read_text().split()[0]), 3)  # SIGQUIT: at once, without a checkpoint
    else:
        server.terminate()
    server.wait(10)


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')}")

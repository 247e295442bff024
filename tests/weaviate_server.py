"""A real Weaviate server of its own for benchmarks, on loopback and free ports.

The program is built once by Go into the user's cache, which takes four minutes of a core:
`python tests/weaviate_server.py`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from pyagent.sdk.places import cache_folder

VERSION = "1.35.2"
"""Later ones ask addresses of clouds when they start."""
PACKAGE = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{VERSION}"
CLIENT = "weaviate-client==4.23.1"
START_SECONDS = 120


class WeaviateUnavailable(Exception):
    """This machine cannot run the server; the text says why."""


def program() -> Path:
    """The server's program. Raises `WeaviateUnavailable` where it was never built."""
    path = cache_folder() / f"weaviate-{VERSION}" / "weaviate-server"
    if not path.is_file():
        raise WeaviateUnavailable("Weaviate was not built here: run `python tests/weaviate_server.py`, which needs Go")
    return path


def build() -> None:
    """Build the program into the cache."""
    folder = cache_folder() / f"weaviate-{VERSION}"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        given = {**os.environ, "GOBIN": made, "GOFLAGS": "-p=2 -buildvcs=false", "GOTOOLCHAIN": "local"}
        subprocess.run(["nice", "go", "install", "-ldflags=-s -w", PACKAGE], check=True, env=given)
        (Path(made) / "weaviate-server").rename(folder / "weaviate-server")


def free_ports(count: int) -> list[int]:
    """Pairs of ports, of which the first are given: nobody listens on either now."""
    found: list[int] = []
    held: list[socket.socket] = []
    while len(found) < count:
        first, second = socket.socket(), socket.socket()
        held += [first, second]
        first.bind(("127.0.0.1", 0))
        port = int(first.getsockname()[1])
        try:
            second.bind(("127.0.0.1", port + 1))
        except (OSError, OverflowError):
            continue
        found.append(port)
    for each in held:
        each.close()
    return found


class WeaviateServer:
    """A server whose data lie in a folder; started by `with`, stopped by its process id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = self.grpc = 0

    def __enter__(self) -> WeaviateServer:
        self.port, self.grpc, gossip, raft = free_ports(4)
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CLUSTER_IN_LOCALHOST": "true",
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_BIND_ADDR": "127.0.0.1",
            "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
            "CLUSTER_DATA_BIND_PORT": str(gossip + 1),
            "RAFT_PORT": str(raft),
            "RAFT_INTERNAL_RPC_PORT": str(raft + 1),
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "RAFT_TIMEOUTS_MULTIPLIER": "1",
            "GRPC_PORT": str(self.grpc),
            "PERSISTENCE_DATA_PATH": str(self.folder / "data"),
            "DEFAULT_VECTORIZER_MODULE": "none",
            "ENABLE_MODULES": "",
            "API_BASED_MODULES_DISABLED": "true",
            "DISABLE_TELEMETRY": "true",
            "GO_PROFILING_DISABLE": "true",
            "PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "5",
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        }
        line = [str(program()), "--host", "127.0.0.1", "--port", str(self.port), "--scheme", "http"]
        self._log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(line, env=given, stdout=self._log, stderr=self._log)
        until = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise WeaviateUnavailable((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/.well-known/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def size(self) -> int:
        """Bytes of its data on disk."""
        return sum(path.stat().st_size for path in (self.folder / "data").rglob("*") if path.is_file())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


if __name__ == "__main__":
    build()
    sys.stdout.write(f"{program()}\n")

"""A real server that speaks S3, of its own for tests: moto's, on loopback, on a free port, in a process of its own.

It has an environment of its own in the user's cache folder, keyed by version: what it needs would hold packages of ours
back. It is stopped by its process id.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import obstore
from obstore.store import S3Store

from blob_cases import Place

VERSION = "5.2.5"
START_SECONDS = 60
KEY, SECRET = "key-of-a-test", "secret-of-a-test"
_SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def _python() -> Path:
    """The interpreter of the server's environment, which is made if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyagent"
    kept = cache / f"moto-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"moto-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            _make(kept)
    return kept / "bin" / "python"


def _make(kept: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder) / "environment"
        packages = [f"moto[s3]=={VERSION}", "flask>=3,<4", "flask-cors>=6,<7"]
        subprocess.run([uv, "venv", "-q", "--relocatable", "--python", sys.executable, made], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", made / "bin" / "python", *packages], check=True)
        shutil.move(made, kept)


class S3Server:
    """The server; a context manager."""

    def __init__(self, *, asks: bool = False) -> None:
        """`asks`: let nobody in, whatever the credentials; a first request makes the bucket."""
        variables = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if asks else {}
        self._process = subprocess.Popen(
            [_python(), "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.make_bucket("bucket")

    def __enter__(self) -> S3Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def variables(self, port: int | None = None) -> dict[str, str]:
        """What lets obstore in; `port`: of a proxy."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "eu-central-1",
        }

    def make_bucket(self, name: str) -> None:
        """Make a bucket, when the server answers."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"), timeout=10).close()
                return
            except urllib.error.HTTPError:
                raise
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def listed(self, begin: str) -> list[str]:
        """The keys of all objects in the bucket that begin so."""
        return sorted(found["path"] for page in obstore.list(self._store(), begin) for found in page)

    def place(self, begin: str) -> Place:
        """A part of the bucket as a place for blobs."""
        begin = "".join(letter if letter.isalnum() else "-" for letter in begin)
        return Place(
            setting=f"s3://bucket/{begin}",
            listed=lambda: self.listed(f"{begin}/"),
            change=self.change,
            content=self.content,
        )

    def content(self, key: str) -> bytes:
        """An object's bytes."""
        return obstore.get(self._store(), key).bytes().to_bytes()

    def change(self, key: str, content: bytes | None) -> None:
        """Put another content under a key; None: remove it."""
        if content is None:
            obstore.delete(self._store(), key)
        else:
            obstore.put(self._store(), key, content)

    def _store(self) -> S3Store:
        return S3Store(
            "bucket",
            endpoint=self.url,
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

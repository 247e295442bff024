"""A real Neo4j of its own for tests: from Maven Central, on loopback, on a free port, with authentication on.

The jars are fetched once into the user's cache folder, keyed by version. `Neo4jServer` starts, kills (`kill -9`) and
starts again the same database; it is stopped by its process id.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import xml.sax.saxutils
from collections import deque
from pathlib import Path

VERSION = "5.26.30"
USER = "neo4j"
START_SECONDS = 90
"""A cold start takes 4 to 10 s on an idle machine of two cores."""
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>pyagent</groupId><artifactId>neo4j-for-tests</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version>
</dependency></dependencies></project>"""
_JAVA = (
    "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
)  # fmt: skip
_SETTINGS = {
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "dbms.security.auth_enabled": "true",
    "dbms.usage_report.enabled": "false",
    "server.memory.pagecache.size": "128m",
    "db.tx_log.preallocate": "false",
    # Without it a stop takes ten seconds.
    "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
}


class Neo4jUnavailable(Exception):
    """This machine cannot run the server; the text says why."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def library() -> Path:
    """The folder with the server's jars, fetched if need be. Raises `Neo4jUnavailable`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyagent"
    kept = cache / f"neo4j-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"neo4j-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            _fetch(kept)
    return kept


def _fetch(kept: Path) -> None:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Neo4jUnavailable(f"{program} is missing (Debian: openjdk-17-jre-headless, maven)")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder) / "library"
        (Path(folder) / "pom.xml").write_text(_POM.format(version=xml.sax.saxutils.escape(VERSION)))
        # Its folder of settings is the user's: a company's mirror of Maven Central stands there.
        line = ["mvn", "-q", "-B", _DEPENDENCY_PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={made}"]
        fetched = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
        if fetched.returncode:
            raise Neo4jUnavailable(f"the jars cannot be fetched: {(fetched.stdout + fetched.stderr)[-2000:]}")
        made.rename(kept)


class Neo4jServer:
    """One database; a context manager that starts it and removes it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.home = Path(tempfile.mkdtemp(prefix="pyagent-neo4j-"))
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """`neo4j://127.0.0.1:PORT`, without the credentials."""
        return f"neo4j://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address with user and password, as `PYAGENT_STORE` takes it."""
        return f"neo4j://{USER}:{self.password}@127.0.0.1:{self.port}"

    async def empty(self) -> None:
        """Delete all that is in the database."""
        from neo4j import AsyncGraphDatabase

        async with AsyncGraphDatabase.driver(self.address, auth=(USER, self.password)) as driver:
            await driver.execute_query("MATCH (n) DETACH DELETE n")

    def __enter__(self) -> Neo4jServer:
        try:
            jars = library()
            configuration = self.home / "conf"
            configuration.mkdir()
            settings = {**_SETTINGS, "server.bolt.listen_address": f"127.0.0.1:{self.port}"}
            text = "".join(f"{name}={value}\n" for name, value in settings.items())
            (configuration / "neo4j.conf").write_text(text)
            environment = {**os.environ, "NEO4J_HOME": str(self.home), "NEO4J_CONF": str(configuration)}
            line = ["java", "-cp", f"{jars}/*", "org.neo4j.cli.AdminTool"]
            line += ["dbms", "set-initial-password", self.password]
            subprocess.run(line, env=environment, capture_output=True, check=True)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Start it and return when it answers; also after `kill` or `stop`."""
        line = ["java", *_JAVA, "-cp", f"{library()}/*", "org.neo4j.server.CommunityEntryPoint"]
        line += [f"--home-dir={self.home}", f"--config-dir={self.home / 'conf'}", "--console-mode"]
        self._process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        printed: deque[str] = deque(maxlen=200)
        up = threading.Event()
        threading.Thread(target=_watch, args=(self._process, printed, up), daemon=True).start()
        if not up.wait(START_SECONDS) or self._process.poll() is not None:
            raise Neo4jUnavailable(f"the server did not start:\n{''.join(printed)}")

    def stop(self) -> None:
        """End it as an operator does, and wait for its end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _watch(process: subprocess.Popen[str], printed: deque[str], up: threading.Event) -> None:
    """Read what the server prints, for as long as it lives; it says `Started.` when Bolt answers."""
    assert process.stdout is not None
    for line in process.stdout:
        printed.append(line)
        if line.rstrip().endswith("Started."):
            up.set()
    up.set()

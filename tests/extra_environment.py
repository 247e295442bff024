"""Python environments of their own for what only some tests and benchmarks need, kept in the user's cache.

Such an environment sees the packages of the project's, too. Making one takes the package registry.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from pyagent.sdk.places import cache_folder, private_folder

EMBEDDINGS = ("numpy", "onnx", "onnxruntime", "tokenizers")
"""The extra `embeddings`."""


class NoEnvironment(Exception):
    """It cannot be made here; the text says why."""


def extra_python(*packages: str) -> Path:
    """The interpreter of an environment with these packages. Raises `NoEnvironment`."""
    ours = sysconfig.get_path("purelib")
    key = hashlib.sha256("\n".join([sys.version, ours, *packages]).encode()).hexdigest()[:16]
    folder = private_folder(cache_folder() / "environments") / f"extra-{key}"
    python = folder / "bin" / "python"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            uv = Path(sys.executable).with_name("uv")
            quiet = {**os.environ, "UV_NO_PROGRESS": "1"}
            try:
                for line in (
                    [str(uv), "venv", "--quiet", "--python", sys.executable, str(folder)],
                    [str(uv), "pip", "install", "--quiet", "--python", str(python), *packages],
                ):
                    subprocess.run(line, check=True, capture_output=True, text=True, timeout=600, env=quiet)
            except (OSError, subprocess.SubprocessError) as error:
                raise NoEnvironment(f"{packages}: {getattr(error, 'stderr', '') or error}") from None
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "project.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
            (folder / "ready").touch()
    return python

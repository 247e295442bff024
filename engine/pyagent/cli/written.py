"""Files of a person's work are replaced whole or left as they are: a full disk must not eat a graph."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Put the content in place of the file's, which keeps its mode; a link leads to the file that is meant.

    Raises `OSError`; the file then is as it was.
    """
    target = path.resolve()
    if not target.is_file():
        target.write_bytes(content)
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


__all__ = ["replace_file"]

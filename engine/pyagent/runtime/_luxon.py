"""luxon's source for expressions with dates: fetched once by npm, checked, kept in the user's cache.

`python -m pyagent.runtime._luxon` fetches it and does nothing when it is there.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pyagent.errors import SetupError
from pyagent.sdk.environment import NPM_VARIABLES, user_environment
from pyagent.sdk.places import cache_folder, cache_path

VERSION = "3.7.2"
INTEGRITY = "sha512-vtEhXh/gNjI9Yg1u4jX/0YVPMvxzHuGgCm6tC5kZyb08yjGWGnqAjGJvcXbqQR2P3MyMEFnRbpcdFS6PBcLqew=="
"""The package's hash as the npm registry publishes it."""
SOURCE_SHA256 = "b495ad5cabea3439d04387e6622f2c3fa81d319424d9d76d9e7f874ac5a0807a"
"""Hash of the one file that is used."""
_MEMBER = "package/build/es6/luxon.mjs"


def path() -> Path:
    """Where the file is kept: the user's cache folder, keyed by version."""
    return cache_path() / f"luxon-{VERSION}.mjs"


def source() -> str:
    """The source of luxon's ES module.

    Raises SetupError `setup.luxon_missing` if it was never fetched or was changed since.
    """
    try:
        content = path().read_bytes()
    except FileNotFoundError as error:
        raise _missing(f"luxon {VERSION}, which expressions with dates need, is not in the cache") from error
    if hashlib.sha256(content).hexdigest() != SOURCE_SHA256:
        raise _missing(f"{path()} is not luxon {VERSION} as published")
    return content.decode()


def fetch() -> Path:
    """Fetch luxon by npm unless the cache has it; returns its path.

    Raises SetupError `setup.luxon_missing` if npm cannot, or brings something else.
    """
    target = path()
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == SOURCE_SHA256:
        return target
    cache_folder()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = ["npm", "pack", f"luxon@{VERSION}", "--silent", "--pack-destination", folder]
        try:
            own = user_environment(NPM_VARIABLES)
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=folder, env=own)
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise _missing(f"npm cannot fetch luxon {VERSION}: {reason}") from error
        package = Path(folder) / f"luxon-{VERSION}.tgz"
        digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != INTEGRITY:
            raise _missing(f"npm brought something else than luxon {VERSION}")
        with tarfile.open(package) as archive:
            member = archive.extractfile(_MEMBER)
            if member is None:
                raise _missing(f"luxon {VERSION} lacks {_MEMBER}")
            fresh = Path(folder) / target.name
            fresh.write_bytes(member.read())
        fresh.replace(target)
    return target


def _missing(message: str) -> SetupError:
    hint = "Run `make setup` with npm installed and the network reachable."
    return SetupError(message, code="setup.luxon_missing", hint=hint)


if __name__ == "__main__":
    sys.stdout.write(f"{fetch()}\n")

"""The programs that the pipeline runs, and their environment."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pyagent.sdk import SetupError
from pyagent.sdk.process import clean_environment

CACHE_VARIABLES = re.compile(r"^(PIP_|UV_|XDG_CACHE_HOME$|(https?|all|no)_proxy$|REQUESTS_CA_BUNDLE$|SSL_CERT_)", re.I)
"""What package clients read: index, proxy, certificates, caches."""
TEST_VARIABLES = re.compile(r"^(LC_|LANG$|LANGUAGE$|TZ$)")
"""What tests may see of the user's environment beside path and home: language and time zone."""
_OFFLINE = re.compile(
    r"NewConnectionError|ConnectTimeout|Name or service not known|Temporary failure in name resolution"
    r"|Network is unreachable|Connection refused|Failed to establish a new connection|error sending request"
    r"|dns error|Could not connect|network was disabled|tcp connect error|Connection to \S+ timed out|ProxyError",
)


def user_environment(keep: re.Pattern[str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment with those of the user's variables whose name matches."""
    found = {name: value for name, value in os.environ.items() if keep.search(name)}
    return clean_environment({**found, **(extra or {})})


def looks_offline(said: str) -> bool:
    """Whether what a package client said means that it could not reach the index."""
    return _OFFLINE.search(said) is not None


def find_program(name: str) -> Path:
    """A program that was installed with PyAgent, or else one on PATH. Raises `SetupError`."""
    beside = Path(sys.executable).parent / name
    if beside.is_file() and os.access(beside, os.X_OK):
        return beside
    if (found := shutil.which(name)) is not None:
        return Path(found)
    raise SetupError(
        f"the program {name} is missing", hint=f"Install it into PyAgent's environment: pip install {name}"
    )

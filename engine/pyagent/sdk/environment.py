"""The environment of programs that are not ours: what they need of the user's, and no secrets of the engine's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

CLIENT_VARIABLES = re.compile(
    r"^(PIP_|UV_(?!PUBLISH_)|XDG_CACHE_HOME$|(https?|all|no)_proxy$|REQUESTS_CA_BUNDLE$|SSL_CERT_)", re.I
)
"""What clients of Python's package index read: index, proxy, certificates, caches. Builds that they run see it, too:
nothing that publishes."""
NPM_VARIABLES = re.compile(
    r"^(npm_config_|NODE_EXTRA_CA_CERTS$|XDG_CACHE_HOME$|(https?|all|no)_proxy$|SSL_CERT_)", re.I
)
"""The same of npm's registry."""
_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment without secrets: path, home, locale, time zone and certificates, plus `extra`."""
    found = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **found, **(extra or {})}


def user_environment(keep: re.Pattern[str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment with those of the user's variables whose name matches, plus `extra`."""
    found = {name: value for name, value in os.environ.items() if keep.search(name)}
    return clean_environment({**found, **(extra or {})})


__all__ = ["CLIENT_VARIABLES", "NPM_VARIABLES", "clean_environment", "user_environment"]

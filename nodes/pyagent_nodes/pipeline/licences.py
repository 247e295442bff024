"""Reads the licences of installed packages from their own metadata."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from pathlib import Path

from pydantic import TypeAdapter

from pyagent_nodes.pipeline.shapes import Licence

LICENCES = TypeAdapter(list[Licence])
"""A list of licences as JSON."""
_LONGEST = 100


def read_licences(environment: Path) -> list[Licence]:
    """The licence of every package in a virtual environment, by name."""
    folders = [str(path) for path in sorted(environment.glob("lib*/python*/site-packages"))]
    found = {
        name: Licence(package=name, version=package.version, licence=licence_of(package))
        for package in distributions(path=folders)
        if (name := package.metadata["Name"])
    }
    return [found[name] for name in sorted(found, key=str.lower)]


def licence_of(package: Distribution) -> str:
    """The licence expression, else the classifiers, else the free text if it is short; empty if none is named."""
    metadata = package.metadata

    def first_of(field: str) -> str:
        return str(next(iter(metadata.get_all(field) or []), "")).strip()

    if expression := first_of("License-Expression"):
        return expression
    classified = [
        line.rpartition("::")[2].strip()
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    named = [name for name in classified if name != "OSI Approved"]
    if named:
        return ", ".join(named)
    first = first_of("License").split("\n")[0].strip()
    return first if first.upper() != "UNKNOWN" and len(first) <= _LONGEST else ""

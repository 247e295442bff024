"""Render web/src/api/schema.ts: the API's types for the designer, from the server's OpenAPI document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import api_reference

WEB = Path(__file__).resolve().parent.parent / "web"


def render() -> str:
    """The module. Needs `web/node_modules` (`make web`)."""
    if not (WEB / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--silent", "--prefix", WEB], check=True)
    made = subprocess.run(
        ["node", "scripts/generate-api.mjs"],
        cwd=WEB,
        input=json.dumps(api_reference.document()),
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout

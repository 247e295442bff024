"""PyAgent's compiled parts; `_native` is private to PyAgent's own runtime."""

from pyagent_core._native import Engine, ScriptError, analyse, parse_template, plain_path, walk

__all__ = ["Engine", "ScriptError", "analyse", "parse_template", "plain_path", "walk"]

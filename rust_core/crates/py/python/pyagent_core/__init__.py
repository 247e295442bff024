"""PyAgent's compiled parts; `_native` is private to PyAgent's own runtime, and says what there is."""

from pyagent_core._native import *  # noqa: F403
from pyagent_core._native import __all__ as __all__

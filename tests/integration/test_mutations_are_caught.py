"""The tests of the rules notice when a rule is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "mutations/mutate.py"


@pytest.mark.integration
@pytest.mark.long
@pytest.mark.timeout(600)
def test_each_planted_mutation_of_the_rules_is_caught() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr

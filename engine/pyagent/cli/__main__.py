"""`python -m pyagent.cli` is `pyagent`."""

from pyagent.cli import main

main()

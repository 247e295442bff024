"""Add up the JUnit reports of a folder and print `N passed, N failed, N skipped`; fails if anything failed."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def main() -> int:
    """0 when at least one test ran and none failed."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for report in Path(sys.argv[1]).glob("*.xml"):
        for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314  our own file
            for name in counts:
                counts[name] += int(suite.get(name, "0"))
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    print(f"{passed} passed, {failed} failed, {counts['skipped']} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

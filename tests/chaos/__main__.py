"""`make chaos`: thousands of random cases in virtual time, and workers killed by `kill -9` over both stores.

`python -m chaos [--cases N] [--kills N] [--first SEED] [--minutes M]`. Every seed that does not hold is printed, with
what did not hold; `--first SEED --cases 1 --kills 0` plays it again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter

from chaos.memory import play_case

STEP = 500
"""Cases between two lines of progress."""


def play_cases(first: int, cases: int, until: float) -> Counter[str]:
    """Play the cases of the seeds from `first`; sums and failures by name."""
    found: Counter[str] = Counter()
    for seed in range(first, first + cases):
        if time.monotonic() > until:
            break
        try:
            told = play_case(seed)
        except Exception as error:
            found["broken cases"] += 1
            found["doubled"] += "twice" in str(error)
            found["lost"] += "lost" in str(error) or "after an hour" in str(error)
            print(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}", flush=True)
        else:
            found.update({f"fault {name}": count for name, count in told.faults.items()})
            found.update(f"run {run.status}" for run in told.runs)
            found["restarts"] += sum(run.continues is not None for run in told.runs)
            found["workers ended as by kill"] += told.kills
            found["commits"] += told.commits
            found["effects"] += len(told.world.ledger)
            found["stale commits tried"] += told.stale
            found["stale commits accepted"] += told.accepted
        found["cases"] += 1
        if found["cases"] % STEP == 0:
            print(f"{found['cases']} cases, up to seed {seed}, {found['broken cases']} broken", flush=True)
    return found


def main(arguments: list[str]) -> int:
    """Run it all and print the table; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args(arguments)
    until = time.monotonic() + given.minutes * 60
    print(f"cases from seed {given.first}", flush=True)
    found = play_cases(given.first, given.cases, until)
    if given.kills:
        from chaos.kills import kill_workers

        found.update(asyncio.run(kill_workers(given.kills, given.first, until)))
    width = max(map(len, found), default=0)
    for name in ("cases", "kill -9", "lost", "doubled", "stale commits tried", "stale commits accepted"):
        print(f"{name:<{width}}  {found.pop(name, 0):>8}")
    print("of these")
    for name, count in sorted(found.items()):
        print(f"  {name:<{width}}  {count:>6}")
    return 1 if found["broken cases"] or found["broken runs"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

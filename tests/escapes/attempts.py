"""The attempts: programs that start as a user's code does, and know where the secrets are.

Each runs as a script inside the sandbox with one argument, a JSON object of what it may know (`outside`: a folder that
it may not see; `secret`: a file in it; `pid`: a process outside; `port`, `abstract`, `socket`: where somebody listens).
It prints `ESCAPED` and what it got if it succeeds. An exception, an error number or a kill is the sandbox's success.

An attempt that succeeds must do no harm: a sandbox may one day have a hole, and the test runs on somebody's machine, as
root even. It asks for the right and does not use it (opens without writing, signals with 0), or undoes what it did, and
what takes resources stops by itself. None mounts, stops, sets or writes anything outside the test's own folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":  # inside, where only this folder is
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from escapes import on_files, on_kernel, on_network, on_processes

ATTEMPTS = {
    name: value
    for module in (on_files, on_processes, on_network, on_kernel)
    for name, value in vars(module).items()
    if callable(value) and getattr(value, "__module__", None) == module.__name__ and not isinstance(value, type)
}


if __name__ == "__main__":
    try:
        ATTEMPTS[sys.argv[1]](json.loads(sys.argv[2]))
    except (OSError, MemoryError, subprocess.SubprocessError) as error:
        print("held:", type(error).__name__, error)

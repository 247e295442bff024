"""One side in a process of its own: `python -m bench.sampler module:function OPTIONS`, a sample for each line read."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
from typing import Any


async def main(name: str, options: dict[str, Any]) -> None:
    """Take a sample for each line of standard input and print it, until that ends."""
    module, _, function = name.partition(":")
    async with getattr(importlib.import_module(module), function)(**options) as sample:
        while await asyncio.to_thread(sys.stdin.readline):
            gc.collect()
            print(await sample(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))

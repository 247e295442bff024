"""The long tests of the Rust crates: parsers on many made-up inputs, and on a sanitizer where there is one."""

from __future__ import annotations

import subprocess

import pytest

from pyagent.sdk.places import cache_folder
from rust_tools import RUST, cargo

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

CASES = "20000"
"""Cases of each long test; seconds for each crate."""
TARGET = "x86_64-unknown-linux-gnu"


def test_parsers_take_many_made_up_inputs() -> None:
    found = cargo(
        "test", "--workspace", "--release", "--locked", "--quiet", "--", "--ignored",
        PYAGENT_FUZZ_CASES=CASES, PROPTEST_CASES=CASES,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]


def nightly() -> bool:
    try:
        found = subprocess.run(["rustc", "+nightly", "-vV"], cwd=RUST, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and f"host: {TARGET}" in found.stdout


@pytest.mark.skipif(not nightly(), reason="sanitizers need a nightly Rust on x86-64 Linux")
def test_the_expression_engine_touches_no_memory_that_is_not_its_own() -> None:
    # QuickJS is C: compiled with the sanitizer too, and driven by the corpus of broken and hostile code.
    found = cargo(
        "+nightly", "test", "-p", "pyagent-expr", "--target", TARGET, "--locked", "--quiet", "--test", "properties",
        RUSTFLAGS="-Zsanitizer=address", CFLAGS="-fsanitize=address", ASAN_OPTIONS="detect_leaks=1",
        CARGO_TARGET_DIR=str(cache_folder() / "cargo-target-asan"),
    )  # fmt: skip
    if "can't find crate for" in found.stderr or "linking with `cc` failed" in found.stderr:
        pytest.skip("this nightly Rust has no sanitizers")
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]

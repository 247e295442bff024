"""Secrets in what runs say are masked, however long that is."""

from __future__ import annotations

import pytest

from pyagent.runtime.redact import MASK, redact


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgres://ann:hunter2@db/x", f"postgres://ann:{MASK}@db/x"),
        ("_https://ann:hunter2@db", f"_https://ann:{MASK}@db"),
        ("see http://a.example/b:c@d", "see http://a.example/b:c@d"),
        ("Authorization: Bearer abcdefgh", f"Authorization: Bearer {MASK}"),
    ],
)
def test_logins_in_addresses_and_headers_are_masked(said: str, shown: str) -> None:
    assert redact(said) == shown


@pytest.mark.parametrize("word", ["x", "a.", "x://", "token ", "://a", "://a:", "api_key="])
def test_a_long_text_takes_no_longer_for_each_of_its_letters(word: str) -> None:
    long = word * (600_000 // len(word))
    redact(long)  # each letter read for each letter: minutes, and the test runs out of its time

"""Digests name blobs, hashes of graphs and exports for ever: they are those of the BLAKE3 paper's test vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.native import Blake3, blake3_hex

KEY = b"whats the Elvish word for friend"


def test_the_empty_input_has_the_official_digests() -> None:
    assert blake3_hex(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert Blake3(key=KEY).hexdigest() == "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"


@given(st.lists(st.binary(max_size=6000), max_size=5), st.integers(0, 200))
def test_parts_give_the_digest_of_the_whole_at_any_length(parts: list[bytes], length: int) -> None:
    whole = b"".join(parts)
    hasher = Blake3()
    for part in parts:
        hasher.update(part)
    assert hasher.hexdigest() == blake3_hex(whole) == Blake3(whole).digest().hex()
    assert hasher.digest(length) == Blake3(whole).digest(300)[:length]


def test_a_copy_goes_its_own_way() -> None:
    first = Blake3(b"a", key=KEY)
    second = first.copy()
    second.update(b"b")
    assert first.digest() == Blake3(b"a", key=KEY).digest()
    assert second.digest() == Blake3(b"ab", key=KEY).digest()


def test_a_key_of_another_length_and_a_digest_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Blake3(key=b"short")
    with pytest.raises(ValueError, match="4096"):
        Blake3().digest(1 << 40)

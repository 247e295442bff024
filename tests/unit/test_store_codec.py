"""How payloads lie in the store."""

from __future__ import annotations

import math
import threading
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.errors import StoreError
from pyagent.store import codec


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_every_payload_comes_back(payload: bytes, times: int) -> None:
    assert codec.decode(codec.encode(payload * times)) == payload * times


def test_small_and_incompressible_payloads_stay_plain() -> None:
    noise = bytes(range(256)) * 2
    assert codec.encode(b"x" * 511)[:1] == codec.PLAIN
    assert codec.encode(noise[:300] + bytes(reversed(noise)))[:1] == codec.ZSTD
    import secrets

    assert codec.encode(secrets.token_bytes(5000))[:1] == codec.PLAIN


def test_large_payloads_are_compressed() -> None:
    stored = codec.encode(b'{"json": "text"}' * 500)
    assert stored[:1] == codec.ZSTD
    assert len(stored) < 200


@pytest.mark.parametrize("stored", [b"", b"\x7fpayload"])
def test_an_unknown_tag_is_an_error_that_says_what_to_do(stored: bytes) -> None:
    with pytest.raises(StoreError) as caught:
        codec.decode(stored)
    assert caught.value.code == "store.codec"
    assert "upgrade" in caught.value.hint


def test_a_damaged_payload_is_an_error() -> None:
    stored = codec.encode(b"x" * 5000)
    with pytest.raises(StoreError) as caught:
        codec.decode(stored[:-3])
    assert caught.value.code == "store.codec"


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_every_json_object_comes_back(value: dict[str, Any]) -> None:
    assert codec.decode_json(codec.encode_json(value)) == value


def test_mappings_of_every_kind_are_objects() -> None:
    nested = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})
    assert codec.decode_json(codec.encode_json(nested)) == {"a": {"b": [1, 2]}}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(StoreError) as caught:
        codec.encode_json({"value": value})
    assert caught.value.code == "store.not_json"


def test_numbers_that_json_does_not_have_become_null() -> None:
    assert codec.decode_json(codec.encode_json({"a": math.nan, "b": math.inf})) == {"a": None, "b": None}


def test_threads_compress_at_the_same_time() -> None:
    payloads = [bytes([number]) * 100_000 + b"end" for number in range(8)]
    failures: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if codec.decode(codec.encode(payloads[number])) != payloads[number]:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

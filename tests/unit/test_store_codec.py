"""How payloads lie in the store."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent import native
from pyagent.errors import StoreError
from pyagent.store import codec


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_every_payload_comes_back(payload: bytes, times: int) -> None:
    assert codec.decode(codec.encode(payload * times)) == payload * times


def test_tiny_and_incompressible_payloads_take_one_byte_more() -> None:
    for payload in (b"{}", secrets.token_bytes(5000)):
        assert codec.encode(payload) == b"\x00" + payload


def test_small_payloads_like_those_of_runs_shrink_by_the_dictionary() -> None:
    payload = b'{"data":{"status":"completed","attempt":1},"outputs":{"out":[{"json":{"name":"Ada","age":36}}]}}'
    stored = codec.encode(payload)
    assert len(stored) < len(payload) / 2
    assert native.codec_describe(stored) == ("dictionary", 1, len(payload), None, None)


def test_large_payloads_are_compressed() -> None:
    stored = codec.encode(b'{"json": "text"}' * 5000)
    assert native.codec_describe(stored)[0] == "zstd"
    assert len(stored) < 200


def test_what_repeats_its_parent_is_kept_as_the_difference() -> None:
    parent = b"".join(b'{"role":"user","text":"%d and %d"}' % (number, number**3) for number in range(1000))
    payload = parent + b'{"role":"tool","text":"new"}'
    stored = codec.encode(payload, parent=parent)
    assert len(stored) < 100
    assert codec.decode(stored, parent=parent) == payload
    for other in (None, payload):
        with pytest.raises(StoreError) as caught:
            codec.decode(stored, parent=other)
        assert caught.value.code == "store.codec"


def test_what_expands_beyond_the_limit_is_refused() -> None:
    stored = codec.encode(bytes(1 << 22))
    with pytest.raises(StoreError) as caught:
        codec.decode(stored, limit=1 << 20)
    assert caught.value.code == "store.too_large"


@given(st.binary(max_size=200), st.integers(0, 5))
def test_bytes_of_anybody_are_a_payload_or_an_error_of_ours(rest: bytes, form: int) -> None:
    with contextlib.suppress(StoreError):
        assert len(codec.decode(bytes([form]) + rest, limit=100_000)) <= 100_000


@pytest.mark.parametrize("stored", [b"\x02", b"\x7fpayload"])
def test_an_unknown_tag_is_an_error_that_says_what_to_do(stored: bytes) -> None:
    with pytest.raises(StoreError) as caught:
        codec.decode(stored)
    assert caught.value.code == "store.codec"
    assert "upgrade" in caught.value.hint


def test_a_damaged_payload_is_an_error() -> None:
    stored = codec.encode(bytes(range(256)) * 50 + b"x" * 5000)
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

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Sequence

from hypothesis import given, strategies as st

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.journal.keys import KeySet
from reportflow_pandas.journal.register import Register


def digest(number: int) -> bytes:
    """Return a key."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def told_apart(keys: Sequence[bytes], chunk: int) -> list[bytes]:
    """Return the keys of a frame that comes in chunks."""
    register, outcomes = Register(Outcomes([])), Outcomes([""] * len(keys))
    register.begin(Outcomes([]), {})
    apart: list[bytes] = []
    for start in range(0, len(keys), chunk):
        own = register.told_apart(keys[start : start + chunk])
        register.add(own, outcomes)
        apart += own
    return apart


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 7))
def test_equal_keys_are_told_apart_by_how_manieth_they_are(numbers: list[int], chunk: int) -> None:
    keys = [digest(number) for number in numbers]
    wanted = []
    for position, key in enumerate(keys):
        times = keys[:position].count(key)
        again = hashlib.blake2b(key + times.to_bytes(8, "big"), digest_size=16).digest()
        wanted.append(again if times else key)
    assert told_apart(keys, chunk) == wanted


def test_many_equal_rows_are_told_apart_one_by_one() -> None:
    """20,000 equal rows: a search from the first one on for each would take 200,000,000 digests."""
    assert len(set(told_apart([digest(1)] * 20_000, 2000))) == 20_000


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_a_set_of_keys_knows_what_it_has(keys: list[bytes]) -> None:
    known = KeySet()
    half = len(keys) // 2
    found = [*known.add(keys[:half]), *(half + place for place in known.add(keys[half:]))]
    assert found == [place for place, key in enumerate(keys) if key in keys[:place]]


@given(st.lists(st.sampled_from([b"\0\0" + bytes(rest) + b"\1" * (14 - rest) for rest in range(15)])))
def test_the_end_of_one_key_and_the_beginning_of_the_next_are_no_key(keys: list[bytes]) -> None:
    known = KeySet()
    half = len(keys) // 2
    found = [*known.add(keys[:half]), *(half + place for place in known.add(keys[half:]))]
    assert found == [place for place, key in enumerate(keys) if key in keys[:place]]


def test_a_key_takes_fewer_than_sixty_bytes() -> None:
    keys = [digest(number) for number in range(100_000)]
    tracemalloc.start()
    try:
        known = KeySet()
        known.add(keys)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 60 * len(keys)

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.engine import batching
from reportflow_pandas.engine.batching import MAX_BODY, Call, Document, endpoint_for, pack
from reportflow_pandas.execution.from_frame import FIRST_CHUNK

names = st.sampled_from(["a", "A", "b", "B", "ß", "SS", "c", "d"]) | st.text(max_size=2)
sizes = st.integers(2, 60)
ROOM = 200


def documents_of(shapes: list[tuple[str, int]]) -> list[Document]:
    return [
        Document(position, str(position), name, orjson.dumps("x" * (size - 2)))
        for position, (name, size) in enumerate(shapes)
    ]


def packed(
    documents: list[Document] | Iterator[Document], max_body: int = MAX_BODY, **limits: int
) -> Iterator[Call]:
    with patch.object(batching, "MAX_BODY", max_body):
        yield from pack(documents, design_id="d", version=1, endpoint="async/multiple", **limits)


@given(st.lists(st.tuples(names, st.integers(2, 300)), max_size=40), st.integers(1, 10))
@settings(deadline=None)
def test_every_document_travels_exactly_once_within_all_limits(shapes: list[tuple[str, int]], batch: int) -> None:
    documents = documents_of(shapes)
    calls = list(packed(documents, batch_size=batch, max_body=ROOM))
    travelled = [document.position for call in calls for document in call.documents]
    assert sorted(travelled) == list(range(len(documents)))
    for call in calls:
        folded = [document.name.casefold() for document in call.documents]
        assert 1 <= len(call) <= batch
        assert len(set(folded)) == len(folded)
        assert len(call.body()) <= ROOM or len(call) == 1
        assert call.positions == sorted(call.positions)


@given(st.lists(sizes, max_size=40), st.integers(1, 10))
@settings(deadline=None)
def test_documents_of_different_names_travel_in_their_order_and_calls_are_full(
    sizes: list[int], batch: int
) -> None:
    documents = documents_of([(str(at), size) for at, size in enumerate(sizes)])
    calls = list(packed(documents, batch_size=batch, max_body=ROOM))
    assert [document for call in calls for document in call.documents] == documents
    for call, following in itertools.pairwise(calls):
        longer = call.part([*call.documents, following.documents[0]])
        assert len(call) == batch or len(longer.body()) > ROOM


@given(st.lists(names, max_size=30), st.integers(1, 5))
@settings(deadline=None)
def test_of_one_name_the_earlier_document_travels_first(chosen: list[str], batch: int) -> None:
    documents = documents_of([(name, 10) for name in chosen])
    seen: dict[str, int] = {}
    for call in packed(documents, batch_size=batch):
        for document in call.documents:
            assert seen.get(document.name.casefold(), -1) < document.position
            seen[document.name.casefold()] = document.position


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_first_call_leaves_before_the_other_documents_are_made(batch: int) -> None:
    made = []

    def coming() -> Iterator[Document]:
        for document in documents_of([(str(at), 10) for at in range(1000)]):
            made.append(document.position)
            yield document

    calls = packed(coming(), batch_size=batch)
    assert len(next(calls)) == batch
    assert len(made) == batch
    next(calls)
    assert len(made) == 2 * batch


def test_the_first_chunk_of_a_frame_makes_a_call_before_the_second_is_written_down() -> None:
    async def cell() -> Call | None:
        feed = batching.Feed(
            lambda documents: pack(documents, design_id="d", version=1, endpoint="async/multiple")
        )
        feed.add(documents_of([(str(at), 10) for at in range(FIRST_CHUNK)]))
        return feed.at_hand()

    call = asyncio.run(cell())
    assert call is not None
    assert len(call) == 100


def test_a_thousand_documents_of_one_name_are_never_all_held_at_once() -> None:
    """A hundred are held back at most, however many more follow."""
    taken = itertools.count()
    last = 0

    def coming() -> Iterator[Document]:
        nonlocal last
        for document in documents_of([("same", 10)] * 1000):
            last = next(taken)
            yield document

    for number, call in enumerate(packed(coming(), batch_size=100)):
        assert len(call) == 1
        assert last <= number + 101
    assert last == 999


def test_a_document_that_is_too_large_travels_alone() -> None:
    documents = documents_of([("a", 10), ("b", 1000), ("c", 10)])
    assert [call.positions for call in packed(documents, max_body=ROOM)] == [[0], [1], [2]]


def test_one_by_one_means_one_in_each_call() -> None:
    documents = documents_of([("a", 10)] * 3)
    calls = list(pack(documents, design_id="d", version=2, endpoint="async/single"))
    assert [call.positions for call in calls] == [[0], [1], [2]]
    assert orjson.loads(calls[0].body()) == {"designId": "d", "version": 2, "content": "x" * 8}


def test_a_body_is_what_the_service_documents() -> None:
    (call,) = packed(documents_of([("a", 3), ("b", 4)]))
    assert orjson.loads(call.body()) == {"designId": "d", "version": 1, "contents": ["x", "xx"]}
    assert call.multiple
    assert not call.sync


def test_no_documents_make_no_call() -> None:
    assert list(packed([])) == []


@pytest.mark.parametrize(
    ("endpoint", "documents", "meant"),
    [
        ("auto", 1, "async/single"),
        ("auto", 5, "async/single"),
        ("auto", 6, "async/multiple"),
        ("async/multiple", 1, "async/multiple"),
        ("sync/single", 1000, "sync/single"),
    ],
)
def test_a_few_documents_go_one_by_one_and_more_go_together(endpoint: str, documents: int, meant: str) -> None:
    assert endpoint_for(endpoint, documents) == meant

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from reportflow_pandas.api.models import (
    Accepted,
    Delivered,
    Design,
    FileEntry,
    Parameter,
)
from reportflow_pandas.api.responses import (
    accepted_from,
    delivered_from,
    designs_from,
    files_from_mapping,
    parameters_from,
    parsed,
)

NAMES = [
    *("requestId", "url", "files", "fileId", "fileName", "share", "shareType", "passcodeEnabled", "passthrough"),
    *("designs", "id", "label", "latestVersion", "updatedAt", "name", "type", "description", "spec", "message"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)

ENTRY = {
    "fileId": "T4hZ8qLm1VxC6yRd",
    "fileName": "注文書 a+b_0007.pdf",
    "share": {"shareType": "public", "url": "https://app.example.test/file/1", "passcodeEnabled": True},
    "passthrough": {"orderId": "A-7"},
    "params": {"合計": 1},
}
FILE = FileEntry(
    "T4hZ8qLm1VxC6yRd",
    "注文書 a+b_0007.pdf",
    "https://app.example.test/file/1",
    "public",
    passcode_enabled=True,
    passthrough={"orderId": "A-7"},
    extra={"params": {"合計": 1}},
)


@given(JSON, st.booleans())
def test_any_json_is_a_value_or_none(value: Any, single: bool) -> None:
    accepted = accepted_from(value, 202, single=single)
    assert accepted is None or accepted.request_id or accepted.files or "fileId" in accepted.extra
    for design in designs_from(value) or []:
        assert design.id
        assert design.latest_version >= 1
    for parameter in parameters_from(value) or []:
        assert parameter.type
        assert isinstance(parameter.name, str)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_parse_to_a_value_or_none(body: bytes) -> None:
    accepted_from(parsed(body), 202, single=True)


@given(st.text(max_size=60) | JSON.map(json.dumps) | JSON.map(json.dumps).map(quote))
def test_any_mapping_header_is_read_or_left(raw: str) -> None:
    for file in files_from_mapping(raw):
        assert isinstance(file, FileEntry)
    delivered_from({"X-File-Mapping": raw}, b"", 201, single=True)


@given(st.lists(st.fixed_dictionaries({"fileId": st.text(min_size=1), "fileName": st.text(min_size=1)})))
def test_a_mapping_survives_its_header(entries: list[dict[str, str]]) -> None:
    raw = quote(json.dumps(entries, ensure_ascii=False).encode("utf-8", "replace"))
    expected = json.loads(json.dumps(entries, ensure_ascii=False).encode("utf-8", "replace"))
    assert [(file.file_id, file.file_name) for file in files_from_mapping(raw)] == [
        (entry["fileId"], entry["fileName"]) for entry in expected
    ]


def test_a_mapping_is_read_in_both_its_forms() -> None:
    plain = json.dumps([ENTRY], ensure_ascii=False)
    assert files_from_mapping(plain) == (FILE,)
    assert files_from_mapping(quote(plain, safe="+")) == (FILE,)
    assert files_from_mapping(quote(plain, safe="")) == (FILE,)


@pytest.mark.parametrize("raw", ["", "[", "%5B", "{}", "%FF%FE", "null", "[1,null]", "\udcff", '["x"]'])
def test_a_broken_mapping_is_no_mapping(raw: str) -> None:
    assert files_from_mapping(raw) == ()


def test_a_json_text_may_start_with_a_byte_order_mark() -> None:
    assert parsed(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_a_top_level_file_id_counts_for_a_single_document_only() -> None:
    value = {"requestId": "Q7", "url": "u", "fileId": "T4"}
    one = accepted_from(value, 202, single=True)
    assert one is not None
    assert one.files == (FileEntry("T4"),)
    many = accepted_from(value, 202, single=False)
    assert many == Accepted("Q7", "u", (), 202, {"fileId": "T4"})


def test_an_answer_that_names_a_file_accepts_also_without_a_request_id() -> None:
    old = {"url": "u", "fileId": "T4"}
    assert accepted_from(old, 202, single=True) == Accepted("", "u", (FileEntry("T4"),), 202, {"fileId": "T4"})
    assert accepted_from(old, 202, single=False) == Accepted("", "u", (), 202, {"fileId": "T4"})
    assert accepted_from({"files": [ENTRY]}, 202, single=False) == Accepted("", None, (FILE,))
    for nothing in ({"url": "u"}, {"fileId": ""}, {"fileId": 7}, {"files": [{"fileName": "a.pdf"}]}):
        assert accepted_from(nothing, 202, single=True) is None


def test_files_that_are_not_there_are_no_error() -> None:
    nothing: tuple[Any, ...] = (None, {}, "x", [None, 7, []])
    for files in nothing:
        assert accepted_from({"requestId": "Q7", "files": files}, 202, single=True) == Accepted("Q7")


def test_an_entry_is_kept_with_what_it_has() -> None:
    value = {"requestId": "Q7", "files": [{}, {"fileId": 7, "share": [], "passthrough": "x"}, ENTRY]}
    accepted = accepted_from(value, 202, single=False)
    assert accepted is not None
    assert accepted.files == (FileEntry(""), FileEntry(""), FILE)


@pytest.mark.parametrize("word", ["public", "03"])
def test_a_share_type_is_a_word_even_if_the_answer_has_a_code(word: str) -> None:
    accepted = accepted_from({"requestId": "Q", "files": [{"share": {"shareType": word}}]}, 202, single=True)
    assert accepted is not None
    assert accepted.files[0].share_type == "public"


def test_a_delivery_without_a_request_id_is_still_a_delivery() -> None:
    delivered = delivered_from({}, b"%PDF-", 200, single=True)
    assert delivered == Delivered("", None, (), 200, {}, b"%PDF-", "application/pdf")


def test_the_old_header_of_a_single_file_is_understood() -> None:
    assert delivered_from({"File-ID": "T4"}, b"", 200, single=True).files == (FileEntry("T4"),)


def test_designs_are_read_and_malformed_ones_skipped() -> None:
    good = {
        "id": "Zk3PpV0aNq8sUe5J",
        "label": "注文書",
        "latestVersion": 2,
        "thumbnail": "https://cdn.example.test/t.png",
        "updatedAt": "2026-08-01T02:03:04.000Z",
    }
    bad = [
        None,
        {},
        {"id": "", "latestVersion": 1},
        {"id": 7, "latestVersion": 1},
        *[{"id": "x", "latestVersion": version} for version in (0, -1, True, "1", None, 1.5)],
    ]
    bare = {"id": "b", "latestVersion": 1, "updatedAt": "yesterday", "thumbnail": ""}
    moment = datetime(2026, 8, 1, 2, 3, 4, tzinfo=UTC)
    expected = [
        Design("Zk3PpV0aNq8sUe5J", "注文書", 2, moment, "https://cdn.example.test/t.png"),
        Design("b", "b", 1),
    ]
    assert designs_from({"designs": [*bad, good, bare]}) == expected
    assert designs_from([good, bare]) == expected
    assert designs_from({"designs": {}}) is None


def test_the_array_form_of_parameters_is_read() -> None:
    value = [
        {"name": "注文番号", "type": "text", "label": "注文番号", "description": "A- で始まる番号"},
        {"name": "合計", "type": "number"},
        {"name": "明細", "type": "array", "label": "行", "spec": [{"name": "品名", "type": "text"}]},
        {"type": "text"},
        None,
        {"name": "印", "type": "Stamp"},
        {"name": "何か"},
    ]
    assert parameters_from(value) == [
        Parameter("注文番号", "text", "注文番号", "A- で始まる番号"),
        Parameter("合計", "number", "合計"),
        Parameter("明細", "array", "行", None, (Parameter("品名", "text", "品名"),)),
        Parameter("印", "stamp", "印"),
        Parameter("何か", "unknown", "何か"),
    ]


def test_defaults_and_the_characters_of_the_fonts_are_read_where_they_are_told() -> None:
    value = [
        {"name": "Currency", "type": "text", "default": "USD", "fontCharacters": [[32, 126], [160, 160]]},
        {"name": "Paid", "type": "boolean", "default": False, "fontCharacters": [[1]]},
        {"name": "Odd", "type": "text", "default": ["x"], "fontCharacters": [["a", "b"]]},
        {"name": "Far", "type": "text", "fontCharacters": [[0, 0x110000]]},
    ]
    parameters = parameters_from(value)
    assert parameters is not None
    assert [parameter.default for parameter in parameters] == ["USD", False, None, None]
    assert [parameter.font_characters for parameter in parameters] == [((32, 126), (160, 160)), (), (), ()]


def test_the_object_form_of_parameters_says_the_same() -> None:
    value = {
        "注文番号": "string",
        "合計": "number",
        "日": "date",
        "宛先": {"名": "string"},
        "明細": [{"品名": "string", "数量": "number"}],
        "空": [],
        "謎": None,
    }
    name, quantity = Parameter("品名", "text", "品名"), Parameter("数量", "number", "数量")
    assert parameters_from(value) == [
        Parameter("注文番号", "text", "注文番号"),
        Parameter("合計", "number", "合計"),
        Parameter("日", "date", "日"),
        Parameter("宛先", "collection", "宛先", None, (Parameter("名", "text", "名"),)),
        Parameter("明細", "array", "明細", None, (name, quantity)),
        Parameter("空", "array", "空"),
        Parameter("謎", "unknown", "謎"),
    ]


def test_tables_nested_without_end_end() -> None:
    value: Any = "string"
    for _ in range(400):
        value = {"a": value}
    assert parameters_from(value) is not None
    value = []
    for _ in range(400):
        value = [{"name": "a", "type": "array", "spec": value}]
    assert parameters_from(value) is not None

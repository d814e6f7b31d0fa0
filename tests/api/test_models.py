from __future__ import annotations

import pytest

from reportflow_pandas.api.models import Content, Delivered


@pytest.mark.parametrize(
    ("name", "wire"),
    [("a", "a"), ("a.pdf", "a"), ("a.PDF", "a"), ("a.pdf.pdf", "a"), ("請求書.pdf", "請求書")],
)
def test_a_file_name_goes_out_without_its_extension(name: str, wire: str) -> None:
    assert Content(name, {}).wire() == {"fileName": wire, "params": {}}


def test_a_delivery_shows_no_bytes_of_its_file() -> None:
    assert "%PDF" not in repr(Delivered("Q7", content=b"%PDF-1.7"))

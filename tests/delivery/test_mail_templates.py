"""Templates and values of any kind: a message says what was asked for or is refused, and has no header more."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

import reportflow_pandas as rf
from reportflow_pandas.delivery.message import Letters, addresses_in, letters
from reportflow_pandas.settings import current

HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    "Content-Language", "Content-Transfer-Encoding",
}  # fmt: skip

literal = st.text(st.characters(exclude_characters="{}", exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
piece = st.one_of(
    literal.map(lambda text: (text, text)),
    st.just(("{{", "{")),
    st.just(("}}", "}")),
    st.just(("{Name}", "{Name}")),
    st.just(("{No:05d}", "{No:05d}")),
)
values = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(str.strip)


def written(name: str, *, subject: str = "x", body: str = "x", html: str | None = None) -> list[Any]:
    """Return the messages that one row gives, as they arrive."""
    results = pd.DataFrame(
        {"Name": [name], "No": [7], "file_id": ["f"], "request_id": ["r"], "file_name": ["a"], "path": ["a.pdf"]}
    )
    made = letters(
        results,
        [0],
        "ann@example.com",
        subject,
        body,
        html,
        None,
        None,
        attach=True,
        language="en",
        stays_here=True,
    )
    [sender] = addresses_in("billing@example.com") or []
    style = Letters(sender, (), attach=True, language="en", run="november")
    raw = [style.written(letter, current().clock, b"%PDF-1.7").as_bytes() for letter in made]
    return [email.message_from_bytes(one, policy=email.policy.SMTP) for one in raw]


@settings(deadline=None, max_examples=150)
@given(pieces=st.lists(piece, min_size=1, max_size=6), name=values)
@example(pieces=[("{Name}", "{Name}")], name="Ann\r\nBcc: spy@example.com")
@example(pieces=[("{Name}", "{Name}")], name="{No}")
def test_a_subject_says_the_values_or_the_row_is_refused_and_no_header_is_smuggled_in(
    pieces: list[tuple[str, str]], name: str
) -> None:
    told = "".join(meant.replace("{Name}", name).replace("{No:05d}", "00007") if typed in ("{Name}", "{No:05d}")
                   else meant for typed, meant in pieces)  # fmt: skip
    try:
        [message] = written(name, subject="".join(typed for typed, _ in pieces))
    except rf.InvalidRows as error:
        message, rows = None, error.rows
    if message is None:
        assert rows == [0]
        assert not told.strip() or not told.replace("\t", " ").isprintable()
    else:
        assert message["Subject"] == told.replace("\t", " ").strip(" ")
        assert set(message.keys()) <= HEADERS
        assert message["Bcc"] is None


@pytest.mark.parametrize("argument", ["subject", "body", "html"])
@pytest.mark.parametrize(
    "template",
    [
        "{Name.__class__}", "{Name.__class__.__mro__}", "{Name[0]}", "{Name!r}", "{0}", "{}", "{Nmae}", "{Name",
        "Name}", "{Name:{No}}", "{__import__('os')}", "{index.__class__}", "{self}", "{ Name }",
    ],
)  # fmt: skip
def test_braces_hold_columns_and_nothing_else(argument: str, template: str) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"column|brace"):
        written("Ann", **{argument: template})


@pytest.mark.parametrize("template", ["{No:q}", "{Name:d}", "{No:%Y}}}"])
def test_a_format_that_does_not_fit_is_refused_with_its_row(template: str) -> None:
    with pytest.raises(rf.InvalidRows):
        written("Ann", body=template)


@settings(deadline=None, max_examples=100)
@given(name=values)
def test_no_value_becomes_markup_in_html_and_none_is_lost_in_the_text(name: str) -> None:
    [message] = written(name, body="-{Name}-", html="<p title='{Name}'>{Name}</p>")
    page, text = message.get_body(("html",)), message.get_body(("plain",))
    lines = "\n".join(f"-{name}-".replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    assert text.get_content().replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") == lines
    assert page.get_content().count("<") == 2
    assert page.get_content().count("'") == 2

"""What a person sees in a browser or notebook shows values and names; it never runs them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "\"'></script><script>alert(1)</script><svg/onload=alert(1)>"
LINK = "javascript:alert(1)"


class Seen(HTMLParser):
    """Notes what a browser would run or fetch of what was planted."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name.startswith("on") or (name in ("href", "src", "action") and text.startswith("javascript:")):
                self.found.append(f"<{tag} {name}={value}>")
            if name == "srcdoc":
                self.feed_inner(value or "")
        if (tag, dict(attrs).get("src")) == ("img", "x"):
            self.found.append("<img src=x>")

    def feed_inner(self, page: str) -> None:
        inner = Seen()
        inner.feed(page)
        self.found += inner.found

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.strip().startswith("alert(1)"):
            self.found.append("<script>")


def harmless(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    assert seen.found == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalService, pd.DataFrame, pd.DataFrame]]:
    pytest.importorskip("pypdfium2")
    folder = tmp_path_factory.mktemp("pages")
    frame = pd.DataFrame({"RecipientName": [IMAGE, SCRIPT, LINK], "Email": "ann@example.com"})
    frame.index = pd.Index([IMAGE, SCRIPT, LINK], name=SCRIPT)
    with rf.use_local() as service:
        options = {"params": {"RecipientName": "RecipientName"}, "check": False, "progress": False}
        results = frame.reportflow.generate(
            "certificate", **options, download=folder / "pdfs", verify=True, passthrough=["Email"],
            settings=rf.Settings(base_url=service.base_url, app_key=service.app_key, runs=folder / "runs"),
        )  # fmt: skip
        yield service, frame, results


def test_the_parser_of_this_test_sees_what_was_planted() -> None:
    for planted in (IMAGE, SCRIPT, f"<a href=' {LINK}'>x</a>"):
        seen = Seen()
        seen.feed(f"<p>{planted}</p>")
        assert seen.found


def test_no_page_of_the_embedded_service_runs_a_value(made: Any) -> None:
    service, _, results = made
    request = results["request_id"].iloc[0]
    paths = [
        *("", f"__emulator__/file/{request}", "__emulator__/design/certificate"),
        *(f"__emulator__/file/{request}/{file}" for file in results["file_id"]),
        "?status=%3Cimg%20src=x%20onerror=alert(1)%3E&design=%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "__emulator__/file/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "__emulator__/design/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ]
    for path in paths:
        try:
            with urllib.request.urlopen(service.page_url + path) as answer:  # noqa: S310 - the embedded service
                page, headers = answer.read().decode(), answer.headers
        except urllib.error.HTTPError as refusal:
            page, headers = refusal.read().decode(), refusal.headers
            refusal.close()
        assert "text/html" in headers["Content-Type"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        harmless(page)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..%2f..%2fetc%2fpasswd", "....//etc/passwd", "%2e%2e/%2e%2e/etc"]
)
def test_no_path_leads_to_a_file_of_this_machine(made: Any, path: str) -> None:
    service, _, _ = made
    for begin in (
        "",
        "__emulator__/file/",
        "__emulator__/pdf/x/",
        "__emulator__/design/",
        "__emulator__/picture/x/",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(service.page_url + begin + path)  # noqa: S310 - the embedded service
        assert refused.value.status in (400, 404)
        assert b"root:" not in refused.value.read()
        refused.value.close()


def test_nothing_that_a_notebook_shows_runs_a_value(made: Any) -> None:
    service, frame, results = made
    settings = rf.Settings(base_url=service.base_url, app_key=service.app_key)
    hostile = results.assign(url=LINK, error=SCRIPT, error_kind="invalid", status="failed")
    hostile.attrs = results.attrs
    shown = [
        results.reportflow._repr_html_(),
        hostile.reportflow._repr_html_(),
        results.reportflow.spot_check()._repr_html_(),
        frame.reportflow.plan(
            "certificate", params={"RecipientName": "RecipientName"}, settings=settings
        )._repr_html_(),
    ]
    for page in shown:
        harmless(page)


def test_the_page_of_a_spot_check_runs_no_value_and_fetches_nothing(made: Any, tmp_path: Path) -> None:
    _, _, results = made
    page = results.reportflow.spot_check().save(tmp_path / "look.html").read_text("utf-8")
    harmless(page)
    assert "http://" not in page
    assert "https://" not in page


def test_no_value_becomes_markup_in_a_mail_with_html(made: Any) -> None:
    _, frame, results = made
    rf.configure(smtp="smtp://127.0.0.1:1", sender="billing@example.com")
    shown = results.reportflow.mail(
        to="Email", subject="x", body="{RecipientName}", html="<p title='{RecipientName}'>{RecipientName}</p>",
        source=frame, unknown=False, preview=True, decisions=pd.DataFrame({"decision": "approve"}, results.index),
    )  # fmt: skip
    harmless(shown._repr_html_())
    page = shown.message.get_body(("html",)).get_content()
    assert "&lt;img" in page
    harmless(page)

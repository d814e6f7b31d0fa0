"""The page for people, as HTML and as a picture of a real browser."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.plain_http import Caller, HandClock, ordered, until

from reportflow_pandas.local.designs import packaged_designs
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.settings import Limits

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def front(call: Caller, path: str = "/") -> str:
    reply = call.get(path, root="", key=None)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    return html.unescape(reply.body.decode())


def test_the_front_page_tells_of_documents_and_refusals_without_a_key(serve: Callable[..., Caller]) -> None:
    call = serve(faults=Fault("failed_document", file_name="B", message="フォントがありません"))
    call.order("async/multiple", "A", "B")
    call.get("/file/designs", key="ak_wrong_key_0000000001")
    call.post("async/single", {"designId": 5, "version": 1, "content": {"fileName": "A", "params": {}}})
    page = front(call)
    for words in (
        "A.pdf",
        "B.pdf",
        "フォントがありません",
        "designId must be a string",
        "401",
        call.service.base_url,
    ):
        assert words in page
    for secret in (call.service.app_key, "ak_wrong_key_0000000001", call.service.client_secret):
        assert secret not in page


def test_an_empty_service_has_a_page_that_says_so(call: Caller) -> None:
    page = front(call)
    assert "No document yet" in page
    assert "Nothing was refused" in page


def test_what_callers_sent_is_shown_as_text_never_as_markup(call: Caller) -> None:
    attack = "<img src=x onerror=alert(1)>"
    call.order("async/single", "x", params={"Number": attack}, passthrough={attack: attack})
    call.order("async/single", attack)
    call.get(f"/{attack.replace(' ', '%20')}")
    document = call.service.documents[0]
    for path in ("/", f"/__emulator__/file/{document.request_id}/{document.file_id}"):
        raw = call.get(path, root="", key=None).body.decode()
        assert "<img src=x" not in raw
        assert "&lt;img src=x" in raw


def test_nothing_comes_from_elsewhere_and_no_script_runs(call: Caller) -> None:
    call.order("async/single", "A")
    reply = call.get("/", root="", key=None)
    text = reply.body.decode()
    assert "<script" not in text
    assert re.findall(r"(?:src|href|data|action)='(?!/)", text) == []
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_the_pages_of_a_request_and_a_document(call: Caller) -> None:
    order = call.order("async/multiple", "日本 1", "B", passthrough={"orderId": "A-7"}).json
    page = front(call, f"/__emulator__/file/{order['requestId']}")
    assert "日本 1.pdf" in page
    file_id = order["files"][0]["fileId"]
    page = front(call, f"/__emulator__/file/{order['requestId']}/{file_id}")
    assert "A-7" in page
    assert file_id in page
    pdf = call.get(f"/__emulator__/pdf/{order['requestId']}/{file_id}", root="", key=None)
    assert pdf.headers["Content-Type"] == "application/pdf"
    assert pdf.body.startswith(b"%PDF-")
    for path in (
        "file/x",
        "file/x/y",
        "pdf/x/y",
        "picture/x/y.png",
        "design/x.png",
        f"file/{order['requestId']}/x",
    ):
        assert call.get(f"/__emulator__/{path}", root="", key=None).status == 404


def test_pictures_of_documents_and_designs(serve: Callable[..., Caller]) -> None:
    call = serve(designs=None, render=True)
    params = dict(packaged_designs()["receipt"].versions[1].samples["ja"])
    body = {"designId": "receipt", "version": 1, "content": {"fileName": "領収書", "params": params}}
    call.post("sync/single", body)
    (document,) = call.service.documents
    picture = f"/__emulator__/picture/{document.request_id}/{document.file_id}.png"
    for path in (picture, f"{picture}?page=1", "/__emulator__/design/receipt.png"):
        reply = call.get(path, root="", key=None)
        assert reply.headers["Content-Type"] == "image/png"
        assert reply.body.startswith(b"\x89PNG")
    thumbnail = call.get("/file/designs").json["designs"][0]["thumbnail"]
    assert call.get(thumbnail.removeprefix(call.service.page_url), root="/", key=None).status == 200


def test_many_documents_are_on_many_pages(call: Caller) -> None:
    call.order("async/multiple", *[f"INV-{number:03}" for number in range(60)])
    assert "INV-059.pdf" in front(call)
    assert "INV-000.pdf" not in front(call)
    assert "INV-000.pdf" in front(call, "/?page=3")
    assert "Older" not in front(call, "/?page=3")
    assert front(call, "/?page=99999999999")


def test_a_page_beyond_the_end_is_the_last_one(call: Caller) -> None:
    call.order("async/multiple", *[f"INV-{number:03}" for number in range(60)])
    page = front(call, "/?page=4")
    assert "page 3 of 3" in page
    assert "INV-000.pdf" in page
    assert "Newer" in page


def test_documents_can_be_filtered_by_status_and_design_over_many_pages(serve: Callable[..., Caller]) -> None:
    call = serve(faults=[Fault("failed_document", file_name=f"B-{number}", times=None) for number in range(30)])
    call.order("async/multiple", *[f"{letter}-{number}" for letter in "AB" for number in range(30)])
    body = {
        **ordered("async/single", "C-1"),
        "designId": next(name for name in call.service.designs if name != "order"),
    }
    call.post("async/single", body)
    assert re.search(r"failed\s*<small>30</small>", front(call))
    failed = front(call, "/?status=failed")
    assert "page 1 of 2" in failed
    assert "status=failed&page=2" in failed
    assert "A-1.pdf" not in failed
    assert "B-0.pdf" in front(call, "/?status=failed&page=2")
    other = front(call, f"/?design={body['designId']}")
    assert "C-1.pdf" in other
    assert "A-1.pdf" not in other
    assert "No document is like that" in front(call, f"/?design={body['designId']}&status=failed")
    assert "B-29.pdf" in front(call, "/?status=nonsense&design=order")


def test_only_real_refusals_count_as_refused(serve: Callable[..., Caller]) -> None:
    call = serve(render_delay=60.0, faults=Fault("failed_document", file_name="B", times=None))
    made = call.order("async/single", "A").json
    broken = call.order("async/single", "B").json
    for order in (made, broken):
        call.get(f"/file/download/{order['requestId']}")
    call.service.complete()
    call.get(f"/file/download/{broken['requestId']}")
    call.get("/favicon.ico", root="", key=None)
    assert "Nothing was refused" in front(call)
    call.get("/file/download/unknown")
    page = front(call)
    assert "Nothing was refused" not in page
    assert re.search(r"<b>1</b><span>refused calls", page)


def test_the_page_of_a_call_has_one_link_for_each_of_its_documents_and_needs_no_key(call: Caller) -> None:
    order = call.order("async/multiple", "A", "B", "C").json
    other = call.order("async/single", "D").json
    assert order["url"].startswith(call.service.page_url)
    page = front(call, f"/{order['url'].removeprefix(call.service.page_url)}")
    links = re.findall(r"href='([^']+)'", page)
    for entry in order["files"]:
        assert [link for link in links if entry["fileId"] in link] == [
            f"/__emulator__/file/{order['requestId']}/{entry['fileId']}"
        ]
        assert entry["fileName"] in page
    assert "D.pdf" not in page
    assert other["requestId"] not in page


def test_every_page_of_a_document_is_in_the_viewer(serve: Callable[..., Caller]) -> None:
    call = serve(designs=None, render=True)
    lines = [{"Track": f"Track {number}", "UnitPrice": 1, "Quantity": 1} for number in range(900)]
    params = {**packaged_designs()["invoice"].versions[1].samples["en"], "Lines": lines}
    body = {"designId": "invoice", "version": 1, "content": {"fileName": "long", "params": params}}
    call.post("sync/single", body)
    (document,) = call.service.documents
    page = front(call, f"/__emulator__/file/{document.request_id}/{document.file_id}")
    shown = re.findall(r"\.png\?page=(\d+)", page)
    assert shown == [str(number) for number in range(1, len(shown) + 1)]
    assert len(shown) > 20
    assert f"{len(shown)} pages" in page


BADGE = {
    "design.toml": 'label = "Badge"\n[params.Name]\ntype = "text"\n',
    "template.typ": '#import "reportflow.typ": p\n#set page(width: 9cm, height: 5cm)\n#p.Name',
    "sample.json": '{"Name": "Ada"}',
}


def test_a_design_folder_is_read_again_when_a_file_in_it_changes(
    serve: Callable[..., Caller], clock: HandClock, tmp_path: Path
) -> None:
    folder = tmp_path / "badge"
    folder.mkdir()
    for name, text in BADGE.items():
        (folder / name).write_text(text, "utf-8")
    call = serve(designs=tmp_path, render=True)

    def later() -> None:
        clock.advance(1)

    address = "/__emulator__/design/badge"
    page = front(call, address)
    assert "are watched" in page
    state = call.get(f"{address}/state", root="", key=None).body.decode()
    assert state in page
    assert call.get(f"{address}.png?page=1", root="", key=None).body.startswith(b"\x89PNG")
    later()
    assert call.get(f"{address}/state", root="", key=None).body.decode() == state
    (folder / "design.toml").write_text(BADGE["design.toml"].replace("Name", "Given"), "utf-8")
    later()
    assert call.get(f"{address}/state", root="", key=None).body.decode() != state
    assert "no parameter of this design.toml" in front(call, address)
    assert call.get("/file/design/parameter/badge").json[0]["name"] == "Name"
    (folder / "sample.json").write_text('{"Given": "Ada"}', "utf-8")
    later()
    assert call.get("/file/design/parameter/badge").json[0]["name"] == "Given"
    assert "template.typ" in front(call, address)
    (folder / "template.typ").write_text(BADGE["template.typ"].replace("Name", "Given"), "utf-8")
    later()
    assert "template.typ:" not in front(call, address)
    (tmp_path / "second").mkdir()
    for name, text in BADGE.items():
        (tmp_path / "second" / name).write_text(text, "utf-8")
    later()
    assert "second" in {design["id"] for design in call.get("/file/designs").json["designs"]}


def test_only_the_page_of_a_watched_design_runs_a_script_and_only_ours(serve: Callable[..., Caller]) -> None:
    call = serve(designs=None)
    reply = call.get("/__emulator__/design/invoice", root="", key=None)
    assert "<script" not in reply.body.decode()
    assert re.search(r"script-src 'nonce-[\w-]+'", reply.headers["Content-Security-Policy"])
    assert call.get("/__emulator__/design/unknown", root="", key=None).status == 404


def test_the_page_refreshes_itself_only_while_something_renders(serve: Callable[..., Caller]) -> None:
    call = serve(render_delay=60.0)
    assert "http-equiv" not in front(call)
    call.order("async/single", "A")
    assert "http-equiv='refresh'" in front(call)


def test_a_step_by_hand_can_be_taken_from_the_page_and_from_no_other(serve: Callable[..., Caller]) -> None:
    call = serve(manual=True)
    call.order("async/single", "A")
    assert "Make them ready" in front(call)
    step = "/__emulator__/complete"
    assert call("POST", step, b"", root="", key=None, headers={"Origin": "http://evil.example"}).status == 403
    assert call.service.documents[0].state == "rendering"
    assert call("POST", f"{step}?file_name=B", b"", root="", key=None).status == 303
    assert call.service.documents[0].state == "rendering"
    assert call("POST", step, b"", root="", key=None).status == 303
    assert call.service.documents[0].state == "ready"


def test_another_site_s_name_for_this_machine_is_refused(call: Caller) -> None:
    assert call.get("/", root="", key=None, headers={"Host": "evil.example"}).status == 403


def test_placeholders_are_said_to_be_placeholders(call: Caller) -> None:
    assert "placeholders" in front(call)


@pytest.mark.skipif(BROWSER is None and os.environ.get("CI") != "true", reason="no Chromium on this machine")
def test_a_browser_paints_the_page(serve: Callable[..., Caller], tmp_path: Path) -> None:
    """The picture is kept for a person: ``REPORTFLOW_SCREENSHOTS`` names the folder."""
    assert BROWSER is not None, "CI needs Chromium: apt-get install chromium"
    call = serve(designs=None, render=True, limits=Limits(async_calls=3))
    for language, name in (("en", "Receipt 7"), ("ja", "領収書 8")):
        params = dict(packaged_designs()["receipt"].versions[1].samples[language])
        content = {"fileName": name, "params": params}
        call.post("async/single", {"designId": "receipt", "version": 1, "content": content})
    for _ in range(2):
        call.get("/file/designs")
    until(lambda: all(document.state == "ready" for document in call.service.documents))
    folder = Path(os.environ.get("REPORTFLOW_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "front.png"
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=4000",
        "--window-size=1280,1400",
    ]
    subprocess.run(  # noqa: S603 - the browser found above, on our own page
        [
            str(BROWSER),
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}",
            call.service.page_url,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    document = call.service.documents[0]
    dump = subprocess.run(  # noqa: S603 - as above
        [
            str(BROWSER),
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"{call.service.page_url}__emulator__/file/{document.request_id}/{document.file_id}",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert "Receipt 7.pdf" in dump.stdout.decode()

"""The embedded service is for this machine, and for designs of strangers."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables.DefaultTable import DefaultTable

import reportflow_pandas as rf
from reportflow_pandas.local import compiler_process
from reportflow_pandas.local.compiler import RenderError, render
from reportflow_pandas.local.designs import DesignVersion, load_designs
from reportflow_pandas.local.service import LocalService

CREATED = datetime(2026, 11, 1, tzinfo=UTC)

FOREIGN = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8787",
    "192.168.0.7",
    "[2001:db8::1]",
    "a b",
]
OWN = ["127.0.0.1", "127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "localhost."]


def asked(service: LocalService, method: str, path: str, host: str, body: object = None) -> tuple[int, bytes]:
    """Ask as a browser does that another site's name led here."""
    parts = urlsplit(service.page_url)
    line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {"Host": host, "appkey": service.app_key, "Content-Type": "application/json"}
    try:
        line.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


ORDER = {"designId": "certificate", "version": 1, "content": {"fileName": "a", "params": {}}}
PLACES = [
    ("POST", "/v1/file/async/single", ORDER),
    ("GET", "/v1/file/designs", None),
    ("POST", "/api/v1/oauth/token", None),
    ("GET", "/", None),
    ("POST", "/__emulator__/complete", None),
    ("GET", "/nowhere", None),
]


@pytest.mark.parametrize("host", FOREIGN)
def test_another_sites_name_for_this_machine_opens_nothing(host: str, service: LocalService) -> None:
    """DNS rebinding: the site's page may send any header, and the key of the embedded service is known."""
    for method, path, body in PLACES:
        status, said = asked(service, method, path, host, body)
        assert status in (400, 403), (method, path)
        assert service.app_key.encode() not in said
    assert not service.documents


@pytest.mark.parametrize("host", OWN)
def test_this_machines_own_names_are_served(host: str, service: LocalService) -> None:
    assert asked(service, "POST", "/v1/file/async/single", host, ORDER)[0] == 202


def test_where_it_listens_for_other_machines_any_name_of_theirs_is_served() -> None:
    """``reportflow-pandas serve --host 0.0.0.0``: their names for this machine are not known."""
    service = rf.local_service(render=False)
    service.host = "0.0.0.0"  # noqa: S104 - that is what is tested
    with service:
        assert asked(service, "POST", "/v1/file/async/single", "reportflow:8787", ORDER)[0] == 202


def test_another_sites_page_is_not_allowed_to_ask() -> None:
    """The key goes in a header, for which a browser asks first: it gets no leave."""
    with rf.local_service(render=False) as service:
        parts = urlsplit(service.page_url)
        line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        line.request("OPTIONS", "/v1/file/async/single", headers=asking)
        answer = line.getresponse()
        assert answer.status >= 400
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
        line.close()


# designs of strangers


@pytest.fixture
def design(tmp_path: Path) -> Callable[[str], DesignVersion]:
    """Make a design of a template."""

    def make(template: str) -> DesignVersion:
        home = tmp_path / "designs" / "strange"
        home.mkdir(parents=True, exist_ok=True)
        (home / "design.toml").touch()
        (home / "template.typ").write_text(template, "utf-8")
        return load_designs(home.parent)["strange"].versions[1]

    return make


HOSTILE = {
    "a loop": "#while true {}",
    "loops in loops": "#for i in range(100000) { for j in range(100000) { let x = calc.sin(i * j) } }",
    "a call of itself": "#let f(n) = f(n + 1)\n#f(0)",
    "a text of 100 GB": '#let s = "x" * 100000000000\n#s.len()',
    "pages without end": "#for i in range(100000) { for j in range(100000) [#pagebreak()x] }",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_design_that_loops_or_grows_ends_alone(
    kind: str, design: Callable[[str], DesignVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document fails with the reason; the process that serves goes on, and so does the next document."""
    monkeypatch.setattr(compiler_process, "PROGRAM", _impatient(design("hello").folder.parent))
    with pytest.raises(RenderError, match=r"template\.typ"):
        render(design(HOSTILE[kind]), {}, created=CREATED)
    assert render(design("hello"), {}, created=CREATED).startswith(b"%PDF-1.7")
    compiler_process.close_idle()


def _impatient(folder: Path) -> Path:
    """Return the program with a bound of one second: the true one is twenty."""
    text = compiler_process.PROGRAM.read_text("utf-8")
    text = text.replace("CPU_SECONDS_PER_DOCUMENT = 20", "CPU_SECONDS_PER_DOCUMENT = 1")
    (folder.parent / "program.py").write_text(text, "utf-8")
    return folder.parent / "program.py"


def test_a_hostile_design_takes_down_neither_the_service_nor_the_other_documents(
    design: Callable[[str], DesignVersion], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = design(HOSTILE["a text of 100 GB"]).folder.parent
    monkeypatch.setattr(compiler_process, "PROGRAM", _impatient(folder))
    frame = pd.DataFrame({"name": [f"Person {number}" for number in range(4)]})
    with rf.use_local(designs=folder):
        options = {"version": 1, "check": False, "download": tmp_path / "pdfs", "progress": False}
        bad = frame.reportflow.generate("strange", params={}, **options)
        good = frame.reportflow.generate("certificate", params={"RecipientName": "name"}, **options)
    assert set(bad["status"]) == {"accepted"}
    assert bad["error"].str.contains("too long or too much memory").all()
    assert set(good["status"]) == {"ready"}


@pytest.mark.parametrize("path", ["../../secret.txt", "{home}/secret.txt", "/etc/passwd", "/proc/self/environ"])
def test_a_design_reads_no_file_outside_of_its_folder(
    path: str, design: Callable[[str], DesignVersion], tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    for words in ('read("{}")', 'json("{}")', 'image("{}")', 'include "{}"'):
        place = path.replace("{home}", str(tmp_path))
        with pytest.raises(RenderError):
            render(design("#" + words.replace("{}", place)), {}, created=CREATED)


NETWORK = {
    "an escape": '#import "\\u{40}preview/cetz:0.3.0"',
    "a name that is worked out": '#import (str.from-unicode(64) + "preview/cetz:0.3.0")',
    "an evaluated text": '#eval("#import \\"\\u{40}preview/cetz:0.3.0\\": *", mode: "markup")',
    "a package of this account": '#import ("@" + "local/mine:0.1.0")'.replace('"@"', "str.from-unicode(64)"),
    "an included text": '#include "more.txt"',
}


@pytest.mark.parametrize("kind", NETWORK)
def test_a_design_reaches_no_network_and_no_package_however_it_asks(
    kind: str, design: Callable[[str], DesignVersion], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "data" / "typst" / "packages" / "local" / "mine" / "0.1.0"
    package.mkdir(parents=True)
    (package / "typst.toml").write_text('[package]\nname = "mine"\nversion = "0.1.0"\nentrypoint = "x.typ"\n')
    (package / "x.typ").write_text("#let secret = 1")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://me:hush@127.0.0.1:{proxy.getsockname()[1]}")
        compiler_process.close_idle()
        version = design(NETWORK[kind])
        (version.folder / "more.txt").write_text('#import "@preview/cetz:0.3.0"', "utf-8")
        with pytest.raises(RenderError, match="imports a package, and nothing is fetched"):
            render(version, {}, created=CREATED)
        compiler_process.close_idle()
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("name", ["more.typ", "sample.json", "fonts"])
def test_a_pipe_in_a_design_is_refused_and_not_waited_for(
    name: str, design: Callable[[str], DesignVersion]
) -> None:
    folder = design("hello").folder
    os.mkfifo(folder / name)
    with pytest.raises(rf.ConfigurationError, match="neither a file nor a folder"):
        load_designs(folder.parent)


def fonts_of_ten_billion_characters(path: Path) -> None:
    """Write a collection of ten thousand fonts, which are one and the same: it names all characters there are."""
    glyph = TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({0x41: "A"})
    builder.setupGlyf({".notdef": glyph, "A": glyph})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "A": (500, 0)})
    builder.setupHorizontalHeader()
    builder.setupOS2()
    builder.setupPost()
    builder.setupNameTable({"familyName": "Strange", "styleName": "Regular"})
    table = DefaultTable("cmap")
    table.data = struct.pack(">HHHHLHHLLLLLL", 0, 1, 3, 10, 12, 12, 0, 28, 0, 1, 0, 0x10FFFF, 1)
    builder.font["cmap"] = table
    written = BytesIO()
    builder.save(written)
    font, head = written.getvalue(), 12 + 4 * 10_000
    (tables,) = struct.unpack_from(">H", font, 4)
    directory = bytearray(font[: 12 + 16 * tables])
    for at in range(20, len(directory), 16):  # offsets count from the beginning of the file
        (offset,) = struct.unpack_from(">L", directory, at)
        struct.pack_into(">L", directory, at, offset + head)
    collection = struct.pack(">4sHHL", b"ttcf", 1, 0, 10_000) + struct.pack(">L", head) * 10_000
    path.write_bytes(collection + directory + font[len(directory) :])


@pytest.mark.parametrize("kind", ["no font", "too many characters"])
def test_a_hostile_font_is_a_documents_failure_and_nothing_more(
    kind: str, design: Callable[[str], DesignVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = design("hello")
    fonts = version.folder / "fonts"
    fonts.mkdir()
    if kind == "no font":
        (fonts / "x.ttc").write_bytes(b"no font")
    else:
        fonts_of_ten_billion_characters(fonts / "x.ttc")
        monkeypatch.setattr(compiler_process, "PROGRAM", _impatient(version.folder.parent))
        compiler_process.close_idle()
    frame = pd.DataFrame({"name": ["Ann"]})
    with rf.use_local(designs=version.folder.parent):
        options = {"params": {}, "check": False, "progress": False, "endpoint": "sync/single"}
        bad = frame.reportflow.generate("strange", **options)
        good = frame.reportflow.generate("certificate", **{**options, "params": {"RecipientName": "name"}})
        assert rf.parameters("strange").empty
    assert bad["status"].tolist() == ["failed"]
    assert good["status"].tolist() == ["ready"]
    with pytest.raises(RenderError, match=r"x\.ttc cannot be read as a font"):
        render(version, {}, created=CREATED)
    compiler_process.close_idle()


def test_a_designs_process_knows_no_key(
    design: Callable[[str], DesignVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_FLOW_APP_KEY", "ak_0123456789abcdef")
    monkeypatch.setenv("REPORTFLOW_SMTP", "smtps://me:hush@mail.test")
    told: list[dict[str, str]] = []
    begin = subprocess.Popen.__init__

    def noted(self: Any, words: Any, **options: Any) -> None:
        told.append(options["env"])
        begin(self, words, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    compiler_process.close_idle()
    render(design("hello"), {}, created=CREATED)
    compiler_process.close_idle()
    assert len(told) == 1
    assert not [name for name in told[0] if name.startswith("REPORT")]

"""Names that a file system cannot hold, or that hide something: no paid document is kept from its folder."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import world

from reportflow_pandas.printable import printable
from reportflow_pandas.results import pdf_folder
from reportflow_pandas.results.pdf_folder import PdfFolder, safe_folder_name, safe_name

PDF = b"%PDF-1.7\n%%EOF\n"
NAME = "請求書_7"

ASCII = r"""
import sys
from reportflow_pandas.results.pdf_folder import PdfFolder
assert sys.getfilesystemencoding() == "ascii"
folder = PdfFolder(sys.argv[1])
path = folder.save("Q/1", "\u8acb\u6c42\u66f8_7", b"%PDF-1.7\n%%EOF\n")
folder.save("Q/2", "INV-7", b"%PDF-1.7\n%%EOF\n", folder="\u65e5\u672c")
assert PdfFolder(sys.argv[1]).find("Q/1") == path
print(sorted(one.relative_to(sys.argv[1]).as_posix() for one in folder.path.rglob("*.pdf")))
"""


def test_names_are_encoded_where_the_file_system_knows_ascii_only(tmp_path: Path) -> None:
    script = tmp_path / "ascii.py"
    script.write_text(ASCII)
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, script, tmp_path / "pdfs"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "['%E6%97%A5%E6%9C%AC/INV-7.pdf', '%E8%AB%8B%E6%B1%82%E6%9B%B8_7.pdf']", (
        done.stderr
    )


@pytest.mark.parametrize("number", ["EILSEQ", "EINVAL", "ENAMETOOLONG"])
def test_a_name_that_the_file_system_refuses_is_encoded_and_said_once(
    tmp_path: Path, number: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moved = pdf_folder._moved

    def refusing(source: Path, target: Path, pdf: bytes) -> Any:
        if not target.name.isascii() or len(target.name) > 143:
            raise OSError(getattr(errno, number), "refused", str(target))
        return moved(source, target, pdf)

    monkeypatch.setattr(pdf_folder, "_moved", refusing)
    folder = PdfFolder(tmp_path)
    with caplog.at_level(logging.WARNING):
        one = folder.save("Q/1", NAME, PDF)
        two = folder.save("Q/2", NAME * 20, PDF)
        three = folder.save("Q/3", "plain", PDF)
    assert one.name == "%E8%AB%8B%E6%B1%82%E6%9B%B8_7.pdf"
    assert two.read_bytes() == three.read_bytes() == PDF
    assert len(two.name) < 143
    assert PdfFolder(tmp_path).find("Q/1") == one
    assert len([message for message in caplog.messages if "percent-encoded" in message]) == 1


def test_the_closing_line_says_that_names_are_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = pdf_folder._moved

    def refusing(source: Path, target: Path, pdf: bytes) -> Any:
        if not target.name.isascii():
            raise OSError(errno.EILSEQ, "refused", str(target))
        return moved(source, target, pdf)

    monkeypatch.setattr(pdf_folder, "_moved", refusing)
    with world() as here:
        frame = pd.DataFrame({"name": [NAME, "plain"]})
        results = here.generate(frame, download=tmp_path / "one", progress=True)
        here.download(results.drop(columns="path").assign(path=None), tmp_path / "two", progress=True)
    assert (results["status"] == "ready").all()
    assert capsys.readouterr().err.count("percent-encoded, such as %E8%AB%8B%E6%B1%82%E6%9B%B8_7.pdf") == 2


@pytest.mark.parametrize(
    "sign", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u2028", "\xad", "\U000e0041"]
)
def test_what_nobody_sees_reaches_neither_disk_nor_terminal(sign: str) -> None:
    assert safe_name(f"INV{sign}fdp.exe") == "INV_fdp.exe.pdf"
    assert safe_folder_name(f"a{sign}b") == "a_b"
    shown = printable(f"INV{sign}fdp")
    assert sign not in shown
    assert shown.isascii()


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\U0001f469\u200d\U0001f4bb",
        "\u2764\ufe0f\u200d\U0001f525",
    ],
    ids=["Persian", "Hindi", "a person at a computer", "a heart on fire"],
)
def test_joiners_that_writing_needs_stay(name: str) -> None:
    assert safe_name(name) == f"{name}.pdf"
    assert printable(name) == name


@pytest.mark.parametrize(
    "name", ["INV\u200d7", "INV\u200c", "\u200dINV", "a\u200d\u200db", "\u0645\u200c.", "\u0645\u200c\u200c\u0645"]
)
def test_joiners_that_only_hide_a_difference_do_not(name: str) -> None:
    assert not {"\u200c", "\u200d"} & set(safe_name(name))
    assert printable(name).isprintable()


def test_a_terminal_gets_no_commands_and_all_its_letters() -> None:
    assert printable("\x1b[2J\x07請求書\tŁódź\n") == "\\x1b[2J\\x07請求書\tŁódź\n"


@pytest.mark.skipif(os.name == "nt", reason="no such permissions here")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_pdfs_have_the_permissions_that_the_umask_leaves(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        path = PdfFolder(tmp_path / "pdfs").save("Q/1", "INV-7", PDF)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode

"""Targets of links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reportflow_pandas.export.columns import disk_target, web_target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.test/x?y=1&z=%20#top", "https://a.test/x?y=1&z=%20#top"),
        (" HTTPS://a.test/請求 書.pdf ", "HTTPS://a.test/%E8%AB%8B%E6%B1%82%20%E6%9B%B8.pdf"),
        ('http://a.test/"<x>"', "http://a.test/%22%3Cx%3E%22"),
        ("javascript:alert(1)", None),
        ("ftp://a.test", None),
        ("https://", None),
        ("https://a.test/\nb", None),
        ("", None),
    ],
)
def test_only_web_addresses_become_links(url: str, target: str | None) -> None:
    assert web_target(url) == target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a/b/pdfs/x.pdf", "pdfs/x.pdf"),
        ("/a/b/pdfs/../x.pdf", "x.pdf"),
        ("/a/x.pdf", "../x.pdf"),
        ("/a/bc/x.pdf", "../bc/x.pdf"),
        ("/a/b/100% [1]#?.pdf", "100%25%20%5B1%5D%23%3F.pdf"),
        ("/a/b/注文書 1.pdf", "注文書%201.pdf"),
        (os.fsdecode(b"/a/b/\xff.pdf"), "%FF.pdf"),
        ("/a/b/\ud800.pdf", None),
    ],
)
def test_a_file_s_target_is_relative_to_the_folder(path: str, target: str | None) -> None:
    assert disk_target(path, Path("/a/b")) == target


def test_a_path_relative_to_the_working_directory_is_found_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert disk_target("pdfs/x.pdf", tmp_path / "reviews") == "../pdfs/x.pdf"


def test_a_folder_with_two_names_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "real")
    assert disk_target(str(tmp_path / "other" / "x.pdf"), tmp_path / "real") == "x.pdf"

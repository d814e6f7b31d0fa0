"""A small ``.xlsb``, record by record ([MS-XLSB] 2.1.4): no library writes the format."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

_CONTENT = """<?xml version="1.0"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>"""
_RELATIONS = """<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" \
Target="{target}"/></Relationships>"""
_ERRORS = {"#N/A": 0x2A, "#REF!": 0x17, "#DIV/0!": 0x07}


def xlsb_file(
    path: Path,
    rows: Sequence[Sequence[Any]],
    hidden: Collection[int] = (),
    merged: Sequence[tuple[int, ...]] = (),
    formats: Mapping[tuple[int, int], str] | None = None,
) -> Path:
    """Write a workbook with one sheet.

    Hidden lines are counted from 1, merges are two rows and two columns from 0, formats belong to row and column
    from 0.
    """
    codes = list(dict.fromkeys((formats or {}).values()))
    styles = {place: codes.index(code) + 1 for place, code in (formats or {}).items()}
    width = max(map(len, rows))
    sheet = _record(129) + _record(148, struct.pack("<4I", 0, len(rows) - 1, 0, width - 1)) + _record(145)
    for at, row in enumerate(rows):
        flags = 0x10 if at + 1 in hidden else 0
        sheet += _record(0, struct.pack("<IIHBBBI", at, 0, 300, 0, flags, 0, 0))
        for column, value in enumerate(row):
            sheet += _cell(column, value, styles.get((at, column), 0))
    sheet += _record(146)
    if merged:
        sheet += _record(177, struct.pack("<I", len(merged)))
        sheet += b"".join(_record(176, struct.pack("<4I", *merge)) for merge in merged) + _record(178)
    sheet += _record(130)
    bundle = struct.pack("<II", 0, 1) + _text("rId1") + _text("Orders")
    book = _record(131) + _record(143) + _record(156, bundle) + _record(144) + _record(132)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT)
        archive.writestr("_rels/.rels", _RELATIONS.format(kind="officeDocument", target="xl/workbook.bin"))
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/styles.bin", _styles(codes))
        archive.writestr(
            "xl/_rels/workbook.bin.rels", _RELATIONS.format(kind="worksheet", target="worksheets/sheet1.bin")
        )
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
    return path


def _styles(codes: Sequence[str]) -> bytes:
    """Return the part of the styles: number formats from 164 on, and a style for each, after the plain one."""
    content = _record(278) + _record(615, struct.pack("<I", len(codes)))
    content += b"".join(_record(44, struct.pack("<H", 164 + at) + _text(code)) for at, code in enumerate(codes))
    content += _record(616) + _record(626, struct.pack("<I", 1)) + _record(47, struct.pack("<HH12x", 0xFFFF, 0))
    content += _record(627) + _record(617, struct.pack("<I", len(codes) + 1))
    numbers = [0, *(164 + at for at in range(len(codes)))]
    content += b"".join(_record(47, struct.pack("<HH12x", 0, number)) for number in numbers)
    return content + _record(618) + _record(279)


def _record(kind: int, content: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(content)
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 127 else 0)])
        length >>= 7
        if not length:
            return head + size + content


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _cell(column: int, value: Any, style: int) -> bytes:
    head = struct.pack("<II", column, style)
    if value is None:
        return _record(1, head)
    if value in _ERRORS:
        return _record(3, head + bytes([_ERRORS[value]]))
    if isinstance(value, bool):
        return _record(4, head + bytes([value]))
    if isinstance(value, str):
        return _record(6, head + _text(value))
    return _record(5, head + struct.pack("<d", value))

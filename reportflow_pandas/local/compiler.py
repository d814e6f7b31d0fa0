"""A design and params become a PDF."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pikepdf
import typst

from reportflow_pandas.local.compile_program import compiled
from reportflow_pandas.local.compiler_process import Refused, compiled_apart
from reportflow_pandas.local.designs import NO_PACKAGE, DesignVersion
from reportflow_pandas.local.glyphs import coverage, font_folders
from reportflow_pandas.local.parameters import printable, problems, texts

__all__ = ["RenderError", "render"]

HERE = Path(__file__).parent
LIBRARY = HERE / "reportflow.typ"


class RenderError(Exception):
    """A document cannot be made: a character no font has, or a template that failed."""


def render(
    version: DesignVersion,
    params: Mapping[str, Any],
    *,
    created: datetime,
    passthrough: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the PDF of one document.

    Safe to call from many threads; the interpreter's lock is free while a page is set. The same input gives
    the same bytes, in any process: only packaged fonts and the design's own are used, never the system's.

    Parameters
    ----------
    version : DesignVersion
        Layout and parameters.
    params : Mapping
        Data, never markup. What is missing prints blank, what is unknown is ignored.
    created : datetime.datetime
        CreationDate of the PDF; without a time zone it counts as UTC.
    passthrough : Mapping, optional
        Its top-level texts and numbers go into the XMP metadata as ``key=value``. Without
        any there is no XMP.

    Returns
    -------
    bytes
        PDF 1.7.

    Raises
    ------
    RenderError
        A value that `parameters.problems` names, a character that no font has (never an empty box), or an error
        in the template.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from reportflow_pandas.local.designs import packaged_designs
    >>> version = packaged_designs()["receipt"].versions[1]
    >>> render(version, version.samples["ja"], created=datetime(2026, 11, 1, tzinfo=UTC))[:8]
    b'%PDF-1.7'
    """
    for where, problem in problems(version.parameters, params):
        raise RenderError(f"{where}: {problem}")
    tree = printable(version.parameters, params)
    folders = font_folders(version.folder)
    try:
        known = coverage(folders)
    except Refused as error:
        raise RenderError(error.message) from None
    _refuse_missing_glyphs(tree, known)
    files = {
        "main.typ": _text(version.folder / "template.typ"),
        "reportflow.typ": _text(LIBRARY),
        "params.json": json.dumps(tree, ensure_ascii=False).encode(),
    }
    packaged = HERE in version.folder.parents
    try:
        make = compiled if packaged else compiled_apart
        pages = make(files, str(version.folder), tuple(map(str, folders)))
    except (typst.TypstError, Refused) as error:
        raise RenderError(_with_its_place(version.folder, error)) from None
    return _finished(pages, created, passthrough or {})


def _with_its_place(folder: Path, error: typst.TypstError | Refused) -> str:
    """Return the compiler's message with the place in the design's own template."""
    place = re.search(r"\bmain\.typ:(\d+)", error.diagnostic)
    template = f"{folder / 'template.typ'}{':' + place[1] if place else ''}"
    message = error.message.removeprefix("PDF/A-2u error: ")  # a means of ours, nothing that the author asked for
    if "packages.typst.org" in message or message.startswith("package not found"):
        message = f"imports a package, and nothing is fetched from the network. {NO_PACKAGE}"
    return ". ".join([f"{template}: {message}", *error.hints])


def _text(path: Path) -> bytes:
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> bytes:
    return path.read_bytes()


def _refuse_missing_glyphs(tree: Mapping[str, Any], known: frozenset[str]) -> None:
    for where, text in texts(tree):
        if not (text.isascii() or known.issuperset(text)):
            missing = next(char for char in text if char not in known)
            shown = f"{missing!r} (U+{ord(missing):04X})"
            raise RenderError(
                f"{where}: no font has the character {shown}, so it would print as an empty box. "
                "Take it out of the text, or put a font that has it into the folder fonts/ of the design"
            )


def _finished(pages: bytes, created: datetime, passthrough: Mapping[str, Any]) -> bytes:
    """Return the PDF with the metadata of the service's own."""
    moment = (created if created.tzinfo else created.replace(tzinfo=UTC)).astimezone(UTC)
    with pikepdf.open(io.BytesIO(pages)) as pdf:
        del pdf.docinfo
        pdf.docinfo["/Producer"] = "ReportFlow"
        pdf.docinfo["/Creator"] = "ReportFlow"
        pdf.docinfo["/Author"] = "ReportFlow"
        pdf.docinfo["/CreationDate"] = f"D:{moment:%Y%m%d%H%M%S}Z"
        for claim in ("/Metadata", "/OutputIntents"):
            if claim in pdf.Root:
                del pdf.Root[claim]
        if "/MarkInfo" in pdf.Root and "/Suspects" in pdf.Root["/MarkInfo"]:
            del pdf.Root["/MarkInfo"]["/Suspects"]  # optional, and some readers complain about it
        if xmp := _xmp(passthrough):
            pdf.Root["/Metadata"] = pdf.make_stream(xmp, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
        target = io.BytesIO()
        pdf.save(
            target,
            min_version="1.7",
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
        )
    return target.getvalue()


def _xmp(passthrough: Mapping[str, Any]) -> bytes:
    """Return the packet that says the passthrough, or nothing where there is nothing to say."""
    pairs = [
        f"{key}={value}"
        for key, value in passthrough.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    if not pairs:
        return b""
    said = "".join(
        f"<rdf:li>{escape(''.join(char for char in pair if char.isprintable()))}</rdf:li>" for pair in pairs
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:subject><rdf:Bag>{said}</rdf:Bag></dc:subject>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode("utf-8", "replace")

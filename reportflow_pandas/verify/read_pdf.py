"""A program: reads PDFs whose paths come in, one JSON line each, and answers with their text and where it stands.

It is started by its path, in a process of its own: PDFium is neither safe with threads nor with hostile files. It
imports neither pandas nor the package around it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportflow_pandas.verify import (
        colour_profiles,
        page_units,
        pdf_damage,
        pdf_program,
        plain_pdfium as pdfium,
    )

MOST_PAGES = 2_000


def _neighbour(name: str) -> ModuleType:
    """Load a file beside this one, without the package that it belongs to."""
    place = os.path.join(os.path.dirname(__file__), f"{name}.py")  # noqa: PTH118, PTH120 - pathlib takes longer to load
    spec = importlib.util.spec_from_file_location(f"reportflow_{name}", place)
    assert spec is not None  # noqa: S101 - for the type checker: it is a file
    assert spec.loader is not None  # noqa: S101 - the same
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a neighbour may import it by this name
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    pdfium = _neighbour("plain_pdfium")
    _neighbour("page_objects"), _neighbour("reading_order"), _neighbour("glyph_outlines")
    page_units, pdf_damage = _neighbour("page_units"), _neighbour("pdf_damage")
    colour_profiles, pdf_program = _neighbour("colour_profiles"), _neighbour("pdf_program")


def read(path: str) -> dict[str, Any]:
    """Return what a file holds: ``pages``, or ``error``."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - nothing more than needed is imported here
            data = file.read(pdf_damage.MOST_BYTES + 1)
    except FileNotFoundError:
        return {"error": "there is no such file any more"}
    except OSError as problem:
        return {"error": f"it can't be opened ({problem.strerror})"}
    try:
        pdf_damage.refuse_damaged(data)
        return {"pages": _pages(colour_profiles.without_profiles(data))}
    except (pdf_damage.Unreadable, page_units.PageUnreadable) as why:
        return {"error": str(why)}
    except MemoryError:
        return {"error": "it needs more memory than a document may"}


def _pages(data: bytes) -> list[dict[str, Any]]:
    document = pdfium.handle(pdfium.FPDF_LoadMemDocument64(data, ctypes.c_size_t(len(data)), None))
    if not document:
        protected = pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD
        raise pdf_damage.Unreadable("it is protected by a password" if protected else "the file is damaged")
    try:
        count = pdfium.FPDF_GetPageCount(document)
        if pdfium.FPDFDoc_GetJavaScriptActionCount(document) > 0:
            raise pdf_damage.Unreadable("it holds a script (JavaScript), which no document needs")
        if not count:
            raise pdf_damage.Unreadable("it has no pages")
        if count > MOST_PAGES:
            raise pdf_damage.Unreadable(f"it has more than {MOST_PAGES:,} pages")
        return [_page(document, number) for number in range(count)]
    finally:
        pdfium.FPDF_CloseDocument(document)


def _page(document: Any, number: int) -> dict[str, Any]:
    page = page_units.Page(document, number)
    try:
        units = page.units()
        return {"size": [round(side) for side in page.size], "units": units, "bare": not units and page.is_bare()}
    finally:
        page.close()


if __name__ == "__main__":
    pdfium.FPDF_InitLibrary()
    pdf_program.serve(lambda job: read(job["path"]))

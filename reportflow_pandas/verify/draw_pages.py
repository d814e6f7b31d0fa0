"""A program: draws pages of PDFs as small pictures, with boxes around what was found, one JSON line each.

Started by its path like the one that reads, and for the same reason: a hostile file takes this process along, and
no other. Imports neither pandas nor the package.
"""

from __future__ import annotations

import base64
import ctypes
import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from reportflow_pandas.verify import pdf_program

MARK = (204, 41, 41)
MARK_FILL = (255, 80, 60, 40)
MOST_PIXELS = 4_000_000
COLOURS = 64
"""Of a picture: enough for a page to be read, a third of the bytes."""


def _neighbour(name: str) -> ModuleType:
    """Load a file beside this one, without the package that it belongs to."""
    spec = importlib.util.spec_from_file_location(f"reportflow_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None  # noqa: S101 - for the type checker: it is a file
    assert spec.loader is not None  # noqa: S101 - the same
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    pdf_program = _neighbour("pdf_program")


def draw(job: dict[str, Any]) -> dict[str, Any]:
    """Return a page as PNG.

    Parameters
    ----------
    job : dict
        ``path``; ``page`` from 0; ``width`` in pixels; ``marks``, boxes in points from the lower left corner.
    """
    try:
        data = Path(job["path"]).read_bytes()
    except OSError as problem:
        return {"error": f"the file can't be opened ({problem.strerror})"}
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        return {"error": "the file can't be read"}
    try:
        page = pdfium.FPDF_LoadPage(document, job["page"])
        if not page:
            return {"error": f"it has no page {job['page'] + 1}"}
        try:
            return _drawn(page, job)
        finally:
            pdfium.FPDF_ClosePage(page)
    finally:
        pdfium.FPDF_CloseDocument(document)


def _drawn(page: Any, job: dict[str, Any]) -> dict[str, Any]:
    across, along = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    width = int(job["width"])
    height = max(1, round(width * along / max(across, 1)))
    if width * height > MOST_PIXELS:
        width, height = max(1, round(width * MOST_PIXELS / (width * height))), MOST_PIXELS // width
    bitmap = pdfium.FPDFBitmap_Create(width, height, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    picture = Image.frombuffer("RGB", (width, height), pixels, "raw", "BGRX", stride, 1)
    if job["marks"]:
        pen = ImageDraw.Draw(picture, "RGBA")
        wide, high = width / max(across, 1), height / max(along, 1)
        for left, bottom, right, top in job["marks"]:
            around = (left * wide - 4, height - top * high - 3, right * wide + 4, height - bottom * high + 3)
            pen.rounded_rectangle(around, radius=3, outline=MARK, fill=MARK_FILL, width=2)
    target = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(target, format="PNG", optimize=True)
    return {"png": base64.b64encode(target.getvalue()).decode(), "size": [width, height]}


if __name__ == "__main__":
    pdfium.FPDF_InitLibrary()
    pdf_program.serve(draw)

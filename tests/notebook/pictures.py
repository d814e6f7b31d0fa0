"""Take the pictures of the documentation: ``python tests/notebook/pictures.py``, then look at them.

Needs what the tests need: Chromium, JupyterLab and LibreOffice.
"""

from __future__ import annotations

import io
import sys
import tempfile
import textwrap
from pathlib import Path

import nbformat
import pypdfium2
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.jupyterlab import Lab, lab_in  # noqa: E402 - found by the line above
from support.reviewed_workbooks import find_libreoffice  # noqa: E402

DOCS = ROOT / "docs"

CELLS = {
    "start": """
        import openpyxl
        import reportflow_pandas as rf

        service = rf.use_local(latency=0.3)
        orders, lines = rf.example_orders()
        tables = {"Lines": rf.Table(lines, on="InvoiceId")}
        orders.loc[[3, 17, 40], "Total"] = None
        job_of = {"tables": tables, "check": "warn", "file_name": "INV-{InvoiceId}"}
        slow = {"run": "november", "endpoint": "async/single", "limits": False}
    """,
    "panel": """
        job = orders.reportflow.submit("invoice", **job_of, **slow)
        job
    """,
    "result": """
        results = job.result()
    """,
    "preview": """
        orders.reportflow.preview("invoice", tables=tables, row=11)
    """,
    "faster": """
        service.stop()
        service = rf.use_local()
        some = orders.head(16).reportflow.generate("invoice", **job_of, download="some")
        columns = orders.head(16)[["CustomerName", "BillingCountry", "Total"]]
        some.reportflow.to_excel("review.xlsx", source=columns)
        book = openpyxl.load_workbook("review.xlsx")
        sheet = book["Results"]
        column = {cell.value: cell.column for cell in sheet[1]}
        for row in range(2, sheet.max_row + 1):
            document = sheet.cell(row, column["document"]).value
            decision = {"INV-6.pdf": "redo", "INV-9.pdf": "reject", "INV-4.pdf": None}.get(document, "approve")
            sheet.cell(row, column["decision"]).value = decision
            if decision == "redo":
                sheet.cell(row, column["comment"]).value = "The customer has moved"
        book.save("review.xlsx")
    """,
    "quickstart": """
        orders, lines = rf.example_orders()
        results = orders.reportflow.generate(
            design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download="pdfs"
        )
    """,
    "shown": """
        results.reportflow
    """,
    "end": """
        service.stop()
    """,
}
"""The cells, by their names: a picture is taken of ``panel``, ``preview`` and ``quickstart``."""

BOUNDS = """
const notebook = window.jupyterapp.shell.currentWidget.content;
const nodes = notebook.widgets.filter(one => arguments[0].includes(one.model.id)).map(one => one.node);
const boxes = nodes.map(one => one.getBoundingClientRect());
return [Math.min(...boxes.map(one => one.left)), Math.min(...boxes.map(one => one.top)),
        Math.max(...boxes.map(one => one.right)), Math.max(...boxes.map(one => one.bottom))];
"""


def keep(picture: Image.Image, name: str, width: int) -> None:
    """Cut the white margin off, and save small."""
    picture = picture.convert("RGB")
    ink = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
    picture = picture.crop(ink)
    framed = Image.new("RGB", (picture.width + 24, picture.height + 24), "white")
    framed.paste(picture, (12, 12))
    if framed.width > width:
        framed = framed.resize((width, framed.height * width // framed.width), Image.Resampling.LANCZOS)
    DOCS.mkdir(exist_ok=True)
    framed.quantize(256).save(DOCS / f"{name}.png", optimize=True)


def cut(lab: Lab, *cells: str) -> Image.Image:
    """Return what the page shows of these cells."""
    lab.show(cells[0])
    page = Image.open(io.BytesIO(lab.browser.get_screenshot_as_png()))
    left, top, right, bottom = lab.browser.execute_script(BOUNDS, cells)
    return page.crop((int(left) + 14, int(top) + 4, int(right), int(bottom) - 6))


def sheet(folder: Path, workbook: Path, word: str) -> Image.Image:
    """Return the first page with a word on it, as LibreOffice prints the workbook."""
    printed = find_libreoffice(folder).convert(workbook, "pdf") / f"{workbook.stem}.pdf"
    pages = pypdfium2.PdfDocument(printed)
    return next(page.render(scale=3.0).to_pil() for page in pages if word in page.get_textpage().get_text_range())


def written(path: Path) -> Path:
    """Write the notebook that is photographed."""
    cells = [new_code_cell(textwrap.dedent(source).strip(), id=name) for name, source in CELLS.items()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
    return path


def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as name, lab_in(Path(name)) as lab:
        lab.browser.set_window_size(1180, 1500)
        lab.open(written(Path(name) / "pictures.ipynb"))
        taken: list[Image.Image] = []

        def half_way() -> None:
            words = " ".join(lab.cell("panel")["widgets"])
            if not taken and "s left" in words and "3 failed" in words and lab.cell("result")["running"]:
                taken.append(cut(lab, "panel", "result"))

        lab.run_all(half_way)
        keep(taken[0], "panel", 1000)
        keep(cut(lab, "preview"), "preview", 1000)
        keep(cut(lab, "quickstart", "shown"), "quickstart", 1000)
        results = sheet(Path(name), lab.folder / "review.xlsx", "CustomerName")
        keep(results.crop((0, 0, int(results.width * 0.66), results.height)), "workbook", 1200)


if __name__ == "__main__":
    main()

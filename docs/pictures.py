"""Take the pictures of the documentation: ``python docs/pictures.py``, then look at them.

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

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from support.jupyterlab import Lab, lab_in  # noqa: E402 - found by the line above
from support.reviewed_workbooks import find_libreoffice  # noqa: E402

CELLS = {
    "start": """
        import warnings
        import openpyxl
        import reportflow_pandas as rf

        warnings.simplefilter("ignore", rf.CheckWarning)
        service = rf.use_local()
        orders, lines = rf.example_orders()
        tables = {"Lines": rf.Table(lines.drop(columns="InvoiceLineId"), on="InvoiceId")}
        orders.loc[[3, 17], "Total"] = None
    """,
    "generate": """
        results = orders.reportflow.generate(
            "invoice", tables=tables, file_name="INV-{InvoiceId}",
            run="november", download="pdfs", check="warn",
        )
    """,
    "shown": """
        results.reportflow
    """,
    "workbook": """
        some, columns = results.head(16), orders.head(16)[["CustomerName", "BillingCountry", "Total"]]
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
        service.stop()
    """,
}
"""The cells, by their names: a picture is taken of ``generate`` and ``shown``, light and dark."""

BOUNDS = """
const notebook = window.jupyterapp.shell.currentWidget.content;
const nodes = notebook.widgets.filter(one => arguments[0].includes(one.model.id)).map(one => one.node);
const boxes = nodes.map(one => one.getBoundingClientRect());
return [Math.min(...boxes.map(one => one.left)), Math.min(...boxes.map(one => one.top)),
        Math.max(...boxes.map(one => one.right)), Math.max(...boxes.map(one => one.bottom))];
"""


def keep(picture: Image.Image, name: str, width: int) -> None:
    """Cut the margin off, which has the colour of the last corner, and save small."""
    picture = picture.convert("RGB")
    ground = picture.getpixel((picture.width - 1, picture.height - 1))
    ink = ImageChops.difference(picture, Image.new("RGB", picture.size, ground)).getbbox()
    picture = picture.crop(ink)
    framed = Image.new("RGB", (picture.width + 24, picture.height + 24), ground)
    framed.paste(picture, (12, 12))
    if framed.width > width:
        framed = framed.resize((width, framed.height * width // framed.width), Image.Resampling.LANCZOS)
    framed.quantize(256).save(DOCS / f"{name}.png", optimize=True)


def cut(lab: Lab, *cells: str) -> Image.Image:
    """Return what the page shows of these cells."""
    lab.show(cells[0])
    page = Image.open(io.BytesIO(lab.browser.get_screenshot_as_png()))
    left, top, right, bottom = lab.browser.execute_script(BOUNDS, cells)
    return page.crop((int(left) + 14, int(top) + 4, int(right) - 4, int(bottom) - 6))


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
        lab.browser.set_window_size(1000, 1400)
        lab.open(written(Path(name) / "pictures.ipynb"))
        lab.run_all()
        for theme in ("light", "dark"):
            lab.theme(theme)
            keep(cut(lab, "generate", "shown"), f"results-{theme}", 1000)
        results = sheet(Path(name), lab.folder / "review.xlsx", "CustomerName")
        keep(
            results.crop((0, int(results.height * 0.06), results.width, int(results.height * 0.9))),
            "workbook",
            1200,
        )


if __name__ == "__main__":
    main()

"""The pages of one document as pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError

__all__ = ["Preview"]

SCALE = 1.6
"""Pixels a point: an A4 page is 952 pixels wide."""


class Preview:
    """One document, looked at before the others are paid for.

    Displays in a notebook as its pages, side by side.

    Attributes
    ----------
    pdf : bytes
        The document.
    pages : list of bytes
        Its pages as PNG.
    file_name : str
        As it would be named.
    billed : bool
        Whether the service billed it: the embedded one bills nothing.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     preview = orders.reportflow.preview("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
    >>> preview
    <Preview of Invoice-0.pdf: 1 page>
    """

    def __init__(self, pdf: bytes, file_name: str, *, billed: bool) -> None:
        self.pdf = pdf
        self.file_name = file_name
        self.billed = billed
        self.pages = _pictures(pdf)

    def __repr__(self) -> str:
        """Say what it is, where no picture can be shown."""
        count = len(self.pages)
        billed = ", billed as one document" if self.billed else ""
        return f"<Preview of {self.file_name}: {count} {'page' if count == 1 else 'pages'}{billed}>"

    def _repr_html_(self) -> str:
        width = 640 if len(self.pages) == 1 else 420
        style = f"width:{width}px;max-width:100%;border:1px solid #d0d0d0;border-radius:2px;background:#fff"
        pictures = "".join(
            f'<img alt="page {number}" style="{style}" '
            f'src="data:image/png;base64,{base64.b64encode(page).decode()}">'
            for number, page in enumerate(self.pages, start=1)
        )
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{pictures}</div>'
            f'<div style="color:#666;font-size:12px;margin-top:4px">{_escaped(repr(self)[1:-1])}</div>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the document: as PDF, or its pages as pictures when the path ends in ``.png``.

        Parameters
        ----------
        path : str or path
            ``"page.png"`` writes ``page.png``, and ``page-2.png`` and so on for further pages.

        Returns
        -------
        Path
            The (first) file.
        """
        target = Path(path)
        if target.suffix.lower() != ".png":
            target.write_bytes(self.pdf)
            return target
        for number, page in enumerate(self.pages, start=1):
            file = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
            file.write_bytes(page)
        return target


def require() -> None:
    """Raise if pages cannot be drawn: before a document is generated, hence billed, for nothing."""
    try:
        import PIL.Image  # noqa: F401, PLC0415 - an extra, asked for here first
        import pypdfium2  # noqa: F401, PLC0415
    except ImportError as reason:
        raise ConfigurationError(
            f"a preview needs the package {reason.name}: pip install 'reportflow-pandas[preview]'"
        ) from None


def _pictures(pdf: bytes) -> list[bytes]:
    import pypdfium2  # noqa: PLC0415 - an extra

    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = []
        for page in document:
            picture = io.BytesIO()
            page.render(scale=SCALE).to_pil().save(picture, format="PNG", optimize=True)
            pages.append(picture.getvalue())
        return pages
    finally:
        document.close()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""One PDF of many, read back: every page there, in order, under its document's name; what is left out is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pikepdf
import pypdfium2
import pytest
from support.reviewed_workbooks import make_results

import reportflow_pandas as rf
from reportflow_pandas.delivery.release import DeliveryWarning


def written(path: Path, texts: list[str], **saved: object) -> Path:
    """Write a PDF with a page for each text, which its MediaBox's parent holds, as many programs do."""
    pdf = pikepdf.new()
    for text in texts:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page = pikepdf.Dictionary(
            Type=pikepdf.Name.Page,
            MediaBox=[0, 0, 300, 200],
            Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=pdf.make_indirect(font))),
            Contents=pdf.make_stream(f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()),
        )
        pdf.pages.append(pikepdf.Page(page))
    pdf.save(path, **saved)
    return path


@pytest.fixture
def results(tmp_path: Path) -> pd.DataFrame:
    """Four documents with one, two, one and three pages."""
    frame = make_results(["ready"] * 4, index=["a", "b", "c", "d"])
    frame["path"] = [
        str(written(tmp_path / f"{name}.pdf", [f"{name}{page}" for page in range(1, pages + 1)]))
        for name, pages in zip(frame["file_name"], [1, 2, 1, 3], strict=True)
    ]
    return frame


def texts(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.get_textpage().get_text_bounded().strip() for page in pdf]


def bookmarks(path: Path) -> list[tuple[str, int]]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [(one.get_title(), one.get_dest().get_index()) for one in pdf.get_toc()]


def test_all_pages_are_there_in_the_frames_order_with_a_bookmark_and_a_label_each(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    path = results.iloc[::-1].reportflow.combine(tmp_path / "all.pdf")
    names = results["file_name"].tolist()
    assert texts(path) == [f"{names[3]}{n}" for n in (1, 2, 3)] + [
        f"{names[2]}1",
        f"{names[1]}1",
        f"{names[1]}2",
        f"{names[0]}1",
    ]
    assert bookmarks(path) == [(names[3], 0), (names[2], 3), (names[1], 4), (names[0], 6)]
    with pikepdf.open(path) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert pdf.pages[1].label == f"{names[3]} p. 2"
        assert pdf.pages[5].label == f"{names[1]} p. 2"
        fonts = {page.obj.Resources.Font.F1.objgen for page in pdf.pages}
        assert len(fonts) == 1, "what the documents share is written once"


def test_documents_of_the_embedded_service_look_the_same_inside(tmp_path: Path) -> None:
    orders, lines = rf.example_orders()
    with rf.use_local():
        made = orders.head(6).reportflow.generate(
            "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download=tmp_path / "pdfs"
        )
    path = made.reportflow.combine(tmp_path / "all.pdf")
    alone = [text for file in made["path"] for text in texts(Path(file))]
    assert texts(path) == alone
    with pypdfium2.PdfDocument(path) as whole, pypdfium2.PdfDocument(made["path"].iloc[0]) as single:
        assert whole[0].render().to_numpy().tobytes() == single[0].render().to_numpy().tobytes()


def test_a_part_is_printed_again_by_label_or_by_the_name_on_the_page(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    names = results["file_name"].tolist()
    path = results.reportflow.combine(tmp_path / "part.pdf", first="b", last=f"{names[2]}.pdf")
    assert [title for title, _ in bookmarks(path)] == names[1:3]


def test_a_first_that_is_no_row_is_refused(results: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(rf.ConfigurationError, match="neither an index label nor a file name"):
        results.reportflow.combine(tmp_path / "part.pdf", first="INV-9999")
    with pytest.raises(rf.ConfigurationError, match="stands before"):
        results.reportflow.combine(tmp_path / "part.pdf", first="c", last="a")
    assert not (tmp_path / "part.pdf").exists()


@pytest.mark.parametrize("target", ["{Country}.pdf", "print.pdf", "folder"])
def test_one_file_for_each_value_of_a_column(results: pd.DataFrame, tmp_path: Path, target: str) -> None:
    source = pd.DataFrame({"Country": ["NO", "A/B", "NO", "A/B"]}, index=results.index)
    made = results.reportflow.combine(tmp_path / target, by="Country", source=source)
    names = results["file_name"].tolist()
    assert {value: [title for title, _ in bookmarks(path)] for value, path in made.items()} == {
        "NO": [names[0], names[2]],
        "A/B": [names[1], names[3]],
    }
    assert all(tmp_path in path.parents for path in made.values())


def test_a_row_without_a_value_is_refused_before_anything_is_written(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    source = pd.DataFrame({"Country": ["NO", None, "NO", "NO"]}, index=results.index)
    with pytest.raises(rf.ConfigurationError, match="row 'b' has no value"):
        results.reportflow.combine(tmp_path / "print.pdf", by="Country", source=source)
    assert not list(tmp_path.glob("print*"))


def test_rows_without_a_readable_pdf_are_named_with_the_reason(results: pd.DataFrame, tmp_path: Path) -> None:
    results.loc["a", "path"] = None
    locked = written(tmp_path / "locked.pdf", ["x"], encryption=pikepdf.Encryption(owner="o", user="secret"))
    results.loc["b", "path"] = str(locked)
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\n" + b"nothing" * 20)
    results.loc["c", "path"] = str(broken)
    with pytest.warns(DeliveryWarning) as told:
        path = results.reportflow.combine(tmp_path / "all.pdf")
    text = str(told[0].message)
    assert "1 of 4 documents" in text
    assert "row 'a': no PDF was downloaded" in text
    assert "row 'b': the PDF is protected by a password" in text
    assert "row 'c': the PDF is damaged" in text
    assert len(texts(path)) == 3


def test_a_pdf_that_may_be_opened_without_a_password_is_no_obstacle(results: pd.DataFrame, tmp_path: Path) -> None:
    free = written(tmp_path / "free.pdf", ["free to read"], encryption=pikepdf.Encryption(owner="o", user=""))
    results.loc["a", "path"] = str(free)
    assert texts(results.reportflow.combine(tmp_path / "all.pdf"))[0] == "free to read"


def test_without_any_pdf_nothing_is_written_and_an_old_file_stays(results: pd.DataFrame, tmp_path: Path) -> None:
    results["path"] = None
    target = tmp_path / "all.pdf"
    target.write_bytes(b"old")
    with pytest.raises(rf.ConfigurationError, match=r"no row .* has a PDF"):
        results.reportflow.combine(target)
    assert target.read_bytes() == b"old"


def test_links_from_page_to_page_and_circles_between_objects_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "linked.pdf"
    written(source, ["one", "two"])
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        action = pikepdf.Dictionary(S=pikepdf.Name.GoTo, D=[pdf.pages[1].obj, pikepdf.Name.Fit])
        popup = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Popup))
        link = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9], A=action)
        )
        popup.Parent, link.Popup = link, popup
        pdf.pages[0].Annots = [link, popup]
        pdf.save(source)
    results = make_results(["ready", "ready"])
    results["path"] = str(source)
    with pikepdf.open(results.reportflow.combine(tmp_path / "all.pdf")) as pdf:
        assert len(pdf.pages) == 4
        for first in (0, 2):
            link = pdf.pages[first].Annots[0]
            assert link.A.D[0].objgen == pdf.pages[first + 1].obj.objgen
            assert link.Popup.Parent.objgen == link.objgen


def test_ten_times_the_documents_need_no_more_memory(tmp_path: Path) -> None:
    written(tmp_path / "one.pdf", ["x" * 20000])
    code = f"""
import resource, pikepdf
from reportflow_pandas.delivery.pdf_writer import PdfWriter
def peak(documents):
    with open({str(tmp_path / "all.pdf")!r}, "wb") as file:
        writer = PdfWriter(file)
        for number in range(documents):
            with pikepdf.open({str(tmp_path / "one.pdf")!r}) as pdf:
                pdf.pages[0].Contents = pdf.make_stream(b"% " + str(number).encode() * 10000)
                writer.add(str(number), pdf)
        writer.finish("all")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
few = peak(100)
assert peak(1500) < 1.15 * few
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own line

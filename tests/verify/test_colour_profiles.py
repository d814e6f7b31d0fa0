"""A page whose colours have a profile reads as one without, and what is white or grey in it is known as such."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import ImageCms
from support import planted_faults

from reportflow_pandas.verify import read_pdf
from reportflow_pandas.verify.colour_profiles import without_profiles

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RECEIPT = planted_faults.printed("receipt", planted_faults.rows("receipt", 1, seed=5)[0])


def with_profile(colour: str, *, packed: bool) -> bytes:
    """Return a page with a text in a colour of a profile, and the profile beside it in the file as it is."""
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(300, 200))
    name = pikepdf.Name
    profile = document.make_stream(PROFILE, N=3)
    page.add_resource(pikepdf.Array([name.ICCBased, profile]), name.ColorSpace, name.Own)
    font = pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica)
    page.add_resource(font, name.Font, name.Plain)
    drawn = f"/Own cs {colour} sc BT /Plain 12 Tf 20 100 Td (Room 417) Tj ET"
    page.Contents = document.make_stream(drawn.encode())
    target = io.BytesIO()
    document.save(target, compress_streams=packed, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return target.getvalue()


def read(pdf: bytes, folder: Path) -> list[list[Any]]:
    read_pdf.pdfium.FPDF_InitLibrary()
    file = folder / "one.pdf"
    file.write_bytes(pdf)
    units: list[list[Any]] = read_pdf.read(str(file))["pages"][0]["units"]
    return units


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("colour", "hidden"), [("0 0 0", 0), ("0.6 0.6 0.6", 0), ("1 1 1", 1)])
def test_a_text_is_seen_or_not_in_the_colours_of_a_profile(
    colour: str, hidden: int, packed: bool, tmp_path: Path
) -> None:
    pdf = with_profile(colour, packed=packed)
    assert len(without_profiles(pdf)) == len(pdf)
    assert without_profiles(pdf) != pdf
    assert [(unit[0], unit[5]) for unit in read(pdf, tmp_path)] == [("Room 417", hidden)]


def test_a_profile_is_not_worked_out_for_any_of_our_designs() -> None:
    with pikepdf.open(io.BytesIO(RECEIPT)) as before, pikepdf.open(io.BytesIO(without_profiles(RECEIPT))) as after:
        changed = [
            one.objgen
            for one, other in zip(before.objects, after.objects, strict=True)
            if isinstance(one, pikepdf.Stream) and one.read_raw_bytes() != other.read_raw_bytes()
        ]
        spaces = before.pages[0].Resources.ColorSpace.values()
        assert changed == [space[1].objgen for space in spaces]


def test_a_file_without_profiles_stays_as_it_is() -> None:
    pdf = b"%PDF-1.7 <</N 3/Type/ObjStm>>stream\nabc endstream"
    assert without_profiles(pdf) is pdf

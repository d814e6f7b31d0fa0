"""Files that are no honest PDFs end as unreadable, within bounds, and take nothing else along."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from reportflow_pandas.verify import pdf_program, read_pdf, reader_processes
from reportflow_pandas.verify.pdf_damage import Unreadable, refuse_damaged
from reportflow_pandas.verify.readings import PROGRAM, Readings


def sound() -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(200, 200))
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    pdf.pages[0].Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    pdf.pages[0].Contents = pdf.make_stream(b"BT /F1 12 Tf 20 100 Td (Invoice 417) Tj ET")
    return saved(pdf)


def saved(pdf: pikepdf.Pdf, **how: object) -> bytes:
    target = io.BytesIO()
    pdf.save(target, **how)  # type: ignore[arg-type]
    return target.getvalue()


def changed(change: Callable[[pikepdf.Pdf], None]) -> bytes:
    with pikepdf.open(io.BytesIO(sound())) as pdf:
        change(pdf)
        return saved(pdf)


def with_script() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))

    return changed(change)


def wrong_table(**how: object) -> bytes:
    """Return a file whose table of contents leads somewhere else than to its objects."""
    with pikepdf.open(io.BytesIO(sound())) as pdf:
        data = saved(pdf, **how)
    at = data.rfind(b"startxref")
    number = int(data[at + 9 :].split()[0])
    return data[:at] + data[at:].replace(str(number).encode(), str(number - 7).encode())


def shifted_table() -> bytes:
    with pikepdf.open(io.BytesIO(sound())) as pdf:
        data = saved(pdf, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    at = data.rfind(b"xref\n", 0, data.rfind(b"startxref"))
    return data[:at] + data[at:].replace(b"0000000015 00000 n", b"0000000003 00000 n", 1)


def endless_tree() -> bytes:
    objects = [
        b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
        b"2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2147483647>>endobj\n",
    ]
    data, places = b"%PDF-1.7\n", []
    for one in objects:
        places.append(len(data))
        data += one
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + table + b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(data)


def bomb() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        packed = zlib.compress(b"BT /F1 1 Tf (A) Tj ET\n" * 20_000_000, 9)
        pdf.pages[0].Contents = pikepdf.Stream(pdf, packed, Filter=pikepdf.Name.FlateDecode)

    return changed(change)


def protected() -> bytes:
    with pikepdf.open(io.BytesIO(sound())) as pdf:
        return saved(pdf, encryption=pikepdf.Encryption(user="secret", owner="secret"))


FILES = {
    "empty": lambda: b"",
    "no PDF": lambda: b"<html>not found</html>",
    "cut off": lambda: sound()[:-40],
    "script": with_script,
    "wrong start of the table": wrong_table,
    "wrong table": shifted_table,
    "endless page tree": endless_tree,
    "password": protected,
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_honest_pdf_is_unreadable_and_says_why(name: str, tmp_path: Path) -> None:
    file = tmp_path / "one.pdf"
    file.write_bytes(FILES[name]())
    read_pdf.pdfium.FPDF_InitLibrary()
    assert read_pdf.read(str(file)).get("error")


def test_a_sound_file_is_read_whichever_way_its_table_is_written(tmp_path: Path) -> None:
    for mode in (pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate):
        with pikepdf.open(io.BytesIO(sound())) as pdf:
            refuse_damaged(saved(pdf, object_stream_mode=mode))


def test_bytes_of_a_picture_that_look_like_a_script_are_none() -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].Extra = pdf.make_stream(b"\x00/JS \x01/JavaScript \x02")

    refuse_damaged(changed(change))
    with pytest.raises(Unreadable, match="script"):
        refuse_damaged(with_script())


def test_a_bomb_ends_its_program_and_the_others_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_processes, "WALL_SECONDS_PER_FILE", 60.0)
    good = []
    for number in range(6):
        file = tmp_path / f"{number}.pdf"
        file.write_bytes(sound() + b"\n" * number)
        good.append(str(file))
    bad = tmp_path / "bomb.pdf"
    bad.write_bytes(bomb())
    known = Readings(None)
    known.read([good[0], str(bad), *good[1:]], done=lambda _: None, tick=lambda: None)
    assert known.of(str(bad)).get("error")
    assert [known.of(path)["pages"][0]["units"][0][0] for path in good] == ["Invoice 417"] * 6
    known.close()


def test_a_program_that_hangs_is_ended_and_its_file_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hangs.py"
    program.write_text(
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    time.sleep(3600 if 'hang' in line else 0)\n"
        "    print('{}', flush=True)\n"
    )
    monkeypatch.setattr(reader_processes, "WALL_SECONDS_PER_FILE", 0.5)
    started = time.monotonic()
    jobs = [{"path": "a"}, {"path": "hang"}, {"path": "b"}]
    told = {job["path"]: answer for job, answer in reader_processes.answers(program, jobs, count=1)}
    assert told == {"a": {}, "hang": {"error": reader_processes.ENDED}, "b": {}}
    assert time.monotonic() - started < 3600


def test_the_programs_import_neither_pandas_nor_the_package() -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('program', {str(PROGRAM)!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "assert not {'pandas', 'numpy', 'reportflow_pandas', 'multiprocessing'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)  # noqa: S603 - our own line
    assert pdf_program.MEMORY_BYTES < 2_000_000_000

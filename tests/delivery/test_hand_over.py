"""What is handed over is what was approved: copied whole, indexed, added to and never rewritten."""

from __future__ import annotations

import datetime as dt
import hashlib
import warnings
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from support.reviewed_workbooks import make_results, review

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.delivery.hand_over import check_archive
from reportflow_pandas.delivery.release import DeliveryWarning
from reportflow_pandas.journal.lock import RunLock

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")


@pytest.fixture
def results(tmp_path: Path) -> pd.DataFrame:
    frame = make_results(["ready"] * 4, index=["a", "b", "c", "d"])
    (tmp_path / "pdfs").mkdir()
    paths = [tmp_path / "pdfs" / f"{name}.pdf" for name in frame["file_name"]]
    for path in paths:
        path.write_bytes(b"%PDF-1.7 " + path.name.encode())
    frame["path"] = list(map(str, paths))
    return frame


def decisions(results: pd.DataFrame, *words: str | None) -> pd.DataFrame:
    return pd.DataFrame({"decision": list(words), "comment": None}, index=results.index)


def copied(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.pdf"))


def test_only_approved_documents_are_copied_and_the_others_are_named(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    chosen = decisions(results, "approve", "reject", None, "redo")
    with pytest.warns(DeliveryWarning) as told:
        made = results.reportflow.hand_over(tmp_path / "archive", chosen)
    assert copied(tmp_path / "archive") == [f"{results['file_name'].iloc[0]}.pdf"]
    assert made["left_out"].tolist()[1:] == ["the decision is reject", "not approved", "the decision is redo"]
    assert "row 'b': the decision is reject" in str(told[0].message)
    assert "1 of 4 documents" in str(told[0].message)


def test_without_decisions_only_an_ok_verdict_leaves_and_approval_outweighs_it(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    results["verdict"] = ["ok", "look", "unread", "look"]
    made = results.reportflow.hand_over(tmp_path / "verdicts")
    assert made["file"].notna().tolist() == [True, False, False, False]
    chosen = decisions(results, None, "approve", None, None)
    made = results.reportflow.hand_over(tmp_path / "decisions", chosen)
    assert made["file"].notna().tolist() == [False, True, False, False]


def test_neither_decisions_nor_verdicts_is_refused(results: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"read_review\('review.xlsx'\).*verify"):
        results.reportflow.hand_over(tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_the_index_is_searched_by_date_partner_and_amount_and_is_no_formula(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    source = pd.DataFrame(
        {
            "Day": pd.to_datetime(["2026-11-01", "2026-11-02", None, "2026-11-04"]),
            "Who": ["=1+1", "株式会社山田", "Ann", None],
            "Total": [12.5, -3.0, 7.0, 1e6],
        },
        index=results.index,
    )
    results.reportflow.hand_over(
        tmp_path / "archive",
        decisions(results, *["approve"] * 4),
        source=source,
        date="Day",
        partner="Who",
        amount="Total",
    )
    table = pd.read_csv(tmp_path / "archive" / "index.csv", dtype=str, keep_default_na=False)
    assert table["date"].tolist() == ["2026-11-01", "2026-11-02", "", "2026-11-04"]
    assert table["partner"].tolist() == ["'=1+1", "株式会社山田", "Ann", ""]
    assert table["amount"].tolist() == ["12.5", "-3", "7", "1000000"]
    for line in table.itertuples():
        assert hashlib.sha256((tmp_path / "archive" / line.file).read_bytes()).hexdigest() == line.sha256
    sheet = openpyxl.load_workbook(tmp_path / "archive" / "index.xlsx")["Documents"]
    assert sheet["C2"].data_type == "s"
    assert [sheet["D3"].value, sheet["B5"].value.isoformat()[:10]] == [-3, "2026-11-04"]


def test_a_second_call_adds_and_never_rewrites(results: pd.DataFrame, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    results.reportflow.hand_over(archive, decisions(results, "approve", None, None, None))
    before = {path.name: path.read_bytes() for path in archive.glob("*.pdf")}
    line = (archive / "index.csv").read_text(encoding="utf-8-sig").splitlines()[1]
    made = results.reportflow.hand_over(archive, decisions(results, "approve", "approve", None, None))
    assert made["number"].tolist()[:2] == [1, 2]
    assert (archive / "index.csv").read_text(encoding="utf-8-sig").splitlines()[1] == line
    assert all((archive / name).read_bytes() == data for name, data in before.items())
    assert len(copied(archive)) == 2


def test_a_document_that_was_made_again_gets_a_name_of_its_own(results: pd.DataFrame, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    one = results.iloc[[0]]
    results.reportflow.hand_over(archive, decisions(results, "approve", None, None, None))
    Path(one["path"].iloc[0]).write_bytes(b"%PDF-1.7 corrected")
    made = one.reportflow.hand_over(archive, decisions(one, "approve"))
    stem = one["file_name"].iloc[0]
    assert made["file"].tolist() == [f"{stem} (2).pdf"]
    assert copied(archive) == [f"{stem} (2).pdf", f"{stem}.pdf"]


def test_a_copy_whose_line_was_lost_with_the_process_is_taken_up(results: pd.DataFrame, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    first = Path(results["path"].iloc[0])
    (archive / first.name).write_bytes(first.read_bytes())
    made = results.reportflow.hand_over(archive, decisions(results, "approve", None, None, None))
    assert made["file"].tolist()[0] == first.name
    assert copied(archive) == [first.name]


def test_two_processes_do_not_add_to_one_archive_at_once(results: pd.DataFrame, tmp_path: Path) -> None:
    archive, approved = tmp_path / "archive", decisions(results, *["approve"] * 4)
    archive.mkdir()
    lock = RunLock(archive / ".hand_over.lock", "", dt.datetime.now(dt.UTC))
    with pytest.raises(rf.ConfigurationError, match=r"another process hands documents over.*nothing was copied"):
        results.reportflow.hand_over(archive, approved)
    assert not copied(archive)
    lock.free()
    results.reportflow.hand_over(archive, approved)
    assert len(copied(archive)) == 4
    assert check_archive(archive).empty
    assert not (archive / ".hand_over.lock").exists()


def test_a_call_that_is_cut_off_between_its_two_indexes_is_repeated_as_a_whole(
    results: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, approved = tmp_path / "archive", decisions(results, *["approve"] * 4)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("reportflow_pandas.delivery.hand_over._write_csv", die)
        with pytest.raises(KeyboardInterrupt):
            results.reportflow.hand_over(archive, approved)
    results.reportflow.hand_over(archive, approved)
    assert len(copied(archive)) == 4
    assert check_archive(archive).empty


def test_a_warning_names_the_line_that_handed_over(results: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.warns(DeliveryWarning) as told:
        results.reportflow.hand_over(tmp_path / "archive", decisions(results, "approve", None, None, None))
    assert told[0].filename == __file__


def test_a_foreign_index_is_left_as_it_is(results: pd.DataFrame, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "index.csv").write_text("Name;Date\n", encoding="utf-8")
    with pytest.raises(rf.ConfigurationError, match="not the index of an archive"):
        results.reportflow.hand_over(archive, decisions(results, *["approve"] * 4))
    assert (archive / "index.csv").read_text(encoding="utf-8") == "Name;Date\n"
    assert copied(archive) == []


def test_names_by_a_pattern_stay_in_the_folder(results: pd.DataFrame, tmp_path: Path) -> None:
    source = pd.DataFrame({"Day": ["2026-11-01"] * 4, "No": ["1", "2", "3", "4"]}, index=results.index)
    made = results.reportflow.hand_over(
        tmp_path / "archive", decisions(results, *["approve"] * 4), source=source, file_name="{Day}_{No}"
    )
    assert made["file"].tolist() == [f"2026-11-01_{number}.pdf" for number in range(1, 5)]


def test_an_approval_of_an_earlier_document_does_not_release_the_new_one(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    path = results.reportflow.to_excel(tmp_path / "review.xlsx")
    review(path, {0: "approve", 1: "approve"})
    approved = rf.read_review(path)
    results.loc["b", "file_id"] = "F-made-again"
    made = results.reportflow.hand_over(tmp_path / "archive", approved)
    assert pd.isna(made["left_out"].iloc[0])
    assert made["left_out"].iloc[1] == "approved, but made again since"


def test_decisions_of_another_run_are_refused(results: pd.DataFrame, tmp_path: Path) -> None:
    path = results.reportflow.to_excel(tmp_path / "review.xlsx")
    approved = rf.read_review(path)
    results.attrs["reportflow"] = {**results.attrs["reportflow"], "run": "december"}
    with pytest.raises(rf.ConfigurationError, match=r"'november'.*'december'"):
        results.reportflow.hand_over(tmp_path / "archive", approved)


def test_a_changed_byte_a_missing_file_and_a_foreign_one_are_found(
    results: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "archive"
    with warnings.catch_warnings():
        results.reportflow.hand_over(archive, decisions(results, *["approve"] * 4))
    assert check_archive(archive).empty
    assert main(["archive", str(archive), "--check"]) == 0
    names = copied(archive)
    changed = archive / names[0]
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    (archive / names[1]).unlink()
    (archive / "foreign.pdf").write_bytes(b"%PDF-1.7")
    problems = check_archive(archive)
    assert dict(zip(problems["file"], problems["problem"], strict=True)) == {
        names[0]: "changed",
        names[1]: "missing",
        "foreign.pdf": "not in the index",
    }
    capsys.readouterr()
    assert main(["archive", str(archive), "--check"]) == 1
    assert "changed" in capsys.readouterr().out
    assert main(["archive", str(tmp_path), "--check"]) == 2

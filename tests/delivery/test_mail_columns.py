"""What loaded, resumed and generated results know of the mails of their run, and who got none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.mail_server import MailServer, mail_server
from support.mailed_runs import PEOPLE, mailed

import reportflow_pandas as rf

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")

MAIL = ["mail_status", "mail_error", "mailed_at"]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        rf.configure(smtp=running.address)
        yield running


def test_results_of_a_run_without_mails_have_no_columns_of_mails(results: pd.DataFrame) -> None:
    assert not set(MAIL) & set(rf.load("november").columns)
    assert not set(MAIL) & set(results.columns)


def test_loaded_and_resumed_results_show_what_became_of_the_mails(
    results: pd.DataFrame, server: MailServer
) -> None:
    server.refusals["person2@example.com"] = ["550 no such user"]
    made = mailed(results.drop(index=7))
    for known in (rf.load("november"), rf.resume("november", progress=False), rf.job("november").results()):
        pd.testing.assert_frame_equal(known[MAIL].drop(index=7), made[MAIL])
        assert known["mail_status"].iloc[7] == "not_sent"
    counts = rf.load("november").reportflow.summary()
    assert counts["mail: sent"] == PEOPLE - 2
    assert counts["no mail: 550 no such user"] == 1


def test_a_corrected_address_takes_the_place_of_the_refused_one(results: pd.DataFrame, server: MailServer) -> None:
    server.refusals["person2@example.com"] = ["550 no such user"]
    mailed(results)
    mailed(results.assign(Email=results["Email"].replace("person2@example.com", "right@example.com")))
    known = rf.load("november")
    assert known["mail_status"].tolist() == ["sent"] * PEOPLE
    assert known["mail_error"].isna().all()


def test_of_two_addresses_the_refused_one_shows_after_loading(results: pd.DataFrame, server: MailServer) -> None:
    server.refusals["b@example.com"] = ["550 no such user"]
    made = mailed(results.assign(Email=["a@example.com, b@example.com", *results["Email"][1:]]))
    assert rf.load("november")["mail_error"].iloc[0] == made["mail_error"].iloc[0]


def test_a_document_that_was_made_again_is_not_called_mailed(
    results: pd.DataFrame, server: MailServer, tmp_path: Path
) -> None:
    mailed(results)
    pd.DataFrame({"No": range(PEOPLE)}).reportflow.generate(
        "certificate",
        check=False,
        params=["No"],
        run="november",
        download=tmp_path / "pdfs",
        progress=False,
        again=[3],
    )
    assert rf.load("november")["mail_status"].tolist() == ["sent"] * 3 + ["not_sent"] + ["sent"] * 4
    mailed(rf.load("november").assign(Email=results["Email"]))
    assert rf.load("november")["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients["person3@example.com"] == 2


def test_a_document_that_was_mailed_and_may_not_leave_any_more_is_still_called_mailed(
    results: pd.DataFrame, server: MailServer
) -> None:
    first = mailed(results)
    decided = pd.DataFrame({"decision": ["reject"] + ["approve"] * (PEOPLE - 1)}, index=results.index)
    second = mailed(results, decisions=decided)
    Path(results["path"].iloc[1]).unlink()
    third = mailed(results)
    for made in (second, third):
        pd.testing.assert_frame_equal(made[MAIL], first[MAIL])
    assert set(server.recipients.values()) == {1}


def test_the_summary_says_why_rows_got_no_mail(results: pd.DataFrame, server: MailServer) -> None:
    server.refusals["person1@example.com"] = ["550 no such user"]
    made = mailed(results.assign(verdict=["ok"] * 5 + ["look"] * 3))
    counts = made.reportflow.summary()
    assert counts["mail: sent"] == 4
    assert counts["no mail: the verdict is not ok"] == 3
    assert counts["no mail: 550 no such user"] == 1


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_workbooks_summary_says_who_got_none_and_why(
    results: pd.DataFrame, server: MailServer, tmp_path: Path, language: str
) -> None:
    import openpyxl  # noqa: PLC0415 - here alone

    server.refusals["person1@example.com"] = ["550 no such user"]
    made = mailed(results.assign(verdict=["ok"] * 5 + ["look"] * 3))
    path = made.reportflow.to_excel(tmp_path / "review.xlsx", language=language)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    lines = [[cell.value for cell in row if cell.value is not None] for row in sheet.iter_rows()]
    told = {
        "en": ("no mail", "the verdict is not ok"),
        "ja": ("未送信", "照合結果が「指摘なし」ではありません"),
    }
    no_mail, why = told[language]
    assert [f"{no_mail}: {why}", 3, "5, 6, 7"] in lines
    assert [f"{no_mail}: 550 no such user", 1, "1"] in lines

"""Files and folders as people give them: ``~`` and relative names are looked at once, where they are given."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.delivery.hand_over import check_archive
from reportflow_pandas.local.designs import FOLDER
from reportflow_pandas.local.service import LocalService

pytest.importorskip("typst")


PLAIN = {"params": ["RecipientName"], "check": False}


@dataclass(frozen=True)
class Made:
    """A home folder, and a run whose PDFs are in it."""

    home: Path
    frame: pd.DataFrame
    results: pd.DataFrame
    service: LocalService


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(home))
    patch.setenv("USERPROFILE", str(home))
    patch.chdir(tmp_path_factory.mktemp("work"))
    orders, _ = rf.example_orders()
    frame = pd.DataFrame({"RecipientName": orders["CustomerName"].head(2)})
    frame.to_csv(home / "rows.csv", index=False)
    for version in ("v1", "v2"):
        shutil.copytree(FOLDER / "certificate", home / "designs" / "own" / version)
    rf.configure(runs="~/runs")
    with rf.use_local(designs="~/designs") as service:
        results = frame.reportflow.generate(
            "own",
            **PLAIN,
            download="~/pdfs",
            run="home",
            verify=True,
            progress=False,
        )
        results.reportflow.to_excel(home / "r.xlsx")
        results.reportflow.hand_over(home / "kept")
        yield Made(home, frame, results, service)
    patch.undo()


WRITTEN: dict[str, Callable[[Made, str], object]] = {
    "to_excel": lambda made, to: made.results.reportflow.to_excel(f"{to}.xlsx"),
    "combine": lambda made, to: made.results.reportflow.combine(f"{to}.pdf"),
    "combine by": lambda made, to: made.results.reportflow.combine(
        f"{to}.pdf", by="RecipientName", source=made.frame
    ),
    "hand_over": lambda made, to: made.results.reportflow.hand_over(to),
    "spot_check.save": lambda made, to: made.results.reportflow.spot_check(1).save(f"{to}.html"),
    "preview.save": lambda made, to: made.frame.reportflow.preview("own", **PLAIN).save(f"{to}.pdf"),
    "compare_versions.save": lambda made, to: rf.compare_versions("own", 1, 2, made.frame, rows=1, **PLAIN).save(
        f"{to}.html"
    ),
    "account": lambda made, to: rf.account("home", f"{to}.xlsx"),
    "download": lambda made, to: made.results.reportflow.download(to),
    "generate": lambda made, to: made.frame.reportflow.generate("own", **PLAIN, download=to, progress=False),
}
READ: dict[str, Callable[[Made, str], object]] = {
    "read_rows": lambda made, at: rf.read_rows(f"{at}/rows.csv"),
    "read_review": lambda made, at: rf.read_review(f"{at}/r.xlsx"),
    "results.read_review": lambda made, at: made.results.reportflow.read_review(f"{at}/r.xlsx"),
    "check_archive": lambda made, at: check_archive(f"{at}/kept"),
}


@pytest.fixture(autouse=True)
def configured(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with the settings of a new process."""
    monkeypatch.setenv("HOME", str(made.home))
    rf.configure(base_url=made.service.base_url, app_key=made.service.app_key, runs="~/runs")


def there(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.parametrize("verb", WRITTEN)
def test_a_tilde_is_the_home_folder_and_a_relative_name_below_the_working_directory(
    made: Made, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = verb.replace(" ", "-")
    before = there(made.home)
    WRITTEN[verb](made, f"~/{name}")
    assert any(one.startswith(name) for one in there(made.home) - before)
    monkeypatch.chdir(tmp_path)
    WRITTEN[verb](made, name)
    assert all(one.startswith((name, ".reportflow")) for one in there(tmp_path))
    assert any(one.startswith(name) for one in there(tmp_path))


@pytest.mark.parametrize("verb", READ)
def test_a_tilde_is_the_home_folder_where_something_is_read(
    made: Made, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    READ[verb](made, "~")
    monkeypatch.chdir(made.home)
    READ[verb](made, ".")


def test_what_was_given_before_a_change_of_directory_stays(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.home.parent)
    assert made.results["path"].map(lambda path: Path(path).is_file()).all()
    assert made.results["path"].str.startswith(str(made.home / "pdfs")).all()
    assert (rf.load("home")["status"] == "ready").all()

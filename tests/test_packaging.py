"""What a stranger installs: metadata, extras, versions, and the files around the package."""

from __future__ import annotations

import importlib.util
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from support import lowest_versions as lowest

import reportflow_pandas as rf

ROOT = Path(__file__).parents[1]
EXTRAS = ["local", "queue", "preview", "verify", "files", "parquet", "mail", "notify", "all", "docs", "test"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def jobs() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    return found


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_that_an_error_or_a_page_names_exists(extra: str) -> None:
    assert lowest.extras()[extra]


def test_all_has_every_extra_of_the_running_package() -> None:
    [everything] = lowest.extras()["all"]
    assert everything.extras == set(EXTRAS) - {"all", "docs", "test", "parquet"}


def test_every_extra_that_the_package_names_in_a_pip_line_exists() -> None:
    for path in Path(rf.__file__).parent.rglob("*.py"):
        for names in re.findall(r"reportflow-pandas\[([a-z,]+)\]", path.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(lowest.extras()), path


@pytest.mark.parametrize("name", sorted(lowest.at_run_time()))
def test_each_dependency_has_one_lower_bound(name: str) -> None:
    assert lowest.lower_bound(lowest.at_run_time()[name])


def test_the_constraints_of_the_lowest_versions_are_those_of_the_project() -> None:
    """If this fails, ``python tests/support/lowest_versions.py`` writes them."""
    assert lowest.LOWEST.read_text(encoding="utf-8") == lowest.text()


@pytest.mark.parametrize("python", lowest.PYTHONS)
def test_each_python_gets_one_constraint_for_each_dependency_that_the_project_allows(python: str) -> None:
    constraints = [Requirement(line) for line in lowest.lines()]
    valid = [one for one in constraints if one.marker is None or one.marker.evaluate({"python_version": python})]
    assert [one.name for one in valid] == sorted(lowest.at_run_time())
    for one in valid:
        [pinned] = one.specifier
        assert pinned.operator == "=="
        assert lowest.at_run_time()[one.name].specifier.contains(pinned.version)


def test_the_page_about_many_machines_names_what_the_queue_takes_and_what_was_tested() -> None:
    page = (ROOT / "docs" / "site" / "howto" / "machines.md").read_text(encoding="utf-8")
    said = {Requirement(one) for one in re.findall(r"`([a-z]+>=[^`]+)`", page)}
    assert said == set(lowest.extras()["queue"])
    comment = re.findall(r"(bullmq|redis) (\d[.\d]*\d)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tested = re.findall(r"(bullmq|redis) (\d[.\d]*\d)", page)
    assert tested == comment
    assert {one.name: one.specifier.contains(dict(tested)[one.name]) for one in said} == {
        "bullmq": True,
        "redis": True,
    }


def test_the_version_stands_in_one_place_and_the_citation_follows() -> None:
    project = lowest.project()
    assert project["dynamic"] == ["version"]
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    assert ROOT / hatch["version"]["path"] == Path(rf.__file__)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert Version(rf.__version__) == Version(str(citation["version"]))
    assert citation["license"] == project["license"]


@pytest.mark.parametrize(
    ("tag", "log", "refused"),
    [
        ("v1.2.3", "## 1.2.3\n", []),
        ("v1.2.4", "## 1.2.3\n", ["the tag is v1.2.4, and the version 1.2.3"]),
        ("v1.2.3", "## Unreleased\n", ["CHANGELOG.md has no section '## 1.2.3'"]),
    ],
)
def test_a_release_is_refused_unless_tag_version_and_changelog_agree(
    tag: str, log: str, refused: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("check_dist", ROOT / ".ci" / "check_dist.py")
    assert spec is not None
    assert spec.loader is not None
    check_dist = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check_dist)
    (tmp_path / "CHANGELOG.md").write_text(log, encoding="utf-8")
    monkeypatch.setattr(check_dist, "ROOT", tmp_path)
    addresses = "".join(f"Project-URL: {name}, https://x.example\n" for name in check_dist.FOUND_AT_HOME)
    with zipfile.ZipFile(tmp_path / "one.whl", "w") as wheel:
        wheel.writestr("one-1.2.3.dist-info/METADATA", f"Metadata-Version: 2.4\nVersion: 1.2.3\n{addresses}\n")
    assert check_dist.problems_of_release(tmp_path / "one.whl", tag) == refused


def test_the_classifiers_name_each_python_that_ci_tests() -> None:
    classifiers = lowest.project()["classifiers"]
    assert isinstance(classifiers, list)
    named = {one.rpartition(" :: ")[2] for one in classifiers if re.search(r"Python :: 3\.\d+$", one)}
    matrix = jobs()["versions"]["strategy"]["matrix"]  # type: ignore[index]
    assert named == set(matrix["python"]) == set(lowest.PYTHONS)
    assert matrix["dependencies"] == ["lowest", "newest"]
    assert lowest.project()["requires-python"] == f">={lowest.PYTHONS[0]}"


def test_the_workflow_runs_what_a_person_runs_and_installs_each_extra_alone() -> None:
    steps = [step.get("run") for step in jobs()["everything"]["steps"]]  # type: ignore[attr-defined]
    assert ".ci/run" in steps
    tried = set(jobs()["extras"]["strategy"]["matrix"]["extra"])  # type: ignore[index]
    assert tried == {"none", *EXTRAS} - {"docs", "test"}


def test_a_release_waits_for_every_other_job() -> None:
    publish = jobs()["publish"]
    assert set(publish["needs"]) == set(jobs()) - {"publish"}  # type: ignore[call-overload]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda one: one.name
)
def test_each_issue_form_has_what_github_asks_for(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        return
    assert content["name"]
    assert content["description"]
    asked = [part for part in content["body"] if part["type"] != "markdown"]
    assert asked
    assert len({part["id"] for part in asked}) == len(asked)
    assert all(part["attributes"]["label"] for part in asked)


@pytest.mark.parametrize(
    "name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"]
)
def test_the_usual_files_are_there(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_each_licence_of_a_packed_font_or_table_goes_along() -> None:
    named = lowest.project()["license-files"]
    assert isinstance(named, list)
    packed = {path for pattern in named for path in ROOT.glob(pattern)}
    package = ROOT / "reportflow_pandas"
    assert packed >= {*package.rglob("OFL*.txt"), *package.rglob("LICENSE*"), ROOT / "LICENSE"}

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.design_answers import schema_array, schema_object
from reportflow_pandas.local.designs import (
    Design,
    DesignVersion,
    Parameter,
    load_designs,
    packaged_designs,
    value_problems,
)

TOML = """
label = "Badge"
updated_at = 2026-10-01T09:00:00Z

[params.Name]
type = "text"
label = "名前"
description = "As printed"

[params.Rows]
type = "array"

[params.Rows.columns]
Count = { type = "number" }
"""


def write_design(folder: Path, *, toml: str = TOML, template: str = "badge", **files: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "design.toml").write_text(toml, "utf-8")
    (folder / "template.typ").write_text(template, "utf-8")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, "utf-8")
    return folder


def test_five_designs_are_packaged_with_an_english_and_a_japanese_sample() -> None:
    designs = packaged_designs()
    assert set(designs) == {"bill", "invoice", "quotation", "receipt", "certificate"}
    for design in designs.values():
        for version in design.versions.values():
            assert set(version.samples) == {"en", "ja"}


def test_the_latest_version_of_the_quotation_is_the_second() -> None:
    design = packaged_designs()["quotation"]
    assert sorted(design.versions) == [1, 2]
    assert design.latest == 2


def test_every_sample_fills_every_parameter_that_has_no_default() -> None:
    for design in packaged_designs().values():
        for version in design.versions.values():
            for sample in version.samples.values():
                needed = {parameter.name for parameter in version.parameters if parameter.default is None}
                assert needed <= set(sample)


def test_the_invoice_asks_for_the_columns_of_the_example_orders() -> None:
    parameters = packaged_designs()["invoice"].versions[1].parameters
    assert [parameter.name for parameter in parameters] == [
        "InvoiceId",
        "InvoiceDate",
        "CustomerId",
        "CustomerName",
        "Company",
        "Email",
        "BillingAddress",
        "BillingCity",
        "BillingState",
        "BillingCountry",
        "BillingPostalCode",
        "Total",
        "Language",
        "Currency",
        "Lines",
    ]
    assert [column.name for column in parameters[-1].spec] == ["Track", "Artist", "Album", "UnitPrice", "Quantity"]


def test_language_and_currency_have_a_default_and_are_told_with_it() -> None:
    for design in packaged_designs().values():
        for version in design.versions.values():
            told = {entry["name"]: entry.get("default") for entry in schema_array(version.parameters)}
            assert told["Language"] == "auto"
            assert told.get("Currency", "USD") == "USD"
            assert not {"Language", "Currency"} & set(schema_object(version.parameters))
            with_default = {name for name, default in told.items() if default is not None}
            assert with_default == {"Language", "Currency"} & set(told) or design.id == "bill"


@pytest.mark.parametrize(
    ("kind", "default"),
    [("number", '"many"'), ("text", "[1]"), ("image", '"x"'), ("boolean", '"perhaps"'), ("array", '"x"')],
)
def test_a_default_that_its_type_would_refuse_is_refused(tmp_path: Path, kind: str, default: str) -> None:
    toml = f'[params.Name]\ntype = "{kind}"\ndefault = {default}\n'
    write_design(tmp_path / "badge", toml=toml)
    with pytest.raises(ConfigurationError, match=r"\[params.Name\]: default = "):
        load_designs(tmp_path)


def test_the_packaged_designs_are_read_once() -> None:
    assert packaged_designs() is packaged_designs()


def test_a_design_without_version_folders_has_version_one(tmp_path: Path) -> None:
    write_design(tmp_path / "badge", sample_json='{"Name": "Ada", "Rows": [{"Count": 1}]}')
    design = load_designs(tmp_path)["badge"]
    assert isinstance(design, Design)
    assert (design.label, design.latest, design.updated_at.isoformat()) == (
        "Badge",
        1,
        "2026-10-01T09:00:00+00:00",
    )
    assert design.versions[1].parameters == (
        Parameter("Name", "text", "名前", "As printed"),
        Parameter("Rows", "array", "Rows", "", (Parameter("Count", "number", "Count"),)),
    )
    assert design.versions[1].samples == {"en": {"Name": "Ada", "Rows": [{"Count": 1}]}}


def test_label_and_date_are_those_of_the_latest_version(tmp_path: Path) -> None:
    write_design(tmp_path / "badge" / "v10", toml='label = "New"\nupdated_at = 2026-10-10')
    write_design(tmp_path / "badge" / "v9", toml='label = "Old"\nupdated_at = 2026-10-09')
    design = load_designs(tmp_path)["badge"]
    assert (list(design.versions), design.latest, design.label) == ([9, 10], 10, "New")
    assert design.updated_at.isoformat() == "2026-10-10T00:00:00+00:00"


@pytest.mark.parametrize("link", ["badge/logo.svg", "badge/fonts", "other"])
def test_a_symbolic_link_is_refused(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write_design(tmp_path / "designs" / "badge")
    (tmp_path / "designs" / link).symlink_to(outside)
    with pytest.raises(ConfigurationError, match="symbolic link"):
        load_designs(tmp_path / "designs")


@pytest.mark.parametrize("name", ["template.typ", "parts/row.typ"])
def test_a_package_import_is_refused(tmp_path: Path, name: str) -> None:
    home = write_design(tmp_path / "badge")
    (home / "parts").mkdir()
    (home / name).write_text('#import "@preview/tablex:0.0.8": *', "utf-8")
    with pytest.raises(ConfigurationError, match="fetched from the network"):
        load_designs(tmp_path)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("label = ", "not readable as TOML"),
        ("label = 3", "name for people"),
        ('labels = "Badge"', "labels: unknown"),
        ('engine = "html"', "only engine"),
        ('updated_at = "today"', "a date without quotes"),
        ("params = 3", "one table per parameter"),
        ("[params]\nName = 3", "a table is needed"),
        ('[params.Name]\ntype = "string"', "one of text, number"),
        ('[params.Name]\ntype = "text"\nrequired = true', "required: unknown"),
        ('[params.Name]\ntype = "text"\nlabel = 3', "label must be a text"),
        ('[params.Rows]\ntype = "array"', "need at least one"),
        ('[params.Name]\ntype = "text"\ncolumns = {A = {type = "text"}}', "columns belong to"),
        ('[params.Rows]\ntype = "array"\ncolumns = {A = {type = "word"}}', r"\[params.Rows.columns.A\]"),
    ],
)
def test_a_bad_design_toml_is_refused_with_what_to_do(tmp_path: Path, toml: str, message: str) -> None:
    write_design(tmp_path / "badge", toml=toml)
    with pytest.raises(ConfigurationError, match=message):
        load_designs(tmp_path)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ('{"Nmae": "Ada"}', "Nmae: no parameter"),
        ('{"Rows": [{"Count": null}]}', "Rows.0.Count"),
    ],
)
def test_a_sample_that_its_own_design_would_refuse_is_refused(tmp_path: Path, sample: str, message: str) -> None:
    write_design(tmp_path / "badge", sample_json=sample)
    with pytest.raises(ConfigurationError, match=message):
        load_designs(tmp_path)


def test_a_folder_without_a_design_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no design in it"):
        load_designs(tmp_path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        load_designs(tmp_path / "nowhere")
    (tmp_path / "badge").mkdir()
    with pytest.raises(ConfigurationError, match=r"design\.toml: missing"):
        load_designs(tmp_path)
    (tmp_path / "badge" / "design.toml").touch()
    with pytest.raises(ConfigurationError, match=r"no template\.typ"):
        load_designs(tmp_path)


def test_a_version_beside_version_folders_is_refused(tmp_path: Path) -> None:
    write_design(tmp_path / "badge")
    write_design(tmp_path / "badge" / "v2")
    with pytest.raises(ConfigurationError, match=r"both design\.toml and v2/"):
        load_designs(tmp_path)


def version_of(kind: str, *columns: Parameter) -> DesignVersion:
    return DesignVersion(1, Path(), (Parameter("X", kind, "X", "", columns),), {})


PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TABLE = (Parameter("N", "number", "N"),)
BIG = 10**50


@pytest.mark.parametrize(
    ("kind", "value", "refused"),
    [
        ("text", "", []),
        ("text", None, []),
        ("text", 171.0, []),
        ("text", True, ["X"]),
        ("text", ["a"], ["X"]),
        ("text", {}, ["X"]),
        ("number", 0, []),
        ("number", 1.5, []),
        ("number", "1.50", []),
        ("number", " -2e3 ", []),
        ("number", None, ["X"]),
        ("number", "", ["X"]),
        ("number", "1,000", ["X"]),
        ("number", "nan", ["X"]),
        ("number", "\uff11", ["X"]),
        ("number", True, ["X"]),
        ("number", [1], ["X"]),
        ("number", float("inf"), ["X"]),
        ("number", BIG, ["X"]),
        ("number", "1e999", ["X"]),
        ("number", "1" * 29, ["X"]),
        ("boolean", False, []),
        ("boolean", "true", []),
        ("boolean", None, ["X"]),
        ("boolean", "", ["X"]),
        ("boolean", 1, ["X"]),
        ("boolean", [], ["X"]),
        ("date", "2026-11-01", []),
        ("date", "soon", []),
        ("date", "", []),
        ("date", None, []),
        ("date", 20261101, ["X"]),
        ("image", "", []),
        ("image", None, []),
        ("image", PICTURE, []),
        ("image", f"data:image/png;base64,{PICTURE}", []),
        ("image", "not base64!", ["X"]),
        ("image", "PHN2Zz48L3N2Zz4=", ["X"]),
        ("image", 7, ["X"]),
        ("array", [], []),
        ("array", [{"N": 1}, {}], []),
        ("array", None, ["X"]),
        ("array", {"N": 1}, ["X"]),
        ("array", "[]", ["X"]),
        ("array", [{"N": 1}, 2, {"N": "two"}], ["X.1", "X.2.N"]),
        ("collection", {"N": 1}, []),
        ("collection", [{"N": 1}], []),
        ("collection", {"N": None}, ["X.N"]),
        ("collection", [3], ["X.0"]),
        ("collection", None, ["X"]),
    ],
)
def test_the_values_that_the_service_refuses_are_named(kind: str, value: object, refused: list[str]) -> None:
    version = version_of(kind, *(TABLE if kind in ("array", "collection") else ()))
    assert [path for path, _ in value_problems(version, {"X": value})] == refused


def test_missing_parameters_and_unknown_names_are_no_problem() -> None:
    assert value_problems(version_of("number"), {}) == []
    assert value_problems(version_of("number"), {"X": 1, "Unknown": None}) == []


def test_a_problem_is_told_in_japanese() -> None:
    ((_, message),) = value_problems(version_of("number"), {"X": None})
    assert message == "「X」は数値です。空の値は指定できません。"


def test_more_params_than_can_be_set_are_refused() -> None:
    ((path, message),) = value_problems(version_of("text"), {"X": "あ" * 100_000})
    assert path == "params"
    assert "262,144" in message


def test_unknown_params_count_too_and_pictures_do_not() -> None:
    version = version_of("image")
    long = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300_000)).decode()
    assert value_problems(version, {"X": long}) == []
    assert [path for path, _ in value_problems(version, {"Y": long})] == ["params"]


def test_a_value_of_params_that_is_no_json_is_refused() -> None:
    assert [path for path, _ in value_problems(version_of("text"), {"X": b"bytes"})] == ["params"]


def test_samples_are_files_that_people_can_copy_into_a_request() -> None:
    folder = packaged_designs()["invoice"].versions[1].folder
    assert json.loads((folder / "sample.json").read_text("utf-8"))["InvoiceId"]

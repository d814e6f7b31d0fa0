"""Designs as folders on the disk: what a design asks for, its versions and its samples.

::

    designs/
      invoice/                     one version: the folder itself is version 1
        design.toml  template.typ  sample.json  sample.ja.json  logo.svg  fonts/
      quotation/
        v1/  design.toml …         several versions: each is whole in itself
        v2/  design.toml …

``design.toml`` is the contract of a design::

    label = "Invoice"
    updated_at = 2026-10-01T09:00:00Z

    [params.InvoiceId]
    type = "text"
    label = "Invoice number"            # default: the name
    description = "…"                    # default: none
    default = "…"                        # printed where a call says nothing; "": it may be left out

    [params.Lines]
    type = "array"                       # "array": rows of a table; "collection": one record
    [params.Lines.columns]
    Track = {type = "text"}
    UnitPrice = {type = "number"}
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.parameters import TYPES, Parameter, problems, value_problem

__all__ = [
    "NO_PACKAGE",
    "Design",
    "DesignVersion",
    "Parameter",
    "load_designs",
    "packaged_designs",
    "value_problems",
]

NESTED = ("array", "collection")
FOLDER = Path(__file__).parent / "designs"
NO_PACKAGE = "Copy the package's .typ files into the design's folder and import them by their path"


@dataclass(frozen=True)
class DesignVersion:
    """One version of a design.

    Parameters
    ----------
    number : int
        From 1.
    folder : pathlib.Path
        Where ``template.typ`` and its pictures are; a template can read nothing outside of it.
    parameters : tuple of Parameter
        What it prints, in the order of its ``design.toml``.
    samples : Mapping of str to Mapping
        ``params`` of an example document, by language: ``"en"``, ``"ja"``.
    """

    number: int
    folder: Path
    parameters: tuple[Parameter, ...]
    samples: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Design:
    """A design with all its versions.

    Parameters
    ----------
    id : str
        Its folder's name; opaque to callers.
    label : str
        Name for people: the latest version's.
    versions : Mapping of int to DesignVersion
        By number, ascending.
    updated_at : datetime.datetime
        UTC; the latest version's.

    Examples
    --------
    >>> packaged_designs()["quotation"].latest
    2
    """

    id: str
    label: str
    versions: Mapping[int, DesignVersion]
    updated_at: datetime

    @property
    def latest(self) -> int:
        """Number of the latest version."""
        return max(self.versions)


@functools.cache
def packaged_designs() -> dict[str, Design]:
    """Return the designs that come with this package, read once.

    Returns
    -------
    dict of str to Design
        ``bill``, ``certificate``, ``invoice``, ``quotation``, ``receipt``.

    Examples
    --------
    >>> sorted(packaged_designs())
    ['bill', 'certificate', 'invoice', 'quotation', 'receipt']
    """
    return load_designs(FOLDER)


def load_designs(folder: Path) -> dict[str, Design]:
    """Read a folder of designs.

    Parameters
    ----------
    folder : pathlib.Path
        Holds one folder per design; see the module's text for what is in each.

    Returns
    -------
    dict of str to Design
        By id, sorted. Hidden folders and loose files are passed over.

    Raises
    ------
    ConfigurationError
        No such folder, no design in it, a ``design.toml`` that cannot be read, a sample that its own design
        would refuse, a symbolic link, a pipe, or a template that imports a package: a link would let a template
        read files outside its folder, and a package would be fetched from the network.

    Examples
    --------
    >>> load_designs(FOLDER)["receipt"].label
    'Receipt'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder; it should hold one folder per design")
    designs = {}
    for home in sorted(folder.iterdir()):
        if home.name.startswith(".") or not (home.is_dir() or home.is_symlink()):
            continue
        for path in (home, *home.rglob("*")):
            if path.is_symlink():
                raise ConfigurationError(
                    f"{path}: a symbolic link. A template could read files outside of its design through it; "
                    "put a copy of the file in its place"
                )
            if not (path.is_file() or path.is_dir()):
                raise ConfigurationError(f"{path}: neither a file nor a folder; reading it could take for ever")
        designs[home.name] = _design(home)
    if not designs:
        raise ConfigurationError(
            f"{folder}: no design in it. A design is a folder with design.toml and template.typ"
        )
    return designs


def value_problems(version: DesignVersion, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the service refuses in the values of ``params``.

    Parameters
    ----------
    version : DesignVersion
        Whose parameters are meant.
    params : Mapping
        As sent. Missing parameters print blank and unknown names are ignored: neither is a problem.

    Returns
    -------
    list of (str, str)
        The path of the value, rows from 0, and a message in Japanese, as the service's are. Empty: nothing
        is refused.

    Examples
    --------
    >>> version = packaged_designs()["invoice"].versions[1]
    >>> [path for path, message in value_problems(version, {"Total": None, "Lines": [{"Quantity": "two"}]})]
    ['Total', 'Lines.0.Quantity']
    """
    return list(problems(version.parameters, params))


def _design(home: Path) -> Design:
    numbered = {
        int(found[1]): child
        for child in home.iterdir()
        if child.is_dir() and (found := re.fullmatch(r"v([1-9][0-9]{0,5})", child.name, re.ASCII))
    }
    if numbered and (home / "design.toml").exists():
        raise ConfigurationError(
            f"{home}: both design.toml and v{min(numbered)}/. Keep either one version in the folder itself, "
            "or every version in a folder of its own"
        )
    versions, told = {}, {}
    for number, folder in sorted((numbered or {1: home}).items()):
        toml = _toml(folder / "design.toml")
        versions[number] = _version(number, folder, toml)
        told[number] = toml
    latest = told[max(told)]
    return Design(home.name, latest["label"], versions, latest["updated_at"])


def _version(number: int, folder: Path, toml: Mapping[str, Any]) -> DesignVersion:
    if not (folder / "template.typ").is_file():
        raise ConfigurationError(f"{folder}: no template.typ, the layout of the design")
    for template in sorted(folder.rglob("*.typ")):
        try:
            text = template.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{template}: not UTF-8 text ({error.reason})") from None
        if re.search(r"@\s*(preview|local)\s*/|[\"']@", text):
            raise ConfigurationError(
                f'{template}: imports a package ("@preview/…"), which would be fetched from the network. '
                f"{NO_PACKAGE}"
            )
    parameters = toml["parameters"]
    samples = {}
    for language, name in (("en", "sample.json"), ("ja", "sample.ja.json")):
        if (folder / name).is_file():
            samples[language] = _sample(folder / name, parameters)
    return DesignVersion(number, folder, parameters, samples)


def _sample(path: Path, parameters: tuple[Parameter, ...]) -> Mapping[str, Any]:
    try:
        sample = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from None
    if not isinstance(sample, dict):
        raise ConfigurationError(f'{path}: a JSON object of parameters is needed: {{"Name": value}}')
    unknown = set(sample) - {parameter.name for parameter in parameters}
    if unknown:
        raise ConfigurationError(f"{path}: {', '.join(sorted(unknown))}: no parameter of this design.toml")
    for where, problem in problems(parameters, sample):
        raise ConfigurationError(f"{path}: {where}: {problem}")
    return sample


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigurationError(f"{path}: missing. It holds the design's label and its parameters, [params.NAME]")
    try:
        toml = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not readable as TOML: {error}") from None
    unknown = set(toml) - {"label", "updated_at", "engine", "params"}
    if unknown:
        raise ConfigurationError(
            f"{path}: {', '.join(sorted(unknown))}: unknown. It takes label, updated_at and [params.NAME]"
        )
    if toml.get("engine", "typst") != "typst":
        raise ConfigurationError(f'{path}: engine = {toml["engine"]!r}; the only engine is "typst"')
    label = toml.get("label", path.parent.name)
    if not isinstance(label, str) or not label.strip():
        raise ConfigurationError(f'{path}: label = {label!r}; a name for people is needed, such as "Invoice"')
    params = toml.get("params", {})
    if not isinstance(params, dict):
        raise ConfigurationError(f"{path}: params: one table per parameter is needed: [params.NAME]")
    return {
        "label": label,
        "updated_at": _moment(path, toml.get("updated_at", datetime(2026, 1, 1, tzinfo=UTC))),
        "parameters": tuple(_parameters(path, "params", params)),
    }


def _parameters(path: Path, where: str, tables: Mapping[str, Any]) -> Iterator[Parameter]:
    for name, table in tables.items():
        place = f"[{where}.{name}]"
        if not isinstance(table, dict):
            raise ConfigurationError(f'{path}: {place}: a table is needed, such as {{type = "text"}}')
        kind = table.get("type")
        if kind not in TYPES:
            raise ConfigurationError(f"{path}: {place}: type = {kind!r}; one of {', '.join(TYPES)}")
        if unknown := set(table) - {"type", "label", "description", "default", "columns"}:
            raise ConfigurationError(
                f"{path}: {place}: {', '.join(sorted(unknown))}: unknown. "
                "A parameter takes type, label, description, default and, for array and collection, columns"
            )
        for key in ("label", "description"):
            if not isinstance(table.get(key, ""), str):
                raise ConfigurationError(f"{path}: {place}: {key} must be a text")
        default = table.get("default")
        if default is not None and not _may_be_default(kind, default):
            raise ConfigurationError(f"{path}: {place}: default = {default!r} is no value of the type {kind!r}")
        columns = table.get("columns", {})
        if (kind in NESTED) != bool(columns) or not isinstance(columns, dict):
            raise ConfigurationError(
                f"{path}: {place}: columns belong to array and collection, which need at least one: "
                f'[{where}.{name}.columns] Item = {{type = "text"}}'
            )
        yield Parameter(
            name=name,
            type=kind,
            label=table.get("label", name),
            description=table.get("description", ""),
            spec=tuple(_parameters(path, f"{where}.{name}.columns", columns)),
            default=default,
        )


def _may_be_default(kind: str, default: object) -> bool:
    """Tell whether a parameter can have a default; an empty one means that nothing is printed."""
    if kind in NESTED:
        return kind == "array" and default == []
    return default == "" or (kind != "image" and not value_problem(kind, default))


def _moment(path: Path, value: object) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ConfigurationError(f"{path}: updated_at = {value!r}; a date without quotes: 2026-10-01T09:00:00Z")

"""The parameters of a design: which values the service refuses, and what of the rest a template gets."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from reportflow_pandas.contract import PARAMETER_TYPES as TYPES

__all__ = ["MOST_PARAMS", "TYPES", "Parameter", "printable", "problems", "texts", "value_problem"]

MOST_PARAMS = 256 * 1024
"""Most bytes of one document's params as JSON, pictures apart: 1 MB of text takes seconds and 700 MB to set."""

MOST_IMAGE = 2 * 1024 * 1024
"""Most bytes of one decoded picture."""

MOST_DIGITS = 28
"""Most digits of a number: what the template's decimal arithmetic holds exactly."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_DATE = re.compile(r"\s*(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ]\d{1,2}:\d{2}.*)?\s*", re.ASCII | re.DOTALL)
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
_CLUSTER = re.compile(r"[^\u0300-\u036f\u3099\u309a][\u0300-\u036f\u3099\u309a]+")
_BREAK = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a design.

    Parameters
    ----------
    name : str
        Key in ``params``.
    type : {"text", "number", "boolean", "date", "array", "collection", "image"}
        What a value must be.
    label : str
        Name for people.
    description : str
        The author's hint; empty when there is none.
    spec : tuple of Parameter
        The columns of an array, the fields of a collection; else empty.
    default : str, float, bool, list or None
        Printed where a call leaves the value out or blank; empty: nothing is, and no call misses it; None: there
        is none.

    Examples
    --------
    >>> Parameter("Total", "number", "Total").type
    'number'
    """

    name: str
    type: str
    label: str
    description: str = ""
    spec: tuple[Parameter, ...] = ()
    default: str | float | bool | list[Any] | None = None


def problems(parameters: tuple[Parameter, ...], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the service refuses in ``params``: the path of the value and a message in Japanese."""
    try:
        written = json.dumps(_without_pictures(parameters, params), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        yield "params", "JSONとして表現できない値が含まれています。"
        return
    size = len(written.encode("utf-8", "replace"))
    if size > MOST_PARAMS:
        yield "params", f"パラメータの合計が{size:,}バイトあり、上限の{MOST_PARAMS:,}バイトを超えています。"
        return
    yield from _record_problems(parameters, params, "")


def _without_pictures(parameters: tuple[Parameter, ...], params: Mapping[str, Any]) -> dict[str, Any]:
    pictures = {parameter.name for parameter in parameters if parameter.type == "image"}
    return {name: value for name, value in params.items() if name not in pictures}


def _record_problems(
    parameters: tuple[Parameter, ...], record: Mapping[str, Any], where: str
) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        if parameter.name not in record:
            continue  # a missing one prints blank and is no error
        value, path = record[parameter.name], where + parameter.name
        if parameter.type == "array" and not isinstance(value, list):
            yield path, f"「{path}」には配列を指定してください。"
        elif parameter.type in ("array", "collection"):
            rows = (
                {f"{path}.{at}": row for at, row in enumerate(value)} if isinstance(value, list) else {path: value}
            )
            for place, row in rows.items():
                if isinstance(row, dict):
                    yield from _record_problems(parameter.spec, row, f"{place}.")
                else:
                    yield place, f"「{place}」にはオブジェクトを指定してください。"
        elif message := value_problem(parameter.type, value):
            yield path, f"「{path}」{message}"


def value_problem(kind: str, value: object) -> str:
    """Return what is wrong with one value of a type, in Japanese, or an empty text."""
    if kind == "number":
        return _number_problem(value)
    if kind == "boolean":
        fine = isinstance(value, bool) or value in ("true", "false")
        return "" if fine else "にはtrueまたはfalseを指定してください。"
    if value is None or isinstance(value, str):
        return _picture_problem(value) if kind == "image" and value else ""
    if kind == "text":
        fine = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if fine else "には文字列を指定してください。"
    return "には日付の文字列を指定してください。" if kind == "date" else "にはBase64の文字列を指定してください。"


def _number_problem(value: object) -> str:
    too_long = f"の桁数が多すぎます。{MOST_DIGITS}桁まで指定できます。"
    if value is None or value == "":
        return "は数値です。空の値は指定できません。"
    if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
        return "には数値を指定してください。"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "には数値を指定してください。"
    if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
        return too_long
    number = Decimal(str(value).strip())
    digits = f"{number:f}".lstrip("+-0.").replace(".", "") if number.is_finite() else ""
    return "" if number.is_finite() and len(digits) <= MOST_DIGITS else too_long


def _picture_problem(value: str) -> str:
    picture = _picture(value)
    if picture is None:
        return "にはBase64の画像を指定してください。"
    if not picture.startswith(_PICTURES):
        return "にはPNG、JPEG、GIF、WebPのいずれかの画像を指定してください。"
    if len(picture) > MOST_IMAGE:
        return f"の画像が大きすぎます。{MOST_IMAGE:,}バイトまで指定できます。"
    return ""


def _picture(value: str) -> bytes | None:
    """Decode Base64, bare or as a data address."""
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def printable(parameters: tuple[Parameter, ...], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template gets: every parameter, each in the one form of its type.

    A text is a string, a boolean stays. What JSON has no word for travels as a list with its kind first:
    ``["number", "1.98"]`` (decimal digits: no float ever rounds an amount), ``["date", 2026, 11, 1]``,
    ``["image", bytes…]``, ``["rows", [{…}, …]]``; null stands for blank. Unknown names are left out.
    """
    return {parameter.name: _printable(parameter, record.get(parameter.name)) for parameter in parameters}


def _printable(parameter: Parameter, value: Any) -> Any:  # noqa: PLR0911 - one per type
    if parameter.type == "array" or isinstance(value, list):
        return ["rows", [printable(parameter.spec, row) for row in value or ()]]
    if parameter.type == "collection":
        return printable(parameter.spec, value or {})
    if value is None or value == "":
        value = parameter.default
    if value is None or value == "":
        return "" if parameter.type == "text" else None
    if parameter.type == "number":
        return ["number", f"{Decimal(str(value).strip()):f}"]
    if parameter.type == "boolean":
        return value in (True, "true")
    if parameter.type == "image":
        return ["image", *(_picture(value) or b"")]
    if parameter.type == "date":
        return _day(value)
    return _clean(value if isinstance(value, str) else _digits(value))


def _day(text: str) -> Any:
    """Return year, month and day, or the text as it came if it is no date."""
    found = _DATE.fullmatch(text)
    if not found:
        return _clean(text)
    parts = int(found[1]), int(found[3]), int(found[4])
    try:
        date(*parts)
    except ValueError:
        return _clean(text)
    return ["date", *parts]


def _digits(value: float) -> str:
    """Print a number that goes into a text: ``171`` and not ``171.0``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _clean(text: str) -> str:
    """Return a text as it can be set: one kind of line break, no invisible controls, accents composed."""
    if text.isprintable() and text.isascii():
        return text
    text = _BREAK.sub("\n", text).replace("\t", " ")
    text = "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cc")
    # cluster by cluster: normalising all of it would also change kanji variants, as in people's names
    return _CLUSTER.sub(lambda cluster: unicodedata.normalize("NFC", cluster[0]), text)


def texts(tree: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every text in what a template gets."""
    if isinstance(tree, str):
        yield where, tree
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from texts(value, f"{where}.{name}" if where else name)
    elif isinstance(tree, list) and tree[0] == "rows":
        for position, row in enumerate(tree[1]):
            yield from texts(row, f"{where}.{position}")

"""Designs and their parameters as the wire has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from reportflow_pandas.local.designs import Design, Parameter
from reportflow_pandas.local.webhook import timestamp

__all__ = ["design_list", "schema_array", "schema_object"]


def design_list(designs: Iterable[Design], pictures: str) -> dict[str, Any]:
    """Return the answer of the design list; the pictures' address ends in the design's id."""
    return {
        "designs": [
            {
                "id": design.id,
                "label": design.label,
                "latestVersion": design.latest,
                "thumbnail": f"{pictures}/{quote(design.id, safe='')}.png",
                "updatedAt": timestamp(design.updated_at),
            }
            for design in designs
        ]
    }


def schema_array(
    parameters: Iterable[Parameter], font_characters: Sequence[tuple[int, int]] = ()
) -> list[dict[str, Any]]:
    """Return parameters in the newest shape: a list of objects.

    The vendor's answer is a bare list, so what holds for the whole design has no place of its own: the ranges of
    the characters that its fonts have (``fontCharacters``) stand on the first entry.
    """
    entries = [_entry(parameter) for parameter in parameters]
    if entries and font_characters:
        entries[0]["fontCharacters"] = font_characters
    return entries


def _entry(parameter: Parameter) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": parameter.name, "type": parameter.type, "label": parameter.label}
    if parameter.description:
        entry["description"] = parameter.description
    if parameter.default is not None:
        entry["default"] = parameter.default
    if parameter.type in ("array", "collection"):
        entry["spec"] = schema_array(parameter.spec)
    return entry


def schema_object(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return parameters in the docs' shape: name to type word, to an object, or to a list of one object.

    It has no place for a default, so what has one is left out: a caller would miss a column for it.
    """
    shaped: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.default is not None:
            continue
        if parameter.type == "array":
            shaped[parameter.name] = [schema_object(parameter.spec)]
        elif parameter.type == "collection":
            shaped[parameter.name] = schema_object(parameter.spec)
        else:
            shaped[parameter.name] = "string" if parameter.type == "text" else parameter.type
    return shaped

"""Designs and their parameters as the wire has them."""

from __future__ import annotations

from collections.abc import Iterable
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


def schema_array(parameters: Iterable[Parameter]) -> list[dict[str, Any]]:
    """Return parameters in the newest shape: a list of objects."""
    return [_entry(parameter) for parameter in parameters]


def _entry(parameter: Parameter) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": parameter.name, "type": parameter.type, "label": parameter.label}
    if parameter.description:
        entry["description"] = parameter.description
    if parameter.type in ("array", "collection"):
        entry["spec"] = schema_array(parameter.spec)
    return entry


def schema_object(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return parameters in the docs' shape: name to type word, to an object, or to a list of one object."""
    shaped: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.type == "array":
            shaped[parameter.name] = [schema_object(parameter.spec)]
        elif parameter.type == "collection":
            shaped[parameter.name] = schema_object(parameter.spec)
        else:
            shaped[parameter.name] = "string" if parameter.type == "text" else parameter.type
    return shaped

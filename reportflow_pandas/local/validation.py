"""Reading a generation call: every problem of its fields at once, in the order of the fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from reportflow_pandas.contract import (
    BODY_LIMIT_BYTES as BODY_LIMIT,
    DOCUMENTS_PER_CALL as ITEM_LIMIT,
    FORBIDDEN_IN_FILE_NAMES,
    SHARE_CODES,
    SHARE_WORDS,
)
from reportflow_pandas.local.designs import Design, DesignVersion, value_problems
from reportflow_pandas.local.faults import bare_name
from reportflow_pandas.local.http_answers import Refusal
from reportflow_pandas.local.switches import Switches

__all__ = ["BODY_LIMIT", "Content", "Order", "checked_order", "checked_values", "parsed", "pick_version"]

_FORBIDDEN = re.compile(f"[{FORBIDDEN_IN_FILE_NAMES}]")


@dataclass(frozen=True)
class Content:
    """One document as it was ordered, its name bare."""

    path: str
    file_name: str
    params: Mapping[str, Any]
    share_type: str
    passcode_enabled: bool
    passthrough: Mapping[str, Any] | None


@dataclass(frozen=True)
class Order:
    """One generation call whose fields are all right."""

    design_id: str
    version: int
    contents: tuple[Content, ...]


def parsed(body: bytes, content_type: str) -> tuple[Any, Refusal | None]:
    """Return the body as JSON, or why it is none; a fault may want to look at it first."""
    if content_type != "application/json":
        return None, Refusal(400, f"Content-Type must be application/json, not {content_type!r}")
    try:
        return orjson.loads(body), None
    except orjson.JSONDecodeError as error:
        return None, Refusal(400, f"the body must be JSON: {error}")


def checked_order(body: Any, multiple: bool, switches: Switches) -> Order:
    """Return the order, or refuse with the list of all its problems.

    Raises
    ------
    Refusal
        400 with English messages that name the path, as in ``contents.3.fileName must be a string``.
    """
    if not isinstance(body, dict):
        raise Refusal(400, ["the body must be an object"])
    said: list[str] = []
    design_id, version = body.get("designId"), body.get("version")
    if not isinstance(design_id, str):
        said.append("designId must be a string")
    elif not design_id:
        said.append("designId should not be empty")
    if isinstance(version, float) and version.is_integer():
        version = int(version)
    if not isinstance(version, int) or isinstance(version, bool):
        said.append("version must be an integer number")
    contents = (
        _contents(body.get("contents"), said, switches)
        if multiple
        else [_content(body.get("content"), "content", said, switches)]
    )
    if said:
        raise Refusal(400, said)
    return Order(str(design_id), int(version or 0), tuple(contents))


def _contents(items: Any, said: list[str], switches: Switches) -> list[Content]:
    """Return the documents of a multiple call; what is wrong with them is added to the messages."""
    if not isinstance(items, list):
        said.append("contents must be an array")
        return []
    if not items:
        said.append("contents must contain at least 1 elements")
    if len(items) > ITEM_LIMIT:
        said.append(f"contents must contain no more than {ITEM_LIMIT} elements")
        raise Refusal(switches.too_many_status, said)
    contents = [_content(item, f"contents.{place}", said, switches) for place, item in enumerate(items)]
    _unique(contents, said)
    return contents


def _content(item: Any, path: str, said: list[str], switches: Switches) -> Content:
    """Return one document of a call; what is wrong with it is added to the messages."""
    if not isinstance(item, dict):
        said.append(f"{path} must be an object")
        return Content(path, "", {}, "", False, None)
    name = item.get("fileName")
    if not isinstance(name, str):
        said.append(f"{path}.fileName must be a string")
        name = ""
    else:
        name = bare_name(name)
        if not name.strip():
            said.append(f"{path}.fileName should not be empty")
        elif _FORBIDDEN.search(name):
            said.append(f'{path}.fileName must not contain any of / \\ : * ? " < > | or control characters')
    params = item.get("params")
    if not isinstance(params, dict):
        said.append(f"{path}.params must be an object")
        params = {}
    share = item.get("shareType", "01")
    if switches.share_words and isinstance(share, str):
        share = SHARE_CODES.get(share, share)
    if not isinstance(share, str) or share not in SHARE_WORDS:
        said.append(f"{path}.shareType must be one of the following values: {', '.join(SHARE_WORDS)}")
        share = "01"
    passcode = item.get("passcodeEnabled", False)
    if not isinstance(passcode, bool):
        said.append(f"{path}.passcodeEnabled must be a boolean value")
    passthrough = item.get("passthrough")
    if "passthrough" in item and not isinstance(passthrough, dict):
        said.append(f"{path}.passthrough must be an object")
    return Content(path, name, params, SHARE_WORDS[share], passcode is True, passthrough)


def _unique(contents: list[Content], said: list[str]) -> None:
    """Refuse names that are equal ignoring case."""
    first: dict[str, str] = {}
    for content in contents:
        folded = content.file_name.casefold()
        if not folded:
            continue
        if folded in first:
            said.append(
                f"{content.path}.fileName must be unique within the call, ignoring case "
                f"(the same as {first[folded]}.fileName)"
            )
        else:
            first[folded] = content.path


def pick_version(designs: Mapping[str, Design], design_id: str, version: int | None) -> DesignVersion:
    """Return a design's version; None means the latest.

    Raises
    ------
    Refusal
        404, first for the design, then for the version.
    """
    design = designs.get(design_id)
    if design is None:
        raise Refusal(404, f"デザインが見つかりません(designId: {design_id[:80]})。")
    found = design.versions.get(design.latest if version is None else version)
    if found is None:
        raise Refusal(404, f"デザイン「{design.label}」にバージョン {version} はありません。")
    return found


def checked_values(order: Order, version: DesignVersion) -> list[tuple[bytes, bytes | None]]:
    """Return each document's params and passthrough as JSON, or refuse values that the design cannot take.

    Raises
    ------
    Refusal
        400 with Japanese messages that begin with the path, as in ``contents.3.params.Total …``.
    """
    said: list[str] = []
    encoded: list[tuple[bytes, bytes | None]] = []
    for content in order.contents:
        for where, problem in value_problems(version, content.params):
            # "params" alone means all of them together: their size
            said.append(f"{content.path}.{where if where == 'params' else f'params.{where}'} {problem}")
        passthrough = None if content.passthrough is None else orjson.dumps(content.passthrough)
        encoded.append((orjson.dumps(content.params), passthrough))
    if said:
        raise Refusal(400, said)
    return encoded

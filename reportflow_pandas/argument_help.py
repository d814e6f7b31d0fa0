"""The shared arguments in the help of each verb: every one alone, grouped, in a signature that fits a tooltip."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from reportflow_pandas.options import Options

__all__ = ["GROUPS", "takes_options"]

P = ParamSpec("P")
T = TypeVar("T")

GROUPS = {
    "What a document is made of": (
        *("version", "params", "tables", "group_by", "file_name", "share", "passcode", "passthrough"),
        "drop_missing",
    ),
    "Before anything is sent": ("check", "max_documents"),
    "What comes back": ("download", "verify", "wait", "progress", "on_error"),
    "A run that can go on": ("run", "key", "again"),
    "How it is sent": (
        "endpoint",
        "batch_size",
        "concurrency",
        "limits",
        "attempts",
        "backoff",
        "timeout",
        "settings",
    ),
}
"""Heading -> arguments, in the order in which a newcomer needs them."""

_SHARED = re.compile(r"^\*\*arguments\n(?:[ \t]+.*\n?)+", re.MULTILINE)
_SECTION = re.compile(r"^(?=[A-Z][A-Za-z ]+\n-{3,}$)", re.MULTILINE)


def takes_options(function: Callable[P, T]) -> Callable[P, T]:
    """Show the shared arguments in the signature and the docstring of a verb."""
    own = inspect.signature(function)
    kept = [
        parameter for parameter in own.parameters.values() if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    given = inspect.signature(Options).parameters
    missing = set(given) - {"design_id"} - {name for names in GROUPS.values() for name in names}
    assert not missing, f"arguments without a group in the help: {missing}"  # noqa: S101 - ours to mend
    named = [name for names in GROUPS.values() for name in names if name not in own.parameters]
    shared = [given[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in named]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in [*kept, *shared]]
    function.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=bare, return_annotation=inspect.Signature.empty
    )
    if function.__doc__:
        function.__doc__ = _with_arguments(inspect.cleandoc(function.__doc__), set(named))
    return function


def _with_arguments(doc: str, named: set[str]) -> str:
    """Return a docstring in which the shared arguments stand one by one."""
    told = _described()
    text = "".join(
        f"\n{heading}:\n\n" + "".join(told[name] for name in names if name in named)
        for heading, names in GROUPS.items()
        if named & set(names)
    )
    section = f"Other Parameters\n----------------{text}\n"
    found = _SHARED.search(doc)
    if found is not None:
        doc = doc[: found.start()] + doc[found.end() :]
    places = [found.start() for found in _SECTION.finditer(doc)]
    first_after = next((at for at in places if not doc[at:].startswith("Parameters\n")), len(doc))
    return f"{doc[:first_after].rstrip()}\n\n{section}\n{doc[first_after:]}"


def _described() -> dict[str, str]:
    """Return the lines about each argument in the documentation of `Options`."""
    doc = inspect.cleandoc(Options.__doc__ or "")
    body = doc.split("Parameters\n----------\n", 1)[1]
    body = _SECTION.split(body, maxsplit=1)[0]
    entries = re.split(r"^(?=[a-z_]+ : )", body.strip("\n") + "\n", flags=re.MULTILINE)
    return {entry.split(" : ", 1)[0]: entry.rstrip("\n") + "\n" for entry in entries if " : " in entry}

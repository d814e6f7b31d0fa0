"""A parser that knows what was probably meant: commands and options that are nearly right."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["Parser"]

_CHOICE = re.compile(r"argument COMMAND: invalid choice: '(?P<word>.*?)' \(choose from .*\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """argparse's, but what is not known is held against what there is."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Return the arguments; a word too many is the fault of its command, which then says how it is used."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command: Parser = vars(found).get("parser", self)
            command.error(f"unrecognized arguments: {' '.join(unknown)}{command._meant(unknown[0])}")
        return found

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read how it is used, and leave with 2."""
        if choice := _CHOICE.fullmatch(message):
            commands = next(list(action.choices) for action in self._actions if isinstance(action.choices, dict))
            near = difflib.get_close_matches(choice["word"], commands, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(commands)}"
            message = f"there is no command {choice['word']!r}. {hint}"
        self.exit(2, f"{self.prog}: error: {message}\n{self.prog} --help shows what there is\n")

    def _meant(self, word: str) -> str:
        """Return which option is nearest to a word that is none."""
        near = difflib.get_close_matches(word.partition("=")[0], list(self._option_string_actions), 1)
        return f". Did you mean {near[0]}?" if near else ""

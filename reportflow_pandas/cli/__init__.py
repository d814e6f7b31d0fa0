"""The same verbs from a shell: files become frames, a job file becomes arguments, verbs print."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``reportflow-pandas`` with these arguments (default: the process's own) and return its exit code."""
    from reportflow_pandas.cli.command import main as run_command  # noqa: PLC0415 - the verbs load only when used

    return run_command(argv)

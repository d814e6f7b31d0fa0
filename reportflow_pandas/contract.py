"""Who may open a shared page: words for people, codes for the wire (api-contract 4.2)."""

from __future__ import annotations

__all__ = ["SHARE_CODES"]

SHARE_CODES = {"workspace": "01", "invited": "02", "public": "03"}
"""A share type is a code in requests and a word in answers."""

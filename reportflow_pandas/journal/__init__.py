"""The journal of a run: what is about to be sent, before its first byte, and what came of it."""

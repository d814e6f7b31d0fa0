"""The journal of a run: what is about to be sent, before its first byte, and what came of it.

The ledger is the file, and `journal.journal.Journal` the one object of a process that writes into it.
"""

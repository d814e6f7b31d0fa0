"""Outcomes become a frame and files."""

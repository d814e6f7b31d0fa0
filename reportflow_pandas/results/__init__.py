"""Outcomes become a frame, files and a workbook."""

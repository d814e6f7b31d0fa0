"""Outcomes become a workbook or a CSV file, and a reviewed workbook a frame."""

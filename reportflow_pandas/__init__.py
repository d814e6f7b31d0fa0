"""One row, one PDF: Report Flow documents from a pandas DataFrame."""

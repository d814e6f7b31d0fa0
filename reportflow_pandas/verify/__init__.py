"""PDFs are read back and held against the rows that they were made from."""

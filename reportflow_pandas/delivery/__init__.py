"""What is passed on: combined PDFs for printing, folders for an archive, mails."""

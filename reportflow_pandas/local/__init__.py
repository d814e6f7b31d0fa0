"""The embedded service: the same eight endpoints on this machine, with real PDFs."""

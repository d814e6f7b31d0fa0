"""Files become rows: frames that know which cell or line each value came from."""

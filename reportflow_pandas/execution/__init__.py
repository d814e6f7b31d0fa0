"""One run, from its source to its results: what generating, resuming and retrying have in common."""

"""A frame becomes documents: the only folder that reads the user's frame."""

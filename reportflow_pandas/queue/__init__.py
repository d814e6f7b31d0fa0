"""Many machines: the planned calls of a run in Redis, and the workers that carry them out."""

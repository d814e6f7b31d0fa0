"""One run, from its source to its results: what generating, resuming and retrying have in common.

A `Run` sends what its source gives (`FromFrame`, `FromLedger`) by a backend: the `Runner` of this process, or the
`Dispatch` to a queue. `work.watched` carries it out with a bar, `Background` as a job.
"""

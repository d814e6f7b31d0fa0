"""What the command line adds to the package: files become frames, a job file becomes arguments, verbs print."""

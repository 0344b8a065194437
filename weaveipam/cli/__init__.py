"""The command line, and the composition root that puts a daemon together."""

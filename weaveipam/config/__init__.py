"""The daemon's configuration: what can be said, by flag, environment and file, and what it means together."""

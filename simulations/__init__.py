"""Shells around the same core, for trying to break it: real daemons on one machine, and the demo."""

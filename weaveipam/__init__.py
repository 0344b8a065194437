"""weaveipam: an IP address manager with no central store."""

__version__ = "0.1.0"

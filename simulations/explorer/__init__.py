"""Explores what a handful of members can come to, with the daemon's own ring, ledger and campaign."""

"""The vocabularies: what peers, clients and disks say, and what a node asks of the world.  Pure."""

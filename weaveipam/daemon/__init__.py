"""The world: sockets, disk, clock, logs.  Performs what a node asks for and decides nothing."""

"""Real daemons on one machine: their processes, the network between them, and a small CNI runtime."""

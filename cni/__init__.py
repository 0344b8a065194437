"""The CNI door: the spec's verbs as requests to the allocator, and the static program that runtimes start."""

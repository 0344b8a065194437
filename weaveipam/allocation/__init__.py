"""Who gets which address: rings, pools, leases, space from peers, forming.  Pure; knows nothing of probes."""

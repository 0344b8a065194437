"""
Who owns which address: pure values, no clock, no chance, no I/O.

A ring maps every address of one network and family to its owner; two rings merge by taking, address by
address, the higher token.  Does not know of messages, daemons or disks.
"""

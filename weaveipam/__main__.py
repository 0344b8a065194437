"""`python -m weaveipam`: the program `weaveipam`.  Does not know anything else."""

from weaveipam.cli import main

main()

"""
The command that runs the demonstration.

Does not know what is shown.
"""

from __future__ import annotations

import sys

import click

from weaveipam.cli.common import common


@common("weaveipam demo", "weaveipam demo --loopback")
@click.command()
@click.option("--loopback", is_flag=True, help="Stay on loopback addresses, even as root.")
def demo(*, loopback: bool) -> None:
    """
    A cluster of three daemons that is cut in two and heals.

    Starts them on this machine, allocates through the real CNI program, and exits 0 only if no address was
    given twice.
    """
    from simulations.demo import main  # noqa: PLC0415 - nobody else needs it

    sys.exit(main(loopback=loopback))

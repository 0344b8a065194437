"""The report: outcomes as one self-contained page for people.  Does not know how they came about."""

from simulations.report.page import render

__all__ = ["render"]

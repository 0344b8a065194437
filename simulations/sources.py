"""
Which sources run here: what has to be equal for equal seeds to give equal runs.

Does not know runs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
PACKAGES = ("ring", "simulations", "weaveipam")
"""Those that a simulated run executes."""


@cache
def commit() -> str:
    """The commit of the checkout, with `+changes` if files differ from it; empty outside of a checkout."""
    if not (HOME / ".git").exists() or shutil.which("git") is None:
        return ""
    head = _git("rev-parse", "--short=12", "HEAD")
    return f"{head}+changes" if head and _git("status", "--porcelain") else head


@cache
def identity() -> str:
    """Python's version and a hash of every source file: equal on two machines that give equal runs."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((HOME / package).rglob("*.py")):
            digest.update(f"{path.relative_to(HOME)}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sources {digest.hexdigest()[:12]} on Python {sys.version_info.major}.{sys.version_info.minor}"


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=HOME, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else ""

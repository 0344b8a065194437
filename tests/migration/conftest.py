"""Files that BoltDB itself has written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def buckets() -> bytes:
    """
    A file of two buckets, `many` and `small`, that boltdb/bolt 1.3.1 wrote.

    `many` holds `key-0000` to `key-0299`, each with `value-` and the square of its number, in several leaves
    below a branch, and a bucket `within`; `small` holds `a` with `1`, in the page of its parent.
    """
    return gzip.decompress((HERE / "buckets.db.gz").read_bytes())


@pytest.fixture(scope="session")
def netdata() -> bytes:
    """
    A store as Weave Net writes it: boltdb/bolt 1.3.1 and encoding/gob of Go 1.19, with the same types.

    Peer 7e:3a:01:02:03:04 of two in 10.32.0.0/12 has given: .1 to `weave:expose`; .9 to itself; .10 and
    192.168.7.5 to a container whose id ends in beef; .16, .17, .18 to three whose ids end in c0ffee00 to 02.
    """
    return gzip.decompress((HERE / "weave-netdata.db.gz").read_bytes())

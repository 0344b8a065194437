"""
The key-value pairs of one bucket of a BoltDB file, read without changing anything.

A file is pages of one size: two metas, of which the one with the highest transaction is in force, and B+
trees of branches and leaves.  A bucket is a leaf's entry whose value is its root page, or, if it is small,
the page itself.  Numbers are little-endian here, though a big-endian machine would write its own order.
Nothing tells whether a file was being written while it was read: have its writer stopped.
Source: `page.go`, `bucket.go` and `db.go` of boltdb/bolt 1.3.1, whose format bbolt still has.
Does not know what keys and values mean, nor the file system.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from weaveipam.migration.entries import FormatError

MAGIC = 0xED0CDAED
VERSION = 2
PAGE_BYTES_MIN = 1024
PAGE_BYTES_MAX = 65536
DEPTH_MAX = 32
"""Of a tree; a branch has two children at least."""

_PAGE = struct.Struct("<QHHI")  # its number, kind, count of elements, count of further pages that it fills
_META = struct.Struct("<IIIIQQQQQ")  # ..., page size, ..., root page, ..., transaction
_CHECKSUM = struct.Struct("<Q")
_BRANCH = struct.Struct("<IIQ")  # position of the key, its size, child page
_LEAF = struct.Struct("<IIII")  # kind, position of the key, its size, the value's size
_BUCKET = struct.Struct("<QQ")  # root page, sequence
_IS_BRANCH, _IS_LEAF = 0x01, 0x02
_HOLDS_BUCKET = 0x01


class _Meta(NamedTuple):
    transaction: int
    page_bytes: int
    root: int


class _Item(NamedTuple):
    kind: int
    key: bytes
    value: bytes


def read_bucket(content: bytes, name: bytes) -> dict[bytes, bytes]:
    """
    What a bucket at the top of a file holds; buckets within it are left out.

    Raises:
        FormatError: no BoltDB file, one that is cut off or spoiled, or there is no such bucket.
    """
    meta = _meta(content)
    pages = _Pages(content, meta.page_bytes)
    value = next((one.value for one in pages.items(meta.root) if one.key == name and one.kind), None)
    if value is None or len(value) < _BUCKET.size:
        raise FormatError(f"there is no bucket {name.decode(errors='backslashreplace')!r} in the file")
    root, _ = _BUCKET.unpack_from(value)
    found = pages.items(root) if root else _leaf(value[_BUCKET.size :], "the bucket's own page")
    return {one.key: one.value for one in found if not one.kind & _HOLDS_BUCKET}


class _Pages:
    """The pages of a file; no byte is visited twice, so that no file is larger than it looks."""

    def __init__(self, content: bytes, page_bytes: int) -> None:
        self._content = content
        self._page_bytes = page_bytes
        self._left_bytes = len(content)

    def items(self, number: int, depth: int = 0) -> Iterator[_Item]:
        """What the leaves below a page hold, in order of the keys."""
        where = f"page {number}"
        start = number * self._page_bytes
        if start + _PAGE.size > len(self._content):
            raise FormatError(f"{where} is beyond the end of the file: was it cut off?")
        told, kind, count, further = _PAGE.unpack_from(self._content, start)
        if told != number:
            raise FormatError(f"{where} says that it is page {told}: was the file being written?")
        page = self._content[start : start + (1 + further) * self._page_bytes]
        self._left_bytes -= len(page)
        if self._left_bytes < 0 or depth > DEPTH_MAX:
            raise FormatError(f"{where} is part of a tree that is larger than the file")
        if kind & _IS_LEAF:
            yield from _leaf(page, where)
            return
        if not kind & _IS_BRANCH:
            raise FormatError(f"{where} is of kind {kind:#x}, where a branch or a leaf was expected")
        for at in _elements(page, _BRANCH, count, where):
            _, _, child = _BRANCH.unpack_from(page, at)
            yield from self.items(child, depth + 1)


def _leaf(page: bytes, where: str) -> Iterator[_Item]:
    if len(page) < _PAGE.size:
        raise FormatError(f"{where} is too short")
    _, kind, count, _ = _PAGE.unpack_from(page)
    left_bytes = len(page)
    if not kind & _IS_LEAF:
        raise FormatError(f"{where} is of kind {kind:#x}, where a leaf was expected")
    for at in _elements(page, _LEAF, count, where):
        holds, position, key_bytes, value_bytes = _LEAF.unpack_from(page, at)
        start, middle = at + position, at + position + key_bytes
        left_bytes -= key_bytes + value_bytes
        if middle + value_bytes > len(page) or left_bytes < 0:
            raise FormatError(f"{where} has elements that are longer than the page")
        yield _Item(holds, page[start:middle], page[middle : middle + value_bytes])


def _elements(page: bytes, form: struct.Struct, count: int, where: str) -> range:
    """Where the elements of a page are."""
    if _PAGE.size + count * form.size > len(page):
        raise FormatError(f"{where} has {count} elements, more than fit")
    return range(_PAGE.size, _PAGE.size + count * form.size, form.size)


def _meta(content: bytes) -> _Meta:
    """The meta in force; the second one is looked for at every page size, as the first may be torn."""
    places = [0]
    size_bytes = PAGE_BYTES_MIN
    while size_bytes <= PAGE_BYTES_MAX:
        places.append(size_bytes)
        size_bytes *= 2
    found = [meta for meta in (_meta_at(content, place) for place in places) if meta is not None]
    if not found:
        raise FormatError("no BoltDB file, or both of its first two pages are spoiled")
    return max(found)


def _meta_at(content: bytes, place: int) -> _Meta | None:
    """The meta of the page that begins at a place; None if there is none, or its checksum is wrong."""
    start = place + _PAGE.size
    if start + _META.size + _CHECKSUM.size > len(content):
        return None
    magic, version, page_bytes, _, root, _, _, _, transaction = _META.unpack_from(content, start)
    (checksum,) = _CHECKSUM.unpack_from(content, start + _META.size)
    if (magic, version, checksum) != (MAGIC, VERSION, _fnv1a(content[start : start + _META.size])):
        return None
    if place not in {0, page_bytes} or not PAGE_BYTES_MIN <= page_bytes <= PAGE_BYTES_MAX:
        return None
    return _Meta(transaction, page_bytes, root)


def _fnv1a(content: bytes) -> int:
    """The 64-bit FNV-1a hash.  Source: draft-eastlake-fnv, section 2."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value

"""How much of an answer is taken: bytes, seconds, requests, depth, values, length of a text.

Belongs here: the bounds, and reading one body within them. Does not belong here: what an answer means, and what is tried again (`sources/http.py`).
A bound that is reached is an error, never the end of an answer. Each default is far above what a vendor sends: a page of 1,000 rows has 0.5 MB,
about 25,000 values and six levels.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

_PIECE = 1_000_000
_LONG, _TOGETHER, _DIGITS = 1000, 10, 40  # a text of a thousandth of the longest is long; together long ones may have ten times the longest
# Possessive, so that a long text costs no memory for ways back.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_LEVEL = bytes(set(range(256)) - set(b'[]{}"'))


@dataclass(frozen=True)
class Bounds:
    """The most that is taken; `docs/settings.md` says what each is. With these defaults a process stays below 500 MB whatever is answered."""

    mb: int = 48
    seconds: float = 120.0
    pages: int = 10_000
    depth: int = 64
    values: int = 2_000_000
    text: int = 1_000_000


class BoundError(Exception):
    """An answer is beyond a bound. The message goes on after 'the answer' and names the setting."""

    def __init__(self, what: str, setting: str, most: float) -> None:
        super().__init__(f"{what} than {most:,}, the most that AI_USAGE_HTTP_MAX_{setting} allows")


def read(raw: Any, bounds: Bounds) -> bytes:
    """The body of urllib3's answer, unpacked; what is sent and what it unpacks to are counted while they come. zlib.error for a broken one."""
    packing = (raw.headers.get("Content-Encoding") or "identity").strip().lower()
    if packing not in ("identity", "gzip", "x-gzip"):  # nothing else was asked for
        raise zlib.error(f"packed as {packing[:20]!r}")
    most = bounds.mb * 1_000_000
    unpack = None if packing == "identity" else zlib.decompressobj(31)
    found: list[bytes] = []
    sent = size = 0
    is_open = False
    while piece := raw.read(_PIECE, decode_content=False):
        sent += len(piece)
        while piece:
            made = piece if unpack is None else unpack.decompress(piece, _PIECE)
            size += len(made)
            if max(sent, size) > most:
                raise BoundError("has more megabytes", "MB", bounds.mb)
            found.append(made)
            piece = b"" if unpack is None else unpack.unconsumed_tail
            is_open = unpack is not None and not unpack.eof
            if unpack is not None and unpack.eof:  # a gzip file may be several, one after the other
                piece, unpack = unpack.unused_data, zlib.decompressobj(31)
    if is_open:
        raise zlib.error("cut")
    return b"".join(found)


def _check_texts(body: bytes, bounds: Bounds) -> None:
    """Each text, all long ones together (reading a text copies it ten times), and numbers, which have forty digits at most where they mean something."""
    long, together = max(bounds.text // _LONG, _DIGITS), 0
    for found in _TEXT.finditer(body):
        size = found.end() - found.start() - 2
        if size > bounds.text:
            raise BoundError("holds a text of more bytes", "TEXT", bounds.text)
        if size >= long:
            together += size
    if together > _TOGETHER * bounds.text:
        raise BoundError("holds long texts of more bytes together", "TEXT", _TOGETHER * bounds.text)
    number = re.compile(
        rb"(?<![0-9])[0-9]{%d}" % (long + 1)
    )  # from its first digit alone: from each, a page of long numbers would take hours
    if number.search(body) and number.search(_TEXT.sub(b"", body)):
        raise BoundError("holds a number of more digits", "TEXT", long)


def check(body: bytes, bounds: Bounds) -> None:
    """Refuse JSON that a reader would need too much memory or too many levels for, before it is read. What is no JSON passes: its reader says so."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return
    if body.count(b'"') > 4 * bounds.values:
        raise BoundError("has more values", "VALUES", bounds.values)
    if len(body) > bounds.text:
        _check_texts(body, bounds)
    if body.count(b",") >= bounds.values and _TEXT.sub(b"", body).count(b",") >= bounds.values:
        raise BoundError("has more values", "VALUES", bounds.values)
    levels = body.translate(_ALIKE, _NO_LEVEL).replace(b'""', b"")
    if b'"' in levels or b'\\"' in body:  # some text holds brackets, or may: the way that costs eight times as much
        levels = _TEXT.sub(b"", body).translate(_ALIKE, _NO_LEVEL)
    if b"[" * (bounds.depth + 1) in levels:  # without this, 60 MB of brackets take 20 s of CPU
        raise BoundError("is nested in more levels", "DEPTH", bounds.depth)
    depth = 0
    while b"[]" in levels and depth <= bounds.depth:  # the innermost go, level by level
        levels = levels.replace(b"[]", b"")
        depth += 1
    if max(depth, len(levels)) > bounds.depth:
        raise BoundError("is nested in more levels", "DEPTH", bounds.depth)

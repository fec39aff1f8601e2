"""Halves of surrogate pairs in JSON, such as a cut emoji: text that is no Unicode, and that no decoder accepts.

Belongs here: putting U+FFFD in their place, in a text and in a spool file. Does not belong here: when that is needed (`decode.py`, `http.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def mended(text: bytes) -> bytes:
    """JSON of the same length in which every half is U+FFFD, and every pair stands."""
    found = bytearray(text)
    for escape in _ESCAPE.finditer(text):
        if escape["half"]:
            found[escape.start() : escape.end()] = b"\\ufffd"
    return bytes(found)


def mend_file(path: Path, copy: Path) -> Path:
    """A copy of a spool file in which what is not Unicode is U+FFFD: bytes that are not UTF-8, and halves of a surrogate pair."""
    with pa.OSFile(str(path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream:
        text = stream.read().decode("utf-8", errors="replace").encode()
    with pa.OSFile(str(copy), "wb") as out, pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(mended(text))
    return copy

"""Halves of surrogate pairs in JSON, such as a cut emoji: text that is no Unicode, and that no decoder accepts.

Belongs here: putting U+FFFD in their place. Does not belong here: bytes that are no UTF-8, which cost decoders nothing (`decode.py`).
"""

from __future__ import annotations

import re

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

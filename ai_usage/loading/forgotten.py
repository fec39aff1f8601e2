"""Who was forgotten, as the loader knows it: keyed hashes of addresses, and the token that takes an address's place.

Belongs here: reading `forgotten_people` and looking addresses up in it. Does not belong here: the act of forgetting (`ai_usage/operations/erasure.py`),
and what happens to rows and files (`sources/redaction.py`).

Vendors go on naming a person after the warehouse forgot them, and every run reads their last weeks again. So each load asks whom it may not name.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable

from ai_usage.sources import redaction
from ai_usage.warehouse.base import Warehouse

KEPT_S = 60.0  # one question serves the loads of a minute: on BigQuery each question is a job


def digest(address: str, salt: str) -> str:
    """HMAC-SHA-256 of a folded address, hexadecimal."""
    return hmac.digest(bytes.fromhex(salt), address.encode(), hashlib.sha256).hex()


class Forgotten:
    """The forgotten people of one warehouse. Calling it with a folded address gives the token, or None."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._tokens: dict[str, str] = {}
        self._salts: frozenset[str] = frozenset()
        self._known: dict[str, str | None] = {}
        self._until = 0.0

    def refresh(self) -> None:
        """Ask the warehouse again with the next use."""
        self._until = 0.0

    def anyone(self) -> bool:
        """Whether anybody was forgotten."""
        if time.monotonic() >= self._until:
            found = self._warehouse.select("SELECT address_hmac, salt, token FROM forgotten_people").to_pylist()
            self._tokens = {row["address_hmac"]: row["token"] for row in found}
            self._salts = frozenset(row["salt"] for row in found)
            self._known = {}
            self._until = time.monotonic() + KEPT_S
        return bool(self._tokens)

    @property
    def salts(self) -> frozenset[str]:
        """What is in use; one, where the platform alone wrote the table."""
        return self._salts if self.anyone() else frozenset()

    def __call__(self, address: str) -> str | None:
        if address not in self._known:
            self._known[address] = next((t for s in self._salts if (t := self._tokens.get(digest(address, s)))), None)
        return self._known[address]

    def among(self, written: Iterable[str]) -> bool:
        """Whether any of these, each found by `redaction.ADDRESS`, is an address of a forgotten person."""
        return any(self(address) for found in written for address in redaction.written(found))

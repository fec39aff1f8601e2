"""The one registry of vendors: who answers for which paths.

Belongs here: the list. A further vendor is a module with a `Vendor` class, and one entry here, before
Cursor, which also answers for what nobody else knows.
Does not belong here: anything of one vendor.
"""

from __future__ import annotations

from .anthropic import Anthropic
from .cursor import Cursor
from .google_sheets import GoogleSheets
from .wire import Vendor

VENDORS: tuple[type[Vendor], ...] = (GoogleSheets, Anthropic, Cursor)

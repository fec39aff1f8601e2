"""The one registry of vendors: who answers for which paths.

Belongs here: the list. A further vendor is a module with a `Vendor` class, and one entry here, before
Cursor, which also answers for what nobody else knows.
Does not belong here: anything of one vendor.
"""

from __future__ import annotations

from .anthropic.api import Anthropic
from .cursor.api import Cursor
from .google_sheets.api import GoogleSheets
from .wire import Vendor

VENDORS: tuple[type[Vendor], ...] = (GoogleSheets, Anthropic, Cursor)

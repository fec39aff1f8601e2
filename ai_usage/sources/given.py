"""What a vendor's settings are written in: their base class, an address, the switch that turns a source on.

Belongs here: the vocabulary of each vendor's `settings.py`. Does not belong here: settings of no vendor (`ai_usage/settings.py`), which also puts the
vendors' among its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel

from ai_usage.guards.fields import Address, MaybeAddress, plain

__all__ = ["Address", "MaybeAddress", "Switch", "VendorSettings", "plain"]


@dataclass(frozen=True)
class Switch:
    """What turns a source on.

    `source`: its name in `raw_fetches`. `title`: what people call it. `setting`: the field without which it is off. `url`: the field with its address.
    `subject`: how a sentence about it begins, where that is not the title.
    """

    source: str
    title: str
    setting: str
    url: str
    subject: str | None = None


class VendorSettings(BaseModel):
    """Settings of one vendor; each class is a base of `Settings`, so that a field is read, checked, shown and documented as every other one.

    `switches`: one for each source. `foreign`: variables that the vendor's own tools read and that begin like ours.
    """

    switches: ClassVar[tuple[Switch, ...]] = ()
    foreign: ClassVar[tuple[str, ...]] = ()

"""What a vendor's settings are written in: their base class, an address, the switch that turns a source on.

Belongs here: the vocabulary of each vendor's `settings.py`. Does not belong here: settings of no vendor (`ai_usage/settings.py`), which also puts the
vendors' among its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ValidationInfo

from ai_usage.guards.outgoing import in_clear, names


def _address(value: str, info: ValidationInfo) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if "@" in value:
        raise ValueError("must hold no user and no password; remove what stands before the @, since each key has a setting of its own")
    wrong = in_clear(value, names(info.data.get("plaintext_hosts", "")))
    if wrong:
        raise ValueError(wrong)
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
"""Where a credential goes: with TLS, or to this machine or a host of AI_USAGE_PLAINTEXT_HOSTS; no login inside."""

MaybeAddress = Annotated[str | None, AfterValidator(lambda value, info: None if value is None else _address(value, info))]
"""The same, or nowhere."""


def plain(name: str) -> AliasChoices:
    """The variable of a setting that has no AI_USAGE_ before its name: a key, by the name that its vendor gives it."""
    return AliasChoices(name)


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

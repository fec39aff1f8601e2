"""Kinds of settings that every room declares: an address that credentials may go to, a variable with a name of its own.

Belongs here: what the settings of several rooms are written in. Does not belong here: any setting.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AliasChoices, ValidationInfo

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

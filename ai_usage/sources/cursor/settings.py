"""Cursor's settings: docs/settings.md."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from ai_usage.sources.given import Address, Switch, VendorSettings, plain


class CursorSettings(VendorSettings):
    """One team, one key."""

    switches: ClassVar[tuple[Switch, ...]] = (Switch("cursor", "Cursor", "cursor_admin_api_key", "cursor_base_url"),)
    foreign: ClassVar[tuple[str, ...]] = ("CURSOR_API_KEY",)

    cursor_base_url: Address = Field("https://api.cursor.com", description="Cursor's Admin API.")
    cursor_admin_api_key: SecretStr | None = Field(
        None, validation_alias=plain("CURSOR_ADMIN_API_KEY"), description="Cursor Admin API key. Absent: Cursor is off."
    )
    cursor_rate_factor: float = Field(
        1.0, ge=0, description="Multiplies Cursor's documented request limits (60 a minute for events, 20 else); 0 lifts them."
    )


SETTINGS = CursorSettings

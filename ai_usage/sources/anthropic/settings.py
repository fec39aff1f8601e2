"""Anthropic's settings, of the API's organisation and of a Claude Enterprise one: docs/settings.md."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from ai_usage.sources.given import Address, Switch, VendorSettings, plain


class AnthropicSettings(VendorSettings):
    """Two organisations, a key each."""

    switches: ClassVar[tuple[Switch, ...]] = (
        Switch("anthropic", "Claude", "anthropic_admin_api_key", "anthropic_base_url"),
        Switch("claude_enterprise", "Claude Enterprise", "anthropic_analytics_api_key", "anthropic_base_url"),
    )
    foreign: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")

    anthropic_base_url: Address = Field("https://api.anthropic.com", description="Anthropic's Admin API.")
    anthropic_admin_api_key: SecretStr | None = Field(
        None, validation_alias=plain("ANTHROPIC_ADMIN_API_KEY"), description="Anthropic Admin API key. Absent: Claude is off."
    )
    anthropic_rate_factor: float = Field(
        1.0, ge=0, description="Multiplies Anthropic's documented requests a minute (100; 60 for analytics); 0 lifts the limits."
    )
    anthropic_analytics_api_key: SecretStr | None = Field(
        None,
        validation_alias=plain("ANTHROPIC_ANALYTICS_API_KEY"),
        description="Key of a Claude Enterprise organisation with the scope read:analytics. Absent: Claude Enterprise is off.",
    )


SETTINGS = AnthropicSettings

"""The Google Sheet's settings: docs/settings.md. The key file that BigQuery shares is a setting of no source."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from ai_usage.sources.given import Address, Switch, VendorSettings


class SheetSettings(VendorSettings):
    """One sheet, read by a service account."""

    switches: ClassVar[tuple[Switch, ...]] = (Switch("google_sheets", "Google Sheet", "sheet_id", "sheets_base_url", "The Google Sheet"),)

    sheets_base_url: Address = Field("https://sheets.googleapis.com", description="Google Sheets' API.")
    sheet_id: str | None = Field(None, description="The id in the sheet's URL. Absent: the sheet is off.")
    sheet_credentials: SecretStr | None = Field(
        None, description="The service account's JSON key itself, or a reference to it. Wins over GOOGLE_APPLICATION_CREDENTIALS."
    )


SETTINGS = SheetSettings

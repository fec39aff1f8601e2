"""What the declarations of marts share: columns that mean the same everywhere, and a mart's form."""

from __future__ import annotations

from ai_usage.tables.schema import Column, Table, email, string
from ai_usage.tables.staging import USER_KINDS

PLATFORM = string("platform", "Platform.", nullable=False)
DEPARTMENT = string("department", "Department on that day; '(no department)' when nobody said.", nullable=False)
USER = (
    email("user_email", "Canonical e-mail; '(unattributed)' when nobody is known.", nullable=False),
    string("user_name", "First and last name, or the e-mail.", nullable=False),
)

USER_KIND = string(
    "user_kind",
    "person, or service for a machine's account, which is never counted as a person; NULL when nobody is known.",
    allowed=USER_KINDS,
)


def mart(name: str, description: str, grain: str, columns: tuple[Column, ...], **more: object) -> Table:
    return Table(name=name, layer="mart", description=description, grain=grain, columns=columns, view=True, **more)  # type: ignore[arg-type]

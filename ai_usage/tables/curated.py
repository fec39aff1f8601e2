"""The curated layer: people, keys, usage and cost in one shape for every vendor.

Belongs here: dimensions and facts. Does not belong here: the shapes that staging models produce (`staging.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Personal, Table, boolean, date, email, string, timestamp
from ai_usage.tables.staging import COST_DIMENSIONS, SETTLE_STATES, SOURCE, STAGING_USAGE, TIMING, USER_KINDS

PROCESSED_AT = timestamp("processed_at", "When the row was computed.", nullable=False)

dim_users = Table(
    name="dim_users",
    layer="curated",
    description="People: one row each, aliases folded.",
    grain="one person",
    key=("user_id",),
    cluster_by=("email",),
    columns=(
        string("user_id", "SHA-256 of the canonical e-mail, hexadecimal.", nullable=False, personal=Personal.DIGEST),
        email("email", "Canonical e-mail: lower case, plus-tag cut, alias resolved.", nullable=False),
        string("first_name", "First name.", personal=Personal.NAME),
        string("last_name", "Last name.", personal=Personal.NAME),
        string("department", "Department today."),
        string("cost_center", "Cost center today."),
        boolean("is_active", "False once every vendor that lists the person says removed; NULL when none lists them."),
        string(
            "kind",
            "person, or service for a machine's account: what the sheet's column kind says, else service where a vendor shows the address only as a "
            "service account's. Services count in cost and never as people.",
            allowed=USER_KINDS,
        ),
        timestamp("created_at", "Start of the first UTC day on which any source showed the person.", nullable=False),
        timestamp("updated_at", "When the row was computed.", nullable=False),
    ),
)

dim_user_assignments = Table(
    name="dim_user_assignments",
    layer="curated",
    description="Who belonged to which department and cost center, when.",
    grain="one person and period",
    key=("email", "valid_from"),
    cluster_by=("email",),
    columns=(
        email("email", "Canonical e-mail.", nullable=False),
        string("department", "Department."),
        string("cost_center", "Cost center."),
        date("valid_from", "First UTC day.", nullable=False),
        date("valid_to", "Last UTC day, inclusive.", nullable=False),
    ),
)

dim_api_keys = Table(
    name="dim_api_keys",
    layer="curated",
    description="API keys and service accounts, and who answers for them when. The sheet wins over the vendor's creator.",
    grain="one key and period of ownership",
    key=("api_key_id", "valid_from"),
    cluster_by=("api_key_id",),
    columns=(
        string("api_key_id", "The vendor's id; `sheet:` and the name for keys that no vendor has listed yet.", nullable=False),
        string("api_key_name", "Name in the vendor's console."),
        string("platform", "Platform; NULL until a vendor lists the key."),
        string("workspace_id", "Workspace."),
        email("email", "Owner's canonical e-mail in this period."),
        email("creator_email", "Canonical e-mail of whoever created the key, by the vendor."),
        string("description", "Purpose."),
        boolean("is_active", "Whether the vendor calls the key active; NULL until one lists it."),
        date("valid_from", "First UTC day.", nullable=False),
        date("valid_to", "Last UTC day, inclusive.", nullable=False),
        string(
            "owner_source",
            "Where the owner came from. ambiguous: the sheet's name means several keys, or two of its rows contradict each other.",
            nullable=False,
            allowed=("sheet", "vendor_creator", "none", "ambiguous"),
        ),
        string("sheet_name", "The name or id by which a row of the sheet means the key in this period; NULL where no row does."),
        string(
            "candidates",
            "Where ambiguous: ids of the keys that the sheet's name means; this key alone where two rows of the sheet contradict each other.",
        ),
    ),
)

fct_usage_daily = Table(
    name="fct_usage_daily",
    layer="curated",
    description="Usage and productivity per day. Every additive number stands in exactly one row.",
    grain="one UTC day, platform, person, key, workspace, model and source",
    key=("usage_date", "platform", "user_email", "api_key_id", "workspace_id", "model", "source"),
    date_column="usage_date",
    cluster_by=("platform", "user_email"),
    columns=(*STAGING_USAGE, PROCESSED_AT),
    do_not="add `included_usd`, `estimated_usd` or `list_usd` to billed cost: none of them is on the invoice.",
)

fct_cost_daily = Table(
    name="fct_cost_daily",
    layer="curated",
    description="Billed money per day, to 1e-9 USD, unattributed included.",
    grain="one UTC day, platform, workspace, key, person, model, cost type, token type, attribution, source and timing",
    key=(
        "cost_date",
        "platform",
        "vendor",
        "workspace_id",
        "api_key_id",
        "user_email",
        "model",
        "cost_type",
        "token_type",
        "attribution",
        "source",
        "timing",
    ),
    date_column="cost_date",
    cluster_by=("platform", "user_email"),
    columns=(
        *COST_DIMENSIONS,
        string(
            "settle_state",
            "open: the day has not ended. provisional: the vendor may still change it. settled: it may not. closed: month closed.",
            nullable=False,
            allowed=SETTLE_STATES,
        ),
        SOURCE,
        PROCESSED_AT,
        TIMING,
    ),
)

CURATED: tuple[Table, ...] = (dim_users, dim_user_assignments, dim_api_keys, fct_usage_daily, fct_cost_daily)

"""What vendors declare, as relations: `warehouse/vendor_models.py` writes their rows.

Belongs here: the shapes of these relations. Does not belong here: the declarations (`sources/<vendor>/vendor.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Table, boolean, string
from ai_usage.tables.staging import PLATFORM

stg_platforms = Table(
    name="stg_platforms",
    layer="staging",
    description="Platforms as their vendors declare them.",
    grain="one platform",
    key=("platform",),
    view=True,
    columns=(
        PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        string("service_name", "What FOCUS calls the service.", nullable=False),
        string("account_name", "What FOCUS calls the account that is billed for use.", nullable=False),
        string("seats_account_name", "The same for seats.", nullable=False),
        string("resource_type", "What FOCUS calls that which has an id of its own.", nullable=False),
    ),
)
stg_invoicing = Table(
    name="stg_invoicing",
    layer="staging",
    description="Who sends the invoice for a platform that a person names.",
    grain="one pattern; a platform matches one at most",
    key=("platform_like",),
    view=True,
    columns=(
        string("platform_like", "What the platform is like: %, any letters.", nullable=False),
        string("vendor", "Who sends the invoice.", nullable=False),
    ),
)
stg_endpoints = Table(
    name="stg_endpoints",
    layer="staging",
    description="Endpoints and files as their vendors declare them.",
    grain="one source and endpoint",
    key=("source", "endpoint"),
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        boolean("is_by_permission", "Whether only some keys may read it, and only some days.", nullable=False),
        boolean("is_whole_window", "Whether it sums a range of days and stands on its last one.", nullable=False),
    ),
)
stg_bill_sources = Table(
    name="stg_bill_sources",
    layer="staging",
    description="Which lines of cost stand for which endpoint's bill.",
    grain="one endpoint with a vendor's total",
    key=("source", "endpoint"),
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        string("cost_source", "`source` of its lines in `stg_cost` and `fct_cost_daily`.", nullable=False),
        string("account_name", "The account that is billed, where it is not the platform's."),
        boolean("has_default_workspace", "Whether lines without a workspace are of the default one.", nullable=False),
    ),
)

STAGING: tuple[Table, ...] = (stg_platforms, stg_invoicing, stg_endpoints, stg_bill_sources)

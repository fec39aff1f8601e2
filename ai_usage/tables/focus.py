"""FOCUS, the FinOps Open Cost and Usage Specification: the mart that speaks it, and which of its columns belong to which version.

Belongs here: names, types and nullability of the specification's columns, ours with `x_`, and each version's columns in its order. Does not
belong here: what stands in them (`sql/marts/vw_focus.sql`) and how files are written (`ai_usage/finance/focus.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Column, Table, date, email, numeric, string, timestamp, usd
from ai_usage.tables.staging import ATTRIBUTIONS, COST_TYPES, SETTLE_STATES, STAGING_CHARGES

CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
TAG_PREFIX = "ai_usage/"  # of the tags that this platform makes; the others are the company's own words

stg_charge_measures = Table(
    name="stg_charge_measures",
    layer="staging",
    description="What the vendors' records say of a charge beside its price: how much was used, and what it is at list price.",
    grain="one group of a UTC day, in the terms of the cost rows that it belongs to",
    columns=tuple(c for c in STAGING_CHARGES if c.name != "is_money"),
    date_column="usage_date",
    view=True,
)

FOCUS_COLUMNS: tuple[Column, ...] = (
    usd("BilledCost", "What the vendor bills: the books' own figure.", nullable=False),
    string("BillingAccountId", "The account at the vendor that the invoice is for.", nullable=False),
    string("BillingAccountName", "Its name."),
    string("BillingCurrency", "Currency of every cost.", nullable=False, allowed=("USD",)),
    timestamp("BillingPeriodEnd", "End of the month that books the charge, exclusive.", nullable=False),
    timestamp("BillingPeriodStart", "Start of the month that books the charge.", nullable=False),
    string("ChargeCategory", "What kind of charge.", nullable=False, allowed=CATEGORIES),
    string("ChargeClass", "Correction where a closed month is corrected, else NULL.", allowed=("Correction",)),
    string("ChargeDescription", "The charge in words."),
    string("ChargeFrequency", "How often it arises.", nullable=False, allowed=("One-Time", "Recurring", "Usage-Based")),
    timestamp("ChargePeriodEnd", "End of the UTC day on which the cost arose, exclusive.", nullable=False),
    timestamp("ChargePeriodStart", "Start of the UTC day on which the cost arose.", nullable=False),
    string("CommitmentDiscountStatus", "NULL: no vendor here sells commitments."),
    numeric("ConsumedQuantity", "How much was used, in ConsumedUnit; usage only.", unit="ConsumedUnit"),
    string("ConsumedUnit", "Tokens, Requests, or Units where the vendor measures nothing and the charge itself is counted."),
    usd("ContractedCost", "Cost at the agreed price: what is billed.", nullable=False),
    usd("EffectiveCost", "Cost after all reductions: what is billed, since nothing here is prepaid for other rows.", nullable=False),
    string("HostProviderName", "Who hosts it, as far as the vendor says: the vendor. FOCUS 1.3 and later."),
    string("InvoiceId", "The invoice, where the sheet's tab leaves no doubt; else NULL."),
    string("InvoiceIssuerName", "Who sends the invoice.", nullable=False),
    usd("ListCost", "Cost at list price where the vendor says it, else what is billed: see x_ListCostBasis.", nullable=False),
    string("PricingCategory", "Standard for usage and purchases, else NULL.", allowed=("Standard",)),
    numeric("PricingQuantity", "How much was priced, in PricingUnit.", unit="PricingUnit"),
    string("PricingUnit", "1000000 Tokens, Requests, Days of a subscription, or Units."),
    string("ProviderName", "Who provides the service. FOCUS up to 1.3.", nullable=False),
    string("PublisherName", "Who publishes the service. FOCUS up to 1.3.", nullable=False),
    string("ResourceId", "API key or service account."),
    string("ResourceName", "Its name on that day."),
    string("ResourceType", "What it is.", allowed=("API Key", "Service Account")),
    string("ServiceCategory", "Kind of service.", nullable=False, allowed=("AI and Machine Learning",)),
    string("ServiceName", "The service, as its vendor calls it, or the platform's name.", nullable=False),
    string("ServiceProviderName", "Who provides the service. FOCUS 1.3 and later.", nullable=False),
    string("ServiceSubcategory", "Kind of service, finer.", nullable=False, allowed=("Generative AI",)),
    string("SkuId", "What is sold: platform, kind of charge, model and token type. Usage and purchases only."),
    string("SkuMeter", "What is metered: the token type, the kind of charge, or subscription."),
    string("SkuPriceDetails", "JSON text: x_Model and x_TokenType."),
    string("SkuPriceId", "The price: SkuId, since no price list with ids is published."),
    string("SubAccountId", "Workspace; `default` is the vendor's default workspace."),
    string("SubAccountName", "Its name."),
    string("Tags", "JSON text: department, cost_center, person, api_key, ai_usage/attribution; what is unknown is left out."),
)
"""Every column of the specification that the mart has, of any version, in the specification's order."""

CUSTOM_COLUMNS: tuple[Column, ...] = (
    string("x_Attribution", "How the cost found its owner.", nullable=False, allowed=ATTRIBUTIONS),
    date("x_BookedOn", "UTC day that books the charge.", nullable=False),
    string("x_CostCenter", "Cost center on the day of the cost."),
    string("x_CostType", "Kind of charge in this platform's words.", nullable=False, allowed=COST_TYPES),
    string("x_Department", "Department on the day of the cost; NULL when nobody said."),
    string(
        "x_ListCostBasis",
        "vendor: ListCost is the vendor's own; billed: no list price is known.",
        nullable=False,
        allowed=("vendor", "billed"),
    ),
    string("x_Model", "Model."),
    string("x_Note", "Why a correction was booked."),
    date("x_OriginalChargeDate", "UTC day on which the cost arose.", nullable=False),
    string("x_Platform", "Platform.", nullable=False),
    string("x_SettleState", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
    string("x_Source", "The staging model that the row came through.", nullable=False),
    string("x_TokenType", "Which tokens the line charges."),
    email("x_UserEmail", "The person's canonical e-mail; NULL is nobody known."),
)

vw_focus = Table(
    name="vw_focus",
    layer="mart",
    description="Booked cost in the columns of FOCUS, the FinOps Open Cost and Usage Specification, for tools that read it.",
    grain="one row of vw_cost_booked",
    columns=(*FOCUS_COLUMNS, *CUSTOM_COLUMNS),
    date_column="x_BookedOn",
    view=True,
    do_not="add ListCost, ContractedCost or EffectiveCost to BilledCost: each is the same charge seen otherwise.",
)

_ONLY_1_2 = frozenset({"ProviderName", "PublisherName"})
_ONLY_1_4 = frozenset({"HostProviderName", "ServiceProviderName"})


def focus_columns(version: str) -> tuple[Column, ...]:
    """The columns of a file of that FOCUS version: the specification's in its order, then ours. KeyError for an unknown version."""
    left_out = {"1.2": _ONLY_1_4, "1.4": _ONLY_1_2}[version]
    return tuple(c for c in vw_focus.columns if c.name not in left_out)


VERSIONS = ("1.2", "1.4")

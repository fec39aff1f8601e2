"""What the invented vendor sells: models and prices per token.

Belongs here: constants of the vendor's price list.
Does not belong here: who uses them, or how much (cast.py, events.py). Names and prices are invented.
"""

from __future__ import annotations

from typing import NamedTuple


class Model(NamedTuple):
    """Prices are micro-cents per token: 300 is 3 USD per million tokens."""

    name: str
    input: int
    output: int
    cache_read: int
    cache_write: int


MODELS = (
    Model("claude-5-sonnet", 300, 1500, 30, 375),
    Model("claude-5-opus", 500, 2500, 50, 625),
    Model("composer-2", 125, 600, 12, 125),
    Model("gpt-6-codex", 150, 1100, 15, 150),
    Model("default", 110, 550, 11, 130),  # "Auto"
)

TOKEN_FEE = 25  # micro-cents per token (cache reads are free), on usage-based calls: `cursorTokenFee`
REQUEST_PRICE = 400_000  # micro-cents per tenth of a request, for calls that count no tokens

# What becomes of a call, and how the vendor spells its kind: live accounts show several forms of each, and `isChargeable: true` on included ones.
# Only USAGE is billed; INCLUDED is in the plan; GRANTED (a credit, or the user's own key) and ERRORED are neither.
USAGE, INCLUDED, GRANTED, ERRORED = "usage", "included", "granted", "errored"
SPELLINGS = {
    USAGE: ("Usage-based", "Usage-based", "USAGE_EVENT_KIND_USAGE_BASED", "On-Demand"),
    INCLUDED: ("Included in Business", "USAGE_EVENT_KIND_INCLUDED_IN_BUSINESS", "included_in_business", "Included"),
    GRANTED: ("Free Credit", "User API Key", "USAGE_EVENT_KIND_FREE_CREDIT", "USAGE_EVENT_KIND_USER_API_KEY"),
    ERRORED: ("Errored, Not Charged", "Errored, Not Charged", "Aborted, Not Charged", "USAGE_EVENT_KIND_ERRORED_NOT_CHARGED"),
}

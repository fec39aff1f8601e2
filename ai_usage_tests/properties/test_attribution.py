"""Anthropic's bill over keys, whatever dimensions its lines lack: nothing lost, nothing used twice, weighted where prices differ.

Belongs here: section "Exact attribution" recounted in Python, with fractions, for lines and usage at random. Single situations are in
unit/test_sql_anthropic.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage_tests.fixtures.desk import Desk

FIRST = date(2026, 11, 1)
TIERS, WINDOWS, GEOS = ("standard", "batch", "priority"), ("0-200k", "200k-1M"), ("global", "us", "eu")
# How a vendor may write each value, and what it says of nothing.
SPELT: dict[str | None, tuple[str | None, ...]] = {
    None: (None, "", "not_available", " None"),
    "us": ("us", "US"),
    "standard": ("standard", "Standard "),
}
# Against standard tokens; priority is in no bill, so that only a line that names it can be of it.
PRICE = {"batch": Fraction(1, 2), "us": Fraction(11, 10), "200k-1M": Fraction(3, 2)}
Dims = tuple[str | None, str | None, str | None]
Used = tuple[str | None, str | None, str | None, str]

USAGE = st.dictionaries(
    st.tuples(*(st.sampled_from((*values, None)) for values in (TIERS, WINDOWS, GEOS)), st.sampled_from(("k1", "k2", "k3"))),
    st.integers(1, 10**9), min_size=1, max_size=6,
)  # fmt: skip
LINES = st.dictionaries(
    st.tuples(*(st.sampled_from((*values, None)) for values in (TIERS, WINDOWS, GEOS))),
    st.integers(-(10**6), 10**12),
    min_size=1,
    max_size=4,
)


def lacks(dims: Dims) -> tuple[int, int]:
    """How many dimensions, then which: geo before window before tier."""
    return sum(d is None for d in dims), sum(n for n, d in zip((4, 2, 1), dims, strict=True) if d is None)


def owners(lines: dict[Dims, int], used: dict[Used, int]) -> dict[Dims, dict[str, Fraction]]:
    """{line: {key: weight}}: each cell of usage goes to the line that says most of it; what goes to none, since it lacks what the lines say, shares
    each line that took nothing."""
    taken: dict[Dims, list[tuple[str, int, Fraction]]] = defaultdict(list)

    def take(dims: Dims, cell: Dims, key: str, tokens: int) -> None:
        price = Fraction(1)
        for line_says, usage_says in zip(dims, cell, strict=True):
            price *= PRICE.get(line_says or usage_says or "", Fraction(1))
        taken[dims].append((key, tokens, price))

    left = []
    for (*cell, key), tokens in used.items():
        billed = [dims for dims in lines if cell[0] != "priority" or dims[0] == "priority"]
        fits = [dims for dims in billed if all(d is None or d == c for d, c in zip(dims, cell, strict=True))]
        if fits:
            take(min(fits, key=lacks), tuple(cell), key, tokens)
        else:
            could = [dims for dims in billed if all(None in (d, c) or d == c for d, c in zip(dims, cell, strict=True))]
            left.append((could, tuple(cell), key, tokens))
    for could, cell, key, tokens in [(set(could) - taken.keys(), *rest) for could, *rest in left]:
        for dims in could:
            take(dims, cell, key, tokens)
    weights: dict[Dims, dict[str, Fraction]] = {}
    for dims, cells in taken.items():
        differs = len({price for _, _, price in cells}) > 1
        weights[dims] = defaultdict(Fraction)
        for key, tokens, price in cells:
            weights[dims][key] += tokens * (price if differs else 1)
    return weights


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(LINES, USAGE), min_size=8, max_size=8))
def test_parts_sum_to_each_line_and_no_usage_is_used_twice(
    new_desk: Callable[[], Desk], days: list[tuple[dict[Dims, int], dict[Used, int]]]
) -> None:
    desk = new_desk()
    names = ("service_tier", "context_window", "inference_geo")
    same: dict[str, Any] = {"workspace_id": "w", "model": "m"}

    def written(dims: Sequence[str | None], n: int) -> dict[str, str | None]:
        spelt = (SPELT.get(value, (value,)) for value in dims)
        return dict(zip(names, (ways[n % len(ways)] for ways in spelt), strict=True))

    for n, (lines, used) in enumerate(days):
        day = FIRST + timedelta(days=n)
        bill = [
            same | written(dims, n + i)
            | {"amount_usd": Decimal(nano).scaleb(-9), "currency": "USD", "cost_type": "tokens", "token_type": "output_tokens", "description": "d"}
            for i, (dims, nano) in enumerate(lines.items())
        ]  # fmt: skip
        desk.fetch("anthropic", "cost_report", day, "raw_anthropic_cost", *bill)
        rows = [
            same | written(cell, n + i) | {"api_key_id": key, "output_tokens": tokens}
            for i, ((*cell, key), tokens) in enumerate(used.items())
        ]
        desk.fetch("anthropic", "usage_report/messages", day, "raw_anthropic_usage", *rows)
    found: dict[tuple[date, str | None], int] = defaultdict(int)
    allocated = set()
    for row in desk.ask("SELECT cost_date, api_key_id, cost_usd, attribution FROM stg_anthropic_cost"):
        found[row["cost_date"], row["api_key_id"]] += int(row["cost_usd"].scaleb(9))
        assert (row["attribution"] == "unattributed") == (row["api_key_id"] is None)
        if row["attribution"] == "allocated":
            allocated.add(row["cost_date"])
    for n, (lines, used) in enumerate(days):
        day = FIRST + timedelta(days=n)
        weights = owners(lines, used)
        assert found.pop((day, None), 0) == sum(nano for dims, nano in lines.items() if dims not in weights)
        exact: dict[str, Fraction] = defaultdict(Fraction)
        for dims, keys in weights.items():
            for key, weight in keys.items():
                exact[key] += lines[dims] * weight / sum(keys.values())
        keys_found = {key: found.pop((day, key), 0) for key in exact}
        # A part is cut at 1e-9 USD, and the largest of a line takes what the others lost: less than 1e-9 of each.
        assert all(abs(keys_found[key] - exact[key]) < 3 * len(lines) for key in exact)
        assert sum(keys_found.values()) == sum(lines[dims] for dims in weights)
    assert not any(found.values())

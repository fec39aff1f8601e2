"""A range that a file sums and days that an API tells are one bill: it counts once, whichever of the two counts.

Belongs here: law 9 over claude.ai's spend report and Claude Enterprise's cost, recounted here from what was laid, without the code under test.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import WarehouseError, models
from ai_usage_tests.fixtures.desk import NOON, Desk, curated

D, N, ONE = date, Decimal, timedelta(days=1)
ANA = "ana@example.com"
Day = tuple[
    str, int
]  # what the API says of a day: missing, failed, empty, zero (a line of 0), open (read before it ended), or rows of so many 1e-9 USD


class Scene(NamedTuple):
    """One month: the days that a spend report sums (none where length is 0), its total in 1e-9 USD, and the API's days of the month's first ten."""

    start: int
    length: int
    nano: int
    days: list[Day]


DAYS = st.tuples(st.sampled_from(("missing", "failed", "empty", "zero", "open", "rows", "rows", "rows")), st.integers(1, 10**10))
NANO = st.one_of(st.just(0), st.integers(0, 10**11))
SCENES = st.builds(Scene, st.integers(1, 6), st.integers(0, 5), NANO, st.lists(DAYS, min_size=10, max_size=10))
# The kinds that a random scene seldom meets: every day held, with one empty; every day held and empty, or of lines of 0; all but one; a range of 0.
HELD, QUIET, ZERO = ("rows", 7 * 10**9), ("empty", 1), ("zero", 0)
ALWAYS = [
    Scene(2, 4, 300 * 10**9 + 1, [HELD] * 4 + [QUIET] + [HELD] * 5),
    Scene(2, 4, 300 * 10**9 + 1, [QUIET] * 10),
    Scene(2, 4, 300 * 10**9 + 1, [ZERO] * 10),
    Scene(2, 4, 0, [HELD] * 3 + [("missing", 1)] + [ZERO] * 6),
    Scene(2, 4, 300 * 10**9 + 1, [HELD] * 3 + [("failed", 1)] + [HELD] * 6),
    Scene(2, 4, 300 * 10**9 + 1, [HELD] * 3 + [("open", 10**9)] + [HELD] * 6),
]


def usd(nano: int) -> Decimal:
    return N(nano).scaleb(-9)


Rows = dict[str, list[dict[str, object]]]


def add(
    rows: Rows, source: str, endpoint: str, first: date, last: date, at: datetime, state: str, nano: int, table: str, record: dict
) -> None:
    """One fetch, and its record where it has one: a warehouse is filled once for all scenes."""
    fetch_id = f"{source}-{last}"
    rows["raw_fetches"].append(
        {
            "fetch_id": fetch_id, "version_fetch_id": fetch_id, "source": source, "endpoint": endpoint, "usage_date": last, "fetched_at": at, "state": state,
            "origin": "upload" if source == "claude_ai" else "api", "changed": True, "row_count": int(state == "complete"), "rejected_count": 0,
            "vendor_total_usd": None if state == "failed" else usd(nano), "window_start": datetime(first.year, first.month, first.day, tzinfo=UTC),
        }
    )  # fmt: skip
    if state == "complete":
        rows[table].append({"usage_date": last, "fetch_id": fetch_id, "fetched_at": at, "ingest_date": at.date(), **record})


def lay(rows: Rows, scene: Scene, month: date) -> dict[date, Decimal]:
    """Put the scene into a month; returns what must count, by day, worked out from the law's words."""
    api: dict[date, int] = {}
    held: set[date] = set()
    for n, (kind, nano) in enumerate(scene.days):
        day = month + n * ONE
        if kind == "missing":
            continue
        state = {"failed": "failed", "empty": "empty"}.get(kind, "complete")
        at = datetime(day.year, day.month, day.day, 20, tzinfo=UTC) if kind == "open" else NOON
        nano = 0 if kind == "zero" else nano
        record = {"actor_email": ANA, "product": "chat", "amount_usd": usd(nano), "currency": "USD"}
        total = nano if state == "complete" else 0
        add(rows, "claude_enterprise", "analytics/cost", day, day, at, state, total, "raw_claude_enterprise_cost", record)
        if state == "complete":
            api[day] = nano
        if kind in ("rows", "zero", "empty"):
            held.add(day)
    inside = [month + (scene.start - 1 + n) * ONE for n in range(scene.length)]
    counted = {day: nano for day, nano in api.items() if day not in inside}
    if inside:
        first, last = inside[0], inside[-1]
        record = {"period_start": first, "period_end": last, "user_email": ANA, "model": "m", "net_usd": usd(scene.nano)}
        add(rows, "claude_ai", "spend", first, last, NOON, "complete", scene.nano, "raw_claude_ai_spend", record)
        if (held >= set(inside) or scene.nano == 0) and any(api.get(day) for day in inside):
            counted |= {day: api[day] for day in inside if day in api}
        else:
            each = scene.nano // len(inside)
            counted |= dict.fromkeys(inside[:-1], each) | {last: scene.nano - each * (len(inside) - 1)}
    return {day: usd(nano) for day, nano in counted.items() if nano}


@settings(max_examples=4, deadline=None)
@given(st.lists(SCENES, min_size=4, max_size=4))
def test_the_chosen_report_counts_once_whatever_the_api_holds(new_desk: Callable[[], Desk], scenes: list[Scene]) -> None:
    """Law 9: of two reports of one bill, a range (a file) and days (an API), the range counts unless the API holds every one of its days and not all of
    them are empty; then the range is set aside whole; otherwise the API's days inside it are."""
    desk, expected, rows = new_desk(), {}, defaultdict(list)
    for n, scene in enumerate(ALWAYS + scenes, start=1):
        expected |= lay(rows, scene, D(2026, n, 1))
    for table, laid in rows.items():
        desk.lay(table, *laid)
    model = models.model("fct_cost_daily")
    parameters = {"start_date": D(2026, 1, 1), "end_date": D(2026, 10, 31), "as_of_date": D(2026, 11, 22), "processed_at": NOON}
    desk.warehouse.replace(model.table, model.sql, parameters, FACTS["fct_cost_daily"])
    found = {r["cost_date"]: r["usd"] for r in desk.ask("SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date")}
    assert {day: total for day, total in found.items() if total} == expected
    for n, scene in enumerate(ALWAYS + scenes, start=1):
        inside = [D(2026, n, scene.start) + k * ONE for k in range(scene.length)]
        money = [kind in ("rows", "open") for kind, _ in scene.days[scene.start - 1 :][: scene.length]]
        if scene.length and (scene.nano or any(money)):
            assert sum(found.get(day, N(0)) for day in inside) > 0, (
                "money that one report knows of counts, whatever the other says of nothing"
            )


def test_a_report_of_zeros_by_day_sets_no_money_aside(desk: Desk) -> None:
    """The newer report counts where it has money, else the older: nine days, on which each says nothing, a line of 0, or its own sum."""
    said = (None, "0", "5")
    for n, (newer, older) in enumerate(product(said, said), start=1):
        for endpoint, table, usd_told in (
            ("analytics/cost", "raw_anthropic_analytics_cost", newer),
            ("cost_report", "raw_anthropic_cost", older),
        ):
            times = 1 if endpoint == "cost_report" else 2
            rows = [] if usd_told is None else [{"amount_usd": N(usd_told) * times, "currency": "USD"}]
            desk.fetch("anthropic", endpoint, D(2026, 10, n), table, *rows, vendor_total_usd=N(usd_told or 0) * times)
    model = models.model("fct_cost_daily")
    parameters = {"start_date": D(2026, 10, 1), "end_date": D(2026, 10, 31), "as_of_date": D(2026, 11, 22), "processed_at": NOON}
    desk.warehouse.replace(model.table, model.sql, parameters, FACTS["fct_cost_daily"])
    found = desk.ask(
        "SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date HAVING SUM(cost_usd) != 0 ORDER BY cost_date"
    )
    assert [(r["cost_date"].day, r["usd"]) for r in found] == [(3, 5), (6, 5), (7, 10), (8, 10), (9, 10)]


# Worked out by hand ------------------------------------------------------------------------------------------------


def october(desk: Desk, total: str, first: date = D(2026, 10, 1), last: date = D(2026, 10, 31)) -> None:
    desk.fetch(
        "claude_ai", "spend", last, "raw_claude_ai_spend",
        {"period_start": first, "period_end": last, "user_email": ANA, "net_usd": N(total), "gross_usd": N(total)}, origin="upload",
        vendor_total_usd=N(total), window_start=datetime(first.year, first.month, first.day, tzinfo=UTC),
    )  # fmt: skip


def told(desk: Desk, first: date, last: date) -> None:
    for n in range((last - first).days + 1):
        row = {"actor_email": ANA, "product": "chat", "amount_usd": N(10), "list_usd": N(11), "currency": "USD"}
        desk.fetch("claude_enterprise", "analytics/cost", first + n * ONE, "raw_claude_enterprise_cost", row, vendor_total_usd=N(10))


def facts(desk: Desk) -> list[tuple]:
    found = desk.ask("SELECT source, timing, COUNT(*) AS days, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY 1, 2 ORDER BY 1, 2")
    return [tuple(r.values()) for r in found]


def test_a_run_of_the_last_missing_day_turns_the_whole_range(desk: Desk) -> None:
    """310 of a range count while the API lacks 5 October. Once it is read, a run of that day alone books the API's 310 by day: never 300 + 310."""
    october(desk, "310")
    told(desk, D(2026, 10, 1), D(2026, 10, 4))
    told(desk, D(2026, 10, 6), D(2026, 10, 31))
    curated(desk, D(2026, 10, 1), D(2026, 10, 31), D(2026, 11, 22))
    assert facts(desk) == [("claude_ai_spend", "spread", 31, N(310))]
    listed = "SELECT SUM(list_usd) AS usd FROM fct_usage_daily"
    assert desk.one(listed) == N(310), "what the report that does not count says of list price does not count either"
    told(desk, D(2026, 10, 5), D(2026, 10, 5))
    curated(desk, D(2026, 10, 5), D(2026, 10, 5), D(2026, 11, 22))
    assert facts(desk) == [("claude_enterprise_cost", "day", 31, N(310))]
    assert desk.one(listed) == N(341)
    assert desk.one("SELECT SUM(cost_usd) FROM agg_cost_days") == N(310)


def test_a_range_that_crosses_a_month_is_spread_over_both_and_no_sign_of_what_is_to_come(desk: Desk) -> None:
    """100 USD over 30 October to 1 November are 33.333333333 twice, and the rest on the last day."""
    october(desk, "100", D(2026, 10, 30), D(2026, 11, 1))
    curated(desk, D(2026, 10, 1), D(2026, 11, 21), D(2026, 11, 22))
    assert [tuple(r.values()) for r in desk.ask("SELECT cost_date, cost_usd, timing FROM fct_cost_daily ORDER BY cost_date")] == [
        (D(2026, 10, 30), N("33.333333333"), "spread"), (D(2026, 10, 31), N("33.333333333"), "spread"), (D(2026, 11, 1), N("33.333333334"), "spread"),
    ]  # fmt: skip
    assert desk.one("SELECT SUM(expected_usd) FROM vw_forecast") in (None, N(0))
    assert desk.one("SELECT vendor_difference_usd FROM vw_reconciliation WHERE month = DATE '2026-10-01'") == 0


def test_a_longer_range_that_is_exported_again_is_no_restatement(desk: Desk) -> None:
    """16 to 31 October, then all of October, which ends on the same day; then the same range again with late spend: that one is the vendor's."""
    for minutes, (first, usd_told) in enumerate(((D(2026, 10, 16), "50"), (D(2026, 10, 1), "90"), (D(2026, 10, 1), "91"))):
        begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
        desk.fetch(
            "claude_ai", "spend", D(2026, 10, 31), "raw_claude_ai_spend",
            {"period_start": first, "period_end": D(2026, 10, 31), "user_email": ANA, "net_usd": N(usd_told)}, origin="upload",
            vendor_total_usd=N(usd_told), window_start=begin, content_sha256=usd_told, at=NOON + timedelta(minutes=minutes),
        )  # fmt: skip
    assert [tuple(r.values()) for r in desk.ask("SELECT previous_vendor_total_usd, vendor_total_usd FROM vw_restatements")] == [
        (N(90), N(91))
    ]


def test_the_proof_does_not_take_the_rule_for_the_truth(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stg_set_aside that sets nothing aside, in its view and as a run reads it, must not pass: 620 stand for 310."""
    october(desk, "310")
    told(desk, D(2026, 10, 26), D(2026, 10, 31))
    nothing = models.model("stg_set_aside").sql.replace(
        "FROM ranges AS r\nINNER JOIN", "FROM (SELECT * FROM ranges WHERE FALSE) AS r\nINNER JOIN"
    )
    with desk.warehouse._open() as con:
        from ai_usage.warehouse import dialect

        con.execute(f"CREATE OR REPLACE VIEW stg_set_aside AS {dialect.to_duckdb(nothing)}")
    model = models.model("fct_cost_daily")
    first, last = totals.whole_ranges(desk.warehouse, D(2026, 10, 31), D(2026, 10, 31))
    assert (first, last) == (D(2026, 10, 1), D(2026, 10, 31))
    with pytest.raises(WarehouseError, match=r"claude\.ai's bill counts once"):
        parameters = {"start_date": first, "end_date": last, "as_of_date": D(2026, 11, 22), "processed_at": NOON}
        desk.warehouse.replace(model.table, model.sql, parameters, FACTS["fct_cost_daily"])

"""The laws of the design's section 3, for histories that nobody thought of.

Truth is the test's own arithmetic in Decimal, or the simulator's books; never a second run of the same SQL alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage import transform
from ai_usage.simulator import Simulator, World
from ai_usage.sources.cursor import records
from ai_usage.sources.cursor.client import CursorClient
from ai_usage.sources.cursor.records import DAILY_USAGE, EVENTS, MEMBERS
from ai_usage.sources.endpoint import Window
from ai_usage.sources.walk import walk_all
from ai_usage_tests.fixtures.desk import Desk, assert_totals, contents, curated, event_json, ms, spooled, work

D, N = date, Decimal
FIRST = D(2026, 11, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
AS_OF = D(2026, 11, 22)
NewDesk = Callable[[], Desk]

# E-mails as vendors write them -> the person.
WRITTEN = {
    "ana@example.com": "ana@example.com",
    "ANA@Example.com": "ana@example.com",
    "ana+x@example.com": "ana@example.com",
    "a.smith@example.com": "ana@example.com",
    "ben@example.com": "ben@example.com",
    "bot@example.com": "bot@example.com",
}


def spent(email: str, cents: str, *, chargeable: bool = True, service: str | None = None, hour: int = 12) -> dict:
    """One event of the kind that `events_of` draws."""
    return {"email": email, "cents": N(cents), "chargeable": chargeable, "model": "m", "hour": hour, "service": service}


cents = st.decimals(min_value=N("-500"), max_value=N("90000"), places=7).map(lambda d: d.normalize())


@st.composite
def events_of(draw: Any, day: date) -> list[dict]:
    """Random events of a day; about one in four is an exact copy of the one before."""
    found: list[dict] = []
    for _ in range(draw(st.integers(0, 5))):
        if found and draw(st.integers(0, 3)) == 0:
            found.append(dict(found[-1]))
            continue
        chargeable = draw(st.booleans())
        found.append(
            {
                "email": draw(st.sampled_from(sorted(WRITTEN))),
                "cents": draw(cents if chargeable else cents.filter(lambda c: c >= 0)),
                "chargeable": chargeable,
                "model": draw(st.sampled_from(["m", "n"])),
                "hour": draw(st.integers(0, 23)),
                "service": draw(st.sampled_from([None, None, "sa1"])),
            }
        )
    return found


def as_sent(day: date, e: dict) -> str:
    more = {"serviceAccountId": e["service"], "serviceAccountName": "ci"} if e["service"] else {}
    text = event_json(day, format(e["cents"], "f"), e["chargeable"], e["email"], **more, tokenUsage={"inputTokens": e["hour"] + 1})
    return text.replace(f'"{ms(day)}"', f'"{ms(day, e["hour"])}"').replace('"claude-5-sonnet"', f'"{e["model"]}"')


def billed(day_events: list[dict]) -> Decimal:
    """USD by the test's own arithmetic."""
    return sum((e["cents"] for e in day_events if e["chargeable"]), N(0)) / 100


def sheet(desk: Desk) -> None:
    day = D(2026, 11, 20)
    desk.tab(
        "people",
        {"email": "ana@example.com", "aliases": "a.smith@example.com", "department": "Eng", "valid_to": DAYS[1]},
        {"email": "ana@example.com", "department": "Sales", "valid_from": DAYS[2]},
        day=day,
    )
    desk.tab("api_keys", {"api_key_name": "ci", "email": "ben@example.com", "valid_from": DAYS[1], "valid_to": DAYS[2]}, day=day)
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "seats": 3, "price_usd": N("40"), "valid_from": DAYS[0]},
        {"platform": "claude_ai", "plan": "T", "email": "a.smith@example.com", "price_usd": N("30"), "valid_from": DAYS[1]},
        day=day,
    )
    desk.load(
        MEMBERS, spooled(desk.spool, MEMBERS, day, records=[{"id": "1", "email": "ben@example.com", "name": "Ben B", "isRemoved": True}])
    )


def run_window(desk: Desk, vendor: dict[date, list[dict]], first: date, last: date, split: bool) -> None:
    """What an asset run of these days does: read both endpoints, then make every model for the same days."""
    days = [d for d in DAYS if first <= d <= last]
    groups = [[d] for d in days] if split else [days]
    for group in groups:
        desk.load(EVENTS, spooled(desk.spool, EVENTS, group[0], group[-1], [as_sent(d, e) for d in group for e in vendor[d]]))
        lines = [work(d, user, acceptedLinesAdded=len(vendor[d])) for d in group for user in ("ana", "ben")]
        desk.load(DAILY_USAGE, spooled(desk.spool, DAILY_USAGE, group[0], group[-1], lines))
    curated(desk, first, last, AS_OF)


def conserved(desk: Desk, vendor: dict[date, list[dict]]) -> None:
    """Asserts that every layer holds the vendor's money of each day, by the test's own arithmetic, and each person theirs."""
    raw = """
      SELECT r.usage_date AS d, SUM(CASE WHEN r.is_chargeable THEN r.charged_usd ELSE 0 END) AS usd
      FROM raw_cursor_events AS r INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date
      GROUP BY r.usage_date
    """
    layers = {
        "fetch": "SELECT usage_date AS d, vendor_total_usd AS usd FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events'",
        "raw": raw,
        "staging": "SELECT cost_date AS d, SUM(cost_usd) AS usd FROM stg_cost WHERE cost_type = 'usage' GROUP BY cost_date",
        "fact": "SELECT cost_date AS d, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_type = 'usage' GROUP BY cost_date",
        "mart": "SELECT cost_date AS d, SUM(cost_usd) AS usd FROM vw_cost_allocation WHERE cost_type = 'usage' GROUP BY cost_date",
        "productivity": "SELECT usage_date AS d, SUM(cost_usd) AS usd FROM vw_productivity_metrics WHERE platform = 'cursor' GROUP BY usage_date",
    }
    expected = {d: billed(vendor[d]) for d in DAYS}
    for layer, sql in layers.items():
        found = {r["d"]: r["usd"] or N(0) for r in desk.ask(sql)}
        assert {d: found.get(d, N(0)) for d in DAYS} == expected, layer
    month = desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM vw_monthly_finance WHERE cost_type = 'usage'")
    assert month == sum(expected.values())
    by_person: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for d in DAYS:
        for e in vendor[d]:
            if e["chargeable"]:
                by_person[d, WRITTEN[e["email"]]] += e["cents"] / 100
    found_people = {
        (r["d"], r["u"]): r["usd"]
        for r in desk.ask(
            "SELECT cost_date AS d, user_email AS u, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_type = 'usage' GROUP BY 1, 2"
        )
    }
    assert found_people == dict(by_person)
    included = sum((e["cents"] for d in DAYS for e in vendor[d] if not e["chargeable"]), N(0)) / 100
    assert desk.one("SELECT COALESCE(SUM(included_usd), 0) FROM fct_usage_daily") == included
    assert desk.one("SELECT COALESCE(SUM(requests), 0) FROM fct_usage_daily") == sum(len(v) for v in vendor.values()), (
        "equal events are all counted"
    )


windows = st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()).map(lambda w: (min(w[:2]), max(w[:2]), w[2]))


@settings(max_examples=2)
@given(st.data())
def test_replaying_is_free(new_desk: NewDesk, data: st.DataObject) -> None:
    """Law 3: days alone, in ranges, in any order, overlapping, repeated: the same dimensions and facts as one run of everything."""
    vendor = {d: data.draw(events_of(d)) for d in DAYS}
    whole = new_desk()
    sheet(whole)
    run_window(whole, vendor, DAYS[0], DAYS[-1], split=False)
    pieces = new_desk()
    sheet(pieces)
    steps = data.draw(st.lists(windows, max_size=3))
    steps += [(n, n, True) for n in data.draw(st.permutations(range(4))) if not any(a <= n <= b for a, b, _ in steps)]
    for a, b, split in steps:
        run_window(pieces, vendor, DAYS[a], DAYS[b], split)
    for name in transform.order():
        assert contents(pieces, name) == contents(whole, name), name
    assert_totals(pieces)
    for a, b, split in steps[:1]:
        run_window(pieces, vendor, DAYS[a], DAYS[b], split)
    for name in transform.order():
        assert contents(pieces, name) == contents(whole, name), f"{name} after a repeated step"


@settings(max_examples=3)
@given(st.data())
def test_conservation(new_desk: NewDesk, data: st.DataObject) -> None:
    """Law 4: for each day, the vendor's cents in Decimal = fetch total = raw = staging = fact = marts, also after a restatement."""
    desk = new_desk()
    sheet(desk)
    vendor = {d: data.draw(events_of(d)) for d in DAYS}
    run_window(desk, vendor, DAYS[0], DAYS[-1], split=False)
    for d in data.draw(st.lists(st.sampled_from(DAYS), max_size=2, unique=True)):
        vendor[d] = data.draw(events_of(d))
        run_window(desk, vendor, d, d, split=True)
    conserved(desk, vendor)


@settings(max_examples=6)
@given(st.lists(st.sampled_from(["", "1", "2", "1 1", "2 1"]), min_size=1, max_size=6))
def test_restatement_histories(new_desk: NewDesk, history: list[str]) -> None:
    """Each change is one version; the last answer counts; the changes telescope from the first total to the last."""
    desk = new_desk()
    sent = [[event_json(FIRST, c) for c in text.split()] for text in history]
    totals = [sum((N(c) for c in text.split()), N(0)) / 100 for text in history]
    for answer in sent:
        desk.load_day(EVENTS, FIRST, answer)
    content = [tuple(sorted(text.split())) for text in history]
    changes = [n for n in range(1, len(history)) if content[n] != content[n - 1]]
    rows = desk.ask("SELECT * FROM vw_restatements ORDER BY version_no")
    assert [r["version_no"] for r in rows] == list(range(2, len(changes) + 2))
    assert [r["change_usd"] for r in rows] == [totals[n] - totals[n - 1] for n in changes]
    assert [r["state"] for r in rows] == ["complete" if content[n] else "empty" for n in changes]
    assert desk.one("SELECT vendor_total_usd FROM stg_current_fetches") == totals[-1]
    assert desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_cursor_cost") == totals[-1]
    stored = 1 + len(changes)
    assert desk.one("SELECT COUNT(DISTINCT version_fetch_id) FROM raw_fetches") == stored
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_events") == sum(len(content[n]) for n in [0, *changes])
    assert sum((r["change_usd"] for r in rows), totals[0]) == totals[-1]


prices = st.decimals(min_value=N(0), max_value=N(100_000), places=9)
months = st.integers(0, 33).map(lambda n: D(2023 + n // 12, n % 12 + 1, 1))


def following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


@settings(max_examples=8)
@given(st.lists(st.tuples(months, st.integers(1, 2), prices, st.one_of(st.none(), st.integers(1, 5000))), min_size=1, max_size=3))
def test_a_full_month_of_a_subscription_is_its_price_times_its_seats(new_desk: NewDesk, rows: list) -> None:
    """For any month, price and seats, to the last 1e-9 USD; no day is negative or missing, and days differ by the remainder at most."""
    desk = new_desk()
    expected: dict[tuple[str, date], Decimal] = {}
    lines = []
    for n, (month, length, price, seats) in enumerate(rows):
        end = month
        for _ in range(length):
            expected[f"p{n}", end] = price * (seats or 1)
            end = following(end)
        person = {"seats": seats} if seats else {"email": "a@example.com"}
        lines.append(
            {"platform": f"p{n}", "plan": "x", "price_usd": price, "valid_from": month, "valid_to": end - timedelta(days=1), **person}
        )
    desk.tab("subscriptions", *lines)
    found = desk.ask("SELECT platform, cost_date, SUM(cost_usd) AS usd FROM stg_sheet_cost GROUP BY 1, 2")
    sums: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    per_day: dict[tuple[str, date], list[Decimal]] = defaultdict(list)
    for r in found:
        key = (r["platform"], r["cost_date"].replace(day=1))
        sums[key] += r["usd"]
        per_day[key].append(r["usd"])
    positive = {k: v for k, v in expected.items() if v}
    assert {k: v for k, v in sums.items() if v} == positive
    for key in positive:
        assert min(per_day[key]) >= 0
        assert max(per_day[key]) - min(per_day[key]) < N("31e-9")
        if min(per_day[key]) > 0:
            assert len(per_day[key]) == (following(key[1]) - key[1]).days


@settings(max_examples=8)
@given(
    seats=st.integers(1, 9),
    holders=st.integers(0, 12),
    own=st.integers(0, 3),
    price=st.decimals(min_value=N("0.01"), max_value=N(9999), places=7),
)
def test_a_day_split_over_people_never_loses_a_nano(new_desk: NewDesk, seats: int, holders: int, own: int, price: Decimal) -> None:
    """However many people share however many seats, the lines of the day sum to what the day costs, and nobody is charged below zero."""
    desk = new_desk()
    day = D(2026, 6, 15)  # 30 days: a day costs the month's 1e-9 USD divided by 30, cut
    people = [f"p{n}@example.com" for n in range(holders)]
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "seats": seats, "price_usd": price, "valid_from": day, "valid_to": day},
        *(
            {"platform": "cursor", "plan": "own", "email": f"p{n}@example.com", "price_usd": price, "valid_from": day, "valid_to": day}
            for n in range(own)
        ),
    )
    if people:
        desk.fetch("cursor", "daily-usage-data", day, "raw_cursor_usage", *({"user_id": p, "email": p, "is_active": False} for p in people))
    nano = int(price * 10**9)
    expected = N((nano * seats) // 30 + own * (nano // 30)).scaleb(-9)
    rows = desk.ask("SELECT user_email, cost_usd, attribution FROM stg_sheet_cost")
    assert sum((r["cost_usd"] for r in rows), N(0)) == expected
    assert all(r["cost_usd"] >= 0 for r in rows)
    assert len({r["user_email"] for r in rows}) == len(rows)
    desk.run("fct_cost_daily", day, day, D(2026, 7, 1))
    assert desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily") == expected


# On both engines ------------------------------------------------------------------------------------------------

# Chosen for what went wrong elsewhere: the smallest money, a credit, equal events, aliases, a service account with and without an owner, included
# usage, a day without an event.
TOLD: dict[date, list[dict]] = {
    DAYS[0]: [
        spent("ana@example.com", "1234.5678901"), spent("ANA@Example.com", "0.0000001"), spent("ana+x@example.com", "10", chargeable=False),
        spent("bot@example.com", "7.7", service="sa1"),
    ],
    DAYS[1]: [spent("a.smith@example.com", "33.3333333"), spent("a.smith@example.com", "33.3333333"), spent("bot@example.com", "5", service="sa1")],
    DAYS[2]: [spent("ben@example.com", "-499.9999999"), spent("ben@example.com", "89999.9999999", hour=23)],
    DAYS[3]: [],
}  # fmt: skip
LATER: dict[date, list[dict]] = TOLD | {DAYS[1]: [], DAYS[2]: TOLD[DAYS[2]][:1], DAYS[3]: [spent("ben@example.com", "0.1")]}
"""What the vendor says when asked again: one day fell, one is empty, one that was empty is not."""


@pytest.mark.both_engines
def test_conservation_on_both_engines(desk: Desk) -> None:
    """Law 4 for one history, before and after days were restated, to empty and from it."""
    sheet(desk)
    run_window(desk, TOLD, DAYS[0], DAYS[-1], split=False)
    conserved(desk, TOLD)
    run_window(desk, LATER, DAYS[1], DAYS[-1], split=False)
    conserved(desk, LATER)
    changed = desk.ask(
        "SELECT usage_date AS d, state, change_usd AS usd FROM vw_restatements WHERE endpoint = 'filtered-usage-events' ORDER BY 1"
    )
    assert [tuple(r.values()) for r in changed] == [
        (d, "complete" if LATER[d] else "empty", billed(LATER[d]) - billed(TOLD[d])) for d in DAYS[1:]
    ]


@pytest.mark.both_engines
def test_replaying_is_free_on_both_engines(desk: Desk, new_desk: NewDesk) -> None:
    """Law 3: the last day first, a range over it, a day of that once more: the tables of one run of everything, which DuckDB made."""
    whole = new_desk()
    sheet(whole)
    run_window(whole, LATER, DAYS[0], DAYS[-1], split=False)
    sheet(desk)
    run_window(desk, TOLD, DAYS[3], DAYS[3], split=False)
    run_window(desk, LATER, DAYS[1], DAYS[3], split=True)
    run_window(desk, LATER, DAYS[0], DAYS[1], split=False)
    for name in transform.order():
        assert contents(desk, name) == contents(whole, name), name
    assert_totals(desk)


# The simulator's books ------------------------------------------------------------------------------------------


@pytest.mark.either_engine
@pytest.mark.parametrize("faults", [(), "rough"], ids=["calm", "rough"])
def test_facts_are_the_simulators_books(desk: Desk, faults: Any) -> None:
    """Billed USD, included USD and accepted lines per day and person, through the real client and server, before and after restatements."""
    first, last = D(2026, 10, 29), D(2026, 11, 4)
    world = World(seed=11, people=10, first_day=first, last_day=last, events_per_person_day=4.0)
    with Simulator(world, faults=faults) as sim:
        client = CursorClient(sim.url, "simulator", desk.spool, rate_factor=0, backoff_s=0.01)
        people = {alias: p.email for p in world.cast.people for alias in p.aliases}
        by_main: dict[str, list[str]] = defaultdict(list)
        for alias, main in people.items():
            by_main[main].append(alias)
        desk.tab("people", *({"email": main, "aliases": ";".join(aliases)} for main, aliases in by_main.items()))

        def run(a: date, b: date) -> None:
            window = Window(a, b)
            for endpoint, call, days in ((records.EVENTS, client.events, 1), (records.DAILY_USAGE, client.daily_usage, 30)):
                report = desk.load(endpoint, *walk_all(window.split(days), call, endpoint))
                assert report.error() is None and report.rejected == 0
            curated(desk, a, b, last + timedelta(days=1))

        def agree() -> None:
            books = world.truth

            def found(column: str, table: str, day: str) -> dict:
                rows = desk.ask(f"SELECT {day} AS d, user_email AS u, SUM({column}) AS v FROM {table} GROUP BY 1, 2")
                return {(r["d"], r["u"]): r["v"] for r in rows if r["v"]}

            assert found("cost_usd", "fct_cost_daily", "cost_date") == books.billed_usd_by_day_user()
            assert found("included_usd", "fct_usage_daily", "usage_date") == books.included_usd_by_day_user()
            assert found("list_usd", "fct_usage_daily", "usage_date") == books.list_usd_by_day_user()
            assert found("loc_accepted", "fct_usage_daily", "usage_date") == books.accepted_lines_by_day_user()
            assert desk.one("SELECT SUM(requests) FROM fct_usage_daily") == sum(books.events_by_day().values())

        run(first, last)
        agree()
        busy = [d for d, n in world.truth.events_by_day().items() if n]
        for day, kind in zip(busy[:3], ("up", "down", "empty"), strict=True):
            world.restate(day, kind)
        run(busy[0], busy[2])
        agree()
        client.close()


def test_the_clock_of_the_tests_is_utc() -> None:
    """A guard for the rest: these tests say UTC days."""
    assert datetime.fromtimestamp(ms(FIRST) / 1000, UTC).date() == FIRST

"""What the cards of cost and of use say, for whatever the facts hold and whatever a reader chose.

Belongs here: law 7 over every card that reads `cost_lines.sql` or `person_days.sql`, added up here from the facts' own lines in plain Python. Does not
belong here: that the page adds up as SQL does (`e2e/test_html_suite.py`), which cards there are (`unit/test_dashboards_spec.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.dashboards import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query
from ai_usage.dashboards.spec import Card, Measure, Term
from ai_usage_tests.fixtures.desk import NOON, Desk

N = Decimal
DAYS = [date(2026, 10, 30) + timedelta(days=n) for n in range(4)]  # over the end of a month
# Who there is: their department, and whether they are people. Nobody, and somebody whom no list names, are there too.
DEPARTMENT = {"ana@example.com": "Data", "ben@example.com": "Sales", "bot@example.com": "Data", "eve@example.com": "(no department)"}
PLATFORMS = ("cursor", "claude_api")
WHO = st.sampled_from((None, *DEPARTMENT))
COST = st.fixed_dictionaries({
    "cost_date": st.sampled_from(DAYS), "platform": st.sampled_from(PLATFORMS), "user_email": WHO,
    "cost_type": st.sampled_from(("usage", "usage", "overage", "subscription", "credit", "tax", "adjustment")),
    "settle_state": st.sampled_from(("open", "provisional", "settled")), "model": st.sampled_from((None, "m", "n")),
    "cost_usd": st.integers(-(10**10), 10**11).map(lambda n: N(n).scaleb(-9)),
})  # fmt: skip
COUNT = st.one_of(st.none(), st.integers(0, 50))
COUNTS = ("requests", "sessions", "loc_added", "loc_accepted", "suggestions_shown", "suggestions_accepted", "suggestions_rejected", "commits",
          "pull_requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")  # fmt: skip
USE = st.fixed_dictionaries(
    {"usage_date": st.sampled_from(DAYS), "platform": st.sampled_from(PLATFORMS), "user_email": WHO, "model": st.sampled_from(("m", "n"))}
    | dict.fromkeys(COUNTS, COUNT)
)
CHOSEN = st.fixed_dictionaries({
    "days": st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map(sorted),
    "platform": st.lists(st.sampled_from(PLATFORMS), max_size=1), "department": st.lists(st.sampled_from(sorted(set(DEPARTMENT.values()))), max_size=2, unique=True),
})  # fmt: skip
CARDS = [(d, c) for d in load_dashboards() for c in d.cards if c.sql in ("cost_lines.sql", "person_days.sql")]
Line = dict[str, Any]


def department(email: str | None) -> str:
    return DEPARTMENT.get(email or "", "(no department)")


def is_person(email: str | None) -> bool:
    return email is not None and email != "bot@example.com"


def cost_lines(costs: list[Line]) -> list[Line]:
    """Each fact once, with what the cards add up of it. Shares are of gross cost: usage and seats, without credits, taxes and adjustments."""
    persons: dict[tuple, Decimal] = defaultdict(Decimal)
    for c in costs:
        persons[c["cost_date"], c["platform"], c["user_email"], c["cost_type"], c["settle_state"]] += c["cost_usd"]
    found = []
    for c in costs:
        gross = c["cost_usd"] if c["cost_type"] in ("usage", "overage", "subscription") else N(0)
        who = c["user_email"]
        is_paid = persons[c["cost_date"], c["platform"], who, c["cost_type"], c["settle_state"]] != 0
        found.append(c | {
            "department": department(who), "user_email": who or "(unattributed)", "user_name": who or "(unattributed)", "cost_center": None,
            "gross_usd": gross, "unattributed_usd": gross if who is None else N(0),
            "final_usd": gross if c["settle_state"] in ("settled", "closed") else N(0),
            "person_with_cost": who if is_person(who) and is_paid else None,
            "settle_meaning": {
                "settled": "Final: past the days in which the vendor corrects", "provisional": "May move: the vendor can still correct it",
                "open": "Will grow: the day or billing cycle still runs",
            }[c["settle_state"]],
        })  # fmt: skip
    return found


def added(values: Iterable[Any]) -> Any:
    """A sum; None where nothing is known."""
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def person_days(uses: list[Line], costs: list[Line]) -> list[Line]:
    """A line for each person's day on a platform, and one for each line of cost. Cost stands against a count only where its platform tells that count."""
    days: dict[tuple, list[Line]] = defaultdict(list)
    for use in uses:
        days[use["usage_date"], use["platform"], use["user_email"]].append(use)
    told, found = defaultdict(bool), []
    with_tokens, with_use = defaultdict(int), defaultdict(int)
    for (day, platform, who), rows in days.items():
        one: Line = {name: added(r[name] for r in rows) for name in COUNTS}
        did = ("requests", "sessions", "loc_added", "suggestions_shown")
        told[platform, "days"] |= any(one[n] is not None for n in did)
        told[platform, "lines"] |= one["loc_accepted"] is not None
        told[platform, "commits"] |= one["commits"] is not None
        with_use[platform, day.replace(day=1)] += any(one[n] is not None for n in did)
        with_tokens[platform, day.replace(day=1)] += one["output_tokens"] is not None
        found.append(one | {"day": day, "platform": platform, "who": who, "is_active": any(one[n] for n in did)})

    def tokens_told(platform: str, day: date) -> bool:
        month = platform, day.replace(day=1)
        return with_tokens[month] > 0 and 10 * with_tokens[month] >= with_use[month]

    lines = []
    for one in found:
        day, platform, who = one.pop("day"), one.pop("platform"), one.pop("who")
        active = one["is_active"] and is_person(who)
        decided = one["suggestions_shown"]
        if decided is None and None not in (one["suggestions_accepted"], one["suggestions_rejected"]):
            decided = one["suggestions_accepted"] + one["suggestions_rejected"]
        total = added(one[f"{kind}_tokens"] for kind in ("input", "output", "cache_read", "cache_write"))
        active_days = int(active) if told[platform, "days"] else None
        cached = one["cache_read_tokens"] is not None
        lines.append(one | {
            "usage_date": day, "platform": platform, "department": department(who), "user_email": who or "(unattributed)", "user_name": who or "(unattributed)",
            "active_person": who if active else None, "active_day": day if one["is_active"] else None, "active_days": active_days,
            "suggestions_decided": decided, "suggestions_accepted": one["suggestions_accepted"] if decided is not None else None, "total_tokens": total,
            "days_with_cost": active_days, "lines_with_cost": one["loc_accepted"], "commits_with_cost": one["commits"],
            "tokens_with_cost": total if tokens_told(platform, day) else None,
            "cacheable_tokens": added(one[f"{kind}_tokens"] for kind in ("input", "cache_read", "cache_write")) if cached else None,
        })  # fmt: skip
    for cost in cost_lines(costs):
        gross = cost["gross_usd"] if cost["cost_type"] in ("usage", "overage", "subscription") else None
        platform, day = cost["platform"], cost["cost_date"]
        against = {
            "cost_with_days_usd": told[platform, "days"] and cost["user_email"] != "bot@example.com", "cost_with_lines_usd": told[platform, "lines"],
            "cost_with_commits_usd": told[platform, "commits"], "cost_with_tokens_usd": tokens_told(platform, day),
        }  # fmt: skip
        lines.append({
            "usage_date": day, "platform": platform, "department": cost["department"], "user_email": cost["user_email"], "user_name": cost["user_name"],
            "cost_usd": cost["cost_usd"], "gross_usd": gross, **{name: gross if holds else None for name, holds in against.items()},
            **({"active_days": 0, "days_with_cost": 0} if told[platform, "days"] else {}),
        })  # fmt: skip
    return lines


def term(lines: list[Line], one: Term) -> Any:
    if one.count_distinct:
        return len({line[one.count_distinct] for line in lines if line.get(one.count_distinct) is not None})
    return added(line.get(one.sum or "") for line in lines)


def figure(measure: Measure, lines: list[Line], every: list[Line]) -> Any:
    """The law: sums and counts over the lines, a ratio of two of them over the same lines, none over a base of zero or less."""
    if measure.ratio:
        top, base = (term(lines, one) for one in measure.ratio)
        return None if top is None or base is None or base <= 0 else N(top) * measure.per / N(base)
    if measure.share:
        top, base = added(line.get(measure.share) for line in lines), added(line.get(measure.share) for line in every)
        return None if top is None or base is None or base <= 0 else N(top) / N(base)
    if measure.max:
        return max((line[measure.max] for line in lines if line.get(measure.max) is not None), default=None)
    return term(lines, Term(sum=measure.sum, count_distinct=measure.count_distinct))


def expected(card: Card, lines: list[Line], values: FilterValues) -> dict[tuple, dict[str, Any]]:
    kept = [
        line
        for line in lines
        if ("date" not in card.filters or values.date_from <= line[card.filters["date"]] <= values.date_to)
        and all(not chosen or key not in card.filters or line[card.filters[key]] in chosen for key, chosen in values.chosen.items())
    ]  # fmt: skip
    groups: dict[tuple, list[Line]] = defaultdict(list) if card.group_by else {(): []}
    for line in kept:
        groups.setdefault(tuple(bucket(line[d.column], d.grain) for d in card.group_by), []).append(line)
    return {key: {m.key: figure(m, rows, kept) for m in card.measures} for key, rows in groups.items()}


def bucket(value: Any, grain: str | None) -> Any:
    starts = {"week": lambda day: day - timedelta(days=day.weekday()), "month": lambda day: day.replace(day=1)}
    return starts[grain](value) if grain in starts else value


def alike(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Decimal) and found is not None:
        return abs(N(found) - wanted) <= abs(wanted) * N("1e-8") + N("1e-9")
    return bool(found == wanted)


def costs_of(platform: str, *usd: tuple[str, str]) -> list[Line]:
    one = {"cost_date": DAYS[0], "platform": platform, "user_email": "ana@example.com", "settle_state": "settled", "model": "m"}
    return [one | {"cost_type": kind, "cost_usd": N(amount)} for kind, amount in usd]


def use_of(platform: str, **counts: int) -> Line:
    return {"usage_date": DAYS[0], "platform": platform, "user_email": "ana@example.com", "model": "m"} | dict.fromkeys(COUNTS) | counts


ALL_DAYS = {"days": [DAYS[0], DAYS[-1]], "platform": [], "department": []}


@settings(max_examples=2)
# A platform that takes back more than it bills has no shares; one that tells no lines stands against none.
@example(
    [*costs_of("cursor", ("usage", "-3"), ("usage", "2"), ("credit", "5")), *costs_of("claude_api", ("usage", "4"), ("credit", "-9"))],
    [use_of("cursor", loc_accepted=7, requests=2), use_of("claude_api", requests=3, output_tokens=9)],
    ALL_DAYS,
)
@given(st.lists(COST, min_size=4, max_size=14), st.lists(USE, min_size=2, max_size=14), CHOSEN)
def test_every_number_stands_once_and_ratios_are_of_sums_over_the_same_lines(
    new_desk: Callable[[], Desk], costs: list[Line], uses: list[Line], chosen: dict[str, Any]
) -> None:
    """Law 7: every additive number stands in exactly one row. Ratios come from sums over the same rows. Shares, final share, unattributed share and unit
    costs use gross cost (billed, without credits, adjustments and tax), shown beside net. No ratio over a base of zero or less."""
    desk = new_desk()
    desk.lay(
        "dim_users", *({"user_id": who, "email": who, "kind": "person" if is_person(who) else "service"} for who in list(DEPARTMENT)[:3])
    )
    placed = [who for who in DEPARTMENT if department(who) != "(no department)"]
    ever = {"valid_from": date(1900, 1, 1), "valid_to": date(9999, 12, 31)}
    desk.lay("dim_user_assignments", *({"email": who, "department": department(who), **ever} for who in placed))
    lines = [
        {**c, "vendor": "V", "source": "s", "processed_at": NOON, "attribution": "unattributed" if c["user_email"] is None else "direct"}
        for c in costs
    ]
    desk.lay("fct_cost_daily", *lines)
    desk.lay("fct_usage_daily", *({**u, "source": "s", "processed_at": NOON} for u in uses))
    desk.total()
    values = FilterValues(*chosen["days"], {"platform": chosen["platform"], "department": chosen["department"]})
    laid = {"cost_lines.sql": cost_lines(costs), "person_days.sql": person_days(uses, costs)}
    for dashboard, card in CARDS:
        asked = card_query(card, values, pivot=False)
        found = {
            tuple(r[d.column] for d in card.group_by): {m.key: r[m.key] for m in card.measures} for r in desk.ask(asked.sql, **asked.params)
        }
        wanted = expected(card, laid[str(card.sql)], values)
        name = f"{dashboard.key}/{card.key}"
        assert found.keys() == wanted.keys(), name
        for key, figures in wanted.items():
            assert all(alike(found[key][m], figures[m]) for m in figures), (name, key, found[key], figures)

"""Why cost changed: each part against an answer worked out by hand, and random companies against Shapley values summed over all 720 orders.

Belongs here: `vw_change_drivers` and `finance/drivers.py`. The second path below works with fractions and orders and shares nothing with the SQL.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ai_usage.finance.drivers import DriversError, Period, drivers, month_drivers, period_before
from ai_usage.tables.answers import DRIVERS
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.command import in_process
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_sql_marts import ANA, BEN, cost

D, N = date, Decimal
OCT, NOV, END = D(2026, 10, 1), D(2026, 11, 1), D(2026, 11, 30)
MIDST = {0: D(2026, 10, 10), 1: D(2026, 11, 10)}
NANO = Decimal("0.000000001")


@dataclass
class Case:
    """One platform of the company that all cases share, with people of its own."""

    desk: Desk
    name: str

    def who(self, person: str) -> str:
        return f"{person}.{self.name}@example.com"

    def cost(self, side: int, usd: str, person: str | None = "ana", day: int = 0, **more: Any) -> None:
        row = cost(MIDST[side] + timedelta(day), usd, person and self.who(person), **{"platform": self.name, **more})
        self.desk.lay("fct_cost_daily", row)

    def used(self, side: int, usd: str, tokens: int, *, days: int = 1, requests: int | None = None, person: str = "ana", model: str = "m",
             included: str | None = None) -> None:  # fmt: skip
        """A person's use in a month: cost and tokens of a model in equal parts over days."""
        for n in range(days):
            self.cost(side, str(N(usd) / days), person, n, model=model)
            self.desk.lay(
                "fct_usage_daily",
                {
                    "usage_date": MIDST[side] + timedelta(n), "platform": self.name, "user_email": self.who(person), "model": model, "source": "s",
                    "output_tokens": tokens // days, "requests": requests // days if requests else None,
                    "included_usd": N(included) / days if included else None,
                },
            )  # fmt: skip


def more_days(c: Case) -> dict:
    """10 on one day, 20 on two, all else alike."""
    c.used(0, "10", 100, requests=5)
    c.used(1, "20", 200, requests=10, days=2)
    return {"before": 10, "active_days": 10}


def two_factors(c: Case) -> dict:
    """Tokens double, the price doubles: 10 to 40. Tokens first 10 then 20 more for the price, or price first 10 then 20 more: 15 each."""
    c.used(0, "10", 100, requests=5)
    c.used(1, "40", 200, requests=5)
    return {"before": 10, "tokens": 15, "price": 15}


def three_factors(c: Case) -> dict:
    """Days, tokens a request and price double: 10 to 80, a third of 70 each; the last digit stands with the price."""
    c.used(0, "10", 100, requests=5)
    c.used(1, "80", 400, requests=10, days=2)
    return {"before": 10, "active_days": N("23.333333333"), "tokens": N("23.333333333"), "price": N("23.333333334")}


def no_requests(c: Case) -> dict:
    """Where nobody counts requests, a day's tokens are one factor."""
    c.used(0, "10", 100)
    c.used(1, "30", 300)
    return {"before": 10, "tokens": 20}


def dearer_model(c: Case) -> dict:
    """100 tokens of m at 0.10 are 10; half of them on n, which costs 0.30, are 5 + 15: mix, since no price changed."""
    c.used(0, "10", 100, requests=4)
    c.used(1, "5", 50, requests=2)
    c.used(1, "15", 50, requests=2, model="n")
    return {"before": 10, "model_mix": 10}


def plan_cover(c: Case) -> dict:
    """Worth 10 in both months; in the second a plan covers 6."""
    c.used(0, "10", 100, requests=4)
    c.used(1, "4", 100, requests=4, included="6")
    return {"before": 10, "plan_cover": -6}


def token_kinds(c: Case) -> dict:
    """Input 1 for 10, output 8 for 10. As many tokens, all of them output: 9 becomes 16. One price for all would have called it a price."""
    for side, kind, usd in ((0, "uncached_input_tokens", "1"), (0, "output_tokens", "8"), (1, "output_tokens", "16")):
        c.cost(side, usd, model="m", token_type=kind)
    for side, tokens in enumerate(({"input_tokens": 10, "output_tokens": 10}, {"output_tokens": 20})):
        who = {"usage_date": MIDST[side], "platform": c.name, "user_email": c.who("ana"), "model": "m", "source": "s"}
        c.desk.lay("fct_usage_daily", {**who, **tokens})
    return {"before": 9, "model_mix": 7}


def came_and_went(c: Case) -> dict:
    """Who was there in one period alone."""
    c.used(0, "10", 100, person="ben")
    c.used(1, "7", 100)
    return {"before": 10, "left": -10, "joined": 7}


def moved(c: Case) -> dict:
    """Ana moves from Eng to Sales on 1 November and costs 14, not 10. The 4 were half Eng's and half Sales': 12 moved, there and back."""
    rows = (("Eng", D(1900, 1, 1), D(2026, 10, 31)), ("Sales", NOV, D(9999, 12, 31)))
    c.desk.lay("dim_user_assignments", *({"email": c.who("ana"), "department": d, "valid_from": a, "valid_to": b} for d, a, b in rows))
    c.used(0, "10", 100)
    c.used(1, "14", 140)
    return {"before": 10, "tokens": 4, "moved": 0}


def seats(c: Case, before: str, now: str, *prices: int) -> None:
    for side, usd in enumerate((before, now)):
        c.cost(side, usd, cost_type="subscription", attribution="seat")
    SEATS.append(
        {"platform": c.name, "plan": "p", "seats": 1, "price_usd": N(40), "valid_from": D(2026, 1, 1), "valid_to": D(2026, 10, 31)}
    )
    SEATS.extend({"platform": c.name, "plan": f"p{n}", "seats": 1, "price_usd": N(usd), "valid_from": NOV} for n, usd in enumerate(prices))


def dearer_seat(c: Case) -> dict:
    seats(c, "40", "50", 50)
    return {"before": 40, "seat_price": 10}


def one_seat_more(c: Case) -> dict:
    seats(c, "40", "80", 40)
    return {"before": 40, "seats": 40}


def more_and_dearer_seats(c: Case) -> dict:
    """One seat at 40, two at 50: (1 + 2) / 2 seats became 10 dearer, and a seat more cost (40 + 50) / 2."""
    seats(c, "40", "100", 50)
    return {"before": 40, "seat_price": 15, "seats": 45}


def two_prices(c: Case) -> dict:
    """Two prices in one month: which seat changed its price nobody can say."""
    seats(c, "40", "50", 40, 50)
    return {"before": 40, "seats": 10}


def named_rest(c: Case) -> dict:
    """A credit of 5; a web search, which no token counts, of 3; 2 of a model whose tokens nobody told."""
    c.used(0, "10", 100)
    c.used(1, "10", 100)
    c.cost(1, "-5", cost_type="credit")
    c.cost(1, "3", token_type="web_search")
    c.cost(1, "2", model="dark")
    return {"before": 10, "credits": -5, "uncounted": 3, "not_explained": 2}


def nothing(c: Case) -> dict:
    for side in (0, 1):
        c.used(side, "9", 300, requests=9, days=3)
        c.used(side, "0.333333333", 7, model="n", person="ben")
    return {"before": N("9.333333333")}


SEATS: list[dict] = []
CASES = (
    more_days, two_factors, three_factors, no_requests, dearer_model, plan_cover, token_kinds, came_and_went, moved, dearer_seat, one_seat_more,
    more_and_dearer_seats, two_prices, named_rest, nothing,
)  # fmt: skip


def framed(desk: Desk) -> None:
    """Records from 1 October to 30 November, so that both months are whole; nobody's cent on each side keeps out of the way."""
    for day in (OCT, END):
        desk.lay("fct_cost_daily", cost(day, "0.01", None, platform="frame"))


@pytest.fixture(scope="module")
def company(new_desk: Callable[[], Desk]) -> tuple[Desk, dict[str, dict]]:
    """All cases in one warehouse, each on a platform of its name, and what is expected of each."""
    desk = new_desk()
    framed(desk)
    SEATS.clear()
    expected = {case.__name__: case(Case(desk, case.__name__)) for case in CASES}
    desk.tab("subscriptions", *SEATS)
    desk.total()
    return desk, expected


def parts(desk: Desk, where: str = "TRUE", by: str = "driver") -> dict[Any, Decimal]:
    rows = desk.ask(f"SELECT {by}, SUM(amount_usd) AS usd FROM vw_change_drivers WHERE month = @month AND {where} GROUP BY {by}", month=NOV)
    return {tuple(r.values())[:-1] if "," in by else next(iter(r.values())): r["usd"] for r in rows}


def test_each_part_is_what_a_person_works_out(company: tuple[Desk, dict[str, dict]]) -> None:
    desk, expected = company
    shown: dict[str, dict] = defaultdict(dict)
    for (platform, driver), usd in parts(desk, by="platform, driver").items():
        shown[platform][driver] = usd
    assert shown.pop("frame") == {"before": N("0.01")}, "nobody's cent is there on both sides"
    assert dict(shown) == expected
    assert parts(desk, "platform = 'moved'", "department, driver") == {
        ("Eng", "before"): 10, ("Eng", "tokens"): 2, ("Eng", "moved"): -12, ("Sales", "tokens"): 2, ("Sales", "moved"): 12,
    }  # fmt: skip


def test_a_running_month_stands_beside_the_same_days(desk: Desk) -> None:
    """Until 12 November: 1 to 12 October hold 10, the 20th does not count."""
    desk.lay("fct_cost_daily", cost(OCT, "10", None), cost(D(2026, 10, 20), "99", None), cost(D(2026, 11, 12), "4", None))
    (row,) = desk.ask("SELECT * FROM vw_change_drivers WHERE driver = 'before'")
    assert (row["earlier_from"], row["earlier_to"], row["later_from"], row["later_to"]) == (OCT, D(2026, 10, 12), NOV, D(2026, 11, 12))
    assert row["amount_usd"] == 10
    assert desk.ask("SELECT DISTINCT month FROM vw_change_drivers") == [{"month": NOV}], "October has no month before it"


# A second path: fractions, and all orders -----------------------------------------------------------------------

FACTORS = ("active_days", "requests", "tokens", "model_mix", "price", "plan_cover")


def by_orders(sides: list[dict[str, Any]]) -> dict[str, Fraction]:
    """Shapley values of a person's use on a platform: the mean over 720 orders of what each factor adds when it changes."""

    def ratio(side: dict[str, Any], name: str) -> Fraction:
        days, requests, tokens = (Fraction(side[k]) for k in ("days", "requests", "tokens"))
        return {"active_days": days, "requests": requests / days, "tokens": tokens / requests}[name]

    models = {m for side in sides for m in side["models"]}

    def figure(which: dict[str, int]) -> Fraction:
        volume = math.prod((ratio(sides[which[k]], k) for k in FACTORS[:3]), start=Fraction(1))
        total = Fraction(0)
        for m in models:
            there = [m in side["models"] for side in sides]
            at = {k: which[k] if there[which[k]] else 1 - which[k] for k in ("price", "plan_cover")}
            if not there[which["model_mix"]]:
                continue
            mixed = sides[which["model_mix"]]
            tokens, usd, covered = sides[at["price"]]["models"][m]
            own = sides[at["plan_cover"]]["models"][m]
            total += (
                Fraction(mixed["models"][m][0], mixed["tokens"])
                * Fraction(usd + covered)
                / tokens
                * Fraction(own[1])
                / Fraction(own[1] + own[2])
            )
        return volume * total

    found: dict[str, Fraction] = defaultdict(Fraction)
    orders = list(itertools.permutations(FACTORS))
    known: dict[tuple[int, ...], Fraction] = {}
    for order in orders:
        which = dict.fromkeys(FACTORS, 0)
        for factor in order:
            ends = []
            for value in (0, 1):
                which[factor] = value
                key = tuple(which.values())
                known[key] = known[key] if key in known else figure(which)
                ends.append(known[key])
            found[factor] += (ends[1] - ends[0]) / len(orders)
    return found


def random_company(desk: Desk, seed: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """People with use on both sides: {(person, platform): the two sides}. Some move, some are seated, one has a credit."""
    rng, world = random.Random(seed), {}
    framed(desk)
    for person, platform in itertools.product((ANA, BEN), ("cursor", "claude_api")):
        sides = []
        for side in (0, 1):
            days = rng.randint(1, 4)
            models = {
                m: (rng.randint(1, 9) * 60, N(rng.randint(1, 10**10)) * NANO, N(rng.choice((0, rng.randint(1, 10**9)))) * NANO)
                for m in rng.sample("mno", rng.randint(1, 3))
            }
            requests = days * rng.randint(1, 5)
            for number, (m, (tokens, usd, covered)) in enumerate(models.items()):
                for n in range(days):
                    day, last = MIDST[side] + timedelta(n), n == days - 1
                    part = [(x / days).quantize(NANO) for x in (usd, covered)]
                    parts_ = [x - p * (days - 1) if last else p for x, p in zip((usd, covered), part, strict=True)]
                    desk.lay("fct_cost_daily", cost(day, str(parts_[0]), person, model=m, platform=platform))
                    use = {"output_tokens": tokens // days + (tokens % days if last else 0), "included_usd": parts_[1]}
                    who = {"usage_date": day, "platform": platform, "user_email": person, "model": m, "source": "s"}
                    desk.lay("fct_usage_daily", {**who, **use, "requests": requests // days if number == 0 else None})
            sides.append({"days": days, "requests": requests, "tokens": sum(t for t, _, _ in models.values()), "models": models})
        world[person, platform] = sides
    moved = D(2026, 11, 10 + seed % 3)
    rows = (("Eng", D(1900, 1, 1), moved - timedelta(1)), ("Sales", moved, D(9999, 12, 31)))
    desk.lay("dim_user_assignments", *({"email": BEN, "department": d, "valid_from": a, "valid_to": b} for d, a, b in rows))
    desk.lay("fct_cost_daily", cost(MIDST[1], "-1.5", BEN, cost_type="credit"), cost(MIDST[0], "20", BEN, cost_type="subscription"))
    return world


@pytest.mark.parametrize("seed", range(2))
def test_random_companies_agree_with_all_orders(new_desk: Callable[[], Desk], seed: int) -> None:
    """And their parts sum to the change by person, platform, department and company; swapped periods change the sign."""
    desk = new_desk()
    world = random_company(desk, seed)
    shown = desk.ask("SELECT * FROM vw_change_drivers")
    for (person, platform), sides in world.items():
        told: dict[str, Fraction] = defaultdict(Fraction)
        for row in shown:
            if (row["user_email"], row["platform"]) == (person, platform):
                told[row["driver"]] += Fraction(row["amount_usd"])
        for factor, expected in by_orders(sides).items():
            assert abs(told[factor] - expected) < Fraction(1, 10**6), (person, platform, factor)
    booked = desk.ask(
        "SELECT COALESCE(user_email, '(unattributed)') AS user_email, platform, COALESCE(department, '(no department)') AS department, "
        "booked_on >= '2026-11-01' AS is_later, SUM(cost_usd) AS usd FROM vw_cost_booked GROUP BY 1, 2, 3, 4"
    )
    leaf = ("user_email", "platform", "department")
    for later, drivers_of in ((True, DRIVERS), (False, ("before",))):
        sums = {tuple(r[k] for k in leaf): r["usd"] for r in booked if r["is_later"] is later}
        mine: dict[tuple, Decimal] = defaultdict(Decimal)
        for row in shown:
            if row["driver"] in drivers_of:
                mine[tuple(row[k] for k in leaf)] += row["amount_usd"]
        assert {k: v for k, v in mine.items() if v} == {k: v for k, v in sums.items() if v}
    assert sum(r["amount_usd"] for r in shown if r["driver"] == "moved") == 0 and any(r["driver"] == "moved" for r in shown)
    there, back = (drivers(desk.warehouse, *sides) for sides in itertools.permutations((Period(NOV, END), Period(OCT, D(2026, 10, 31)))))
    signs = {r["driver"]: r["amount_usd"] for r in there if r["driver"] != "before" and r["amount_usd"]}
    assert signs == {r["driver"]: -r["amount_usd"] for r in back if r["driver"] != "before" and r["amount_usd"]}
    assert month_drivers(desk.warehouse, NOV) == (Period(NOV, END), Period(OCT, D(2026, 10, 31)), there), (
        "the command and the mart say the same"
    )


def test_periods_that_cannot_be_compared_are_refused(desk: Desk) -> None:
    framed(desk)
    later = Period(NOV, END)
    for earlier, said in (
        (Period(D(2026, 10, 20), NOV), "share days"),
        (Period(D(2026, 10, 9), D(2026, 10, 8)), "ends before it begins"),
        (Period(D(2026, 9, 1), D(2026, 9, 30)), "not within the days on record, which are 2026-10-01 to 2026-11-30"),
    ):
        with pytest.raises(DriversError, match=said):
            drivers(desk.warehouse, later, earlier)
    with pytest.raises(DriversError, match="2026-10 has no whole month before it"):
        month_drivers(desk.warehouse, OCT)
    assert period_before(later) == Period(OCT, D(2026, 10, 31))
    assert {r["driver"] for r in drivers(desk.warehouse, later, Period(OCT, D(2026, 10, 31)), "platform")} <= set(DRIVERS)


def test_the_command_says_the_same(company: tuple[Desk, dict[str, dict]], tmp_path: Path) -> None:
    """The bridge as a program reads it, the sum in words, and one sentence for each question that cannot be answered."""
    desk, expected = company
    shutil.copyfile(desk.path, tmp_path / "ai_usage.duckdb")
    copy = Desk(DuckDBWarehouse(tmp_path / "ai_usage.duckdb"), tmp_path)
    copy.quiet(D(2026, 10, 3), D(2026, 11, 20))
    copy.fetch("anthropic", "cost_report", NOV, state="failed")
    env = {"AI_USAGE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = in_process(["why", "2026-11", "--by", "platform", "--format", "csv"], env, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    told = {r["driver"]: N(r["amount_usd"]) for r in rows if r["platform"] == "more_and_dearer_seats"}
    assert told == expected["more_and_dearer_seats"]
    assert f"2026-11-01 to 2026-11-30: {sum(N(r['amount_usd']) for r in rows):f} USD" in done.stderr
    # Of Cursor 1 and 2 October and ten days of November; of a source that never answered nothing is known to be missing.
    assert "cursor: 12 of these days are not held, the first is 2026-10-01, so the parts hold what is missing of them" in done.stderr
    assert "anthropic" not in done.stderr
    for words, said in (
        ([], "name a month"), (["2026-11", "--by", "x"], "use department, platform, person"), (["2026-10"], "has no whole month before it"),
        (["2026-11", "--format", "xml"], "use table, json or csv"), (["--from", "2026-11-01"], "both --from and --to"),
        (["2026-11", "--before-from", "2026-09-01", "--before-to", "2026-09-30"], "belong together"),
    ):  # fmt: skip
        refused = in_process(["why", *words], env, tmp_path)
        assert refused.returncode == 1 and said in refused.stderr, (words, refused.stderr)

"""How good is the month-end forecast? Every day of many months, forecast by the view itself and compared with what the month became.

Belongs here: the backtest of sql/marts/vw_forecast.sql on the simulator's books, against simple methods, in three companies: calm, growing (usage rises
3 % a week) and shocked (usage doubles from one day on). Does not belong here: the method, which is SQL.

The view answers from a warehouse that holds only what was known on that day. Truth is the whole month. Seats are known and are the same for
every method, so errors are of usage alone, as a share of the month's usage.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from common import save, table

FIRST, LAST = date(2025, 9, 1), date(2026, 10, 31)
WARM_UP = 92  # days before the first forecast, so that a range exists
GOAL = 0.70, 0.90  # the range is to hold 8 of 10

Series = dict[date, float]


def simulated(seed: int, people: int) -> Series:
    """Billed usage per day from the simulator's books: Cursor's events and Claude's cost report."""
    from ai_usage.simulator import World

    world = World(seed=seed, people=people, first_day=FIRST, last_day=LAST, events_per_person_day=14.0, anthropic=True)
    days: Series = defaultdict(float)
    for (day, *_), usd in ((k if isinstance(k, tuple) else (k,), v) for k, v in world.truth.billed_usd_by_day().items()):
        days[day] += float(usd)
    for (day, *_), usd in ((k if isinstance(k, tuple) else (k,), v) for k, v in world.truth.anthropic.usd_by_day().items()):
        days[day] += float(usd)
    return {FIRST + timedelta(n): days.get(FIRST + timedelta(n), 0.0) for n in range((LAST - FIRST).days + 1)}


COMPANIES: dict[str, Callable[[Series], Series]] = {
    "calm": lambda s: s,
    "growing 3 % a week": lambda s: {d: v * 1.03 ** ((d - FIRST).days / 7) for d, v in s.items()},
    "doubled on 10 April": lambda s: {d: v * (2 if d >= date(2026, 4, 10) else 1) for d, v in s.items()},
}


def month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)


def span(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def run_rate(series: Series, day: date) -> float:
    """Naive: the month so far, divided by its days, times the days of the month."""
    so_far = sum(series[d] for d in span(day.replace(day=1), day))
    return so_far / day.day * month_end(day).day


def trailing_mean(series: Series, day: date) -> float:
    ahead = span(day + timedelta(1), month_end(day))
    return sum(series[d] for d in span(day.replace(day=1), day)) + sum(series[day - timedelta(n)] for n in range(28)) / 28 * len(ahead)


def same_weekdays(series: Series, day: date, weeks: int) -> float:
    total = sum(series[d] for d in span(day.replace(day=1), day))
    for ahead in span(day + timedelta(1), month_end(day)):
        back = ((ahead - day).days + 6) // 7 * 7
        total += sum(series[ahead - timedelta(back + 7 * n)] for n in range(weeks)) / weeks
    return total


METHODS: dict[str, Callable[[Series, date], float]] = {
    "run rate of the month": run_rate,
    "mean of 28 days": trailing_mean,
    "last same weekday": lambda s, d: same_weekdays(s, d, 1),
    "mean of 8 same weekdays": lambda s, d: same_weekdays(s, d, 8),
}


def of_the_view(series: Series, days: list[date]) -> dict[date, tuple[float, float | None, float | None]]:
    """What vw_forecast says at the end of each day: projected, low, high."""
    import duckdb

    from ai_usage.warehouse import dialect, models
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.duckdb"
        DuckDBWarehouse(path).ensure()
        sql = dialect.to_duckdb(models.view_sql(models.model("vw_forecast")))
        with duckdb.connect(str(path)) as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute("CREATE TABLE history AS SELECT * FROM fct_cost_daily LIMIT 0")
            rows = [(d, Decimal(repr(round(v, 9)))) for d, v in series.items()]
            con.executemany(
                "INSERT INTO history BY NAME SELECT ?::DATE AS cost_date, 'cursor' AS platform, 'Cursor' AS vendor, 'usage' AS cost_type, ?::DECIMAL(38, 9) AS cost_usd, "
                "'direct' AS attribution, 'settled' AS settle_state, 's' AS source, now() AS processed_at",
                rows,
            )
            said = {}
            for day in days:
                con.execute("DELETE FROM fct_cost_daily; INSERT INTO fct_cost_daily SELECT * FROM history WHERE cost_date <= $1", [day])
                row = con.execute(
                    f"SELECT projected_usd, low_usd, high_usd FROM ({sql}) WHERE level = 'company' AND cost_date = $1", [month_end(day)]
                ).fetchone()
                said[day] = tuple(None if v is None else float(v) for v in row)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--every", type=int, default=3, help="forecast on every third day")
    given = parser.parse_args()
    rows: list[tuple[Any, ...]] = []
    covered: list[str] = []
    ranges: list[tuple[Any, ...]] = []
    for company, change in COMPANIES.items():
        errors: dict[tuple[str, str], list[float]] = defaultdict(list)
        inside: dict[str, list[bool]] = defaultdict(list)
        widths: dict[str, list[float]] = defaultdict(list)
        for seed in given.seeds:
            series = change(simulated(seed, given.people))
            days = [d for d in span(FIRST + timedelta(WARM_UP), LAST) if d.day % given.every == 1 and d != month_end(d)]
            said = of_the_view(series, days)
            for day in days:
                truth = sum(series[d] for d in span(day.replace(day=1), month_end(day)))
                part = "days 1-10" if day.day <= 10 else "days 11-20" if day.day <= 20 else "days 21-30"
                for name, method in METHODS.items():
                    errors[name, part].append(abs(method(series, day) - truth) / truth)
                projected, low, high = said[day]
                errors["weekday run rate (vw_forecast)", part].append(abs(projected - truth) / truth)
                if low is not None and high is not None:
                    inside[part].append(low <= truth <= high)
                    widths[part].append((high - low) / truth)
        for name in ["weekday run rate (vw_forecast)", *METHODS]:
            parts = [errors[name, p] for p in ("days 1-10", "days 11-20", "days 21-30")]
            everything = [e for p in parts for e in p]
            rows.append(
                (company, name, *(f"{100 * sum(p) / len(p):.1f} %" for p in parts), f"{100 * sum(everything) / len(everything):.1f} %")
            )
        every = [x for p in inside.values() for x in p]
        coverage = sum(every) / len(every)
        ranges.append(
            (company, *(f"{100 * sum(inside[p]) / len(inside[p]):.0f} % (width {100 * sum(widths[p]) / len(widths[p]):.0f} %)" for p in sorted(inside)),
             f"{100 * coverage:.0f} %", len(every))
        )  # fmt: skip
        if company == "calm":
            met = GOAL[0] <= coverage <= GOAL[1]
            covered.append(
                f"- calm: the range held the truth in {100 * coverage:.0f} % of forecasts "
                f"(goal {100 * GOAL[0]:.0f} to {100 * GOAL[1]:.0f} %): {'met' if met else 'NOT MET'}"
            )
    naive = [r for r in rows if r[1] == "run rate of the month"]
    ours = [r for r in rows if r[1].startswith("weekday")]
    covered += [f"- {o[0]}: mean error {o[-1]}, naive run rate {n[-1]}" for o, n in zip(ours, naive, strict=True)]
    save(
        "forecast_backtest", "Backtest of the month-end forecast",
        [
            "Mean absolute error of the month's usage, by the day on which the forecast was made:",
            table(("company", "method", "days 1-10", "days 11-20", "days 21-30", "all"), rows),
            "How often the range (8 of 10 past outcomes) held the truth, and its width as a share of the month's usage:",
            table(("company", "days 1-10", "days 11-20", "days 21-30", "all", "forecasts"), ranges),
            f"Simulated: {given.people} people, seeds {', '.join(map(str, given.seeds))}, {FIRST} to {LAST}, "
            f"a forecast every {given.every} days after {WARM_UP} days of history.",
            *covered,
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""`docs/scale.md`: what the platform would read, keep and cost on BigQuery at 100, 10,000 and 100,000 people.

Belongs here: assumptions (rows a day, widths, prices), the arithmetic, and the page. What a statement reads comes from `scans.py`, types from
`tables/`. Does not belong here: measurements; nothing here has run on BigQuery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from ai_usage import tables
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query, compared_period
from ai_usage.docsgen.scans import Scan, scans
from ai_usage.tables.schema import Column, Table, Type
from ai_usage.warehouse import models

PEOPLE = (100, 10_000, 100_000)
RUN_DAYS = 35  # AI_USAGE_SETTLE_DAYS
CARD_DAYS = 30  # the dashboards' default period
KEPT_DAYS = 365  # the page looks at the end of the first year
VERSIONS = 2  # how often a day is stored before its vendor leaves it alone
USD_PER_TIB, USD_PER_GIB_MONTH = 6.25, 0.02
LEAST_BYTES = 10 * 1024**2  # charged for each table that a query names
OPENS = {100: 20, 10_000: 100, 100_000: 500}  # dashboard openings on a working day
WORKING_DAYS = 250

# Rows that one person brings a day, before versions. Days without work count: it is an average over the calendar.
PER_PERSON_DAY = {
    "raw_cursor_events": 20.0, "raw_cursor_usage": 1.0, "raw_anthropic_usage": 0.3, "raw_anthropic_cost": 0.24, "raw_claude_code_usage": 0.5,
    "fct_usage_daily": 4.0, "fct_cost_daily": 4.0, "fct_cost_corrections": 0.01, "closed_cost": 4.0,
    "agg_person_days": 1.2, "agg_person_weeks": 0.25, "agg_person_months": 0.1, "agg_cost_months": 0.15,
}  # fmt: skip
# Directories: rows of one snapshot for each person. A changed snapshot is stored whole, and in a large company one changes every day.
PER_PERSON_SNAPSHOT = {
    "raw_cursor_members": 1.0, "raw_cursor_spend": 1.0, "raw_anthropic_users": 1.0, "raw_anthropic_api_keys": 0.1, "raw_anthropic_workspaces": 0.02,
    "raw_anthropic_workspace_members": 1.2, "raw_sheet_people": 1.1, "raw_sheet_api_keys": 0.05, "raw_sheet_claude_ai_usage": 0.5,
    "raw_sheet_subscriptions": 0.1, "raw_sheet_invoices": 0.001, "raw_sheet_budgets": 0.01,
    "raw_sheet_adjustments": 0.001, "raw_sheet_fx_rates": 0.001,
}  # fmt: skip
# Tables without days: rows for each person.
PER_PERSON = {"dim_users": 1.0, "dim_user_assignments": 1.5, "dim_api_keys": 0.2}
# Whatever the number of people: rows a day.
PER_DAY = {
    "raw_fetches": 5.0 * RUN_DAYS + 12,
    "raw_rejects": 1.0,
    "check_results": 150.0,
    "vendor_requests": 60.0,
    "month_closings": 12.0,
    "agg_cost_days": 20.0,
}

FIXED = {Type.INT64: 8, Type.NUMERIC: 16, Type.BOOL: 1, Type.DATE: 8, Type.TIMESTAMP: 8}
_TEXT = {
    "email": 26,
    "fetch_id": 32,
    "sha256": 64,
    "model": 20,
    "name": 16,
    "payload": 400,
    "extra": 2,
    "breakdown": 300,
    "actions": 120,
    "description": 30,
}


def width(column: Column) -> int:
    """Bytes of one value as BigQuery charges it: fixed by type, and 2 + the UTF-8 length for a STRING. A NULL costs nothing and is not deducted."""
    if column.type is Type.STRING:
        return 2 + next((n for word, n in _TEXT.items() if word in column.name), 12)
    return FIXED[column.type]


def rows_a_day(table: Table, people: int) -> float:
    """Rows of one partition; for a table without days, all its rows."""
    if table.name in PER_DAY:
        return PER_DAY[table.name]
    versions = VERSIONS if table.name.startswith("raw_") else 1
    for known, factor in ((PER_PERSON_DAY, versions), (PER_PERSON_SNAPSHOT, 1), (PER_PERSON, 1)):
        if table.name in known:
            return known[table.name] * people * factor
    return 0.3 * people * versions  # a raw table that nobody has estimated yet


def scanned(found: list[Scan], people: int, days: int) -> int:
    """Bytes that one statement is charged. A column read twice counts once, over the longer of its ranges; each table counts at least 10 MB."""
    longest: dict[tuple[str, str], int] = {}
    for scan in found:
        table = tables.BY_NAME[scan.table]
        span = 1 if table.date_column is None else days if scan.bounded else KEPT_DAYS
        for name in scan.columns or {table.columns[0].name}:
            longest[scan.table, name] = max(longest.get((scan.table, name), 0), span)
    by_table: dict[str, float] = {}
    for (name, column), span in longest.items():
        table = tables.BY_NAME[name]
        by_table[name] = by_table.get(name, 0) + span * rows_a_day(table, people) * width(table.column(column))
    return sum(max(LEAST_BYTES, round(size)) for size in by_table.values())


@dataclass(frozen=True)
class Statement:
    """One statement that is sent, and the days of its range."""

    name: str
    sql: str
    days: int


def run_statements() -> Iterator[Statement]:
    """What a daily run asks of the large tables: models, the proofs of marts, the rows behind the offline dashboards."""
    for model in models.all_models().values():
        if model.table.layer == "curated":
            yield Statement(model.table.name, models.expand(model.sql), RUN_DAYS)
    for view in ("vw_cost_allocation", "vw_monthly_finance"):
        yield Statement(f"{view}: conservation", f"SELECT SUM(cost_usd) AS usd FROM {view}", RUN_DAYS)
    asked: set[str] = set()
    for dashboard in load_dashboards():
        for card in dashboard.cards:
            if card.kind != "note" and card.source.text not in asked:
                asked.add(card.source.text)
                yield Statement(f"offline report: {dashboard.key}.{card.key}", card.source.text, RUN_DAYS)


def card_statements() -> dict[str, list[Statement]]:
    """Dashboard -> one statement a card, and one more for a card that compares with the period before."""
    period = FilterValues(date(2026, 1, 1), date(2026, 1, CARD_DAYS))
    found: dict[str, list[Statement]] = {}
    for dashboard in load_dashboards():
        for card in (c for c in dashboard.cards if c.kind != "note"):
            asked = [Statement(card.key, card_query(card, period).sql, CARD_DAYS)]
            if card.compare:
                asked.append(Statement(f"{card.key}, before", card_query(card, compared_period(period)).sql, CARD_DAYS))
            found.setdefault(dashboard.title, []).extend(asked)
    return found


def stored(people: int) -> int:
    """Bytes kept at the end of the year, every column of every table."""
    return round(
        sum(
            (KEPT_DAYS if t.date_column else 1) * rows_a_day(t, people) * sum(width(c) for c in t.columns)
            for t in tables.ALL
            if not t.view
        )
    )  # fmt: skip


def _size(count: float) -> str:
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2)):
        if count >= 1024**power:
            return f"{count / 1024**power:,.{0 if count >= 100 * 1024**power else 1}f} {unit}"
    return f"{count / 1024:,.0f} KiB"


def _usd(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:,.2f}"


def _price(size: float) -> float:
    return size / 1024**4 * USD_PER_TIB


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _head(first: str, *rest: str) -> str:
    return _line(first, *rest) + "|---|" + "---:|" * len(rest) + "\n"


def page(made: str) -> str:
    """`docs/scale.md`; `made` is the line that says who writes it."""
    names = [f"{n:,}" for n in PEOPLE]
    run = [(s, scans(s.sql)) for s in run_statements()]
    cost = {n: {s.name: scanned(found, n, s.days) for s, found in run} for n in PEOPLE}
    cards = {title: [(s, scans(s.sql)) for s in asked] for title, asked in card_statements().items()}
    opened = {n: {title: sum(scanned(f, n, s.days) for s, f in asked) for title, asked in cards.items()} for n in PEOPLE}
    year: Mapping[str, list[float]] = {
        "daily runs": [_price(sum(cost[n].values())) * 365 for n in PEOPLE],
        "dashboards": [_price(sum(opened[n].values())) * OPENS[n] * WORKING_DAYS for n in PEOPLE],
        "storage": [stored(n) / 1024**3 * USD_PER_GIB_MONTH * 12 / 2 for n in PEOPLE],
    }
    largest = PEOPLE[-1]
    first = max(cost[largest], key=lambda name: cost[largest][name])
    share = cost[largest][first] / sum(cost[largest].values())
    text = made + _INTRODUCTION
    text += "## A daily run\n\n" + _head("statement", *(f"{n} people" for n in names))
    text += "".join(_line(f"`{s.name}`" if s.name in tables.BY_NAME else s.name, *(_size(cost[n][s.name]) for n in PEOPLE)) for s, _ in run)
    text += _line("**one run**", *(f"**{_size(sum(cost[n].values()))}**" for n in PEOPLE))
    text += f"\nAt {largest:,} people `{first}` alone is {share:.0%} of a run.\n"
    text += "\n## One opening of a dashboard\n\n" + _head("dashboard", *(f"{n} people" for n in names))
    text += "".join(
        _line(f"{title}: {len(asked)} statements", *(_size(opened[n][title]) for n in PEOPLE)) for title, asked in cards.items()
    )
    text += "\n## A year in USD\n\n" + _head("", *(f"{n} people" for n in names))
    text += "".join(_line(what, *map(_usd, amounts)) for what, amounts in year.items())
    text += _line("**together**", *(f"**{_usd(sum(a[i] for a in year.values()))}**" for i in range(len(PEOPLE))))
    text += f"\nKept at the end of the year: {', '.join(f'{_size(stored(n))} at {n:,} people' for n in PEOPLE)}.\n"
    text += _whole(run, cards) + _assumptions() + _CHANGES
    return text


def _whole(run: list[tuple[Statement, list[Scan]]], cards: Mapping[str, list[tuple[Statement, list[Scan]]]]) -> str:
    """What is read over all days, by statement."""
    lines = []
    for s, found in [*run, *(pair for asked in cards.values() for pair in asked)]:
        names = sorted({f.table for f in found if not f.bounded and tables.BY_NAME[f.table].date_column})
        if names and not s.name.endswith(", before"):
            lines.append(_line(f"`{s.name}`" if s.name in tables.BY_NAME else s.name, ", ".join(f"`{n}`" for n in names)))
    return (
        "\n## What is read over all days\n\nEvery other read of a table with days is limited to the days of the question. A test holds this list and a reason "
        "for each line.\n\n| statement | tables |\n|---|---|\n" + "".join(lines)
    )


def _assumptions() -> str:
    text = f"""
## Assumptions

They stand in `ai_usage/docsgen/scale.py`; change them there and run `make docs`.

- Price: {USD_PER_TIB} USD a TiB read on demand, {USD_PER_GIB_MONTH} USD a GiB and month stored (BigQuery's list price for the US multi-region as
  known in November 2026; the free first TiB a month, the cheaper rate for partitions untouched for 90 days and taxes are left out). Storage is the
  year's average, half of what is there at its end.
- Bytes of a value: INT64, DATE and TIMESTAMP 8, NUMERIC 16, BOOL 1, STRING 2 + its length. NULLs are charged nothing and are counted all the same, so
  real bills are lower. A query is charged at least 10 MB for each table.
- A run reads {RUN_DAYS} days again and happens once a day; {KEPT_DAYS} days are kept; a day is stored {VERSIONS} times on average before its vendor leaves it alone.
- A card reads {CARD_DAYS} days and nothing is cached. Openings on each of {WORKING_DAYS} working days: {", ".join(f"{v} at {k:,} people" for k, v in OPENS.items())}.

| rows | for each person |
|---|---:|
"""
    for title, known in (("a day", PER_PERSON_DAY), ("a snapshot, stored whole on every day", PER_PERSON_SNAPSHOT), ("in all", PER_PERSON)):
        text += "".join(_line(f"`{name}`, {title}", f"{count:g}") for name, count in known.items())
    return text


_INTRODUCTION = """# Scale

What the platform would read, keep and cost on BigQuery. **Nothing here was measured on BigQuery**: bytes are computed from the declared types, the SQL as
it is sent, the partitions that its filters reach, and the assumptions below. Before relying on it, compare one run with the bytes that BigQuery reports.

Tables with a day column are partitioned by it. A filter counts as reaching the partition column only where it may be moved there without changing
the answer: through plain columns, grouping keys, unions and inner joins, not through functions, nor to the optional side of an outer join.

"""
_CHANGES = """
## What to change, and when

**100 people.** Nothing. The least charge of 10 MB a table is most of the bill, and DuckDB on one machine does the same work for nothing
([the daily run](../benchmarks/results/daily_run.md) takes seconds). BigQuery is worth it for sharing, not for size.

**10,000 people.**

1. Partition expiry on directories (`raw_cursor_members`, `raw_anthropic_users`, `raw_sheet_*`): they are read whole for their latest snapshot, and every changed
   snapshot adds all its rows. Keep 90 days. `stg_keys` looks at every directory ever read, so that keys no longer listed stay known: exempt
   `raw_anthropic_api_keys`, which is small.
2. Facts are declared clustered by platform and person: a filter on either then skips blocks. That lowers what is charged and is not in the figures
   above, which are BigQuery's upper bound before a query runs.
3. `maximum_bytes_billed` on every statement at twice the figure above: a filter that stops reaching its partition then fails instead of costing.

**100,000 people.**

1. `dim_api_keys` reads service accounts out of every event ever kept. Keep them in a table of their own, a row for each account and day, replaced by the
   day range like a fact; then it reads days, not years.
2. Questions by month, week and person's day read stored totals (`agg_*`) already. What still reads facts is cost by day and person: give `vw_cost_allocation`
   a table of its own as well, written like `agg_cost_months`. BigQuery's own materialized views limit outer joins and unions; a table that the run
   replaces by day range does not.
3. BI Engine over the stored totals: dashboards then cost memory by the hour and no bytes. At the openings assumed, compare its price with the line
   `dashboards` above.
4. Read sources at the same time: each has a run of its own already, and BigQuery admits several writers. Raise `max_concurrent_runs` in `dagster.yaml`,
   with a limit of one for `daily` and `rebuild`.
5. `raw_cursor_events` is most of the storage. Partitions untouched for 90 days cost half; a partition expiry after the audit period, with facts kept, is the other
   half. Figures older than that can no longer be traced to the vendor's records.
6. Conservation checks of marts read all days. Limit them to the days of the run, and run them over everything once a week.
"""

"""Dimensions and facts: each asset runs one file under sql/curated/ for the days of its run, in one transaction."""

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from ai_usage import transform
from ai_usage.defs import checks
from ai_usage.defs.common import (
    DAYS,
    OWNERS,
    RANGES,
    SAMPLE,
    check,
    failed,
    run_parameters,
    spent,
    table_metadata,
    tell_days,
    upstream,
    usd,
)
from ai_usage.defs.curated.frozen import stand
from ai_usage.finance import ledger
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window
from ai_usage.tables.schema import Table
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import WarehouseError, models

ATTRIBUTED_AT_LEAST = Decimal("0.95")


def _declared(name: str, specs: Sequence[dg.AssetCheckSpec] = ()) -> dict[str, Any]:
    model = models.model(name)
    grain = dg.AssetCheckSpec("grain", asset=name, blocking=True, description=f"One row for {model.table.grain}.")
    return {
        "name": name, "description": model.table.description, "metadata": table_metadata(model.table), "group_name": "curated",
        "owners": OWNERS, "kinds": {"sql"}, "code_version": hashlib.sha256(model.sql.encode()).hexdigest()[:16], "check_specs": [grain, *specs], "deps": upstream(name),
    }  # fmt: skip


def _list(name: str, *specs: dg.AssetCheckSpec) -> dict[str, Any]:
    whole = dg.AssetCheckSpec("lists_whole", asset=name, description="Every list that it reads has all its rows; else it stands as it was.")
    return _declared(name, [whole, *specs])


def _run_list(
    context: dg.AssetExecutionContext, runtime: Runtime, name: str, more: Callable[[Runtime], dg.AssetCheckResult] | None = None
) -> dg.MaterializeResult:
    """A dimension; where a list that it reads has lost rows, it stands as it was and all else goes on."""
    try:
        written = transform.write_list(runtime.warehouse, name, run_parameters(context, runtime))
    except WarehouseError as error:
        raise failed(error) from None
    gone = [{"source": "/".join(h.endpoint or h.sources), "day": h.first, "why": h.why} for h in written.held]
    whole = check(
        "lists_whole", not gone, expected=0, actual=len(gone), severe=True, sample=gone,
        remedy=f"{name} stands as it was before. {' '.join(h.why for h in written.held)}",
    )  # fmt: skip
    results = [checks.grain(runtime.warehouse, checks.declared(name)), whole, *([more(runtime)] if more else [])]
    return dg.MaterializeResult(
        metadata={"dagster/row_count": written.rows, "model": models.model(name).path} | spent(runtime), check_results=results
    )


def _proved(name: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "days_proved", asset=name, description="Every day of the run could be proved and was written; else it stands as it was."
    )


def _run(context: dg.AssetExecutionContext, runtime: Runtime, name: str) -> tuple[Window, dict[str, Any]]:
    model = models.model(name)
    parameters = run_parameters(context, runtime)
    try:
        window = Window(*totals.whole_ranges(runtime.warehouse, parameters["start_date"], parameters["end_date"]))
        rows = runtime.warehouse.replace(
            model.table, model.sql, parameters | {"start_date": window.first, "end_date": window.last}, FACTS.get(name, ())
        )
    except WarehouseError as error:
        raise failed(error) from None
    return window, {"dagster/row_count": rows, "model": model.path}


def _run_days(
    context: dg.AssetExecutionContext, runtime: Runtime, name: str
) -> tuple[Window, transform.Written, dict[str, Any], dg.AssetCheckResult]:
    """Each source's days of the run that hold: one whose raw rows are gone, or whose totals are not the vendor's, stands as it was and is named. All other
    sources and days are written."""
    parameters = run_parameters(context, runtime)
    try:
        window = Window(*totals.whole_ranges(runtime.warehouse, parameters["start_date"], parameters["end_date"]))
        found = transform.write_days(runtime.warehouse, name, window.first, window.last, parameters)
    except WarehouseError as error:
        raise failed(error) from None
    days = len(window.days)
    left = len({day for one in found.held for day in Window(one.first, one.last).days})
    said = [{"source": ", ".join(h.sources), "first_day": h.first, "last_day": h.last, "why": h.why} for h in found.held]
    proved = check(
        "days_proved", not left, expected=days, actual=days - left, severe=True, sample=said,
        remedy="These sources' days stand as they were before; all others are written. "
        + "; ".join(f"{h['source']}, {h['first_day']} to {h['last_day']}: {h['why']}" for h in said[:3]),
    )  # fmt: skip
    _tell_days(context, runtime, models.model(name).table, window)
    return window, found, {"dagster/row_count": found.rows, "model": models.model(name).path}, proved


def _tell_days(context: dg.AssetExecutionContext, runtime: Runtime, table: Table, window: Window) -> None:
    """Each partition has the rows and the cost of its day, not the range's."""
    costs = "cost_usd" in table.column_names
    asked = f"SELECT {table.date_column} AS day, COUNT(*) AS row_count{', SUM(cost_usd) AS cost_usd' if costs else ''} FROM {table.name}"
    rows = runtime.warehouse.select(
        f"{asked} WHERE {table.date_column} BETWEEN @start_date AND @end_date GROUP BY 1",
        {"start_date": window.first, "end_date": window.last},
    ).to_pylist()
    none = usd(Decimal(0)) if costs else {}
    days = {row["day"]: {"dagster/row_count": row["row_count"]} | (usd(row["cost_usd"]) if costs else {}) for row in rows}
    tell_days(context, days, {"dagster/row_count": 0} | none)


@dg.asset(
    **_list(
        "dim_user_assignments",
        dg.AssetCheckSpec("no_identity_conflicts", asset="dim_user_assignments", description="No e-mail belongs to two people."),
    )
)
def dim_user_assignments(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return _run_list(context, runtime, "dim_user_assignments", _identity)


@dg.asset(**_list("dim_api_keys"))
def dim_api_keys(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return _run_list(context, runtime, "dim_api_keys")


@dg.asset(
    **_declared("fct_usage_daily", [_proved("fct_usage_daily")]), partitions_def=DAYS, backfill_policy=RANGES,
)  # fmt: skip
def fct_usage_daily(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    window, _, metadata, proved = _run_days(context, runtime, "fct_usage_daily")
    results = [checks.grain(runtime.warehouse, checks.declared("fct_usage_daily"), window), proved]
    return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=results)


@dg.asset(
    **_declared(
        "fct_cost_daily",
        [
            _proved("fct_cost_daily"),
            dg.AssetCheckSpec("conservation", asset="fct_cost_daily", blocking=True, description="Staged cost of each day is the fact's, to 1e-9 USD."),
            dg.AssetCheckSpec("attribution", asset="fct_cost_daily", description="At least 95 % of usage cost has an owner."),
        ],
    ),
    partitions_def=DAYS, backfill_policy=RANGES,
)  # fmt: skip
def fct_cost_daily(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    window, written, metadata, proved = _run_days(context, runtime, "fct_cost_daily")
    totals = _cost_totals(runtime, window, written)
    metadata |= usd(totals["fact_usd"]) | {"settle_state": ", ".join(sorted(totals["states"])) or "none"}
    results = [
        checks.grain(runtime.warehouse, checks.declared("fct_cost_daily"), window),
        proved,
        *_cost_checks(runtime, window, totals),
    ]
    return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=results)


@dg.asset(**_list("dim_users"))
def dim_users(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return _run_list(context, runtime, "dim_users")


@dg.asset(
    **_declared(
        "fct_cost_corrections",
        [
            dg.AssetCheckSpec(
                "closed_months_stand", asset="fct_cost_corrections", blocking=True,
                description="The month closed last holds the rows that were closed, by their hash.",
            )
        ],
    ),
    partitions_def=DAYS, backfill_policy=RANGES,
)  # fmt: skip
def fct_cost_corrections(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    window, metadata = _run(context, runtime, "fct_cost_corrections")
    # The latest month alone: a day's run should not read every closed month. `ai-usage close --verify` and every closing look at all of them.
    latest = ledger.closed_months(runtime.warehouse)[-1:]
    results = [
        checks.grain(runtime.warehouse, checks.declared("fct_cost_corrections"), window),
        stand(runtime, latest, "closed_months_stand"),
    ]
    return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=results)


def _total(name: str) -> dg.AssetsDefinition:
    @dg.asset(**_declared(name), partitions_def=DAYS, backfill_policy=RANGES)
    def total(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        try:
            first, last, rows = totals.write(runtime.warehouse, name, run_parameters(context, runtime))
        except WarehouseError as error:
            raise failed(error) from None
        metadata = {
            "dagster/row_count": rows,
            "model": models.model(name).path,
            "written": "every month" if (first, last) == totals.EVER else f"{first} to {last}",
        }
        grain = checks.grain(runtime.warehouse, checks.declared(name), Window(first, last))
        return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=[grain])

    return total


agg_person_days = _total("agg_person_days")
agg_person_weeks = _total("agg_person_weeks")
agg_person_months = _total("agg_person_months")
agg_cost_days = _total("agg_cost_days")
# What the books hold is proved against the facts before it is stored: the asset waits for that check.
agg_cost_months = _total("agg_cost_months")


def _cost_totals(runtime: Runtime, window: Window, written: transform.Written) -> dict[str, Any]:
    """Sums over the run's days: what is staged and what the fact holds, of all that was written; of the fact's usage, how much has an owner."""
    rows = runtime.warehouse.select(
        """
        SELECT cost_date, source, settle_state, SUM(staged_usd) AS staged_usd, SUM(fact_usd) AS fact_usd, SUM(usage_usd) AS usage_usd, SUM(owned_usd) AS owned_usd
        FROM (
          SELECT
            cost_date, source, CAST(NULL AS STRING) AS settle_state, cost_usd AS staged_usd, CAST(0 AS NUMERIC) AS fact_usd,
            CAST(0 AS NUMERIC) AS usage_usd, CAST(0 AS NUMERIC) AS owned_usd
          FROM stg_cost WHERE cost_date BETWEEN @start_date AND @end_date
          UNION ALL
          SELECT
            cost_date, source, settle_state, 0 AS staged_usd, cost_usd AS fact_usd, IF(cost_type != 'subscription', cost_usd, 0) AS usage_usd,
            IF(cost_type != 'subscription' AND user_email IS NOT NULL, cost_usd, 0) AS owned_usd
          FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date
        ) AS both_sides
        GROUP BY cost_date, source, settle_state
        """,
        {"start_date": window.first, "end_date": window.last},
    ).to_pylist()
    held = {(source, day) for one in written.held for source in one.sources for day in Window(one.first, one.last).days}
    proved = [row for row in rows if not held & {(source, row["cost_date"]) for source in transform.told_by(row["source"])}]
    sums = {name: sum((row[name] for row in proved), Decimal(0)) for name in ("staged_usd", "fact_usd")}
    sums |= {name: sum((row[name] for row in rows), Decimal(0)) for name in ("usage_usd", "owned_usd")}
    return {**sums, "states": {row["settle_state"] for row in rows if row["settle_state"]}}


def _cost_checks(runtime: Runtime, window: Window, totals: dict[str, Any]) -> list[dg.AssetCheckResult]:
    difference = totals["staged_usd"] - totals["fact_usd"]
    share = totals["owned_usd"] / totals["usage_usd"] if totals["usage_usd"] else Decimal(1)
    unowned = runtime.warehouse.select(
        """
        SELECT platform, api_key_id, SUM(cost_usd) AS cost_usd FROM fct_cost_daily
        WHERE cost_date BETWEEN @start_date AND @end_date AND cost_type != 'subscription' AND user_email IS NULL
        GROUP BY platform, api_key_id ORDER BY cost_usd DESC LIMIT 20
        """,
        {"start_date": window.first, "end_date": window.last},
    )
    return [
        check(
            "conservation", abs(difference) <= checks.TOLERANCE_USD, expected=totals["staged_usd"], actual=totals["fact_usd"],
            difference=difference, blocking=True, remedy="Nothing was written that differs; another run changed staging meanwhile: run again.",
        ),
        check(
            "attribution", share >= ATTRIBUTED_AT_LEAST, expected=">= 95 %", actual=f"{share:.2%}", sample=unowned,
            remedy=_owner_remedy(any(row["api_key_id"] for row in unowned.to_pylist())),
        ),
    ]  # fmt: skip


def _owner_remedy(a_key_is_unknown: bool) -> str:
    if a_key_is_unknown:
        return "Add these keys with their owner's e-mail to the sheet's api_keys tab."
    return "The vendors name no key for this cost: vw_unmapped lists it and says whom to ask."


def _identity(runtime: Runtime) -> dg.AssetCheckResult:
    claimed = runtime.warehouse.select(
        r"""
        WITH people AS (
          SELECT p.email, p.aliases FROM raw_sheet_people AS p
          INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
          WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
        ),
        written AS (
          SELECT LOWER(TRIM(p.email)) AS email, REGEXP_REPLACE(LOWER(TRIM(alias)), r'\+[^@]*@', '@') AS alias
          FROM people AS p, UNNEST(SPLIT(REGEXP_REPLACE(COALESCE(p.aliases, ''), r'[;,\s]+', ';'), ';')) AS alias
          UNION ALL
          -- A main address that somebody else has among the aliases.
          SELECT LOWER(TRIM(email)) AS email, REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS alias FROM people
        )
        SELECT w.alias, COUNT(DISTINCT w.email) AS people, MIN(w.email) AS one, MAX(w.email) AS other
        FROM written AS w
        -- An old address whose row ended before the new one's began is folded, and in nobody's way.
        LEFT JOIN stg_email_aliases AS a ON w.alias = a.alias
        WHERE w.alias != '' AND a.alias IS NULL
        GROUP BY w.alias HAVING COUNT(DISTINCT REGEXP_REPLACE(w.email, r'\+[^@]*@', '@')) > 1 ORDER BY w.alias
        """
    )
    return check(
        "no_identity_conflicts", claimed.num_rows == 0, expected=0, actual=claimed.num_rows, sample=claimed.slice(0, SAMPLE),
        remedy="Give each address to one person in the sheet's people tab, or end the old row with valid_to before the new one begins; until then it belongs to neither.",
    )  # fmt: skip

"""No full-table scan hides: each read of a table with days is limited to the question's days, or stands here with its reason.

Belongs here: the law for models, marts, cards and alerts, and hand-made statements that show what may and may not carry a filter to the partition column.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ai_usage import tables
from ai_usage.alerts.conditions import bound
from ai_usage.alerts.config import Alert, load_config
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query
from ai_usage.docsgen.scans import scans
from ai_usage.finance import focus
from ai_usage.tables.focus import VERSIONS
from ai_usage.warehouse import models

CURATED = [m for m in models.all_models().values() if m.table.layer == "curated"]
MARTS = [m for m in models.all_models().values() if m.table.layer == "mart"]
CARDS = [(d, c) for d in load_dashboards() for c in d.cards if c.kind != "note"]
ALERTS = [a for a in load_config().alerts.values() if a.sql]
PERIOD = FilterValues(date(2026, 11, 1), date(2026, 11, 30))

FETCHES = (
    "one row a fetch says which version of a day counts, and which snapshot is the latest: that needs every day, and has no rows of usage"
)
DIRECTORY = "a directory: its latest snapshot counts whatever its day, and a snapshot is stored only when it changed"
LEDGER = {"raw_fetches": FETCHES} | {
    t.name: DIRECTORY
    for t in tables.RAW
    if t.name.startswith("raw_sheet_")
    or t.name in {"raw_cursor_members", "raw_cursor_spend", "raw_anthropic_users", "raw_anthropic_api_keys", "raw_anthropic_workspaces"}
}
# Small whatever the company's size, or asked whole on purpose.
LEDGER |= {
    "raw_claude_ai_spend": "a range stands on its last day, so a day asks for every range that may reach it; a row for a person and model of an export",
    "fct_cost_corrections": "corrections of closed months are few, and all of them are booked to the first open month",
    "agg_person_months": "a row for a person's month: whether a platform reports a count at all, and when a seat was used last, is asked of all months",
    "agg_cost_days": "some rows a day, however many people there are",
    "agg_cost_months": "a row for a person's month: cards and views that show every month read every month",
}
# Closed months stand in for the facts of theirs: what reads all of the one reads all of the other, for the same reason.
FROZEN = {"closed_cost": "fct_cost_daily"}
MONTHS = "months are summed from days and the card or view shows whole months, so the partition column is not filtered"
# (statement, table) -> why it reads all days.
WHOLE = (
    {
        (
            "dim_api_keys",
            "raw_cursor_events",
        ): "a service account is known only by its events, on any day; docs/scale.md says what that costs and when to change it",
        ("sheet_issues", "raw_cursor_events"): "a row of the sheet may name a service account by any day's events",
        ("sheet_issues", "raw_rejects"): "has no day column: the present sheet's broken rows, few",
        ("productivity_analytics.adoption", "agg_person_weeks"): "the card shows every week on record, whatever the period",
    }
    | {
        (name, "raw_cursor_usage"): MONTHS
        for name in (
            "vw_seats",
            "vw_adoption",
            "vw_savings",
            *(f"cost_allocation.{card}" for card in ("seats", "savings")),
        )
    }
    | {(name, "raw_claude_code_usage"): MONTHS for name in ("vw_unmapped", "data_trust.to_name")}
    | {(name, table): MONTHS for name in ("vw_unmapped", "data_trust.to_name") for table in ("agg_person_days", "fct_cost_daily")}
    | {
        (name, "fct_cost_daily"): MONTHS
        for name in (
            "vw_forecast",
            "executive_summary.projection",
            "executive_summary.month_to_end",
            "executive_summary.platform_outlook",
            "vw_budgets",
            "vw_headlines",
            "executive_summary.budgets",
        )
    }
    | {
        (name, table): MONTHS
        for name in ("vw_change_drivers", "executive_summary.why_changed", "cost_allocation.why_changed")
        for table in ("agg_person_days", "fct_cost_daily", "fct_usage_daily")
    }
    | {
        (
            "vw_focus",
            table,
        ): "what was measured is looked up beside a charge; an export asks the model instead of the view, and reads its month"
        for table in (
            "raw_anthropic_usage",
            "raw_anthropic_analytics_cost",
            "raw_anthropic_analytics_usage",
            "raw_claude_ai_spend",
            "raw_claude_enterprise_cost",
            "raw_claude_enterprise_usage",
            "raw_cursor_events",
        )
    }
    | {
        (name, "raw_rejects"): "rejects are few, and those of every day are shown until they are repaired"
        for name in ("vw_rejects", "data_trust.rejected", "data_trust.rejects", "alerts.validation_errors")
    }
    | {
        ("vw_headlines", "closed_cost"): "the latest month is known only when the view is asked, so no day of it stands in the SQL",
        ("alerts.closed_month_changed", "closed_cost"): "every closed month is proved: a row that somebody changed may be in any of them",
    }
    | {
        (
            name,
            table,
        ): "months are compared with invoices, each by the versions of its days: the widest question there is, asked by one page"
        for name in (
            "vw_reconciliation",
            "alerts.invoice_difference",
            *(f"data_trust.{card}" for card in ("vendor_difference", "invoice_difference", "unexplained", "reconciliation")),
        )
        for table in (
            "raw_anthropic_analytics_cost",
            "raw_anthropic_cost",
            "raw_anthropic_usage",
            "raw_claude_ai_spend",
            "raw_claude_enterprise_cost",
            "raw_cursor_events",
        )
    }
    | {
        (
            name,
            "agg_person_days",
        ): "groups are judged by whole weeks, DATE_TRUNC of the partition column: ask vw_productivity_metrics for a few days"
        for name in (
            "vw_team_productivity",
            "vw_team_coverage",
            *(
                f"team_productivity.{card}"
                for card in ("accepted_lines", "acceptance_rate", "requests", "left_out", "lines_by_week", "by_department")
            ),
        )
    }
)


def whole(sql: str) -> set[str]:
    """Tables with days of which a statement reads all."""
    return {s.table for s in scans(sql) if tables.BY_NAME[s.table].date_column and not s.bounded}


def check(name: str, sql: str) -> None:
    found = whole(sql)
    unexplained = {t for t in found if t not in LEDGER and not {(name, t), (name, FROZEN.get(t, t))} & WHOLE.keys()}
    assert unexplained == set(), (
        f"{name} reads all days of these; filter their day column by @start_date and @end_date, or give the reason here"
    )
    stale = {t for n, t in WHOLE if n == name} - found
    assert stale == set(), f"{name} reads these by day now; take the exception out"


@pytest.mark.parametrize("model", CURATED, ids=lambda m: m.table.name)
def test_a_run_reads_its_own_days(model: models.Model) -> None:
    sql = models.expand(model.sql)
    assert scans(sql)
    check(model.table.name, sql)


@pytest.mark.parametrize("model", MARTS, ids=lambda m: m.table.name)
def test_a_day_range_asked_of_a_mart_reaches_the_facts(model: models.Model) -> None:
    day = model.table.date_column
    check(model.table.name, f"SELECT * FROM {model.table.name}" + (f" WHERE {day} BETWEEN @start_date AND @end_date" if day else ""))


@pytest.mark.parametrize(("dashboard", "card"), CARDS, ids=lambda x: x.key)
def test_a_period_chosen_on_a_dashboard_reaches_the_facts(dashboard, card) -> None:
    """Through the view and the card's own grouping; cards without a date filter are named with their reason."""
    check(f"{dashboard.key}.{card.key}", card_query(card, PERIOD).sql)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_exported_month_reads_its_own_days(version: str) -> None:
    check("focus", models.question(focus.statement(version), {"start_date": None}))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a.name)
def test_a_pass_of_the_alerts_reads_the_days_that_it_judges(alert: Alert) -> None:
    """As it is sent: hourly, and over days before those judged where it compares with them."""
    given = bound(alert, date(2026, 11, 20), datetime(2026, 11, 20, 12, tzinfo=UTC), ["cursor"])
    check(f"alerts.{alert.name}", models.question(alert.sql or "", given))


def test_an_alert_that_reads_all_days_is_seen() -> None:
    alert = next(a for a in ALERTS if a.name == "unattributed")
    given = bound(alert, date(2026, 11, 20), datetime(2026, 11, 20, 12, tzinfo=UTC), ["cursor"])
    loose = alert.sql.replace("BETWEEN @start_date AND @end_date", "<= @as_of_date")
    assert loose != alert.sql
    with pytest.raises(AssertionError, match="alerts.unattributed reads all days"):
        check("alerts.unattributed", models.question(loose, given))


def test_every_exception_is_of_a_statement_that_exists() -> None:
    names = {m.table.name for m in (*CURATED, *MARTS)} | {f"{d.key}.{c.key}" for d, c in CARDS} | {f"alerts.{a.name}" for a in ALERTS}
    assert {name for name, _ in WHOLE} <= names


def test_a_filter_taken_out_of_staging_is_seen() -> None:
    """The law can fail: without its WHERE, Cursor's bill would be read from the beginning."""
    sql = models.expand(models.model("fct_cost_daily").sql)
    without = sql.replace(
        "FROM raw_cursor_events AS r\n  WHERE r.usage_date BETWEEN @start_date AND @end_date", "FROM raw_cursor_events AS r"
    )
    # The model's own filter on stg_cost still reaches the events through the union and the grouping.
    assert sql != without and "raw_cursor_events" not in whole(without)
    neither = without.replace("WHERE cost_date BETWEEN @start_date AND @end_date", "")
    assert "raw_cursor_events" in whole(neither) and "raw_cursor_events" not in whole(sql)
    with pytest.raises(AssertionError, match="reads all days"):
        check("fct_cost_daily", neither)


IN = "BETWEEN @start_date AND @end_date"


@pytest.mark.parametrize(
    ("sql", "bounded"),
    [
        (f"SELECT cost_usd FROM fct_cost_daily WHERE cost_date {IN}", True),
        ("SELECT cost_usd FROM fct_cost_daily", False),
        ("SELECT cost_usd FROM fct_cost_daily WHERE cost_date >= @date_from AND cost_date <= @date_to", True),
        # A literal is not the question's range, nor is another column, a function of the day, or one side of an OR.
        ("SELECT cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'", False),
        (f"SELECT cost_usd FROM fct_cost_daily WHERE DATE_TRUNC(cost_date, MONTH) {IN}", False),
        (f"SELECT cost_usd FROM fct_cost_daily WHERE cost_date {IN} OR cost_usd > 0", False),
        ("SELECT cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN @as_of_date AND @as_of_date", False),
        # The question's range, moved by so much; not by a column, nor a day of today.
        ("SELECT cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN DATE_SUB(@start_date, INTERVAL 2 MONTH) AND @end_date", True),
        ("SELECT cost_usd FROM fct_cost_daily AS f WHERE cost_date >= DATE_SUB(@start_date, INTERVAL LENGTH(f.platform) DAY)", False),
        ("SELECT cost_usd FROM fct_cost_daily WHERE cost_date >= DATE_SUB(@as_of_date, INTERVAL 2 DAY)", False),
        # From outside: through a subquery, a CTE, a grouping key, a union.
        (f"SELECT * FROM (SELECT cost_date AS d, cost_usd FROM fct_cost_daily) AS x WHERE d {IN}", True),
        (f"WITH x AS (SELECT * FROM fct_cost_daily) SELECT cost_usd FROM x WHERE cost_date {IN}", True),
        (f"SELECT * FROM (SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date) AS x WHERE cost_date {IN}", True),
        (
            f"SELECT d FROM (SELECT cost_date AS d FROM fct_cost_daily UNION ALL SELECT cost_date FROM fct_cost_daily) AS x WHERE d {IN}",
            True,
        ),
        # Not where the answer would change: an aggregate of the day, a window over other days, the optional side of a join, a LIMIT.
        (f"SELECT * FROM (SELECT MAX(cost_date) AS d FROM fct_cost_daily) AS x WHERE d {IN}", False),
        (
            f"SELECT * FROM (SELECT cost_date, SUM(cost_usd) OVER (PARTITION BY platform) AS s FROM fct_cost_daily) AS x WHERE cost_date {IN}",
            False,
        ),
        (
            f"SELECT * FROM (SELECT cost_date, SUM(cost_usd) OVER (PARTITION BY cost_date) AS s FROM fct_cost_daily) AS x WHERE cost_date {IN}",
            True,
        ),
        (f"SELECT 1 FROM dim_users AS u LEFT JOIN fct_cost_daily AS f ON u.email = f.user_email AND f.cost_date {IN}", False),
        (f"SELECT 1 FROM dim_users AS u INNER JOIN fct_cost_daily AS f ON u.email = f.user_email AND f.cost_date {IN}", True),
        (f"SELECT * FROM (SELECT cost_date FROM fct_cost_daily ORDER BY cost_usd LIMIT 5) AS x WHERE cost_date {IN}", False),
        # A filter on a joined table is no filter on this one.
        (f"SELECT 1 FROM fct_usage_daily AS u INNER JOIN fct_cost_daily AS f ON u.usage_date = f.cost_date WHERE u.usage_date {IN}", False),
    ],
)
def test_a_filter_is_followed_only_where_it_may_be_moved(sql: str, bounded: bool) -> None:
    assert all(s.bounded is bounded for s in scans(sql) if s.table == "fct_cost_daily")


def test_only_the_columns_that_are_used_are_read() -> None:
    """BigQuery charges for columns: those of an unused output of a subquery are not read."""
    (scan,) = scans(
        "SELECT platform FROM (SELECT platform, model, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE vendor = 'x' GROUP BY platform, model) AS x"
    )
    assert scan.columns == {"platform", "model", "vendor"}
    (scan,) = scans("SELECT platform FROM (SELECT DISTINCT platform, model FROM fct_cost_daily) AS x")
    assert scan.columns == {"platform", "model"}
    (scan,) = scans("SELECT COUNT(*) AS n FROM fct_cost_daily")
    assert scan.columns == frozenset()

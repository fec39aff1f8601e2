"""Every file under `sql/` in GoogleSQL's eyes: it means what `tables/` declares, and answers what DuckDB answers, row by row.

Belongs here: whole models and cards, on the simulator's days with ugly rows laid beside them, and on nothing at all.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from ai_usage import tables, transform
from ai_usage.alerts.conditions import COLUMNS, bound
from ai_usage.alerts.config import load_config
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query, compared_period
from ai_usage.finance.drivers import Period, drivers
from ai_usage.loading import Loader, loader
from ai_usage.simulator import Simulator, World
from ai_usage.sources import spool
from ai_usage.sources.anthropic import analytics as analytics_client
from ai_usage.sources.anthropic import analytics_records as analytics
from ai_usage.sources.anthropic import records as anthropic
from ai_usage.sources.anthropic.analytics import AnalyticsClient
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.cursor.client import CursorClient
from ai_usage.sources.endpoint import Window
from ai_usage.sources.google_sheets import client as sheets_client
from ai_usage.sources.google_sheets import records as sheets
from ai_usage.sources.google_sheets.client import SheetsClient
from ai_usage.sources.walk import walk_all
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import dialect, models
from ai_usage_tests.fixtures.desk import Desk, rows_for_views
from ai_usage_tests.parity import googlesql
from ai_usage_tests.parity.answers import KeptAnswers
from ai_usage_tests.parity.witness import Disagreement, Stepped, Witnessed
from ai_usage_tests.proving import PROVE, only_in_prove

D, N = date, Decimal
# A month's end inside: seats divide by 31 and by 30, and the remainder falls on the last day.
FIRST, LAST = D(2026, 10, 30), D(2026, 11, 2)
UGLY = D(2026, 11, 3)
AS_OF = D(2026, 11, 20)
PARAMETERS = {"start_date": "DATE", "end_date": "DATE", "as_of_date": "DATE", "processed_at": "TIMESTAMP"}
# Their rows stand in the file itself, and a state is one row also when it is empty.
WRITTEN = (
    "stg_anthropic_prices", "stg_bill_sources", "stg_cost_basis", "stg_endpoints", "stg_invoicing", "stg_last_day", "stg_platforms", "vw_days",
    "vw_headlines",
)  # fmt: skip
# Four days are no whole month: rows are compared over periods of days, and in test_cases_again.py.
OF_MONTHS = ("vw_change_drivers", "vw_savings")
MODELS = list(models.all_models().values())
VIEWS = [m.table for m in MODELS if m.table.view]
CARDS = [(d, c) for d in load_dashboards() for c in d.cards if c.kind != "note"]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Conditions whose tables this version has; their rows on hand-made days are compared in test_cases_again.py.
ALERTS = [a for a in load_config().alerts.values() if a.sql and not dialect.references(a.sql) - tables.BY_NAME.keys()]
SOURCES = ["cursor", "anthropic", "claude_enterprise", "google_sheets", "claude_ai"]


# What a statement means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.table.name)
def test_a_model_has_the_declared_columns_in_order(google: KeptAnswers, model: models.Model) -> None:
    """As the file says it, as a run sends it (ranged staging in front), and as its view is made."""
    declared = [(c.name, c.type.value) for c in model.table.columns]
    for statement in (model.sql, models.expand(model.sql), models.view_sql(model)):
        assert google.columns(statement, PARAMETERS) == declared


@pytest.mark.parametrize("fact", [f for facts in FACTS.values() for f in facts], ids=lambda f: f.name)
def test_a_proof_inside_the_transaction_is_googlesql_too(google: KeptAnswers, fact) -> None:
    assert {kind for _, kind in google.columns(models.expand(fact.difference_sql), PARAMETERS)} <= {"INT64", "NUMERIC"}


@pytest.mark.parametrize(("dashboard", "card"), CARDS, ids=lambda x: x.key)
def test_a_card_is_googlesql_and_names_what_its_yaml_names(google: KeptAnswers, dashboard, card) -> None:
    found = dict(google.columns(card.source.text))
    assert tuple(found) == card.source.columns
    assert "FLOAT64" not in found.values(), "a card's rows are exact"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a.name)
def test_an_alert_has_the_columns_of_alerts(google: KeptAnswers, alert) -> None:
    """As the file says it, and as a pass sends it (ranged staging in front)."""
    given = bound(alert, AS_OF, NOON, SOURCES)
    kinds = {name: googlesql._type_of(value) for name, value in given.items()}
    statements = {alert.sql, models.question(alert.sql, given)}
    for statement in statements:
        assert dict(google.columns(statement, kinds)) == COLUMNS


# What it answers ----------------------------------------------------------------------------------------------------


class _Plain(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class NoonToday(datetime, metaclass=_Plain):
    """`datetime` where it is always the desk's noon: a question that names today is new on every day."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOON


def simulated(desk: Desk, folder: Path) -> None:
    """Four days of a small company, read through the real clients, in fetches that have the same names, times and order whenever they are read: what
    is not the same is a new question."""
    ticks, walks = itertools.count(), itertools.count()

    class Ticking(NoonToday):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return NOON - timedelta(hours=1) + timedelta(seconds=next(ticks))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "datetime", Ticking)
        patch.setattr(loader, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{next(ticks):032x}")))
        patch.setattr(spool, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{next(walks):012x}")))
        for module in (sheets_client, analytics_client):
            patch.setattr(module, "datetime", Ticking)
        read(desk, folder)


def read(desk: Desk, folder: Path) -> None:
    world = World(
        seed=7,
        people=6,
        first_day=FIRST,
        last_day=LAST,
        events_per_person_day=3.0,
        anthropic=True,
        api_keys=4,
        claude_code_users=3,
        enterprise=True,
    )
    with Simulator(world, cursor_key="key", anthropic_key="key") as sim:
        quick = {"backoff_s": 0.02, "patience_s": 20.0}
        editor = CursorClient(sim.url, "key", folder, rate_factor=0, **quick)
        claude = AnthropicClient(sim.url, "key", folder, rate_factor=0, **quick)
        sheet = SheetsClient(sim.url, sim.sheet_id, None, folder, **quick)
        days, today = Window(FIRST, LAST), Window(AS_OF, AS_OF)
        loader = Loader(desk.warehouse)
        for endpoint, fetch, step in (
            (cursor.EVENTS, editor.events, 1), (cursor.DAILY_USAGE, editor.daily_usage, 30), (anthropic.USAGE, claude.usage, 31),
            (anthropic.COST, claude.cost, 31), (anthropic.CLAUDE_CODE, claude.claude_code, 1),
        ):  # fmt: skip
            assert not loader.load(endpoint, walk_all(days.split(step), fetch, endpoint, in_flight=1)).failures
        for endpoint, fetch in (
            (cursor.MEMBERS, editor.members), (cursor.SPEND, editor.spend), (anthropic.USERS, claude.users), (anthropic.API_KEYS, claude.api_keys),
            (anthropic.WORKSPACES, claude.workspaces), (anthropic.WORKSPACE_MEMBERS, claude.workspace_members),
        ):  # fmt: skip
            assert not loader.load(endpoint, walk_all([today], fetch, endpoint, in_flight=1)).failures
        # The two generations of Anthropic's reports stand side by side: the newer one counts on the second half of the days.
        later = Window(FIRST + timedelta(days=2), LAST - timedelta(days=1))
        for endpoint in analytics.ENDPOINTS:
            key = "simulator-analytics" if endpoint.source == analytics.ENTERPRISE else "key"
            client = AnalyticsClient(sim.url, key, folder, rate_factor=0, **quick)
            fetch, step = (client.people, 1) if endpoint is analytics.ENTERPRISE_USERS else (client.report(endpoint), 31)
            assert not loader.load(endpoint, walk_all(later.split(step), fetch, endpoint, in_flight=1)).failures
        for endpoint in sheets.ENDPOINTS:
            loader.load(endpoint, [sheet.tab(endpoint)])


def claude_ai(desk: Desk) -> None:
    """A day in claude.ai told three times over: by Claude Enterprise, the audit log and the sheet; and a range of spend on its last day."""
    desk.fetch(
        "claude_enterprise", "analytics/users", UGLY, "raw_claude_enterprise_users",
        {"email": "Ana@example.com", "conversations": 6, "messages": 41, "projects_used": 1, "files_uploaded": 3, "web_searches": 2,
         "code_sessions": 5, "code_lines_added": 500, "code_lines_removed": 100, "code_commits": 5, "code_accepted": 20, "code_rejected": 1},
        {"email": None, "conversations": 1, "messages": 1},
    )  # fmt: skip
    event = {"event_at": datetime(UGLY.year, UGLY.month, UGLY.day, 12, tzinfo=UTC), "event": "conversation_created", "actor_uuid": "u"}
    talk = {**event, "entity_type": "chat_conversation", "entity_uuid": "c1"}
    desk.fetch(
        "claude_ai", "audit_log", UGLY, "raw_claude_ai_audit_log", {**talk, "actor_email": "ana@example.com"},
        {**talk, "actor_email": "ben+x@example.com"}, {**talk, "actor_email": "ben@example.com", "entity_uuid": "c2", "project_uuid": "p"},
        {**talk, "actor_email": "ben@example.com", "event": "conversation_deleted"}, {**event, "actor_email": "ben@example.com"},
        origin="upload",
    )  # fmt: skip
    spent = {"period_start": D(2026, 11, 2), "period_end": UGLY, "user_email": "ben@example.com", "model": "m", "gross_usd": N("0.2")}
    desk.fetch(
        "claude_ai", "spend", UGLY, "raw_claude_ai_spend", {**spent, "net_usd": N("0.100000001"), "requests": 3, "completion_tokens": 9},
        {**spent, "period_start": UGLY, "user_email": None, "net_usd": N(1), "requests": 1, "completion_tokens": 2},
        origin="upload", vendor_total_usd=N("1.100000001"),
    )  # fmt: skip
    told = [
        {"activity_date": UGLY, "email": f"{who}@example.com", "conversations": 2, "messages": 5, "projects": 1}
        for who in ("ana", "ben", "cem")
    ]
    now = NOON  # the simulator's tabs are of this day, and the latest snapshot counts
    desk.tab("claude_ai_usage", *told, day=now.date(), at=now)
    bill = {"invoice_month": D(2026, 11, 1), "platform": "cursor"}
    desk.tab(
        "invoices", {**bill, "amount_usd": N("99999999999.99"), "cost_type": "usage"}, {**bill, "amount_usd": N("-0.01"), "cost_type": "credit"},
        {**bill, "platform": "claude_ai", "amount_usd": N(1), "cost_type": "tax"},
        # A cell of the second one could not be read.
        {**bill, "platform": "claude_ai", "amount_usd": N(1), "cost_type": "tax", "unread": '[{"c": "description", "v": "x", "r": "is long", "m": "Cut it."}]'},
        {**bill, "platform": "copilot", "written_amount": N("10.01"), "currency": "EUR", "amount_usd": None, "cost_type": "usage"},
        day=now.date(), at=now,
    )  # fmt: skip
    euro = {"month": D(2026, 11, 1), "currency": "EUR", "usd": N("1.1003")}
    desk.tab("fx_rates", euro, euro, day=now.date(), at=now)  # pasted twice


def books(desk: Desk) -> None:
    """October is closed on rows that its facts no longer are; September was closed and reopened; one closing never ended."""
    decided = {
        "decided_at": NOON,
        "author": "Controlling",
        "as_of": NOON,
        "row_count": 2,
        "cost_usd": N("0.5"),
        "sha256": "h",
        "version": "v",
    }
    desk.lay(
        "month_closings",
        {**decided, "month": D(2026, 9, 1), "action": "close", "closing_id": "september"},
        {
            **decided,
            "month": D(2026, 9, 1),
            "action": "reopen",
            "closing_id": "september",
            "decided_at": NOON + timedelta(hours=1),
            "reason": "r",
        },
        {**decided, "month": D(2026, 10, 1), "action": "close", "closing_id": "october"},
    )
    row = {
        "booked_on": FIRST, "cost_date": FIRST, "platform": "cursor", "vendor": "Cursor", "cost_type": "usage", "attribution": "direct",
        "source": "cursor_events", "is_correction": False,
    }  # fmt: skip
    desk.lay(
        "closed_cost",
        {**row, "closing_id": "october", "user_email": "gone@example.com", "department": "Eng", "cost_usd": N("0.500000001")},
        {**row, "closing_id": "october", "cost_date": D(2026, 9, 30), "is_correction": True, "cost_usd": N("-0.000000001")},
        {**row, "closing_id": "september", "cost_usd": N(7)},
        {**row, "closing_id": "unfinished", "cost_usd": N(8)},
    )
    line = {"closing_id": "october", "month": D(2026, 10, 1), "platform": "cursor", "vendor": "Cursor"}
    desk.lay(
        "closed_invoices", {**line, "booked_usd": N("-0.01")}, {**line, "corrects_month": D(2026, 8, 1), "booked_usd": N("12.34")},
        {**line, "closing_id": "unfinished", "booked_usd": N(8)},
    )  # fmt: skip
    now = NOON
    given = {"platform": "cursor", "author": "Controlling", "reason": "r"}
    desk.tab(
        "adjustments",
        {**given, "adjustment_date": UGLY, "amount_usd": N("-0.000000001"), "cost_type": "credit", "email": "Ana@Example.com"},
        {**given, "adjustment_date": FIRST, "amount_usd": N(3), "platform": "claude_ai"}, {**given, "adjustment_date": FIRST, "amount_usd": N(4)},
        day=now.date(), at=now,
    )  # fmt: skip


def alerted(desk: Desk) -> None:
    """Alerts in every state: open, over, told, not told."""
    event = {
        "alert": "budget",
        "cause_key": "a",
        "severity": "warning",
        "level": 1,
        "subject": "A",
        "headline": "A.",
        "unit": "USD",
        "figure": N("-0.01"),
    }
    said = {"audience": "finance", "destination": "finance 1 (mailtos)", "told": "open"}
    hour = timedelta(hours=1)
    desk.lay(
        "alert_log", {**event, "logged_at": NOON, "seq": 1, "event": "opened"}, {**event, **said, "logged_at": NOON, "seq": 2, "event": "sent"},
        {**event, "logged_at": NOON + hour, "seq": 1, "event": "resolved", "ending": "over"},
        {**event, "cause_key": "b", "logged_at": NOON, "seq": 3, "event": "opened", "figure": N("99999999999.99"), "since": UGLY},
        {**event, **said, "cause_key": "b", "logged_at": NOON + hour, "seq": 2, "event": "delivery_failed", "error": "no answer"},
        {**event, "cause_key": "b", "logged_at": NOON + hour, "seq": 3, "event": "worsened", "level": 2, "likely_reason": "é; \\n",
         "moved_by": "Ana: $3.00\nBo: $1.00"},
    )  # fmt: skip


def ugly(desk: Desk) -> None:
    """What simulated days lack: a restated day, one restated to nothing, failures, white space, the smallest money, shares that leave a rest."""
    claude_ai(desk)
    books(desk)
    alerted(desk)
    later = NOON + timedelta(hours=1)
    desk.events(
        UGLY, {"user_email": "old@example.com", "model": "m", "charged_usd": N(9)}, at=NOON, vendor_total_usd=N(9), content_sha256="a"
    )
    desk.events(
        UGLY,
        {"user_email": "\tAna+x@Example.com\u00a0", "model": "m", "charged_usd": N("0.000000001"), "input_tokens": 1, "list_usd": N("0.1")},
        {"user_email": "ana@example.com", "model": None, "charged_usd": N("-0.100000003")},
        {"user_email": "ana@example.com", "model": "m", "charged_usd": N("99999999999.999999999"), "output_tokens": 2**40},
        {"user_email": "", "model": "é", "charged_usd": N("1.5"), "is_chargeable": False},
        {"user_email": "bot@example.com", "model": "m", "charged_usd": N("0.3"), "service_account_id": "sa", "service_account_name": "ci"},
        {"user_email": "deploy@example.com", "model": "m", "charged_usd": N("0.2"), "kind": "Custom Subscription"},
        at=later, vendor_total_usd=N("99999999999.999999997"), content_sha256="b", unknown_money_count=1, fetch_id="unknown-money",
    )  # fmt: skip
    desk.events(
        UGLY + timedelta(days=1), {"user_email": "x@example.com", "charged_usd": N(1)}, at=NOON, vendor_total_usd=N(1), content_sha256="c"
    )
    desk.events(UGLY + timedelta(days=1), at=later, vendor_total_usd=N(0), content_sha256="d")
    desk.events(UGLY + timedelta(days=1), at=later + timedelta(hours=1), state="failed", changed=None, error="no answer")
    day = {"usage_date": UGLY, "workspace_id": "w1", "model": "opus", "service_tier": "standard", "context_window": "0-200k"}
    usage = [
        {"api_key_id": f"k{n}", "uncached_input_tokens": tokens, "cache_read_tokens": 0, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0, "output_tokens": n}
        for n, tokens in enumerate((1, 1, 1, 10**13), start=1)
    ]  # fmt: skip
    desk.fetch("anthropic", "usage_report/messages", UGLY, "raw_anthropic_usage", *({**day, "web_search_requests": 0, **u} for u in usage))
    desk.fetch(
        "anthropic", "cost_report", UGLY, "raw_anthropic_cost",
        {**day, "cost_type": "tokens", "token_type": "uncached_input_tokens", "amount_usd": N("1000000.000000001"), "description": "in"},
        {**day, "cost_type": "tokens", "token_type": "output_tokens", "amount_usd": N("-0.00000001"), "description": "out"},
        {"usage_date": UGLY, "cost_type": "code_execution", "amount_usd": N("0.05")},
    )  # fmt: skip
    told = {"asset": "a", "check_name": "c", "expected": "1", "what_to_do": "é"}
    desk.lay(
        "check_results", {**told, "run_id": "1", "state": "failed", "blocking": True, "checked_at": NOON},
        {**told, "run_id": "2", "state": "passed", "checked_at": later, "what_to_do": None},
        {**told, "run_id": "3", "state": "warning", "checked_at": later}, {**told, "run_id": "1", "asset": "b", "state": "failed"},
    )  # fmt: skip
    bills = {"source": "cursor", "endpoint": "filtered-usage-events"}
    desk.lay("held_back", {**bills, "table_name": "fct_cost_daily", "usage_date": UGLY, "reason": "é: does not add up", "found_at": later})
    desk.lay(
        "source_states",
        {**bills, "state": "failed", "is_owed": True, "due_day": UGLY, "lacking_since": UGLY, "reason": "é: does not add up",
         "source_state": "failed", "source_said": "Cursor: not proved since 3 Nov", "judged_at": later},
    )  # fmt: skip
    desk.lay(
        "raw_rejects",
        {"fetch_id": "unknown-money", "source": "cursor", "endpoint": "filtered-usage-events", "usage_date": UGLY, "record_number": 9,
         "column_name": "chargedCents", "reason": "is no number", "remedy": "m", "is_counted": False},
    )  # fmt: skip
    tab = desk.one("SELECT version_fetch_id FROM stg_snapshots WHERE source = 'google_sheets' AND endpoint = 'people'")
    for fetch in (tab, "superseded"):
        desk.lay(
            "raw_rejects",
            {"fetch_id": fetch, "source": "google_sheets", "endpoint": "people", "record_number": 3, "reason": "r", "remedy": "m"},
        )


@pytest.fixture(scope="module")
def loaded(new_desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Raw tables only, so that every model is still to be made."""
    desk = new_desk()
    simulated(desk, tmp_path_factory.mktemp("spool"))
    ugly(desk)
    yield desk


def made(desk: Desk) -> Witnessed:
    """Every curated model, in an asset run's order, twice: the second time over overlapping days and with `dim_users` that reads itself."""
    for first, last in ((FIRST, LAST), (LAST, UGLY + timedelta(days=1))):
        for name in transform.order():
            model = models.model(name)
            parameters = {"start_date": first, "end_date": last, "as_of_date": AS_OF, "processed_at": NOON}
            # The hand-made rows have no vendor that told a total, so the law of totals and the unit of list prices are not theirs.
            proofs = [f for f in FACTS.get(name, ()) if f.name.startswith(("staged", "every token"))]
            desk.warehouse.replace(model.table, model.sql, parameters, proofs)
        totals.write_all(desk.warehouse, parameters)
    return desk.warehouse


@pytest.fixture(scope="module")
def built(loaded: Desk) -> Desk:
    made(loaded)
    return loaded


@pytest.fixture(scope="module")
def nothing(new_desk) -> Desk:
    desk = new_desk()
    made(desk)
    return desk


def in_steps(whole: Desk, google: KeptAnswers, folder: Path) -> Desk:
    shutil.copyfile(whole.path, folder / "w.duckdb")
    desk = Desk(Stepped(folder / "w.duckdb", google), folder)
    rows_for_views(desk.warehouse)
    desk.keep_open()
    return desk


@dataclass(frozen=True)
class Asked:
    """Who is asked: the rows of views in `make test`, each proved in its turn by `test_a_view_agrees`; in `make prove` also the statement with all
    of its views in front, as BigQuery gets it."""

    built: list[Desk]
    nothing: list[Desk]

    def of_all(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """The answer over the days that were built."""
        first, *others = (desk.ask(sql, **parameters) for desk in self.built)
        assert all(other == first or sorted(map(repr, other)) == sorted(map(repr, first)) for other in others)
        return first

    def of_nothing(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return [row for desk in self.nothing for row in desk.ask(sql, **parameters)]


@pytest.fixture(scope="module")
def asked(built: Desk, nothing: Desk, google: KeptAnswers, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    steps = [[in_steps(desk, google, tmp_path_factory.mktemp("steps"))] + ([desk] if PROVE else []) for desk in (built, nothing)]
    return Asked(*steps)


def test_the_rows_are_rich(asked: Asked) -> None:
    """Else the rest proves little: no table that a model reads is empty, and money is negative, tiny, huge, split, seated and unowned."""
    read = {name for model in MODELS for name in model.inputs if not tables.BY_NAME[name].view}
    with asked.built[0].warehouse._reading() as con:
        empty = [
            n
            for n in sorted(read | {v.name for v in VIEWS} - set(OF_MONTHS))
            if con.execute(f"SELECT COUNT(*) FROM {n}").fetchone()[0] == 0
        ]
        assert empty == []
        said = con.execute(
            "SELECT MIN(cost_usd), MAX(cost_usd), LIST(DISTINCT attribution), LIST(DISTINCT platform) FROM fct_cost_daily"
        ).fetchone()
    assert said[0] < 0 and said[1] > 10**10
    assert set(said[2]) >= {"direct", "seat", "token_share", "unattributed"} and len(said[3]) >= 3


def test_the_curated_models_agree(built: Desk, nothing: Desk) -> None:
    """Ten replacements each were confirmed while they were made: see `made`."""
    assert built.warehouse.asked >= 10 and nothing.warehouse.asked >= 10


@pytest.mark.parametrize("view", VIEWS, ids=lambda t: t.name)
def test_a_view_agrees(asked: Asked, view) -> None:
    """All days, with the view's declared types; and over no rows. What DuckDB answers through all views below is what GoogleSQL answers over the
    rows of what the view reads itself."""
    assert asked.built[0].warehouse.confirm(view) > 0 or view.name in OF_MONTHS
    assert asked.nothing[0].warehouse.confirm(view) == 0 or view.name in WRITTEN


@only_in_prove
@pytest.mark.parametrize("view", VIEWS, ids=lambda t: t.name)
def test_a_view_agrees_with_all_views_below_in_one_statement(built: Desk, nothing: Desk, view) -> None:
    """In `make test`: `test_a_view_agrees`, one view at a time."""
    columns = ", ".join(view.column_names)
    assert built.ask(f"SELECT {columns} FROM {view.name}")
    assert nothing.ask(f"SELECT {columns} FROM {view.name}") == [] or view.name in WRITTEN


@pytest.mark.parametrize("by", [None, "person"])
def test_why_cost_changed_agrees(asked: Asked, by: str | None) -> None:
    """The mart's SQL over two periods of days: October's last two beside November's first two."""
    rows = drivers(asked.built[0].warehouse, Period(D(2026, 11, 1), LAST), Period(FIRST, D(2026, 10, 31)), by)
    assert {"before", "price", "tokens", "model_mix"} <= {r["driver"] for r in rows}


@pytest.mark.parametrize("name", ["stg_usage", "stg_cost", "stg_seats"])
def test_a_ranged_read_of_staging_agrees(built: Desk, name: str) -> None:
    """The days of the question reach the raw tables on both engines: `models.expand`."""
    found = tables.BY_NAME[name]
    where = f"WHERE {found.date_column} BETWEEN @start_date AND @end_date"
    assert built.ask(f"SELECT * FROM {name} {where}", start_date=FIRST, end_date=UGLY)


@pytest.mark.parametrize(("dashboard", "card"), CARDS, ids=lambda x: x.key)
def test_a_card_agrees(asked: Asked, dashboard, card) -> None:
    """The question it stands for: over everything, over a period and the one before it, by every grain, and with each filter set."""
    period = FilterValues(FIRST + timedelta(days=2), LAST)
    chosen = {
        "department": ["Engineering", "(no department)"],
        "platform": ["cursor", "claude_api"],
        "user": ["ana@example.com", "(unattributed)"],
    }
    questions = [
        card_query(card),
        card_query(card, period, grain="week"),
        card_query(card, FilterValues(UGLY, UGLY, chosen), grain="month", pivot=False),
    ]
    if card.compare:
        questions.append(card_query(card, compared_period(period)))
    for query in questions:
        asked.of_all(query.sql, **query.params)
    asked.of_nothing(questions[0].sql, **questions[0].params)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a.name)
def test_an_alert_agrees(asked: Asked, alert) -> None:
    """On the day after the ugly one, so that it is judged; and on nothing."""
    today = UGLY + timedelta(days=1)
    asked.of_all(alert.sql, **bound(alert, today, NOON, SOURCES))
    loose = {name: type(value)(0) if name not in ("hours", "factor") else value for name, value in alert.parameters.items()}
    asked.of_all(alert.sql, **bound(replace(alert, parameters=loose), today, NOON, SOURCES))
    assert asked.of_nothing(alert.sql, **bound(alert, today, NOON, SOURCES)) == []


@pytest.mark.parametrize("text", sorted({card.source.text for _, card in CARDS}), ids=lambda text: text.split("FROM ")[-1].split()[0])
def test_the_rows_behind_cards_agree(asked: Asked, text: str) -> None:
    assert asked.of_all(text) or any(name in text for name in OF_MONTHS)
    assert asked.of_nothing(text) == []


def test_the_witness_sees_one_changed_nano(built: Desk, google: KeptAnswers, tmp_path: Path) -> None:
    """A comparison that cannot fail proves nothing: DuckDB's view is made to show 1e-9 USD more."""
    shutil.copyfile(built.path, tmp_path / "w.duckdb")
    other = Witnessed(tmp_path / "w.duckdb", google)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("ALTER VIEW vw_monthly_finance RENAME TO kept")
        more = "CAST(cost_usd + CAST('0.000000001' AS DECIMAL(38, 9)) AS DECIMAL(38, 9))"
        con.execute(f"CREATE VIEW vw_monthly_finance AS SELECT * REPLACE ({more} AS cost_usd) FROM kept")
    with pytest.raises(Disagreement):
        other.select("SELECT * FROM vw_monthly_finance")


def test_the_witness_sees_one_changed_nano_in_a_step(asked: Asked, google: KeptAnswers, tmp_path: Path) -> None:
    shutil.copyfile(asked.built[0].path, tmp_path / "w.duckdb")
    other = Stepped(tmp_path / "w.duckdb", google)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE vw_monthly_finance SET cost_usd = cost_usd + CAST('0.000000001' AS DECIMAL(38, 9))")
    with pytest.raises(Disagreement):
        other.confirm(tables.BY_NAME["vw_monthly_finance"])

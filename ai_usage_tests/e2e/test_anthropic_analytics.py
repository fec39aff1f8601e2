"""Two generations of Anthropic's reports, one bill: each day counts once, from the generation that knows more, and every payer is the books' own.

Claude Enterprise is another organisation with another bill, which is added; its people's days fill claude.ai.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from ai_usage.defs import sources
from ai_usage.loading import Loader
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.simulator import Fault
from ai_usage.sources.anthropic import analytics_records as records
from ai_usage.sources.anthropic.analytics import AnalyticsClient
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.registry import SOURCES
from ai_usage.sources.walk import FailedWalk, walk_all
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import WarehouseError, models
from ai_usage_tests.e2e.test_anthropic import DAYS, Firm, equal, firm
from ai_usage_tests.fixtures.company import LAST, TODAY

CLOCK = {"as_of_date": TODAY, "processed_at": datetime.now(UTC)}


@dataclass
class Both:
    """A firm whose analytics endpoints are read too."""

    base: Firm
    platform: AnalyticsClient
    enterprise: AnalyticsClient

    def client(self, endpoint: Endpoint) -> AnalyticsClient:
        return self.enterprise if endpoint.source == records.ENTERPRISE else self.platform

    def load(self, *endpoints: Endpoint, window: Window | None = None) -> dict[str, Any]:
        """Analytics of those days, as far as the vendor lets us."""
        reports: dict[str, Any] = {}
        for endpoint in endpoints or records.ENDPOINTS:
            client = self.client(endpoint)
            asked = client.reach(endpoint, window or self.base.window).of(window or self.base.window)
            if asked is None:
                continue
            one, days = (client.people, 1) if endpoint is records.ENTERPRISE_USERS else (client.report(endpoint), 31)
            with self.base.warehouse.held():
                report = Loader(self.base.warehouse).load(endpoint, walk_all(asked.split(days), one, endpoint))
            assert [str(f.error) for f in report.failures] == []
            assert report.rejected == 0
            assert {f for f in report.unknown_fields if "extra" not in f.lower()} == set()  # the rough vendor adds fields of that name
            reports[endpoint.table.name] = report
        return reports

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return self.base.warehouse.select(sql).to_pylist()


def both(folder: Path, days: int = DAYS, faults: Any = (), **world: Any) -> Iterator[Both]:
    for base in firm(folder, days=days, faults=faults, **world):
        quick = {"rate_factor": 0, "backoff_s": 0.02, "patience_s": 60.0}
        yield Both(
            base,
            AnalyticsClient(base.sim.url, "simulator", folder / "spool", **quick),
            AnalyticsClient(base.sim.url, "simulator-analytics", folder / "spool", **quick),
        )


@pytest.fixture(scope="module")
def two_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A rough vendor, which does what a calm one does too; the small worlds below are calm."""
    for found in both(tmp_path_factory.mktemp("rough"), faults="rough", enterprise=True):
        assert found.base.load() == []
        found.load()
        found.base.compute()
        yield found


PLATFORM_BILL = "FROM fct_cost_daily WHERE source = 'anthropic_analytics_cost'"


def billed(both: Both, *columns: str) -> dict[tuple[Any, ...], Decimal]:
    by = ", ".join(columns)
    return {tuple(r[c] for c in columns): r["usd"] for r in both.ask(f"SELECT {by}, SUM(cost_usd) AS usd {PLATFORM_BILL} GROUP BY {by}")}


@pytest.mark.parametrize(
    ("columns", "book"),
    [
        (("cost_date",), lambda books: books.usd_by_day()),
        (("cost_date", "platform"), lambda books: books.usd_by_day_platform()),
        (("cost_date", "workspace_id"), lambda books: books.usd_by_day_workspace()),
        (("cost_date", "user_email"), lambda books: books.usd_by_day_user(source="analytics")),
    ],
)
def test_the_newer_generation_names_every_payer(two_pages: Both, columns: tuple[str, ...], book: Callable[[Any], Any]) -> None:
    assert equal(billed(two_pages, *columns), book(two_pages.base.world.truth.anthropic))


def test_no_day_counts_twice(two_pages: Both) -> None:
    """Both generations hold all days; the facts hold one of them, and the table of health says which."""
    assert two_pages.ask("SELECT COUNT(*) AS n FROM fct_cost_daily WHERE source = 'anthropic_cost_report'") == [{"n": 0}]
    health = {
        r["endpoint"]: (r["days_complete"], r["days_set_aside"])
        for r in two_pages.ask(
            "SELECT endpoint, days_complete + days_empty AS days_complete, days_set_aside FROM vw_data_health "
            "WHERE source = 'anthropic' AND endpoint IN ('cost_report', 'analytics/cost', 'usage_report/messages', 'analytics/usage')"
        )
    }
    assert health == {
        "cost_report": (DAYS, DAYS),
        "analytics/cost": (DAYS, 0),
        "usage_report/messages": (DAYS, DAYS),
        "analytics/usage": (DAYS, 0),
    }


def test_the_two_generations_agree_to_the_last_digit(two_pages: Both) -> None:
    found = two_pages.ask(
        "SELECT x.usage_date, a.vendor_total_usd - c.vendor_total_usd AS difference FROM stg_set_aside AS x "
        "INNER JOIN stg_current_fetches AS a ON x.endpoint = a.endpoint AND x.usage_date = a.usage_date "
        "INNER JOIN stg_current_fetches AS c ON x.counted_endpoint = c.endpoint AND x.usage_date = c.usage_date "
        "WHERE x.endpoint = 'cost_report' AND a.source = 'anthropic' AND c.source = 'anthropic'"
    )
    assert len(found) == DAYS
    assert {row["difference"] for row in found} == {Decimal(0)}


def test_tokens_of_every_key_and_model_are_the_books(two_pages: Both) -> None:
    names = {
        "input_tokens": "uncached_input_tokens", "output_tokens": "output_tokens", "cache_read_tokens": "cache_read_input_tokens",
        "web_searches": "web_search_requests",
    }  # fmt: skip
    columns = ", ".join(f"SUM({c}) AS {c}" for c in (*names, "cache_write_tokens"))
    found = {
        (r["usage_date"], r["api_key_id"], r["model"]): r
        for r in two_pages.ask(
            f"SELECT usage_date, api_key_id, model, {columns} FROM fct_usage_daily WHERE source = 'anthropic_analytics_usage' "
            "GROUP BY usage_date, api_key_id, model"
        )
    }
    truth = two_pages.base.world.truth.anthropic.tokens_by_day_key_model()
    assert found.keys() == truth.keys()
    assert found
    for key, tokens in truth.items():
        assert {ours: found[key][ours] for ours in names} == {ours: tokens[theirs] for ours, theirs in names.items()}, key
        writes = tokens["cache_creation.ephemeral_5m_input_tokens"] + tokens["cache_creation.ephemeral_1h_input_tokens"]
        assert found[key]["cache_write_tokens"] == writes, key


def test_enterprise_is_a_second_bill_by_person_and_product(two_pages: Both) -> None:
    truth: dict[tuple[Any, ...], Decimal] = {}
    for (day, email, product), usd in two_pages.base.world.truth.anthropic.enterprise_usd_by_day_user_product().items():
        key = (day, "claude_code" if product == "claude_code" else "claude_ai", email)
        truth[key] = truth.get(key, Decimal(0)) + usd
    found = {
        (r["cost_date"], r["platform"], r["user_email"]): r["usd"]
        for r in two_pages.ask(
            "SELECT cost_date, platform, user_email, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE source = 'claude_enterprise_cost' "
            "GROUP BY cost_date, platform, user_email"
        )
    }
    assert equal(found, truth)


def test_list_value_is_beside_the_bill_and_never_in_it(two_pages: Both) -> None:
    """The simulated vendor's list price is a quarter above what it bills."""
    [row] = two_pages.ask(
        "SELECT (SELECT SUM(list_usd) FROM fct_usage_daily WHERE source = 'anthropic_analytics_list') AS list_usd, "
        f"(SELECT SUM(cost_usd) {PLATFORM_BILL}) AS billed_usd"
    )
    assert row["billed_usd"] == sum(two_pages.base.world.truth.anthropic.usd_by_day().values())
    assert abs(row["list_usd"] - row["billed_usd"] * Decimal("1.25")) < Decimal("0.001")


def test_what_the_vendor_may_not_have_finished_is_not_asked(two_pages: Both) -> None:
    """Engagement is aggregated a day late: the last day is refused with the latest one's date, and is neither empty nor failed."""
    window = two_pages.base.window
    reach = two_pages.enterprise.reach(records.ENTERPRISE_USERS, window)
    assert reach.last == window.last - timedelta(days=1)
    assert str(reach.last) in (reach.note or "")
    [row] = two_pages.ask(
        "SELECT MAX(usage_date) AS last_day, COUNTIF(state = 'failed') AS failed FROM raw_fetches "
        "WHERE source = 'claude_enterprise' AND endpoint = 'analytics/users'"
    )
    assert row == {"last_day": reach.last, "failed": 0}


def test_a_key_that_may_not_read_analytics_is_told_once_and_nothing_breaks(tmp_path: Path) -> None:
    for found in both(tmp_path, days=3, analytics="forbidden"):
        for endpoint in (records.COST, records.USAGE):
            reach = found.platform.reach(endpoint, found.base.window)
            assert "is not for this key" in (reach.refused or "")
            assert reach.of(found.base.window) is None
        found.base.load()
        assert found.load(records.COST, records.USAGE) == {}
        found.base.compute()
        assert equal(found.base.money("cost_date", "user_email"), found.base.world.truth.anthropic.usd_by_day_user())


def test_days_of_both_generations_stand_side_by_side(tmp_path: Path) -> None:
    """A key that is allowed from the third day on: two days come from the older reports, the rest from the newer one."""
    for found in both(tmp_path, days=5):
        found.base.load()
        late = Window(found.base.window.days[2], found.base.window.last)
        found.load(records.COST, records.USAGE, window=late)
        found.base.compute()
        sources = {
            r["cost_date"]: r["source"]
            for r in found.ask("SELECT DISTINCT cost_date, source FROM fct_cost_daily WHERE vendor = 'Anthropic' AND cost_type = 'usage'")
        }
        expected = ["anthropic_cost_report"] * 2 + ["anthropic_analytics_cost"] * 3
        assert [sources[day] for day in found.base.window.days] == expected
        assert equal(found.base.money("cost_date"), found.base.world.truth.anthropic.usd_by_day())
        assert equal(found.base.money("cost_date", "api_key_id"), key_truth(found))


def key_truth(found: Both) -> dict[Any, Decimal]:
    """The older generation writes service accounts as keys and so do we; the books know keys only, so both say the same."""
    return found.base.world.truth.anthropic.usd_by_day_key()


def test_silence_of_the_newer_report_does_not_drop_the_older_ones_money(tmp_path: Path) -> None:
    """An empty analytics day beside a complete cost report: two words of one vendor that contradict, and the money stays."""
    for found in both(tmp_path, days=2):
        found.base.load()
        found.load(records.COST)
        day = found.base.window.last
        found.base.world.restate_anthropic(day, "empty")
        found.load(records.COST)
        found.base.compute()
        [row] = found.ask(
            f"SELECT SUM(cost_usd) AS usd, MIN(source) AS source FROM fct_cost_daily "
            f"WHERE cost_date = DATE '{day}' AND vendor = 'Anthropic' AND cost_type = 'usage'"
        )
        assert row["source"] == "anthropic_cost_report"
        assert row["usd"] > 0
        assert found.ask("SELECT endpoint FROM stg_set_aside WHERE endpoint LIKE '%cost' ORDER BY usage_date DESC LIMIT 1") == [
            {"endpoint": "analytics/cost"}
        ]


def test_a_refresh_in_the_middle_of_a_walk_begins_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ai_usage.sources.anthropic.analytics.ROWS", 20)
    for found in both(tmp_path, days=3):
        found.base.sim.add_fault(Fault("expired_cursor", path="analytics/cost", times=1))
        report = found.load(records.COST)["raw_anthropic_analytics_cost"]
        assert report.vendor_total_usd == sum(found.base.world.truth.anthropic.usd_by_day().values())


@pytest.mark.parametrize("kind", ["null_cursor", "repeated_cursor", "expired_cursor"])
def test_a_chain_that_never_closes_is_an_error(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ai_usage.sources.anthropic.analytics.ROWS", 20)
    for found in both(tmp_path, days=3):
        found.base.sim.add_fault(Fault(kind, path="analytics/cost", times=1000))
        [walk] = walk_all([found.base.window], found.platform.report(records.COST), records.COST)
        assert isinstance(walk, FailedWalk)


def test_groups_that_do_not_sum_to_the_total_are_never_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The top 100 without a remainder, as older reports of this vendor show them: here every page after the first is lost."""
    monkeypatch.setattr("ai_usage.sources.anthropic.analytics.ROWS", 20)
    honest = AnalyticsClient._pages

    def truncated(self: AnthropicClient, endpoint: Any, shape: Any, path: str, fixed: Any, cursor: str, stats: Any) -> Any:
        pages = honest(self, endpoint, shape, path, fixed, cursor, stats)
        return [next(pages)] if any(name == "group_by[]" for name, _ in fixed) else pages

    monkeypatch.setattr(AnalyticsClient, "_pages", truncated)
    for found in both(tmp_path, days=3):
        [walk] = walk_all([found.base.window], found.platform.report(records.COST), records.COST)
        assert isinstance(walk, FailedWalk)
        assert "groups are missing" in str(walk.error)


def test_nothing_before_2026_is_asked(tmp_path: Path) -> None:
    for found in both(tmp_path, days=2):
        old = Window(datetime(2025, 12, 1, tzinfo=UTC).date(), datetime(2026, 1, 2, tzinfo=UTC).date())
        assert found.platform.reach(records.COST, Window(old.first, old.first)).refused
        asked = found.platform.reach(records.COST, old).of(old)
        assert asked is not None
        assert asked.first >= datetime(2026, 1, 1, tzinfo=UTC).date()


def replaced(found: Both) -> None:
    for name in ("dim_user_assignments", "dim_api_keys", "fct_usage_daily", "fct_cost_daily"):
        model = models.model(name)
        clock = {"start_date": found.base.window.first, "end_date": found.base.window.last, **CLOCK}
        found.base.warehouse.replace(model.table, model.sql, clock, FACTS.get(name, ()))


@pytest.mark.parametrize("endpoint", ["cost_report", "analytics/cost"])
def test_cents_read_as_dollars_never_reach_the_facts(tmp_path: Path, endpoint: str) -> None:
    """The vendor's answers come a hundred times too large: the sentinel holds the facts back and names the suspect."""
    for found in both(tmp_path, days=3, analytics="allowed" if endpoint == "analytics/cost" else "forbidden"):
        found.base.sim.add_fault(Fault("cents_as_dollars", path=endpoint, times=1000))
        found.base.load()
        found.load(records.COST, records.USAGE)
        with pytest.raises(WarehouseError, match="is in dollars") as caught:
            replaced(found)
        assert "cents()" in str(caught.value)
        assert found.ask("SELECT COUNT(*) AS n FROM fct_cost_daily") == [{"n": 0}]


def test_true_cents_pass_the_sentinel(tmp_path: Path) -> None:
    for found in both(tmp_path, days=3, analytics="forbidden"):
        found.base.load()
        replaced(found)
        assert equal(found.base.money("cost_date"), found.base.world.truth.anthropic.usd_by_day())


def test_an_estimate_among_the_bills_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classic error, made on purpose: Claude Code's estimate as one more staging row."""
    for found in both(tmp_path, days=2, analytics="forbidden"):
        found.base.load()
        model = models.model("fct_cost_daily")
        spoiled = model.sql.replace(
            "FROM stg_cost\n",
            "FROM (SELECT * FROM stg_cost UNION ALL "
            "SELECT * REPLACE ('estimate' AS source) FROM stg_cost WHERE platform = 'claude_code')\n",
        )
        assert spoiled != model.sql
        for name in ("dim_user_assignments", "dim_api_keys"):
            m = models.model(name)
            found.base.warehouse.replace(m.table, m.sql, {"start_date": LAST, "end_date": LAST, **CLOCK})
        clock = {"start_date": found.base.window.first, "end_date": found.base.window.last, **CLOCK}
        with pytest.raises(WarehouseError, match="total counts once"):
            found.base.warehouse.replace(model.table, spoiled, clock, FACTS["fct_cost_daily"][1:2])


def test_a_refused_key_that_once_could_read_is_an_error(tmp_path: Path) -> None:
    """Days held would stand still and nobody would know: see defs/sources.py."""
    [question] = [q for q in SOURCES["anthropic"].questions if q.endpoint is records.COST]
    for found in both(tmp_path, days=3):
        found.base.load()
        found.load(records.COST)
        found.base.world.claude.analytics = "forbidden"

        class Stub:
            warehouse = found.base.warehouse

        with pytest.raises(PermanentError, match="give the key its access back"):
            sources._reach(Stub(), found.platform, question, found.base.window)  # type: ignore[arg-type]


@pytest.mark.parametrize("access", ["allowed", "forbidden"])
def test_the_assets_say_where_cost_comes_from(tmp_path: Path, access: str) -> None:
    """Refused: materialized with the sentence, nothing published, no check that complains. Allowed: the days are held."""
    for found in both(tmp_path, days=2, analytics=access):
        settings = Settings(
            data_dir=tmp_path / "data", start_date=found.base.window.first, anthropic_base_url=found.base.sim.url,
            anthropic_admin_api_key=SecretStr("simulator"), anthropic_rate_factor=0, anthropic_analytics_api_key=None,
        )  # fmt: skip
        runtime = Runtime(settings)
        [asset] = [a for a in sources.assets if a.key == dg.AssetKey("raw_anthropic_analytics_cost")]
        result = dg.materialize(
            [asset],
            resources={"runtime": runtime},
            tags={
                "dagster/asset_partition_range_start": str(found.base.window.first),
                "dagster/asset_partition_range_end": str(LAST),
            },
        )
        assert result.success
        checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
        assert set(checks.values()) == {True}
        event = result.asset_materializations_for_node(asset.op.name)[0]
        held = runtime.warehouse.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py()
        if access == "allowed":
            assert (held, "skipped" in event.metadata) == (2, False)
        else:
            assert held == 0
            assert "is not for this key" in str(event.metadata["skipped"].value)
        runtime.close()


def test_engagement_fills_claude_ai_by_person_and_the_sheet_gives_way(two_pages: Both) -> None:
    """Conversations, messages, projects and files of each person's day are the books' own, although the sheet tells most of them again."""
    names = ("conversations", "messages", "projects", "files")
    world = two_pages.base.world
    told = two_pages.ask("SELECT MAX(usage_date) AS last_day FROM raw_claude_enterprise_users")[0]["last_day"]
    members = {world.cast.canonical(user.email) for user in world.anthropic_org.user_of.values()}
    truth = {
        (day, email): tuple(counts[n] for n in names)
        for (day, email), counts in world.truth.claude_ai_usage_by_day_user().items()
        if day <= told and email in members
    }
    found: dict[Any, list[int]] = {}
    sums = ", ".join(f"SUM({n}) AS {n}" for n in names)
    rows = two_pages.ask(
        f"SELECT usage_date, user_email, {sums} FROM fct_usage_daily WHERE platform = 'claude_ai' GROUP BY usage_date, user_email"
    )
    found = {(r["usage_date"], r["user_email"]): tuple(r[n] for n in names) for r in rows if r["conversations"] is not None}
    assert truth
    assert {k: found.get(k) for k in truth} == truth
    sources = two_pages.ask(
        "SELECT COUNT(*) AS n FROM stg_claude_ai_days AS d INNER JOIN fct_usage_daily AS f ON d.usage_date = f.usage_date "
        "AND d.user_email = f.user_email AND f.source = 'sheet_claude_ai_usage'"
    )
    assert sources == [{"n": 0}], "what the API says of a person's day, the sheet says nothing about"

"""The vendor's example answers of the analytics endpoints through the real client and decoder; every expected value is read by hand.

The server answers as INDEX.json says which request gives which file, and, without groups, the day's total, added up by hand.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ai_usage.loading import Loader
from ai_usage.sources.anthropic import analytics_records as records
from ai_usage.sources.anthropic.analytics import BETA, AnalyticsClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, PermanentError
from ai_usage.sources.walk import FailedWalk, walk_all
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.desk import Answers, Asked

EXAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "contracts" / "anthropic"
FIRST = date(2026, 11, 1)


class Vendor:
    """One server for one kind of organisation; `refuse` is an error file that every request gets."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        self.kind = "platform"
        self.refuse: int | None = None
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = parse_qs(split.query)
                vendor.asked.append((split.path, query, dict(self.headers.items())))
                status, body = vendor.answer(split.path.rpartition("/")[2], query)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, what: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if self.refuse is not None:
            return self.refuse, (EXAMPLES / "errors" / f"{self.refuse}.json").read_bytes()
        page = 2 if "page" in query else 1
        if what == "users":
            return 200, (EXAMPLES / f"analytics_users.page{page}.json").read_bytes()
        if "group_by[]" not in query:
            return 200, json.dumps({"data": self.totals(what), "has_more": False, "data_refreshed_at": "2026-11-21T20:00:00Z"}).encode()
        name = f"analytics_cost.{self.kind}" if what == "cost" else "analytics_usage"
        return 200, (EXAMPLES / f"{name}.page{page}.json").read_bytes()

    def totals(self, what: str) -> list[dict[str, Any]]:
        if what == "usage":
            sums: dict[str, Any] = {"2026-11-01": 1871584 + 2801472, "2026-11-02": 3413954}
            measure = lambda n: {"usage": {"total_tokens": n}}  # noqa: E731
        else:
            platform = {"2026-11-01": "766.02505", "2026-11-02": "430.25"}  # 371.21505 + 393.3 + 1.51
            sums = platform if self.kind == "platform" else {"2026-11-01": "585.425"}  # 412.8 + 12 + 98.125 + 7.5 + 55
            measure = lambda n: {"cost": {"amount": n}}  # noqa: E731
        return [{"starting_at": f"{day}T00:00:00Z", "group": {}, **measure(n)} for day, n in sums.items()]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.server.shutdown()


def load(vendor: Vendor, folder: Path, endpoint: Endpoint, days: int) -> list[dict[str, Any]]:
    client = AnalyticsClient(vendor.url, "placeholder", folder / "spool", rate_factor=0, backoff_s=0.01)
    warehouse = DuckDBWarehouse(folder / "w.duckdb")
    one = client.people if endpoint is records.ENTERPRISE_USERS else client.report(endpoint)
    window = Window(FIRST, FIRST.replace(day=days))
    report = Loader(warehouse).load(endpoint, walk_all([window], one, endpoint))
    assert (report.failures, report.rejected, report.unknown_fields) == ([], 0, set())
    return warehouse.select(f"SELECT * FROM {endpoint.table.name}").to_pylist()


def test_platform_cost(vendor: Vendor, tmp_path: Path) -> None:
    found = {r["amount_usd"]: r for r in load(vendor, tmp_path, records.COST, 2)}
    assert sorted(found) == [Decimal("0.0151"), Decimal("3.7121505"), Decimal("3.933"), Decimal("4.3025")]
    key = found[Decimal("3.7121505")]
    assert (key["actor_type"], key["actor_email"], key["api_key_id"], key["workspace_id"], key["model"], key["product"]) == (
        "api_actor", None, "apikey_01ProdEtlExample000000", "wrkspc_01ProductionExample000", "claude-sonnet-5", "messages_api",
    )  # fmt: skip
    assert (key["usage_date"], key["list_usd"], key["currency"]) == (FIRST, Decimal("4.124612"), "USD")
    ana = found[Decimal("3.933")]
    assert (ana["actor_email"], ana["actor_user_id"], ana["actor_deleted"]) == ("ana@example.com", "user_01AnaExample0000000000000", False)
    service = found[Decimal("4.3025")]
    assert (service["usage_date"].day, service["service_account_id"], service["actor_email"]) == (2, "svac_01NightlyExample00000000", None)


def test_what_is_asked(vendor: Vendor, tmp_path: Path) -> None:
    load(vendor, tmp_path, records.COST, 2)
    path, query, headers = vendor.asked[0]
    assert path == "/v1/organizations/analytics/cost"
    assert query == {
        "starting_at": ["2026-11-01T00:00:00Z"], "ending_at": ["2026-11-03T00:00:00Z"], "time_bucket_width": ["1d"], "order_by": ["time"],
        "order": ["asc"], "limit": ["1000"],
        "group_by[]": ["actor", "api_key_id", "workspace_id", "model", "product", "cost_type", "token_type"],
    }  # fmt: skip
    assert headers["anthropic-beta"] == BETA
    assert headers["anthropic-version"] == "2023-06-01"
    assert vendor.asked[1][1]["page"] == ["page_opaque_analytics_cost_0002"]


def test_enterprise_cost(vendor: Vendor, tmp_path: Path) -> None:
    vendor.kind = "enterprise"
    found = load(vendor, tmp_path, records.ENTERPRISE_COST, 1)
    assert sum(r["amount_usd"] for r in found) == Decimal("5.85425")
    by = {(r["product"], r["cost_type"]): r for r in found}
    assert by["chat", "web_search"]["amount_usd"] == Decimal("0.12")
    assert (by["cowork", "tokens"]["actor_email"], by["cowork", "tokens"]["actor_deleted"]) == (None, True)
    assert by[None, "code_execution"]["actor_type"] is None


def test_usage(vendor: Vendor, tmp_path: Path) -> None:
    found = {(r["usage_date"].day, r["product"]): r for r in load(vendor, tmp_path, records.USAGE, 2)}
    last = found[2, "claude_code"]
    names = (
        "uncached_input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "requests",
        "web_search_requests",
    )
    assert tuple(last[n] for n in names) == (60417, 52201, 3011222, 290114, 0, 260, 3)


def test_people(vendor: Vendor, tmp_path: Path) -> None:
    found = {r["email"]: r for r in load(vendor, tmp_path, records.ENTERPRISE_USERS, 1)}
    ana = found["ana@example.com"]
    names = ("conversations", "messages", "thinking_messages", "projects_used", "files_uploaded", "web_searches")
    assert tuple(ana[n] for n in names) == (6, 41, 4, 1, 3, 2)
    assert (ana["code_sessions"], ana["code_commits"], ana["code_lines_added"], ana["code_lines_removed"]) == (5, 5, 500, 100)
    assert (ana["code_accepted"], ana["code_rejected"]) == (20, 0)  # 5 in each of four tools
    assert ana["usage_date"] == FIRST
    assert json.loads(ana["office_metrics"])["excel"]["message_count"] == 0
    assert vendor.asked[0][1] == {"date": ["2026-11-01"], "limit": ["1000"]}


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_no_error_but_an_answer(vendor: Vendor, tmp_path: Path, status: int) -> None:
    vendor.refuse = status
    client = AnalyticsClient(vendor.url, "placeholder", tmp_path, rate_factor=0)
    reach = client.reach(records.COST, Window(FIRST, FIRST))
    assert reach.refused
    assert "\n" not in reach.refused
    assert len(vendor.asked) == 1, "asked once, not again"


class Recent:
    """A vendor that answers about days up to `last` and refuses later ones in its own words."""

    def __init__(self, answers: Answers, last: date, words: str, refreshed: object = "2026-11-12T09:00:00Z") -> None:
        def answer(asked: Asked) -> object:
            day = date.fromisoformat(asked.query.get("starting_at", asked.query.get("date", [""]))[0][:10])
            if day <= last:
                found = {"data": [], "has_more": False, "next_page": ""}
                return found if refreshed == "absent" else found | {"data_refreshed_at": refreshed}
            answers.give({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, 400)
            return None

        answers.on = answer


@pytest.mark.parametrize(
    "endpoint", [records.COST, records.ENTERPRISE_COST, records.ENTERPRISE_USERS], ids=lambda e: f"{e.source} {e.name}"
)
@pytest.mark.parametrize(
    "words", ["starting_at must be before the data horizon", "date: too recent", "Data for this day is still being aggregated."]
)
def test_a_day_that_is_too_recent_is_known_however_it_is_worded(answers: Answers, tmp_path: Path, endpoint: Endpoint, words: str) -> None:
    Recent(answers, date(2026, 11, 11), words)
    reach = AnalyticsClient(answers.url, "a-placeholder-key", tmp_path, rate_factor=0).reach(
        endpoint, Window(date(2026, 11, 1), date(2026, 11, 13))
    )
    assert (reach.refused, reach.last) == (None, date(2026, 11, 11))
    assert reach.of(Window(date(2026, 11, 1), date(2026, 11, 13))) == Window(date(2026, 11, 1), date(2026, 11, 11))


@pytest.mark.parametrize("refreshed", [None, ""])
def test_without_a_refresh_nothing_is_final(answers: Answers, tmp_path: Path, refreshed: object) -> None:
    """A new organisation: days stored now would be finished zeros."""
    Recent(answers, date(2026, 12, 31), "", refreshed)
    window = Window(date(2026, 11, 1), date(2026, 11, 13))
    reach = AnalyticsClient(answers.url, "a-placeholder-key", tmp_path, rate_factor=0).reach(records.COST, window)
    assert reach.refused is None and reach.of(window) is None and "not finished any day" in (reach.note or "")


def test_an_answer_that_does_not_speak_of_a_refresh_bounds_nothing(answers: Answers, tmp_path: Path) -> None:
    Recent(answers, date(2026, 12, 31), "", "absent")
    window = Window(date(2026, 11, 1), date(2026, 11, 13))
    assert AnalyticsClient(answers.url, "a-placeholder-key", tmp_path, rate_factor=0).reach(records.COST, window).of(window) == window


@pytest.mark.parametrize(
    "words",
    ["Not available to organizations with HIPAA readiness enabled.", "analytics is unavailable (hipaa)", "HIPAA-ready organization"],
)
def test_hipaa_readiness_is_a_refusal(answers: Answers, tmp_path: Path, words: str) -> None:
    Recent(answers, date(2020, 1, 1), words)
    reach = AnalyticsClient(answers.url, "a-placeholder-key", tmp_path, rate_factor=0).reach(records.COST, Window(FIRST, FIRST))
    assert reach.refused and "not for this key" in reach.refused and len(answers.asked) == 1


def test_an_empty_next_page_ends_the_list_of_people(answers: Answers, tmp_path: Path) -> None:
    Recent(answers, date(2026, 12, 31), "")
    [walk] = walk_all(
        [Window(FIRST, FIRST)], AnalyticsClient(answers.url, "a-placeholder-key", tmp_path, rate_factor=0).people, records.ENTERPRISE_USERS
    )
    assert not isinstance(walk, FailedWalk) and len(answers.asked) == 1


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (400, PermanentError)])
def test_other_refusals_stay_errors(vendor: Vendor, tmp_path: Path, status: int, kind: type[Exception]) -> None:
    vendor.refuse = status
    client = AnalyticsClient(vendor.url, "placeholder", tmp_path, rate_factor=0)
    with pytest.raises(kind):
        client.reach(records.COST, Window(FIRST, FIRST))


def test_a_total_that_the_groups_do_not_reach_is_never_stored(vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cent more in the total than in the groups: somebody's row is missing."""
    monkeypatch.setattr(vendor, "totals", lambda _: [{"starting_at": "2026-11-01T00:00:00Z", "cost": {"amount": "767.02505"}}])
    client = AnalyticsClient(vendor.url, "placeholder", tmp_path, rate_factor=0)
    [walk] = walk_all([Window(FIRST, FIRST.replace(day=2))], client.report(records.COST), records.COST)
    assert isinstance(walk, FailedWalk)
    assert "groups sum to 766.02505 and the total is 767.02505" in str(walk.error)

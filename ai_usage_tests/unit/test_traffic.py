"""Every request is counted once, by how it ended; what is logged of it names the request and never the key."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ai_usage.sources.errors import AuthError, TransientError
from ai_usage.sources.http import HttpClient
from ai_usage.sources.traffic import Line, Traffic, quantile
from ai_usage_tests.fixtures.desk import Answers

CANARY = "sk-canary-5f2e9a"


def client(url: str, traffic: Traffic, **more: object) -> HttpClient:
    fields = {"backoff_s": 0.001, "patience_s": 20.0, "tries": 4, "secrets": (CANARY,), "headers": {"x-api-key": CANARY}} | more
    return HttpClient("Vendor", url, source="vendor", traffic=traffic, **fields)  # type: ignore[arg-type]


def counted(traffic: Traffic) -> dict[tuple[str, int | None], tuple[int, int]]:
    return {(line.endpoint, line.status): (line.requests, line.retries) for line in traffic.lines()}


def test_each_request_is_counted_by_its_status_and_repeats_are_told_apart() -> None:
    """Two refusals, a server error and an answer are four requests, of which three repeated one before; the next question's first is none."""
    traffic = Traffic(clock=lambda: datetime(2026, 11, 22, 13, 59, 59, tzinfo=UTC))
    with Answers() as vendor:
        http = client(vendor.url, traffic)
        for status in (429, 429, 500):
            vendor.give({}, status)
        vendor.give({"ok": 1})
        http.ask("GET", "/v1/things", lambda body: body.content, endpoint="things")
        vendor.give({"ok": 1})
        http.ask("GET", "/v1/things", lambda body: body.content, endpoint="things")
    assert counted(traffic) == {("things", 429): (2, 1), ("things", 500): (1, 1), ("things", 200): (2, 1)}
    assert {line.hour for line in traffic.lines()} == {datetime(2026, 11, 22, 13, tzinfo=UTC)}
    assert all(line.source == "vendor" and line.seconds > 0 and len(line.durations) == line.requests for line in traffic.lines())
    assert sum(line.requests for line in traffic.take()) == 5 and traffic.lines() == [], "what was taken is not counted again"


def test_a_request_without_an_answer_and_one_that_is_refused_for_good_are_counted_too() -> None:
    traffic = Traffic()
    with pytest.raises(TransientError):
        client("http://127.0.0.1:9", traffic, tries=2).ask("GET", "/x", lambda body: None, endpoint="dead")
    with Answers() as vendor, pytest.raises(AuthError):
        vendor.give({}, 401)
        client(vendor.url, traffic).ask("GET", "/x", lambda body: None, endpoint="denied")
    assert counted(traffic) == {("dead", None): (2, 1), ("denied", 401): (1, 0)}


def test_quantiles_are_response_times_that_happened() -> None:
    hour = datetime(2026, 11, 22, tzinfo=UTC)
    lines = [
        Line(hour, "s", "e", 200, durations=[float(n) for n in range(1, 100, 2)]),
        Line(hour, "s", "e", 429, durations=[float(n) for n in range(2, 101, 2)]),
    ]
    assert (quantile(lines, 0.5), quantile(lines, 0.95), quantile(lines, 1.0)) == (50.0, 95.0, 100.0)
    assert quantile([], 0.5) is None
    assert Line(hour, "s", "e", 200, seconds=0.1 + 0.2).exact_seconds == Decimal("0.300000")


def test_a_refusal_is_logged_with_the_vendors_request_id_and_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """The key echoed by the vendor, cut in half by nothing, is in no line: not in the message, not in a field."""
    with Answers() as vendor, caplog.at_level(logging.DEBUG, logger="ai_usage"):
        http = client(vendor.url, Traffic())
        vendor.give({"error": f"slow down {CANARY}"}, 429, request_id="req_1")
        vendor.give({"ok": 1}, request_id="req_2")
        http.ask("GET", "/v1/things", lambda body: None, endpoint="things")
        vendor.give({"error": f"{CANARY} is not a key"}, 403, request_id="req_3")
        with pytest.raises(AuthError) as refused:
            http.ask("GET", "/v1/things", lambda body: None, endpoint="things")
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [(r.status, r.request_id, r.attempt, r.endpoint, r.source) for r in told] == [
        (429, "req_1", 1, "things", "vendor"), (403, "req_3", 1, "things", "vendor"),
    ]  # fmt: skip
    assert "try 2 of 4" in told[0].getMessage()
    quiet = [r for r in caplog.records if r.levelno == logging.DEBUG]
    assert [(r.status, r.request_id, r.attempt) for r in quiet] == [(429, "req_1", 1), (200, "req_2", 2), (403, "req_3", 1)]
    assert all(r.duration_s > 0 for r in quiet)
    assert CANARY not in "".join(r.getMessage() + repr(r.__dict__) for r in caplog.records)
    assert "***" in str(refused.value), "the vendor did echo it, so the test could see it"
    assert told[0].getMessage() == "Vendor GET /v1/things answered 429; try 2 of 4 in 0.0 s.", "what it said stays out of the log"

"""A pass over a warehouse, with a real mail server and a webhook: one digest, once, whatever fails in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ai_usage.alerts import delivery, passes
from ai_usage.alerts.conditions import Cause
from ai_usage.errors import SettingsError
from ai_usage.operations import copying
from ai_usage.runtime import Runtime
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.fixtures.mail import Mailbox, Webhook

D, N = date, Decimal
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as found:
        yield found


def runtime(desk: Desk, *urls: str, **more: Any) -> Runtime:
    """Cursor is on; finance is told at every address."""
    told = f"finance: {list(urls)}\nplatform: {list(urls)}" if urls else None
    return desk.runtime(**{"cursor_admin_api_key": "unused", "google_application_credentials": None, "alert_urls": told, **more})


def bad_state(desk: Desk) -> None:
    """A day that failed (platform), a budget of 100 USD of which 85 are spent, and an invoice over nothing held (finance)."""
    desk.fetch("cursor", "events", D(2026, 11, 20), at=NOW - HOUR, state="failed", error="the key was refused (401).")
    desk.fetch("cursor", "events", D(2026, 11, 21), at=NOW - HOUR)
    desk.tab("budgets", {"month": D(2026, 11, 1), "budget_usd": N(100)}, at=NOW - HOUR)
    desk.tab("invoices", {"invoice_month": D(2026, 10, 1), "platform": "claude_ai", "amount_usd": N(500)}, at=NOW - HOUR)
    spend(desk, "85")


def spend(desk: Desk, usd: str) -> None:
    desk.lay(
        "fct_cost_daily",
        {
            "cost_date": D(2026, 11, 20), "platform": "cursor", "vendor": "cursor", "user_email": "ana@example.com", "cost_type": "usage",
            "cost_usd": N(usd), "attribution": "direct", "settle_state": "provisional", "source": "cursor",
        },
    )  # fmt: skip


def log(desk: Desk, *events: str) -> list[tuple[str, str]]:
    return [
        (r["event"], r["alert"])
        for r in desk.ask("SELECT event, alert FROM alert_log ORDER BY logged_at, seq")
        if not events or r["event"] in events
    ]


def test_the_first_pass_over_a_bad_state_is_one_message_and_the_second_none(desk: Desk, mailbox: Mailbox) -> None:
    bad_state(desk)
    use = runtime(desk, mailbox.url(), alerts_link="https://reports.example.com/ai.html")
    first = passes.pass_once(use, now=NOW, failed_runs=[])
    assert (first.messages, first.failures, first.opened) == (2, [], 3)
    assert [m["Subject"] for m in mailbox.mails] == ["AI usage: 2 alerts", "A source could not be read: cursor events"]
    text = mailbox.mails[0].get_body(("plain",)).get_content()
    assert "The company has spent 85 % of its budget for November 2026: $85.00 of $100.00." in text
    assert "The invoice of claude_ai for October 2026 differs by $500.00, and nothing explains it." in text
    assert "https://reports.example.com/ai.html#cost_allocation" in text and "(no department) on cursor: $85.00" in text
    assert "the key was refused (401)." in mailbox.mails[1].get_body(("html",)).get_content()
    again = passes.pass_once(use, now=NOW + HOUR, failed_runs=[])
    assert (again.messages, again.events, len(mailbox.mails)) == (0, [], 2)


def test_a_budget_that_is_used_up_is_told_again_and_what_is_well_once(desk: Desk, mailbox: Mailbox) -> None:
    bad_state(desk)
    use = runtime(desk, mailbox.url())
    passes.pass_once(use, now=NOW)
    spend(desk, "15")
    desk.fetch("cursor", "events", D(2026, 11, 20), at=NOW + HOUR / 2)
    passes.pass_once(use, now=NOW + HOUR)
    assert sorted(m["Subject"] for m in mailbox.mails[2:]) == [
        "A budget is nearly or wholly spent: The company", "Resolved: A source could not be read: cursor events"
    ]  # fmt: skip
    assert "100 %" in str(next(m for m in mailbox.mails if "budget" in m["Subject"]).get_body(("plain",)).get_content())
    passes.pass_once(use, now=NOW + 2 * HOUR)
    assert len(mailbox.mails) == 4
    shown = {r["alert"]: r for r in desk.ask("SELECT * FROM vw_alerts")}
    assert (shown["budget"]["state"], shown["budget"]["level"], shown["budget"]["messages_sent"]) == ("open", 2, 2)
    assert (shown["ingestion_failed"]["state"], shown["ingestion_failed"]["messages_sent"]) == ("resolved", 2)


@pytest.mark.parametrize("mood", [500, "reset"])
def test_an_address_that_fails_is_tried_again_and_the_others_are_left_alone(
    desk: Desk, mailbox: Mailbox, webhook: Webhook, mood: str | int
) -> None:
    bad_state(desk)
    use = runtime(desk, mailbox.url(), webhook.url("hook-token"))
    webhook.mood = mood
    first = passes.pass_once(use, now=NOW)
    assert (first.messages, len(first.failures), webhook.got, len(mailbox.mails)) == (2, 2, [], 2)
    webhook.mood = "ok"
    second = passes.pass_once(use, now=NOW + HOUR)
    assert (second.messages, second.failures, len(webhook.got), len(mailbox.mails)) == (2, [], 2, 2)
    assert log(desk, "opened").count(("opened", "budget")) == 1 and ("delivery_failed", "budget") in log(desk)
    with duckdb.connect(str(desk.path), read_only=True) as con:
        assert "hook-token" not in repr(con.execute("SELECT * FROM alert_log").fetchall()), "an address is a secret"


def test_a_crash_between_sending_and_writing_tells_twice(desk: Desk, mailbox: Mailbox) -> None:
    """The process dies when the mail server has the message and the log has not: the next pass sends it again, and opens nothing twice."""
    bad_state(desk)
    use = runtime(desk, mailbox.url())

    class Died(BaseException):
        pass

    def and_die(to: delivery.Destination, message: Any) -> str | None:
        delivery.deliver(to, message)
        raise Died

    with pytest.raises(Died):
        passes.pass_once(use, now=NOW, send=and_die)
    assert log(desk, "sent") == [] and len(mailbox.mails) == 1
    passes.pass_once(use, now=NOW + HOUR)
    subjects = [m["Subject"] for m in mailbox.mails]
    assert subjects == ["AI usage: 2 alerts", "AI usage: 2 alerts", "A source could not be read: cursor events"]
    assert sorted(log(desk, "opened")) == [("opened", "budget"), ("opened", "ingestion_failed"), ("opened", "invoice_difference")]


def test_without_an_address_it_is_written_down_and_shown(desk: Desk) -> None:
    bad_state(desk)
    outcome = passes.pass_once(runtime(desk), now=NOW)
    assert (outcome.messages, outcome.failures, outcome.opened) == (0, [], 3)
    assert desk.one("SELECT COUNT(*) AS n FROM vw_alerts WHERE state = 'open' AND last_told_at IS NULL") == 3


def test_looking_writes_and_sends_nothing(desk: Desk, mailbox: Mailbox) -> None:
    bad_state(desk)
    outcome = passes.preview(runtime(desk, mailbox.url()), now=NOW)
    assert [len(items) for items in outcome.due.values()] == [2, 1]
    assert log(desk) == [] and mailbox.mails == []


def test_an_hour_in_which_nothing_changed_needs_no_pass(desk: Desk, webhook: Webhook) -> None:
    use = runtime(desk, webhook.url())
    assert passes.needed(use, None, now=NOW)[0] is None, "nothing is held yet"
    bad_state(desk)
    why, mark = passes.needed(use, None, now=NOW)
    assert why == "the data changed"
    webhook.mood = 500
    passes.pass_once(use, now=NOW)
    assert passes.needed(use, mark, now=NOW + HOUR) == ("finance 1 (json) waits to be told", mark)
    webhook.mood = "ok"
    passes.pass_once(use, now=NOW + HOUR)
    assert passes.needed(use, mark, now=NOW + 2 * HOUR) == (None, mark)
    # Cursor was read at 13:00 on the 22nd: 25 hours later, and not before, time alone makes it old.
    assert passes.needed(use, mark, now=NOW + 24 * HOUR)[0] is None
    why, _ = passes.needed(use, mark, now=NOW + 24 * HOUR + timedelta(seconds=1))
    assert why == "Cursor was last read 25 hours ago; more than 25 hours is too long. (opened)"
    desk.fetch("cursor", "events", D(2026, 11, 22), at=NOW + 24 * HOUR)
    assert passes.needed(use, mark, now=NOW + 25 * HOUR)[0] == "the data changed"


def test_a_failed_run_is_a_cause_that_ends_with_the_next_good_run(desk: Desk, mailbox: Mailbox) -> None:
    use = runtime(desk, mailbox.url())
    passes.pass_once(use, now=NOW, failed_runs=[Cause("run_failed", "daily", "daily", None, None, "runs", "raw_cursor_events: 401.")])
    passes.pass_once(use, now=NOW + HOUR, failed_runs=None)  # the record of runs was not asked: nothing is known
    assert [m["Subject"] for m in mailbox.mails] == ["A run failed: daily"]
    passes.pass_once(use, now=NOW + 2 * HOUR, failed_runs=[])
    assert [m["Subject"] for m in mailbox.mails] == ["A run failed: daily", "Resolved: A run failed: daily"]


def test_more_causes_than_a_person_reads_are_counted(desk: Desk, mailbox: Mailbox) -> None:
    for n in range(15):
        desk.fetch("cursor", f"endpoint{n:02}", D(2026, 11, 20), at=NOW - HOUR, state="failed", error="500")
    passes.pass_once(runtime(desk, mailbox.url()), now=NOW)
    (mail,) = mailbox.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "AI usage: 15 alerts" and text.count("could not be read for 1 day.") == 12
    assert "And 3 more: A source could not be read (3)." in text


def test_a_condition_that_cannot_be_asked_takes_no_other_along(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_state(desk)
    with duckdb.connect(str(desk.path)) as con:
        con.execute("DROP VIEW vw_reconciliation")
    outcome = passes.pass_once(runtime(desk), now=NOW)
    assert list(outcome.found.broken) == ["invoice_difference"]
    assert {c.alert for c in outcome.found.causes} == {"budget", "ingestion_failed"}


# The file of one's own ------------------------------------------------------------------------------------------------


def own(folder: Path, text: str) -> Path:
    path = folder / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own_moves_thresholds_and_audiences(desk: Desk, mailbox: Mailbox) -> None:
    bad_state(desk)
    path = own(
        desk.folder,
        "audiences: {board: The board}\nalerts:\n  budget: {audience: [board], parameters: {warn_share: 0.9}}\n  invoice_difference: {enabled: false}\n",
    )
    use = runtime(desk, alerts_file=path, alert_urls=f"board: '{mailbox.url()}'")
    outcome = passes.pass_once(use, now=NOW)
    assert {c.alert for c in outcome.found.causes} == {"ingestion_failed"} and "invoice_difference" in outcome.found.skipped
    spend(desk, "5")
    passes.pass_once(use, now=NOW + HOUR)
    assert [m["Subject"] for m in mailbox.mails] == ["A budget is nearly or wholly spent: The company"]


def test_switching_an_alert_off_closes_its_causes_without_a_word(desk: Desk, mailbox: Mailbox) -> None:
    bad_state(desk)
    passes.pass_once(runtime(desk, mailbox.url()), now=NOW)
    path = own(desk.folder, "alerts:\n  budget: {enabled: false}\n")
    passes.pass_once(runtime(desk, mailbox.url(), alerts_file=path), now=NOW + HOUR)
    assert len(mailbox.mails) == 2
    assert desk.one("SELECT state FROM vw_alerts WHERE alert = 'budget'") == "resolved"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alerts:\n  bugdet: {enabled: false}", "alerts.bugdet: there is no such alert"),
        ("alerts:\n  budget: {audience: [cfo]}", "there is no audience 'cfo'"),
        ("alerts:\n  budget: {parameters: {share: 0.5}}", "alerts.budget.parameters.share: there is no such threshold; use warn_share, full_share"),
        ("alerts:\n  data_old: {parameters: {hours: 1.5}}", "1.5 is not a whole number"),
        ("alerts:\n  budget: {parameters: {warn_share: -1}}", "-1 is negative"),
        ("alerts:\n  budget: {quiet_hours: 0}", "alerts.budget.quiet_hours"),
        ("alerts:\n  budget: {look_back: 3}", "are fixed by its condition"),
        ("alerts:\n  day_over_week: {look_back: 999}", "999 days cannot be looked at"),
        ("alerts:\n  budget: {headline: '{nobody} spent'}", "{nobody} is unknown"),
        ("alerts:\n  budget: {headline: '{subject'}", "write each brace with its pair"),
        ("alerts:\n  budget: {quiet: 3}", "alerts.budget.quiet: the key is not known"),
        ("alerts:\n  budget: {}\n  budget: {}", "the key `budget` is repeated"),
    ],
)  # fmt: skip
def test_a_mistake_in_it_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    from ai_usage.alerts.config import load_config

    with pytest.raises(SettingsError) as error:
        load_config(own(tmp_path, text))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_what_was_told_before_a_move_is_not_told_after_it(desk: Desk, new_desk: Any, mailbox: Mailbox) -> None:
    """The same causes on the other warehouse: nothing is sent, and the end of one is told once, to those who were told there."""
    desk.fetch("cursor", "events", D(2026, 11, 20), at=NOW - HOUR, state="failed", error="the key was refused (401).")
    url = mailbox.url()
    passes.pass_once(runtime(desk, url), now=NOW)
    told = len(mailbox.mails)
    assert told == 1
    other = new_desk()
    copying.copy(desk.warehouse, other.warehouse, today=NOW.date())
    moved = runtime(other, url)
    assert passes.pass_once(moved, now=NOW + HOUR).events == [] and len(mailbox.mails) == told
    other.fetch("cursor", "events", D(2026, 11, 20), at=NOW + HOUR, fetch_id="later")
    passes.pass_once(moved, now=NOW + 2 * HOUR)
    assert len(mailbox.mails) == told + 1

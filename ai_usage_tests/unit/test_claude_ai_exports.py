"""claude.ai's two exports: what a file may look like, what is refused in one sentence, what is never stored, and what stands when files overlap."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.loading import Loader
from ai_usage.loading.exports import held_ranges, read_export
from ai_usage.operations.uploads import put_into_folder
from ai_usage.settings import Settings
from ai_usage.sources.claude_ai import exports
from ai_usage.sources.errors import ContractError, SourceError
from ai_usage.sources.uploads import client as uploads
from ai_usage_tests.fixtures.desk import Desk, curated, example

TODAY, START = date(2026, 11, 22), date(2026, 1, 1)
DAY, NEXT = date(2026, 11, 20), date(2026, 11, 21)
AUDIT = "created_at,actor_info,event,event_info,entity_info,ip_address,device_id,user_agent,client_platform"
SPEND = "email,account_uuid,product,model,model_family,total_requests,total_prompt_tokens,total_completion_tokens,total_net_spend_usd,total_gross_spend_usd"


def take(desk: Desk, name: str, text: str):
    """Read and load one file as the drop folder does; returns the load's report."""
    path = desk.folder / name
    path.write_text(text, encoding="utf-8")
    export = read_export(desk.warehouse, path, uploads.kind_of(name) or "", desk.spool, TODAY, START)
    return Loader(desk.warehouse, "run-1").load(export.endpoint, export.walks, origin="upload", replace=uploads.replaces(path))


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def event(
    at: str,
    who: str = "ana",
    thing: str = "c1",
    *,
    event: str = "conversation_created",
    kind: str = "chat_conversation",
    client: str = "ios",
) -> str:
    actor = {"name": "Ana Example", "uuid": f"u-{who}", "metadata": {"email_address": f"{who}@example.com"}}
    entity = {"type": kind, "uuid": thing, "name": None, "metadata": {"project_uuid": None}}
    return f'{at},{quoted(repr(actor))},{event},{{}},{quoted(repr(entity))},192.0.2.9,device-9,"Mozilla/5.0",{client}'


def audit(*rows: str) -> str:
    return "\n".join([AUDIT, *rows]) + "\n"


def spend(*rows: str, head: str = SPEND) -> str:
    return "\n".join([head, *rows]) + "\n"


def charge(net: str, gross: str = "", email: str = "ana@example.com", model: str = "claude-opus-5", tokens: str = "1000000") -> str:
    return f"{email},u,Chat,{model},Opus,3,{tokens},0,{net},{gross}"


def total(desk: Desk) -> Decimal:
    return desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_cost WHERE source = 'claude_ai_spend'")


# The documented examples --------------------------------------------------------------------------------------


def test_the_example_audit_log_becomes_two_people_and_one_conversation(desk: Desk) -> None:
    report = take(desk, "claude_ai_audit_log.csv", example("anthropic/claude_ai_audit_log_export.csv").decode())
    assert (report.rows, report.rejected, report.unknown_fields) == (3, 0, set())
    assert desk.ask("SELECT usage_date, user_email, conversations, messages FROM stg_usage ORDER BY user_email") == [
        {"usage_date": DAY, "user_email": "ana@example.com", "conversations": 1, "messages": None},
        {"usage_date": DAY, "user_email": "ben@example.com", "conversations": None, "messages": None},
    ]
    (row,) = desk.ask("SELECT actor_uuid, project_uuid, client_platform FROM raw_claude_ai_audit_log WHERE event = 'conversation_created'")
    assert row == {
        "actor_uuid": "8b0c0d0e-0000-4000-8000-000000000001", "project_uuid": "8b0c0d0e-0000-4000-8000-0000000000aa",
        "client_platform": "web_claude_ai",
    }  # fmt: skip


def test_the_example_spend_report_is_3_9481_dollars(desk: Desk) -> None:
    """3.933 + 0.0151 net, 4.37 + 0.0167 gross: dollars, not cents."""
    report = take(desk, f"claude_ai_spend.{DAY}_{DAY}.csv", example("anthropic/claude_ai_spend_report_export.csv").decode())
    assert report.vendor_total_usd == Decimal("3.9481")
    curated(desk, date(2026, 11, 1), TODAY, TODAY)
    rows = desk.ask("SELECT * FROM fct_cost_daily ORDER BY user_email")
    assert [(r["cost_date"], r["user_email"], r["cost_usd"], r["model"]) for r in rows] == [
        (DAY, "ana@example.com", Decimal("3.933"), "claude-opus-5"), (DAY, "ben@example.com", Decimal("0.0151"), "claude-sonnet-5"),
    ]  # fmt: skip
    assert {(r["platform"], r["vendor"], r["cost_type"], r["attribution"]) for r in rows} == {
        ("claude_ai", "Anthropic", "overage", "direct")
    }
    assert desk.one("SELECT SUM(list_usd) FROM fct_usage_daily") == Decimal("4.3867")
    assert desk.one("SELECT SUM(requests) FROM fct_usage_daily") == 244, "a one-day export says when the requests were"


@pytest.mark.parametrize("kind", list(uploads.EXPORTS))
def test_each_template_comes_in_as_one_row(desk: Desk, kind: str) -> None:
    report = take(desk, f"{kind}.2026-11-01_2026-11-01.csv", uploads.template(kind))
    assert (report.rows, report.rejected, report.unknown_fields) == (1, 0, set())


# Hostile audit logs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('os').system('touch /tmp/pwned')",
        "{'uuid': open('/etc/passwd').read()}",
        "{'uuid': (lambda: 1)()}",
        "[" * 5_000 + "]" * 5_000,
        "{'a': " * 200 + "1" + "}" * 200,
        "-" * 10_000 + "1",
        "{'a': '" + "x" * 20_000 + "'}",
        "{'a': " + "9" * 6_000 + "}",
        "{'a': 1e999}", "{'a': {1, 2}}", "{'a': b'x'}", "{'a': 1j}", "{'a'", "None", "[1]", "uuid: 1",
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_no_bounded_literal_costs_only_its_row_and_is_never_run(desk: Desk, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import os

    def never(*_: object, **__: object) -> object:
        raise AssertionError("a cell was evaluated")

    for module, name in ((os, "system"), (builtins, "eval"), (builtins, "exec")):
        monkeypatch.setattr(module, name, never)
    bad = f"2026-11-20T10:00:00+00:00,{quoted(cell)},conversation_created,{{}},{{}},,,,"
    report = take(desk, "claude_ai_audit_log.csv", audit(event("2026-11-20T09:00:00+00:00"), bad))
    assert (report.rows, report.rejected) == (1, 1)
    (row,) = desk.ask("SELECT column_name, value, remedy FROM raw_rejects")
    assert row["column_name"] == "unreadable" and row["value"].startswith("actor_info: ") and len(row["value"]) < 600
    assert ".replace.csv" in row["remedy"]


@pytest.mark.parametrize(
    "cell",
    [
        "{'name': \"O'Neil, \\\"Pat\\\"\\n(new line)\", 'uuid': 'u-ana', 'metadata': {'email_address': 'ana@example.com', 'roles': ['a', None, True]}}",
        '{"name": null, "uuid": "u-ana", "metadata": {"email_address": "ana@example.com", "deep": {"x": [true, 1.5]}}}',
        "{'name': 'Ana\nExample', 'uuid': 'u-ana', 'metadata': {'email_address': 'ana@example.com'}}",
        "{'uuid': 'u-ana', 'metadata': {'email_address': 'ana@example.com'}, 'x': (1, 2)}",
    ],
    ids=["nested quotes", "json", "line break in a cell", "tuple"],
)  # fmt: skip
def test_dicts_are_read_as_python_or_json(desk: Desk, cell: str) -> None:
    text = "\ufeff" + audit(f"2026-11-20T09:00:00Z,{quoted(cell)},login,,,,,,", event("2026-11-20T09:00:01Z")).replace("\n", "\r\n", 1)
    if "Ana\nExample" in cell:  # not a Python literal any more: a raw line break ends a string
        assert take(desk, "claude_ai_audit_log.csv", text).rejected == 1
        return
    assert take(desk, "claude_ai_audit_log.csv", text).rejected == 0
    assert desk.one("SELECT COUNT(*) FROM raw_claude_ai_audit_log WHERE actor_uuid = 'u-ana' AND actor_email = 'ana@example.com'") == 2


def test_personal_data_that_cost_does_not_need_is_stored_nowhere(desk: Desk) -> None:
    """Addresses, devices, browsers and names stand neither in the tables nor in the spool nor in the file that is put away."""
    info = quoted(repr({"ip": "192.0.2.9", "title": "Secret plan", "kind": "document", "inner": [{"name": "Ana Example", "n": 1}]}))
    text = audit(event("2026-11-20T09:00:00+00:00"), event("2026-11-20T09:00:01+00:00").replace(",{},", f",{info},", 1))
    take(desk, "claude_ai_audit_log.csv", text)
    assert (
        desk.one("SELECT event_info FROM raw_claude_ai_audit_log WHERE event_info IS NOT NULL")
        == '{"inner": [{"n": 1}], "kind": "document"}'
    )
    file = desk.folder / "claude_ai_audit_log.csv"
    exports.strip_personal(file)
    import pyarrow as pa

    kept = file.read_text() + str(desk.ask("SELECT * FROM raw_claude_ai_audit_log")) + str(desk.ask("SELECT * FROM raw_fetches"))
    for path in desk.spool.rglob("*.ndjson.zst"):
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            kept += stream.read().decode()
    assert "ana@example.com" in kept
    for secret in ('192.0.2.9"', "device-9", "Mozilla", ",192.0.2.9,"):
        assert secret not in kept
    tables = kept[len(file.read_text()) :]
    assert "Ana Example" not in tables and "Secret plan" not in tables and "192.0.2.9" not in tables


def test_unknown_columns_and_keys_are_kept_in_extra(desk: Desk) -> None:
    actor = quoted(repr({"uuid": "u", "kind": "robot", "metadata": {"email_address": "a@example.com", "team": {"id": 7}}}))
    text = AUDIT + ",region,actor_email\n" + f"2026-11-20T09:00:00+00:00,{actor},login,{{}},{{}},,,,ios,eu,evil@example.com\n"
    assert take(desk, "claude_ai_audit_log.csv", text).unknown_fields == {
        "actor_info.kind",
        "actor_info.metadata.team.id",
        "region",
        "column actor_email",
    }
    (row,) = desk.ask("SELECT extra, actor_email FROM raw_claude_ai_audit_log")
    assert '"region":"eu"' in row["extra"] and '"actor_info.metadata.team.id":7' in row["extra"] and row["actor_email"] == "a@example.com"


@pytest.mark.parametrize("at", ["2026-11-20T09:00:00", "20.11.2026 09:00", "", "2026-13-01T00:00:00Z"])
def test_an_instant_without_its_offset_is_not_guessed(desk: Desk, at: str) -> None:
    report = take(desk, "claude_ai_audit_log.csv", audit(event("2026-11-20T09:00:00+00:00"), event(at, thing="c2")))
    assert (report.rows, report.rejected) == (1, 1)


def test_the_day_is_the_utc_day(desk: Desk) -> None:
    take(desk, "claude_ai_audit_log.csv", audit(event("2026-11-20T17:30:00-08:00")))
    assert desk.one("SELECT usage_date FROM raw_claude_ai_audit_log") == NEXT


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("claude_ai_audit_log.csv", "created_at,event\n2026-11-20T09:00:00Z,x\n", ("actor_info", "docs/templates/claude_ai_audit_log.csv")),
        ("claude_ai_audit_log.csv", audit(event("2026-11-20T09:00:00Z")).replace(",", ";"), ("semicolons", "as it was downloaded")),
        ("claude_ai_audit_log.csv", audit(event("2026-11-20T09:00:00Z") + '\n2026-11-20T09:00:00Z,"{'), ("quote", "line")),
        ("claude_ai_audit_log.csv", audit(), ("no rows",)),
        ("claude_ai_audit_log.csv", audit(event("yesterday")), ("names an instant",)),
        ("claude_ai_audit_log.csv", audit(event("2031-01-01T00:00:00Z")), ("2031-01-01",)),
        (f"claude_ai_spend.{DAY}_{DAY}.csv", spend(charge("1")).replace(",", ";"), ("semicolons",)),
        (f"claude_ai_spend.{DAY}_{DAY}.csv", spend("a,1", head="email,total_net_spend_cents"), ("total_net_spend_usd",)),
        (f"claude_ai_spend.{DAY}_{DAY}.csv", spend("a,b,1", head="email,user_email,total_net_spend_usd"), ("'email'", "more than once")),
        (f"claude_ai_spend.{DAY}_{DAY}.csv", spend("a@example.com,1,234.56", head="email,total_net_spend_usd"), ("more cells",)),
        ("claude_ai_spend.csv", spend(charge("1")), ("which days", "--from", "claude_ai_spend.2026-10-01_2026-10-31.csv")),
        (f"claude_ai_spend.{DAY}.csv", spend(charge("1")), ("which days",)),
        (f"claude_ai_spend.{NEXT}_{DAY}.csv", spend(charge("1")), ("begins on 2026-11-21", "exchange")),
        ("claude_ai_spend.2026-02-01_2026-02-30.csv", spend(charge("1")), ("does not exist",)),
        (f"claude_ai_spend.{DAY}_{TODAY}.csv", spend(charge("1")), ("has not ended", "2026-11-21")),
        ("claude_ai_spend.2019-01-01_2019-02-01.csv", spend(charge("1")), ("before claude.ai",)),
        ("claude_ai_spend.2025-12-01_2025-12-31.csv", spend(charge("1")), ("AI_USAGE_START_DATE",)),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(desk: Desk, name: str, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ContractError) as caught:
        take(desk, name, text)
    said = str(caught.value)
    assert all(word in said for word in words) and "\n" not in said, said
    assert desk.one("SELECT COUNT(*) FROM raw_fetches") == 0


# Overlapping audit logs ---------------------------------------------------------------------------------------

MORNING, NOON_, EVENING = (event(f"2026-11-20T{h:02d}:00:00+00:00", thing=f"c{h}") for h in (8, 12, 20))


def conversations(desk: Desk) -> int:
    return desk.one("SELECT SUM(conversations) FROM stg_claude_ai_usage")


def test_a_partial_day_never_shrinks_a_fuller_one_and_a_fuller_one_grows_it(desk: Desk) -> None:
    for rows, held in (((NOON_, EVENING), 2), ((MORNING,), 3), ((NOON_,), 3), ((MORNING, NOON_, EVENING), 3)):
        take(desk, "claude_ai_audit_log.csv", audit(*rows))
        assert conversations(desk) == held
    assert desk.one("SELECT COUNT(*) FROM raw_fetches WHERE changed") == 2, "a file that adds nothing makes no version"


def test_a_replacing_file_takes_the_day_as_it_says(desk: Desk) -> None:
    take(desk, "claude_ai_audit_log.csv", audit(MORNING, NOON_, EVENING))
    take(desk, "claude_ai_audit_log.replace.csv", audit(NOON_))
    assert conversations(desk) == 1


def test_equal_events_of_one_file_are_real_and_of_two_files_are_one(desk: Desk) -> None:
    for rows in ((NOON_, NOON_), (NOON_,), (NOON_, NOON_)):
        take(desk, "claude_ai_audit_log.csv", audit(*rows))
    assert desk.one("SELECT row_count FROM stg_current_fetches") == 2


def test_a_rejected_row_stays_told_when_another_export_of_its_day_comes(desk: Desk) -> None:
    take(desk, "claude_ai_audit_log.csv", audit(NOON_, "2026-11-20T10:00:00+00:00,open('x'),login,{},{},,,,"))
    take(desk, "claude_ai_audit_log.csv", audit(EVENING))
    assert desk.one("SELECT rejected_count FROM stg_current_fetches") == 1 and conversations(desk) == 2
    take(desk, "claude_ai_audit_log.replace.csv", audit(NOON_, EVENING))
    assert desk.one("SELECT rejected_count FROM stg_current_fetches") == 0


def test_somebody_who_has_left_keeps_the_e_mail_that_an_earlier_export_knew(desk: Desk) -> None:
    take(desk, "claude_ai_audit_log.csv", audit(NOON_))
    take(desk, "claude_ai_audit_log.csv", audit(NOON_.replace("ana@example.com", ""), EVENING))
    assert desk.ask(
        "SELECT DISTINCT actor_email FROM raw_claude_ai_audit_log AS r JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id"
    ) == [{"actor_email": "ana@example.com"}]


def test_deleting_signing_in_and_touching_twice_are_no_further_conversations(desk: Desk) -> None:
    rows = [
        NOON_, event("2026-11-20T13:00:00+00:00", thing="c12", event="conversation_renamed"),
        event("2026-11-20T14:00:00+00:00", thing="old", event="conversation_deleted"),
        event("2026-11-20T15:00:00+00:00", who="ANA+x", thing="c12"), event("2026-11-20T15:00:00+00:00", who="eve", thing="", kind="organization"),
    ]  # fmt: skip
    take(desk, "claude_ai_audit_log.csv", audit(*rows))
    assert desk.ask("SELECT user_email, conversations FROM stg_claude_ai_days") == [{"user_email": "ana@example.com", "conversations": 1}]


def test_documents_of_a_project_are_use_of_it_and_deletions_of_none(desk: Desk) -> None:
    """ana: project p1 by a document and p2 by making it; ben only deletes and removes: no day of his. The types are those of a real log."""
    made = quoted(repr({"type": "chat_project", "uuid": "p2", "metadata": {"is_private": True}}))
    document = quoted(repr({"type": "chat_project_document", "uuid": "d1", "metadata": {"project_uuid": "p1"}}))
    ana = quoted(repr({"name": "Ana", "type": "account", "uuid": "u-ana", "metadata": {"email_address": "ana@example.com"}}))
    ben = quoted(repr({"name": "Ben", "type": "account", "uuid": "u-ben", "metadata": {"email_address": "ben@example.com"}}))
    rows = [
        f"2026-11-20T09:00:00+00:00,{ana},project_created,{{}},{made},,,,web_claude_ai",
        f"2026-11-20T09:05:00+00:00,{ana},project_document_created,{{}},{document},,,,web_claude_ai",
        f"2026-11-20T09:10:00+00:00,{ana},project_document_deleted,{{}},{document},,,,web_claude_ai",
        *(
            f"2026-11-20T1{n}:00:00+00:00,{ben},{event},{{}},{thing},,,,web_claude_ai"
            for n, (event, thing) in enumerate(
                [
                    ("project_deleted", made),
                    ("project_document_deleted", document),
                    ("file_deleted", document),
                    ("project_member_removed", made),
                ]
            )
        ),
    ]
    assert take(desk, "claude_ai_audit_log.csv", audit(*rows)).unknown_fields == set(), "nothing of a real log is drift"
    assert desk.ask("SELECT user_email, projects FROM stg_claude_ai_days") == [{"user_email": "ana@example.com", "projects": 2}]
    assert desk.one("SELECT COUNT(*) FROM raw_claude_ai_audit_log WHERE actor_type = 'account'") == 7


# The sheet ----------------------------------------------------------------------------------------------------


def test_the_audit_log_stands_before_the_sheet_measure_by_measure(desk: Desk) -> None:
    """Log: 2 conversations of ana on the 20th. Sheet: ana (as an alias) 9 and 40, ben 3 and 30, and ana on the 21st 5 and 50."""
    desk.tab("people", {"email": "ana@example.com", "aliases": "a.example@example.com"})
    desk.tab(
        "claude_ai_usage",
        {"activity_date": DAY, "email": "A.Example+work@example.com", "conversations": 9, "messages": 40},
        {"activity_date": DAY, "email": "ben@example.com", "conversations": 3, "messages": 30},
        {"activity_date": NEXT, "email": "ana@example.com", "conversations": 5, "messages": 50},
    )
    take(desk, "claude_ai_audit_log.csv", audit(MORNING, NOON_))
    curated(desk, date(2026, 11, 1), TODAY, TODAY)
    found = desk.ask(
        "SELECT usage_date, user_email, SUM(conversations) AS c, SUM(messages) AS m FROM fct_usage_daily GROUP BY usage_date, user_email ORDER BY 1, 2"
    )
    assert [tuple(r.values()) for r in found] == [
        (DAY, "ana@example.com", 2, 40), (DAY, "ben@example.com", 3, 30), (NEXT, "ana@example.com", 5, 50),
    ]  # fmt: skip


def test_messages_of_the_log_stand_before_the_sheets(desk: Desk) -> None:
    desk.tab("claude_ai_usage", {"activity_date": DAY, "email": "ana@example.com", "conversations": 9, "messages": 40})
    said = [event(f"2026-11-20T09:00:0{n}Z", thing=f"m{n}", kind="chat_message", event="message_sent") for n in range(3)]
    take(desk, "claude_ai_audit_log.csv", audit(NOON_, *said))
    assert desk.ask("SELECT SUM(conversations) AS c, SUM(messages) AS m, COUNT(*) AS n FROM stg_usage") == [{"c": 1, "m": 3, "n": 1}]


# Spend --------------------------------------------------------------------------------------------------------

OCTOBER = "2026-10-01_2026-10-31"


@pytest.mark.parametrize(
    ("cell", "usd"),
    [
        ("3.933", "3.933"), ("$1200.5", "1200.5"), ('"1,234.56"', "1234.56"), ('"$1,234,567"', "1234567"), ("1.67e-05", "0.0000167"),
        ("-2.5", "-2.5"), ("0", "0"), ("3.9330000000000003", "3.933"),
        ('"3,933"', None), ('"1.234,56"', None), ("12 USD", None), ("(5)", None), ("nan", None), ("", None),
    ],
)  # fmt: skip
def test_dollars_are_read_or_refused_and_never_guessed(desk: Desk, cell: str, usd: str | None) -> None:
    report = take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge(cell), charge("1", email="ben@example.com")))
    if usd is None:
        assert (report.rows, report.rejected, report.vendor_total_usd) == (1, 1, Decimal(1)), "what can be read counts"
        assert desk.one("SELECT unknown_money_count FROM stg_current_fetches") == 1, "and the day says that a record is unknown"
    else:
        assert report.vendor_total_usd == total(desk) == Decimal(usd) + 1


@pytest.mark.parametrize("rows", [charge("1", tokens="1.23457E+11"), charge("1.2E+05"), charge("1", "1,2e5")])
def test_a_number_that_a_spreadsheet_shortened_refuses_the_report(desk: Desk, rows: str) -> None:
    """123,456,789,012 tokens are shown as 1.23457E+11, and saved as shown. What is small is written so by the vendor too, with all of its digits."""
    quoted_rows = rows.replace("1,2e5", '"1,2e5"')
    with pytest.raises(ContractError, match=r"row 3, total_\w+: '.*' was shortened by a spreadsheet program"):
        take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("1"), quoted_rows))


def test_header_spellings_vary(desk: Desk) -> None:
    head = SPEND.replace("email,", "User Email,", 1).replace("account_uuid", "Account UUID").replace("model_family,", "")
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend("ana@example.com,u,Chat,m,3,10,5,1.5,2", head=head))
    (row,) = desk.ask("SELECT user_email, account_uuid, model_family, net_usd, gross_usd, requests FROM raw_claude_ai_spend")
    assert row == {
        "user_email": "ana@example.com", "account_uuid": "u", "model_family": None, "net_usd": Decimal("1.5"), "gross_usd": 2, "requests": 3,
    }  # fmt: skip


def test_a_range_is_spread_over_its_days_and_keeps_its_period(desk: Desk) -> None:
    """5 USD over 31 days are 0.161290322 a day, and 0.161290340 on the last one: 5 less 30 times the others."""
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("5", "6")))
    assert desk.ask("SELECT usage_date, period_start, period_end FROM raw_claude_ai_spend") == [
        {"usage_date": date(2026, 10, 31), "period_start": date(2026, 10, 1), "period_end": date(2026, 10, 31)}
    ]
    days = {r["cost_date"]: r["cost_usd"] for r in desk.ask("SELECT cost_date, cost_usd FROM stg_claude_ai_cost WHERE timing = 'spread'")}
    assert days.pop(date(2026, 10, 31)) == Decimal("0.161290340")
    assert days == {date(2026, 10, n): Decimal("0.161290322") for n in range(1, 31)}
    told = "SELECT MAX(requests) AS requests, MAX(output_tokens) AS output_tokens, SUM(list_usd) AS list_usd FROM stg_claude_ai_usage"
    assert desk.ask(told) == [{"requests": None, "output_tokens": None, "list_usd": Decimal(6)}], (
        "nobody says on which day the requests were"
    )


def test_somebody_unnamed_is_a_line_of_its_own(desk: Desk) -> None:
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("5", email="")))
    curated(desk, date(2026, 10, 1), TODAY, TODAY)
    assert desk.ask("SELECT user_email, SUM(cost_usd) AS usd, attribution FROM fct_cost_daily GROUP BY user_email, attribution") == [
        {"user_email": None, "usd": Decimal(5), "attribution": "unattributed"}
    ]


def test_the_same_range_again_replaces_it_and_is_told(desk: Desk) -> None:
    for net in ("5", "7", "7"):
        take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge(net)))
    assert total(desk) == 7
    (row,) = desk.ask("SELECT usage_date, previous_vendor_total_usd, change_usd FROM vw_restatements")
    assert row == {"usage_date": date(2026, 10, 31), "previous_vendor_total_usd": Decimal(5), "change_usd": Decimal(2)}


@pytest.mark.parametrize("name", ["2026-10-15_2026-11-14", "2026-10-31_2026-10-31", "2026-10-02_2026-10-03", "2026-09-15_2026-10-01"])
@pytest.mark.parametrize("ending", ["", ".replace"])
def test_a_range_that_cuts_another_is_refused_with_both_ranges_and_the_remedy(desk: Desk, name: str, ending: str) -> None:
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("5")))
    with pytest.raises(ContractError) as caught:
        take(desk, f"claude_ai_spend.{name}{ending}.csv", spend(charge("1")))
    said = str(caught.value)
    first, last = name.split("_")
    assert f"{first} to {last}" in said and "2026-10-01 to 2026-10-31" in said and "export exactly" in said
    assert total(desk) == 5


def test_a_month_to_date_grows_into_its_month_when_asked(desk: Desk) -> None:
    take(desk, "claude_ai_spend.2026-10-01_2026-10-10.csv", spend(charge("5")))
    take(desk, "claude_ai_spend.2026-10-12_2026-10-31.csv", spend(charge("3")))
    with pytest.raises(ContractError, match=r"\.replace\.csv"):
        take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("9")))
    assert total(desk) == 8
    take(desk, f"claude_ai_spend.{OCTOBER}.replace.csv", spend(charge("9")))
    assert total(desk) == 9
    assert [str(r) for r in held_ranges(desk.warehouse)] == ["2026-10-01 to 2026-10-31"]
    assert desk.ask("SELECT * FROM vw_restatements") == [], "a person withdrew it; the vendor changed nothing"


def test_a_report_without_rows_says_that_nothing_was_spent_and_withdraws_its_range(desk: Desk) -> None:
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("5")))
    with pytest.raises(ContractError):
        take(desk, "claude_ai_spend.2026-10-02_2026-10-02.csv", spend())
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend())
    assert total(desk) == 0 and desk.one("SELECT state FROM stg_current_fetches") == "empty"
    take(desk, "claude_ai_spend.2026-10-02_2026-10-02.csv", spend(charge("1")))
    assert total(desk) == 1


def test_exports_leave_no_missing_days_in_the_inventory(desk: Desk) -> None:
    """A range stands on one day; a weekend has no events. Neither is a day that nobody asked for."""
    take(desk, f"claude_ai_spend.{OCTOBER}.csv", spend(charge("5")))
    take(desk, "claude_ai_spend.2026-11-01_2026-11-19.csv", spend(charge("5")))
    take(desk, "claude_ai_audit_log.csv", audit(NOON_, event("2026-11-02T09:00:00Z")))
    assert {r["days_missing"] for r in desk.ask("SELECT days_missing FROM vw_data_health")} == {0}


@pytest.mark.parametrize(("day", "state"), [(date(2026, 11, 20), "settled"), (date(2026, 11, 21), "provisional")])
def test_an_export_made_too_early_stays_provisional(desk: Desk, day: date, state: str) -> None:
    """The report lags a day: loaded on 22 November, the 20th is final and the 21st is not, however much later one looks."""
    row = {"period_start": day, "period_end": day, "net_usd": Decimal(1), "user_email": "ana@example.com"}
    desk.fetch("claude_ai", "spend", day, "raw_claude_ai_spend", row)
    desk.run("fct_cost_daily", as_of=date(2026, 11, 29))
    assert desk.one("SELECT settle_state FROM fct_cost_daily") == state


# Putting a file into the drop folder --------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data")  # type: ignore[call-arg]


def test_a_download_gets_the_name_that_the_loader_knows(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "spend-report (1).csv"
    file.write_text(spend(charge("1")))
    put = put_into_folder(settings, file, DAY, NEXT, False, TODAY)
    assert put == settings.uploads / "claude_ai_spend.2026-11-20_2026-11-21.csv" and put.read_text() == file.read_text()
    assert put_into_folder(settings, file, DAY, NEXT, True, TODAY).name == "claude_ai_spend.2026-11-20_2026-11-21.replace.csv"
    log = tmp_path / "audit_logs.csv"
    log.write_text(audit(NOON_))
    assert put_into_folder(settings, log, None, None, False, TODAY).name == "claude_ai_audit_log-audit_logs.csv"
    assert [d.kind for d in uploads.dropped(settings.uploads)] == ["claude_ai_audit_log", "claude_ai_spend", "claude_ai_spend"]


@pytest.mark.parametrize(
    ("name", "text", "days", "words"),
    [
        ("x.csv", spend(charge("1")), (None, None), "which days"),
        ("x.csv", spend(charge("1")), (NEXT, DAY), "exchange"),
        ("x.csv", spend(charge("1")), (DAY, None), "belong together"),
        (f"claude_ai_spend.{OCTOBER}.csv", spend(charge("1")), (DAY, DAY), "only one can be right"),
        ("x.csv", audit(NOON_), (DAY, DAY), "days of their own"),
        ("x.csv", "a,b\n1,2\n", (None, None), "neither the name nor the columns"),
        ("x.csv", AUDIT + "\n", (None, None), "no rows"),
    ],
)  # fmt: skip
def test_what_would_be_refused_later_is_refused_at_once(
    settings: Settings, tmp_path: Path, name: str, text: str, days: tuple[date | None, date | None], words: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(SourceError, match=words):
        put_into_folder(settings, file, *days, False, TODAY)
    assert not settings.uploads.exists() or not list(settings.uploads.iterdir())

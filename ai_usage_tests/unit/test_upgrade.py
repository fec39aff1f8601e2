"""A warehouse of before the rule changed works on: its rows laid by hand as the version before wrote them, then `ai-usage upgrade`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ai_usage import transform
from ai_usage.cli.app import app
from ai_usage.loading.again import total_again
from ai_usage.sources.cursor.records import EVENTS
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.desk import NOON, Desk, event, spooled

N = Decimal
SPOOLED, GONE, HIDDEN = date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 3)
AS_OF = date(2026, 11, 22)
BEFORE = {"parser_version": None, "unknown_money_count": None, "changed_by": None, "content_sha256": "of the version before"}


def bounds(day: date) -> dict:
    return {
        "window_start": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "window_end": datetime(day.year, day.month, day.day, 23, 59, 59, 999000, UTC),
    }


@pytest.fixture
def old(desk: Desk) -> Desk:
    """Three days by the rule of the flag alone, by hand.

    The first has its spool file: 200 cents billed, 100 included with a flag, and 50 that name nobody, which were rejected: 3.00 then, 2.50 now.
    The second has none: 3.00 billed and 1.00 included with a flag: 4.00 then, 3.00 now. The third hides one amount beside 2.50: unknown then, 2.50
    now, with one record of unknown money.
    """
    nobody = {k: v for k, v in event(SPOOLED, cents=50).items() if k != "userEmail"}
    walk = spooled(
        desk.spool, EVENTS, SPOOLED, None, [event(SPOOLED, cents=200), event(SPOOLED, cents=100, kind="Included in Business"), nobody]
    )
    paid = {"user_email": "ana@example.com", "model": "m", "service_account_id": "null"}
    included = {**paid, "kind": "Included in Business", "charged_usd": N(1)}
    desk.events(
        SPOOLED, {**paid, "charged_usd": N(2)}, included, fetch_id="first", vendor_total_usd=N(3), rejected_count=1, spool_path=walk.relative_path,
        **BEFORE, **bounds(SPOOLED),
    )  # fmt: skip
    desk.events(
        GONE, {**paid, "charged_usd": N(3)}, included, fetch_id="second", vendor_total_usd=N(4), spool_path="gone", **BEFORE, **bounds(GONE)
    )
    desk.events(
        HIDDEN, {**paid, "charged_usd": N("2.5")}, fetch_id="third", vendor_total_usd=None, rejected_count=1, **BEFORE, **bounds(HIDDEN)
    )
    for day, fetch, column in ((SPOOLED, "first", "userEmail"), (HIDDEN, "third", "chargedCents")):
        desk.lay(
            "raw_rejects",
            {"usage_date": day, "fetch_id": fetch, "fetched_at": NOON, "source": "cursor", "endpoint": EVENTS.name, "record_number": 3,
             "column_name": column, "value": "n/a", "reason": "is missing", "remedy": "Ask.", "payload": "{}"},
        )  # fmt: skip
    return desk


def cost(desk: Desk) -> list[tuple]:
    return [
        tuple(r.values())
        for r in desk.ask("SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily WHERE platform = 'cursor' GROUP BY 1 ORDER BY 1")
    ]


def test_one_command_reads_again_what_is_held(old: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vendor is asked: none is configured. Then the figures, what moved and by whom, and the second time nothing."""
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(old.folder))
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(old.path))
    with pytest.raises(WarehouseError, match="ai-usage upgrade"):
        transform.build(old.warehouse, GONE, GONE, as_of=AS_OF)
    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "3 days moved, 7.000000000 USD before (1 days unknown), 8.000000000 USD now." in said, said
    assert "1 days read again" in said and "2 whose file is gone" in said and "1 records of unknown money" in said
    assert cost(old) == [(SPOOLED, N("2.5")), (GONE, N(3)), (HIDDEN, N("2.5"))]
    assert old.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE user_email IS NULL") == N("0.5"), "what was rejected counts"
    assert old.one("SELECT SUM(included_usd) FROM fct_usage_daily") == 2
    assert old.one("SELECT COUNT(*) FROM dim_api_keys") == 0, "the text null of old rows is no key"
    found = old.ask(
        "SELECT usage_date, previous_vendor_total_usd AS before, vendor_total_usd AS now, changed_by FROM vw_restatements ORDER BY 1"
    )
    assert [tuple(r.values()) for r in found] == [
        (SPOOLED, N(3), N("2.5"), "rule"),
        (GONE, N(4), N(3), "rule"),
        (HIDDEN, None, N("2.5"), "rule"),
    ]
    unknown = old.ask("SELECT usage_date, unknown_money_count FROM vw_certificate WHERE unknown_money_count > 0")
    assert unknown == [{"usage_date": HIDDEN, "unknown_money_count": 1}]
    fetches = old.one("SELECT COUNT(*) FROM raw_fetches")
    again = CliRunner().invoke(app, ["upgrade"])
    assert "0 days read again" in " ".join(again.output.split()) and old.one("SELECT COUNT(*) FROM raw_fetches") == fetches


def test_an_upgrade_that_was_stopped_after_reading_still_builds(old: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts are of before, raw is of today, and nothing is left to read: the command must not think itself done."""
    from ai_usage.loading import Loader
    from ai_usage.loading.again import read_again

    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(old.folder))
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(old.path))
    read_again(old.warehouse, Loader(old.warehouse), old.spool)
    assert cost(old) == []
    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0 and cost(old) == [(SPOOLED, N("2.5")), (GONE, N(3)), (HIDDEN, N("2.5"))]


@pytest.mark.parametrize("has_file", [True, False], ids=["from the spool", "from its rows"])
def test_a_day_read_before_it_ended_is_not_whole_after_reading_it_again(desk: Desk, has_file: bool) -> None:
    """Told at ten in the morning of the day itself: read again in November it is still the half of a day, for close, certificate and ranges."""
    from ai_usage.loading import Loader
    from ai_usage.loading.again import read_again

    morning = datetime(2026, 9, 1, 10, tzinfo=UTC)
    walk = spooled(desk.spool, EVENTS, SPOOLED, None, [event(SPOOLED, cents=200), event(SPOOLED, cents=100, kind="Included in Business")])
    desk.events(
        SPOOLED, {"charged_usd": N(2)}, {"charged_usd": N(1), "kind": "Included in Business"}, at=morning, vendor_total_usd=N(3),
        spool_path=walk.relative_path if has_file else "gone", **BEFORE, **bounds(SPOOLED),
    )  # fmt: skip
    desk.quiet(GONE, HIDDEN)
    for _ in range(2):
        read_again(desk.warehouse, Loader(desk.warehouse), desk.spool)
        assert desk.one("SELECT vendor_total_usd FROM stg_current_fetches WHERE usage_date = @d", d=SPOOLED) == 2
        assert desk.one("SELECT told_at FROM stg_current_fetches WHERE usage_date = @d", d=SPOOLED) == morning
        assert desk.ask("SELECT usage_date FROM vw_certificate WHERE usage_date = @d AND state = 'complete'", d=SPOOLED) == []
        assert desk.ask("SELECT usage_date FROM vw_restatements") == [], "what was not said yet was not restated"


def test_a_later_answer_of_the_vendor_is_the_vendors_change(old: Desk) -> None:
    """After the rule's version comes the vendor's: same bytes are none, other bytes are one."""
    from ai_usage.loading import Loader
    from ai_usage.loading.again import read_again

    read_again(old.warehouse, Loader(old.warehouse), old.spool)
    nobody = {k: v for k, v in event(SPOOLED, cents=50).items() if k != "userEmail"}
    same = [event(SPOOLED, cents=200), event(SPOOLED, cents=100, kind="Included in Business"), nobody]
    assert old.load_day(EVENTS, SPOOLED, same).days_unchanged == 1
    old.load_day(EVENTS, SPOOLED, [*same, event(SPOOLED, cents=7)])
    found = old.ask("SELECT change_usd, changed_by FROM vw_restatements WHERE usage_date = @day ORDER BY version_no", day=SPOOLED)
    assert [tuple(r.values()) for r in found] == [(N("-0.5"), "rule"), (N("0.07"), "vendor")]


def test_totals_alone_are_made_anew_where_nothing_is_spooled(old: Desk) -> None:
    """What `--as-of` does with versions of before: the rows stay, the totals are of today's rule, so the proofs hold."""
    (old.spool / old.one("SELECT spool_path FROM raw_fetches WHERE fetch_id = 'first'")).unlink()
    assert total_again(old.warehouse) == 3 and total_again(old.warehouse) == 0
    transform.build(old.warehouse, SPOOLED, HIDDEN, as_of=AS_OF)
    assert cost(old) == [(SPOOLED, N(2)), (GONE, N(3)), (HIDDEN, N("2.5"))]
    unknown = old.ask("SELECT usage_date, unknown_money_count FROM stg_current_fetches WHERE unknown_money_count > 0 ORDER BY 1")
    assert [tuple(r.values()) for r in unknown] == [(SPOOLED, 1), (HIDDEN, 1)], "a record whose bytes are gone stays unread, and is named"


def test_a_column_that_need_not_be_filled_any_more_is_opened_in_an_old_file(desk: Desk) -> None:
    """raw_cursor_events.user_email was required: an existing file takes events that name nobody."""
    import duckdb

    with duckdb.connect(str(desk.path)) as con:
        con.execute("ALTER TABLE raw_cursor_events ALTER COLUMN user_email SET NOT NULL")
        con.execute("COMMENT ON TABLE raw_fetches IS 'of the version before'")
    desk.warehouse._ensured = False
    desk.load_day(EVENTS, GONE, [{**event(GONE, cents=70), "userEmail": None}])
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == N("0.7")


def test_a_damaged_spool_file_is_read_as_no_new_figures(old: Desk) -> None:
    """A file that lost its last record would make a smaller day "by the rule"; its days keep their rows, and the file is named."""
    from ai_usage.loading import Loader
    from ai_usage.loading.again import read_again

    path = old.spool / old.one("SELECT spool_path FROM raw_fetches WHERE fetch_id = 'first'")
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        lines = stream.read().splitlines(keepends=True)
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(b"".join(lines[:-1]))
    done = read_again(old.warehouse, Loader(old.warehouse), old.spool)
    assert done.read == 0 and len(done.failures) == 1 and f"{path} holds fewer records than came" in done.failures[0]
    assert old.one("SELECT COUNT(*) FROM raw_cursor_events WHERE fetch_id = 'first'") == 2
    path.write_bytes(b"no zstd")
    assert "cannot be read" in read_again(old.warehouse, Loader(old.warehouse), old.spool).failures[0]

"""Forgetting a person: no byte names her, no figure moves, and vendors that still name her change nothing.

The truth is the simulator's: who she is, what she cost, what each day cost. Chloe Banks has an alias and a department.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ai_usage import tables
from ai_usage.loading import Forgotten
from ai_usage.operations import erasure, erasure_sql
from ai_usage.operations.erasure import Outcome, forget
from ai_usage.sources import redaction
from ai_usage.sources.uploads import client as uploads
from ai_usage.tables.schema import Personal
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage_tests.fixtures.company import DAYS, FIRST, LAST, Company, Prepared, assert_sentence, company, plain, rows, snapshot

WHO, ALIAS, NAMES = "chloe.banks@example.com", "cbanks@example.com", ("Chloe", "Banks")
OTHER = "ana.example@example.com"
TRACES = [WHO, ALIAS, *NAMES]
SCENE = """
UPDATE raw_cursor_events SET extra = '{"phone": "+1 555 0100"}' WHERE lower(user_email) LIKE 'chloe.banks%';
UPDATE raw_cursor_events SET extra = '{"cc": "jo.chloe.banks@example.com,Chloe.Banks+x@example.com;cbanks@example.com"}' WHERE user_email = 'ana.example@example.com';
UPDATE raw_cursor_members SET role = 'deputy of chloe.banks@example.com.' WHERE email = 'ana.example@example.com';
INSERT INTO raw_rejects (usage_date, fetch_id, fetched_at, source, endpoint, record_number, column_name, value, reason, remedy, payload)
SELECT usage_date, fetch_id, fetched_at, source, endpoint, 1, 'name', 'Chloe Banks', 'is missing', 'Add it.',
       '{"email": "CBanks@example.com", "name": "Chloe Banks", "chargedCents": 12.5}' FROM raw_fetches WHERE endpoint = 'members';
INSERT INTO raw_fetches (fetch_id, source, endpoint, usage_date, fetched_at, state, origin, error)
SELECT 'planted', 'cursor', 'members', DATE '2026-01-02', fetched_at, 'failed', 'api', 'no such member: <chloe.banks@example.com>' FROM raw_fetches LIMIT 1;
"""


@pytest.fixture(scope="module")
def hers(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse and the spool of the prepared company, with her in every corner."""
    data = tmp_path_factory.mktemp("hers") / "data"
    shutil.copytree(prepared.data / "spool", data / "spool")
    shutil.copyfile(prepared.db, data / prepared.db.name)
    with duckdb.connect(str(data / prepared.db.name)) as con:
        con.execute(SCENE)
    for outcome in ("loaded", "refused"):
        folder = data / "uploads" / outcome
        folder.mkdir(parents=True)
        (folder / "cursor_members-1.csv").write_text(
            f"id,name,email,role\nuser_1,Ana Example,{OTHER},member\nuser_2,Chloe Banks,{WHO.title()},member\n"
        )
    (data / "uploads" / "refused" / "cursor_members-1.txt").write_text(f"row 3 names {ALIAS}\n")
    return data


@pytest.fixture
def firm(tmp_path: Path, hers: Path) -> Iterator[Company]:
    with company(tmp_path, data=hers) as found:
        yield found


@dataclass
class Done:
    """A firm in which she was forgotten, and what it held before."""

    firm: Company
    outcome: Outcome
    billed: dict[tuple[object, ...], Decimal]
    others: list[tuple[object, ...]]
    numbers: list[str]
    ages: dict[Path, int]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, hers: Path) -> Iterator[Done]:
    with company(tmp_path_factory.mktemp("done"), data=hers) as found:
        cost = sum((v for (_, who), v in found.world.truth.billed_usd_by_day_user(FIRST, LAST).items() if who == WHO), Decimal(0))
        assert of_her(found, WHO) == cost > 0
        others = rows(found.db, f"SELECT * FROM dim_users WHERE email != '{WHO}' ORDER BY ALL")
        before = (billed(found.db), others, numbers(found), ages(found))
        yield Done(found, act(found), *before)


def numbers(firm: Company) -> list[str]:
    """Every number of every spooled record, as it is written."""
    found = []
    for path in sorted((firm.data / "spool").rglob("*.ndjson.zst")):
        lines = pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd").read().decode().splitlines()
        found += [repr(re.findall(r"(?<=[:\s])-?\d[\d.eE+-]*", line)) for line in lines]
    return found


def ages(firm: Company) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in (firm.data / "spool").rglob("*") if p.is_file()}


def act(firm: Company, really: bool = True, who: str = WHO) -> Outcome:
    with firm.runtime() as runtime, runtime.held():  # as the command does
        return forget(runtime, who, really=really)


def traces(firm: Company) -> list[str]:
    """Every file that names her, in plain or packed bytes."""
    found = []
    for path in sorted(p for p in firm.data.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.suffix == ".zst":
            content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
        # Not hers: an address that ends like hers. Not a name: the vendor's id of her, which the simulator makes of it and which stays.
        content = re.sub(rb"jo\.chloe\.banks@example\.com|user_ChloeBanks\d+", b"", content)
        found += [f"{path.name}: {word}" for word in TRACES if word.encode().lower() in content.lower()]
    return found


def billed(db: Path) -> dict[tuple[object, ...], Decimal]:
    sql = "SELECT cost_date, platform, api_key_id, department, cost_center, SUM(cost_usd) FROM"
    by_key = rows(db, "SELECT 'key', cost_date, platform, api_key_id, SUM(cost_usd) FROM fct_cost_daily GROUP BY ALL")
    by_department = rows(db, f"{sql} (SELECT *, NULL AS api_key_id FROM vw_cost_allocation) GROUP BY ALL")
    return {tuple(row[:-1]): row[-1] for row in by_key + by_department}


def of_her(firm: Company, written: str) -> Decimal:
    [(found,)] = rows(
        firm.db, "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE platform = 'cursor' AND cost_type = 'usage' AND user_email = ?", [written]
    )
    return Decimal(found)


def test_the_scene_names_her_everywhere(firm: Company) -> None:
    assert {name.partition(":")[0] for name in traces(firm)} >= {"ai_usage.duckdb", "cursor_members-1.csv", "cursor_members-1.txt"}
    assert len([t for t in traces(firm) if ".zst" in t]) > 10


def test_no_byte_names_her_and_no_figure_moves(done: Done) -> None:
    firm, outcome = done.firm, done.outcome
    assert traces(firm) == [] and outcome.left == []
    assert billed(firm.db) == done.billed
    assert of_her(firm, outcome.token) == sum(
        (v for (_, who), v in firm.world.truth.billed_usd_by_day_user(FIRST, LAST).items() if who == WHO), Decimal(0)
    )
    assert rows(firm.db, f"SELECT * FROM dim_users WHERE email != '{outcome.token}' ORDER BY ALL") == done.others
    assert re.fullmatch(r"forgotten-[0-9a-f]{16}@forgotten\.invalid", outcome.token)
    assert rows(firm.db, "SELECT user_id = sha256(email), first_name, last_name FROM dim_users WHERE email = ?", [outcome.token]) == [
        (True, None, None)
    ]


def test_what_others_said_keeps_all_but_her_address(done: Done) -> None:
    firm, token = done.firm, done.outcome.token
    [(extra,)] = rows(firm.db, f"SELECT DISTINCT extra FROM raw_cursor_events WHERE user_email = '{OTHER}'")
    assert json.loads(extra) == {"cc": f"jo.chloe.banks@example.com,{token};{token}"}
    assert rows(firm.db, f"SELECT DISTINCT role FROM raw_cursor_members WHERE email = '{OTHER}'") == [(f"deputy of {token}.",)]
    assert rows(firm.db, "SELECT error FROM raw_fetches WHERE fetch_id = 'planted'") == [(f"no such member: <{token}>",)]
    assert rows(firm.db, "SELECT column_name, value, reason, payload FROM raw_rejects") == [("name", None, "is missing", redaction.EMPTIED)]
    assert rows(firm.db, f"SELECT DISTINCT extra FROM raw_cursor_events WHERE user_email = '{token}'") == [(None,)]
    loaded, refused = ((firm.data / "uploads" / o / "cursor_members-1.csv").read_text().splitlines() for o in ("loaded", "refused"))
    assert loaded == ["id,name,email,role", f"user_1,Ana Example,{OTHER},member", f"user_2,,{token},member"]
    assert refused == loaded[:2], "nothing of a refused file counts, so her row goes whole"


def test_the_spool_keeps_every_number_to_the_last_digit(done: Done) -> None:
    assert numbers(done.firm) == done.numbers and len(done.numbers) > 100
    assert ages(done.firm) == done.ages, "retention goes by age"


def test_a_salted_hash_is_all_that_is_kept(done: Done) -> None:
    held = rows(done.firm.db, "SELECT address_hmac, salt, token FROM forgotten_people")
    keyed = {hmac.new(bytes.fromhex(salt), a.encode(), hashlib.sha256).hexdigest() for _, salt, _ in held for a in (WHO, ALIAS)}
    assert {h for h, _, _ in held} == keyed and len({salt for _, salt, _ in held}) == 1 and len(held[0][1]) == 64
    known = Forgotten(DuckDBWarehouse(done.firm.db))
    assert known.anyone() and known(WHO) == known(ALIAS) == held[0][2] and known(OTHER) is None


def test_vendors_and_files_that_still_name_her_bring_nothing_back(done: Done) -> None:
    """The next runs read some of the days again, one restated; the sheet and the alias still name her, and so does a dropped file."""
    firm, token = done.firm, done.outcome.token
    fetched = rows(firm.db, "SELECT count(*) FROM raw_fetches WHERE changed")
    reports = firm.load(DAYS[2], DAYS[4])
    assert rows(firm.db, "SELECT count(*) FROM raw_fetches WHERE changed") == fetched, "what the vendor repeats is not loaded again"
    assert reports["filtered-usage-events"].days_unchanged == 3
    assert traces(firm) == []
    firm.world.restate(DAYS[3], "up")
    assert firm.load(DAYS[2], DAYS[4])["filtered-usage-events"].days_unchanged == 2
    drop = firm.data / "uploads" / "cursor_members-2.csv"
    drop.write_text(uploads.template("cursor_members").splitlines()[0] + f"\nuser_9,Chloe Banks,{WHO},member,false\n")
    with firm.runtime() as runtime:
        from ai_usage.operations.uploads import load_uploads

        load_uploads(runtime)
    assert not drop.exists() and traces(firm) == []
    books = firm.world.truth.billed_usd_by_day_user(FIRST, LAST)
    assert of_her(firm, token) == sum((v for (_, who), v in books.items() if who == WHO), Decimal(0))
    held = rows(
        firm.db, "SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily WHERE platform = 'cursor' AND cost_type = 'usage' GROUP BY ALL"
    )
    assert dict(held) == firm.world.truth.billed_usd_by_day(FIRST, LAST)
    assert rows(firm.db, "SELECT count(*) FROM dim_users WHERE email = ?", [token]) == [(1,)]


def test_nothing_is_done_without_yes(firm: Company) -> None:
    before = {p: p.read_bytes() for p in firm.data.rglob("*") if p.is_file()}
    done = firm.cli("forget", f"Chloe.Banks+tag@{WHO.partition('@')[2]}")
    assert done.returncode == 0, plain(done.stderr)
    said = dict(reversed(line.split(maxsplit=1)) for line in plain(done.stdout).splitlines()[:-1])
    assert (
        int(said["raw_cursor_events"])
        == rows(firm.db, "SELECT count(*) FROM raw_cursor_events WHERE user_email ILIKE '%banks%' OR extra ILIKE '%banks%'")[0][0]
    )
    assert said["uploads"] == "3" and int(said["spool"]) > 50 and "2 addresses; nothing was changed" in plain(done.stdout)
    assert {p: p.read_bytes() for p in firm.data.rglob("*") if p.is_file()}.keys() == before.keys()
    assert [p for p, content in before.items() if p != firm.db and p.read_bytes() != content] == []
    assert rows(firm.db, "SELECT count(*) FROM forgotten_people") == rows(firm.db, "SELECT count(*) FROM forget_log") == [(0,)]


def test_the_command_does_it_once_and_logs_it_without_an_address(firm: Company) -> None:
    (firm.data / "report.html").write_text(f"an older report about {WHO}")
    copied = firm.data / "reports" / "mine.html"
    copied.parent.mkdir()
    copied.write_text(f"a copy about {ALIAS}")
    done = firm.cli("forget", ALIAS, "--yes")
    assert done.returncode == 0 and "stands in the person's place" in done.stdout, plain(done.stderr)
    assert f"left {copied} still names the person" in " ".join(plain(done.stderr).split())
    copied.unlink()
    assert traces(firm) == [], "the report was written anew"
    log = rows(firm.db, "SELECT what, changed, acted_by FROM forget_log ORDER BY what")
    assert ("finished", 0) in [row[:2] for row in log] and dict(r[:2] for r in log)["uploads"] == 3 and all(row[2] for row in log)
    again = firm.cli("forget", WHO, "--yes")
    assert "nothing names this person any more" in again.stdout
    assert len(rows(firm.db, "SELECT DISTINCT token FROM forgotten_people")) == 1 and rows(
        firm.db, "SELECT count(*) FROM forgotten_people"
    ) == [(2,)]


def test_what_is_no_address_is_refused(firm: Company) -> None:
    assert_sentence(firm.cli("forget", "Chloe Banks"), "is no e-mail address")


def test_crashes_midway_are_repaired_by_running_again(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = billed(firm.db)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DuckDBWarehouse, "rewrite", crash)
        act(firm)
    assert rows(firm.db, "SELECT count(*) FROM forgotten_people") == [(0,)] and of_her(firm, WHO) > 0, (
        "nothing is begun before the transaction"
    )
    for owner, what in ((redaction, "redact_spool"), (DuckDBWarehouse, "compact")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(owner, what, crash)
            act(firm)
        assert traces(firm), f"stopped at {what}, it is not done"
        [(token,)] = rows(firm.db, "SELECT DISTINCT token FROM forgotten_people")
    assert act(firm).token == token
    assert traces(firm) == [] and billed(firm.db) == before


def test_a_sum_that_would_move_undoes_everything(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(firm.db)
    monkeypatch.setattr(
        erasure, "AFTERWARDS", [lambda: ["UPDATE fct_cost_daily SET cost_usd = cost_usd + 0.000000001 WHERE token_type IS NULL"]]
    )
    with pytest.raises(WarehouseError, match="the sums of fct_cost_daily would not stay as it was, at .*; nothing was changed"):
        act(firm)
    assert snapshot(firm.db) == before
    monkeypatch.setattr(
        erasure, "AFTERWARDS", [lambda: ["UPDATE forget_log SET changed = 7 WHERE act_id = @act_id AND what = 'dim_users'"]]
    )
    act(firm)
    assert rows(firm.db, "SELECT changed FROM forget_log WHERE what = 'dim_users'") == [(7,)], (
        "and what may follow does, in the same transaction"
    )


def test_two_people_of_the_facts_who_are_one_by_now(firm: Company) -> None:
    """Facts older than the alias hold a row of each; one token would give two rows one key, so they become one."""
    before = billed(firm.db)
    people = rows(firm.db, "SELECT count(*) FROM dim_users")
    with duckdb.connect(str(firm.db)) as con:
        con.execute(
            f"INSERT INTO dim_users SELECT * REPLACE ('{ALIAS}' AS email, sha256('{ALIAS}') AS user_id) FROM dim_users WHERE email = '{WHO}'"
        )
    token = act(firm).token
    assert rows(firm.db, "SELECT count(*) FROM dim_users") == people
    assert rows(firm.db, f"SELECT user_id = sha256('{token}') FROM dim_users WHERE email = '{token}'") == [(True,)]
    assert billed(firm.db) == before and traces(firm) == []


# Declarations ---------------------------------------------------------------------------------------------------------


def test_every_column_that_is_named_like_an_address_is_declared_to_hold_one() -> None:
    named = [(t.name, c.name) for t in tables.ALL for c in t.columns if re.search(r"e?mail|alias", c.name)]
    assert len(named) > 25
    undeclared = [(t, c) for t, c in named if tables.BY_NAME[t].column(c).personal not in (Personal.EMAIL, Personal.ADDRESSES)]
    assert undeclared == [], "declare it with email(...) or personal=, so that `ai-usage forget` finds it"


def test_every_column_of_names_is_declared_too() -> None:
    """`name` is a person's where the table has an address, and a key's or a workspace's elsewhere."""
    found = [
        (t.name, c.name)
        for t in tables.ALL
        for c in t.columns
        if re.fullmatch(r"(first_|last_|display_)?name", c.name)
        and t.personal(Personal.EMAIL)
        and not t.view
        and c.personal is not Personal.NAME
    ]
    assert found == []
    assert ("dim_users", "first_name", Personal.NAME) in erasure_sql.personal_columns()
    assert {t for t, _, _ in erasure_sql.personal_columns()} >= {
        "raw_cursor_events",
        "raw_rejects",
        "raw_sheet_people",
        "fct_cost_daily",
        "dim_api_keys",
    }

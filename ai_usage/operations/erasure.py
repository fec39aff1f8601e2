"""Forgetting a person: everything that names one becomes a random token, and no figure moves.

Belongs here: whose addresses they are, which statements follow from the declarations in `tables/`, the order of the act, and its log. Does not
belong here: how an engine keeps a transaction, how a record is rewritten (`sources/redaction.py`), printing.

Order of the act, so that a crash at any point is repaired by running it again: first one transaction that notes the addresses as keyed hashes, so
that every load from then on replaces them, changes all tables, and proves that sums per day, platform, key and department are what they were;
then the files; then the database file is written anew, since freed blocks keep their bytes. A new table is covered by its declaration: a text
column without `personal` is searched for the addresses as well.

A person may stand under two addresses in one day, week or month: the alias came after the facts, or went again, or after a month was closed. One
token would give two such rows one key, so they become one row in the same transaction: facts are added up, stored totals are made from the
facts again, and of two rows about the person the main address's stays.
"""

from __future__ import annotations

import getpass
import hashlib
import mmap
import os
import re
import secrets as random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai_usage import __version__, tables
from ai_usage.errors import SettingsError
from ai_usage.finance import closing
from ai_usage.guards.files import NotPlainError
from ai_usage.loading.forgotten import Forgotten, digest
from ai_usage.operations.report import write_html_report
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.redaction import fold
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.tables.schema import Column, Personal, Table, Type
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import DuckDBWarehouse, Warehouse, models
from ai_usage.warehouse.base import every_day

_ADDRESS = re.compile(r"[^@\s<>\",;:]+@[^@\s<>\",;:]+\.[^@\s<>\",;:]+")
_OWN_TABLES = {t.name for t in tables.OPERATIONS if t.name in {"forgotten_people", "forget_log"}}
STORED = tuple(t for t in tables.ALL if not t.view and t.name not in _OWN_TABLES)
"""Every table that is searched."""
AFTERWARDS: tuple[Callable[[], Sequence[str]], ...] = (closing.rewritten,)
"""Statements that follow in the same transaction, such as new hashes of rows that were closed. They may name @act_id, @acted_at, @acted_by, @token and @version."""
ADDED_UP = ("fct_usage_daily", "fct_cost_daily", "fct_cost_corrections")
"""Facts whose rows of one key become one. Beside their key they have measures, a settle state and the moment of their making."""
CORRECTIONS = "fct_cost_corrections"
ONE_EACH = ("dim_users", "dim_user_assignments")
"""What is told of a person once: of two addresses the main one's rows stay, as the next run would make them."""
PERSON_TOTALS = tuple(n for n in totals.NAMES if tables.BY_NAME[n].personal(Personal.EMAIL))


@dataclass
class Outcome:
    """What names the person, and what became of it. `changed` counts rows by table, and records and rows of files under `spool` and `uploads`."""

    token: str
    addresses: int
    changed: dict[str, int] = field(default_factory=dict)
    left: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    """Files that could not be read: while one of them stands, nobody knows that it does not name the person, and the erasure is incomplete."""


def forget(runtime: Runtime, email: str, *, really: bool) -> Outcome:
    """Find all that names the person with this address, and with `really` replace it. Without it nothing is written.

    Raises `SettingsError` for what is no address, `WarehouseError` where a sum would not stay as it is: then no table has changed.
    """
    if not _ADDRESS.fullmatch(email.strip()):
        raise SettingsError(f"{email!r} is no e-mail address; name the person as ai-usage forget name@example.com.")
    warehouse, forgotten = runtime.existing(), runtime.forgotten
    forgotten.refresh()
    mine = addresses(warehouse, email)
    known = {token for a in mine if forgotten.anyone() and (token := forgotten(a))}
    token = min(known) if known else f"forgotten-{random.token_hex(8)}@forgotten.invalid"
    parameters = _parameters(mine, token)
    outcome = Outcome(token, len(mine))
    outcome.changed = {table.name: n for table, n in _held(warehouse, parameters).items() if n}
    swap: redaction.Swap = dict.fromkeys(mine, token).get
    if not really:
        _count_files(runtime, swap, outcome, dry=True)
        return outcome
    first, last = totals.EVER
    act: dict[str, Any] = {
        "act_id": random.token_hex(8),
        "acted_at": datetime.now(UTC),
        "acted_by": _who(),
        "token": token,
        "version": __version__,
    }
    totalled = {"processed_at": act["acted_at"], "start_date": first, "end_date": last}
    changes, noted = _tombstones(forgotten, mine, token)
    unchanged: dict[str, str] = {}
    if outcome.changed:
        touched = [tables.BY_NAME[name] for name in outcome.changed]
        merging = _merging(warehouse, touched, parameters, mine[0])
        changes += merging.before + [_update(table) for table in touched]
        for place, (name, n) in enumerate(outcome.changed.items()):
            changes.append(_log(f"what_{place}", f"changed_{place}"))
            act |= {f"what_{place}": name, f"changed_{place}": n}
        changes += merging.after + [statement for more in AFTERWARDS for statement in more()]
        # The ledger of closed months grows by the new hashes, so its own sums are no proof.
        unchanged = _unchanged([t for t in touched if t.name != "month_closings"], merging)
        act |= merging.parameters
    if changes:
        warehouse.rewrite(changes, parameters | act | noted | totalled, unchanged)
    forgotten.refresh()
    _count_files(runtime, forgotten, outcome, dry=False)  # by the hashes: an interrupted act no longer knows the other addresses
    for what in ("spool", "uploads"):
        if outcome.changed.get(what):
            warehouse.execute(_log(), act | {"what": what, "changed": outcome.changed[what]})
    if isinstance(warehouse, DuckDBWarehouse):
        warehouse.compact()
    if runtime.settings.report_file.exists():
        write_html_report(runtime)
    warehouse.execute(_log(), act | {"what": "incomplete" if outcome.unread else "finished", "changed": len(outcome.unread)})
    outcome.left = list(_left(runtime, mine))
    return outcome


def addresses(warehouse: Warehouse, email: str) -> list[str]:
    """The folded addresses of the person, the main one first: the one given, the one that it is an alias of, and every alias that the sheet ever
    gave it, without those that are another person's by now."""
    given = fold(email)
    aliases = {r["alias"]: r["email"] for r in warehouse.select("SELECT alias, email FROM stg_email_aliases").to_pylist()}
    main = aliases.get(given, given)
    found = {given, main}
    others, others_now = set(), set()
    rows = warehouse.select(
        f"""
        SELECT DISTINCT email, aliases, fetch_id IN (SELECT version_fetch_id FROM stg_snapshots) AS is_now
        FROM raw_sheet_people WHERE {every_day("usage_date")}
        """
    )
    for row in rows.to_pylist():
        if fold(row["email"]) == main:
            found |= {fold(a) for a in re.split(r"[;,\s]+", row["aliases"] or "") if "@" in a}
        else:
            others.add(fold(row["email"]))
            others_now |= {fold(row["email"])} if row["is_now"] else set()
    # An address that had a row of its own and is an alias now is a person's older name.
    theirs = {a for a in found if a in (others_now if aliases.get(a) == main else others) or aliases.get(a, main) != main}
    hers = (found - theirs) | {given}
    return [main, *sorted(hers - {main})]


def personal_columns() -> list[tuple[str, str, Personal]]:
    """(table, column, how it names a person) of every stored table, from the declarations."""
    return [(t.name, c.name, c.personal) for t in STORED for c in t.columns if c.personal]


# Statements ---------------------------------------------------------------------------------------------------


def _parameters(mine: Sequence[str], token: str) -> dict[str, Any]:
    """What the statements are given: two patterns in RE2, which every engine reads alike, and what comes in their place."""
    spelled = "|".join(rf"{re.escape(a.partition('@')[0])}(?:\+[^@\s]*)?@{re.escape(a.partition('@')[2])}" for a in mine)
    return {
        "whole": rf"(?i)^\s*(?:{spelled})\s*$",
        "found": rf"(?i)(^|[^\pL\pN._%+\-]|\\[nrt])(?:{spelled})($|\.$|\.[^\pL\pN]|[^\pL\pN.\-_])",
        "kept": rf"\1{token}\2",
        "token": token,
        "emptied": redaction.EMPTIED,
        "digests": [hashlib.sha256(a.encode()).hexdigest() for a in mine],
        "digest": hashlib.sha256(token.encode()).hexdigest(),
    }


def _texts(table: Table) -> list[Column]:
    return [c for c in table.columns if c.type is Type.STRING and not c.allowed and c.personal is not Personal.DIGEST]


def _mentions(columns: Sequence[Column]) -> str:
    """Whether any of these holds one of the addresses, looked for once a row."""
    return "REGEXP_CONTAINS(CONCAT(" + ", '\\n', ".join(f"COALESCE({c.name}, '')" for c in columns) + ", '\\n'), @found)"


def _clean(name: str) -> str:
    """Twice, since two addresses side by side share the character between them."""
    return f"REGEXP_REPLACE(REGEXP_REPLACE({name}, @found, @kept), @found, @kept)"


def _own(table: Table) -> str:
    """Whether a row is the person's own."""
    named = [f"REGEXP_CONTAINS(COALESCE({c.name}, ''), @whole)" for c in table.personal(Personal.EMAIL)]
    records = table.personal(Personal.RECORD)
    return "(" + " OR ".join(named or ([_mentions(records)] if records else ["FALSE"])) + ")"


def _where(table: Table) -> str:
    digests = [f"{c.name} IN UNNEST(@digests)" for c in table.personal(Personal.DIGEST)]
    any_of = " OR ".join([_mentions(_texts(table)), *digests])
    return f"({any_of})" + (f" AND {every_day(table.date_column)}" if table.date_column else "")


def _held(warehouse: Warehouse, parameters: dict[str, Any]) -> dict[Table, int]:
    """How many rows of each table name the person."""
    searched = [t for t in STORED if _texts(t)]
    parts = [f"SELECT '{t.name}' AS name, COUNT(*) AS n FROM {t.name} WHERE {_where(t)}" for t in searched]
    found = {row["name"]: row["n"] for row in warehouse.select("\nUNION ALL\n".join(parts), parameters).to_pylist()}
    return {t: found[t.name] for t in searched}


def _update(table: Table) -> str:
    own = _own(table)
    sets = []
    for c in _texts(table):
        if c.personal is Personal.EMAIL:
            sets.append(f"{c.name} = CASE WHEN REGEXP_CONTAINS(COALESCE({c.name}, ''), @whole) THEN @token ELSE {_clean(c.name)} END")
        elif c.personal:
            empty = "CAST(NULL AS STRING)" if c.nullable else "@emptied" if c.personal is Personal.RECORD else "''"
            sets.append(f"{c.name} = CASE WHEN {own} THEN {empty} ELSE {_clean(c.name)} END")
        else:
            sets.append(f"{c.name} = {_clean(c.name)}")
    sets += [f"{c.name} = CASE WHEN {c.name} IN UNNEST(@digests) THEN @digest ELSE {c.name} END" for c in table.personal(Personal.DIGEST)]
    return f"UPDATE {table.name} SET {', '.join(sets)} WHERE {_where(table)}"


def _unchanged(touched: Sequence[Table], merging: Merging) -> dict[str, str]:
    """{what: question} whose answers must be the same after as before: sums by all that names no person, and no two rows of one key."""
    asked = {}
    for table in touched:
        asked[f"the sums of {table.name}"] = _sums(table, merging)
        if any(table.column(k).personal for k in table.key):
            days = f" WHERE {every_day(table.date_column)}" if table.date_column else ""
            asked[f"the number of repeated keys in {table.name}"] = (
                f"SELECT COUNT(*) AS n FROM (SELECT COUNT(*) AS n FROM {table.name}{days} GROUP BY {', '.join(table.key)} HAVING COUNT(*) > 1) AS k"
            )
    if merging.totals_stand:
        asked["the cost in agg_cost_months"] = _added("agg_cost_months", ("month", "platform"))
    asked["the cost in vw_cost_allocation"] = _added("vw_cost_allocation", ("cost_date", "platform", *merging.departments()))
    asked["the cost in stg_cost"] = _added("stg_cost", ("cost_date", "platform"))
    return asked


def _added(name: str, by: Sequence[str]) -> str:
    """Billed money by these expressions, without what comes to nothing: two corrections that are one now."""
    keys = ", ".join(f"{expression} AS d{n}" for n, expression in enumerate(by))
    return f"SELECT {keys}, SUM(cost_usd) AS usd FROM {name} GROUP BY {', '.join(str(n + 1) for n in range(len(by)))} HAVING SUM(cost_usd) != 0"


def _sums(table: Table, merging: Merging) -> str:
    """Of a table whose rows become fewer: facts add up as before by their key, and of all else it is the others' rows that stand."""
    numbers = [c for c in table.columns if c.type in (Type.NUMERIC, Type.INT64)]
    merged = table.name in merging.added_up
    if table.layer == "raw":
        by = ["usage_date", "fetch_id"]
    else:
        dimensions = [c for c in table.columns if c not in numbers and not c.personal and (not merged or c.name in table.key)]
        by = [_clean(c.name) if c in _texts(table) else c.name for c in dimensions]
    sums = [f"SUM({c.name}) AS s{n}" for n, c in enumerate(numbers)] + ([] if merged else ["COUNT(*) AS n"])
    keys = [f"{expression} AS d{n}" for n, expression in enumerate(by)]
    conditions = [every_day(table.date_column)] if table.date_column else []
    if table.name in merging.one_each or table.name in PERSON_TOTALS:
        conditions.append(f"NOT {_stands(table)}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    grouped = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
    nothing = " HAVING SUM(cost_usd) != 0" if merged and table.name == CORRECTIONS else ""
    return f"SELECT {', '.join([*keys, *sums])} FROM {table.name}{where}{grouped}{nothing}"


def _log(what: str = "what", changed: str = "changed") -> str:
    """A row of the log; `what` and `changed` are the names of its parameters."""
    return (
        "INSERT INTO forget_log (act_id, acted_at, acted_by, token, what, changed) "
        f"VALUES (@act_id, @acted_at, @acted_by, @token, @{what}, @{changed})"
    )


def _tombstones(forgotten: Forgotten, mine: Sequence[str], token: str) -> tuple[list[str], dict[str, Any]]:
    """The statements that note the addresses, and their parameters; tombstones that are there stay."""
    salt = min(forgotten.salts, default=random.token_hex(32))
    new = [a for a in mine if not (forgotten.anyone() and forgotten(a))]
    statements = [
        f"INSERT INTO forgotten_people (address_hmac, salt, token, forgotten_at) VALUES (@address_{n}, @salt, @token, @acted_at)"
        for n in range(len(new))
    ]
    return statements, {"salt": salt} | {f"address_{n}": digest(address, salt) for n, address in enumerate(new)}


# Two addresses of one person ----------------------------------------------------------------------------------


@dataclass
class Merging:
    """What becomes one row where two addresses become one: in which tables, by which statements before and after the addresses are replaced.

    `moves` says that the person's cost may change its department, `totals_stand` that agg_cost_months are those of the facts before the act.
    """

    added_up: set[str] = field(default_factory=set)
    one_each: set[str] = field(default_factory=set)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    moves: bool = False
    totals_stand: bool = False

    def departments(self) -> tuple[str, ...]:
        """By which departments cost is proved: all of them, but where the person stood under two addresses, of open months the others' only. One
        person has one department a day, so cost under the other address follows; what is closed stays where it was booked."""
        if not self.moves:
            return "department", "cost_center"
        hers = f"{_stands(tables.BY_NAME['vw_cost_allocation'])} AND settle_state != 'closed'"
        return tuple(f"CASE WHEN {hers} THEN '(the person)' ELSE {name} END" for name in ("department", "cost_center"))


def _merging(warehouse: Warehouse, touched: Sequence[Table], parameters: dict[str, Any], main: str) -> Merging:
    """Ask what the person's addresses have in common, and say what becomes of it."""
    found, names = Merging(), {t.name for t in touched}
    for name in sorted(names.intersection(ONE_EACH)):
        table = tables.BY_NAME[name]
        under = warehouse.select(f"SELECT DISTINCT email FROM {name} WHERE {_stands(table)} ORDER BY email", parameters)
        held = under["email"].to_pylist()
        if len(held) > 1:
            found.one_each.add(name)
            found.parameters[f"kept_{name}"] = main if main in held else held[0]
            if name == "dim_users":
                found.before.append(
                    f"UPDATE {name} SET created_at = (SELECT MIN(created_at) FROM {name} WHERE {_stands(table)}), "
                    f"is_active = (SELECT LOGICAL_OR(is_active) FROM {name} WHERE {_stands(table)}) WHERE email = @kept_{name}"
                )
            found.before.append(f"DELETE FROM {name} WHERE {_stands(table)} AND email != @kept_{name}")
    for name in (n for n in ADDED_UP if n in names):
        table = tables.BY_NAME[name]
        same = ", ".join(_clean(k) if table.column(k) in _texts(table) else k for k in table.key if not table.column(k).personal)
        repeated = f"SELECT COUNT(*) AS n FROM {name} WHERE {_stands(table)} GROUP BY {same} HAVING COUNT(*) > 1"
        if warehouse.select(f"SELECT COUNT(*) AS n FROM ({repeated}) AS k", parameters)["n"][0].as_py():
            found.added_up.add(name)
            found.after += _add_up(table)
    if "fct_cost_daily" in found.added_up:
        found.after += _total(tables.BY_NAME["agg_cost_days"])  # it holds settle states, of which one is left where two were
    for name in (n for n in PERSON_TOTALS if n in names):
        found.after += _total(tables.BY_NAME[name])
    if "agg_cost_months" in names:
        first, last = totals.EVER
        checks = [warehouse.select(f.difference_sql, {"start_date": first, "end_date": last}) for f in FACTS["agg_cost_months"]]
        # Where a run ended before it wrote the totals they are behind the facts, and to make hers anew is to move them.
        found.totals_stand = not any(value for answer in checks for row in answer.to_pylist() for value in row.values())
    under = " UNION DISTINCT ".join(
        f"SELECT {column} AS email FROM {name} WHERE {_stands(tables.BY_NAME[name])}"
        for name, column in (("fct_cost_daily", "user_email"), (CORRECTIONS, "user_email"), ("dim_user_assignments", "email"))
    )
    found.moves = len(warehouse.select(under, parameters)) > 1
    return found


def _stands(table: Table) -> str:
    """Whether a row of a table with one address is the person's, before the addresses are replaced and after."""
    (column,) = table.personal(Personal.EMAIL)
    return f"(REGEXP_CONTAINS(COALESCE({column.name}, ''), @whole) OR COALESCE({column.name}, '') = @token)"


def _add_up(table: Table) -> list[str]:
    """The token's rows, those of one key added up. A correction that comes to nothing goes, as it would never have been written."""
    (person,) = table.personal(Personal.EMAIL)
    said = []
    for c in table.columns:
        if c.name in table.key:
            said.append(c.name)
        elif c.type in (Type.INT64, Type.NUMERIC):
            said.append(f"SUM({c.name}) AS {c.name}")
        else:
            # open, provisional, settled: the first in the alphabet is the least final.
            said.append(f"{'MAX' if c.type is Type.TIMESTAMP else 'MIN'}({c.name}) AS {c.name}")
    names, where = ", ".join(table.column_names), f"WHERE {person.name} = @token"
    # With the table's name: the alias says cost_usd too.
    nothing = f" HAVING SUM({table.name}.cost_usd) != 0" if table.name == CORRECTIONS else ""
    merged = f"SELECT {', '.join(said)} FROM {table.name} {where} GROUP BY {', '.join(table.key)}{nothing}"
    return [
        f"CREATE OR REPLACE TEMP TABLE merged_{table.name} AS {merged}",
        f"DELETE FROM {table.name} {where}",
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM merged_{table.name}",
    ]


def _total(table: Table) -> list[str]:
    """The token's rows of a stored total made from the facts as they are now, by its own model; the whole table where it names nobody."""
    hers = " AND ".join(f"{c.name} = @token" for c in table.personal(Personal.EMAIL)) or "TRUE"
    names, made = ", ".join(table.column_names), models.model(table.name).sql.strip().rstrip(";")
    return [
        f"DELETE FROM {table.name} WHERE {hers}",
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM (\n{made}\n) AS made WHERE {hers}",
    ]


# Files --------------------------------------------------------------------------------------------------------


def _count_files(runtime: Runtime, swap: redaction.Swap, outcome: Outcome, *, dry: bool) -> None:
    """Spool and drop folder, rewritten or, `dry`, only counted. Files that wait to be loaded are left: their load replaces the address."""
    if isinstance(swap, Forgotten) and not swap.anyone():
        return
    spool, uploads = runtime.settings.spool_dir, runtime.settings.uploads
    records = rows = 0
    for path in sorted(spool.rglob("*.ndjson.zst")):
        source, name = path.relative_to(spool).parts[:2]
        try:
            records += redaction.redact_spool(path, ENDPOINTS.get((source, name)), swap, dry=dry)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None):
                raise  # the disk's answer; bytes that cannot be unpacked or read as records have no number
            outcome.unread.append(path if dry else _set_aside(path, runtime.settings))
    aside = runtime.settings.damaged
    outcome.unread = sorted({*outcome.unread, *(p for p in aside.rglob("*.ndjson.zst"))})
    for folder in ("loaded", "refused"):
        for path in sorted(p for p in (uploads / folder).glob("*") if p.suffix.lower() in {".csv", ".txt"}):
            try:
                rows += redaction.redact_file(path, swap, keep_rows=folder == "loaded", dry=dry)
            except NotPlainError:
                outcome.unread.append(path)
    outcome.changed |= {what: n for what, n in (("spool", records), ("uploads", rows)) if n}


def _set_aside(path: Path, settings: Settings) -> Path:
    """Move a damaged file of the spool, and what tells of its pages, to where nothing reads it; returns where it lies."""
    place = settings.damaged / path.relative_to(settings.spool_dir)
    place.parent.mkdir(parents=True, exist_ok=True)
    pages = path.with_name(path.name.removesuffix(".ndjson.zst") + ".pages.jsonl")
    if pages.exists():
        pages.replace(place.with_name(pages.name))
    return path.replace(place)


def _left(runtime: Runtime, mine: Sequence[str]) -> Iterator[Path]:
    """Files of the platform that still hold an address in plain bytes: Dagster's records of old checks, copies of reports, files not loaded yet."""
    pattern = re.compile(rb"(?<![\w.%+-])(?:" + b"|".join(re.escape(a.encode()) for a in mine) + rb")", re.IGNORECASE)
    settings = runtime.settings
    homes = {settings.data_dir.resolve(), settings.dagster_home, settings.uploads}
    files = {p for home in homes for p in home.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size}
    for path in sorted(files):
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if pattern.search(content):
                    yield path
        except OSError:
            yield path  # what cannot be read is not known to be free of it


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"

"""Forgetting a person: everything that names one becomes a random token, and no figure moves.

Belongs here: whose addresses they are, which statements follow from the declarations in `tables/`, the order of the act, and its log. Does not
belong here: how an engine keeps a transaction, how a record is rewritten (`sources/redaction.py`), printing.

Order of the act, so that a crash at any point is repaired by running it again: first the addresses are noted as keyed hashes, so that every load
from then on replaces them; then all tables change in one transaction that proves that sums per day, platform, key and department are what they
were; then the files; then the database file is written anew, since freed blocks keep their bytes. A new table is covered by its declaration: a
text column without `personal` is searched for the addresses as well.
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

from ai_usage import __version__, closing, tables
from ai_usage.loading.forgotten import Forgotten, digest
from ai_usage.operations import write_html_report
from ai_usage.runtime import Runtime
from ai_usage.settings import SettingsError
from ai_usage.sources import redaction
from ai_usage.sources.redaction import fold
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.tables.schema import Column, Personal, Table, Type
from ai_usage.warehouse import DuckDBWarehouse, Warehouse
from ai_usage.warehouse.base import every_day

_ADDRESS = re.compile(r"[^@\s<>\",;:]+@[^@\s<>\",;:]+\.[^@\s<>\",;:]+")
_OWN_TABLES = {t.name for t in tables.OPERATIONS if t.name in {"forgotten_people", "forget_log"}}
STORED = tuple(t for t in tables.ALL if not t.view and t.name not in _OWN_TABLES)
"""Every table that is searched."""
AFTERWARDS: tuple[Callable[[], Sequence[str]], ...] = (closing.rewritten,)
"""Statements that follow in the same transaction, such as new hashes of rows that were closed. They may name @act_id, @acted_at, @acted_by, @token and @version."""


@dataclass
class Outcome:
    """What names the person, and what became of it. `changed` counts rows by table, and records and rows of files under `spool` and `uploads`."""

    token: str
    addresses: int
    changed: dict[str, int] = field(default_factory=dict)
    left: list[Path] = field(default_factory=list)


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
    act: dict[str, Any] = {
        "act_id": random.token_hex(8),
        "acted_at": datetime.now(UTC),
        "acted_by": _who(),
        "token": token,
        "version": __version__,
    }
    _note(warehouse, forgotten, mine, token)
    if outcome.changed:
        touched = [tables.BY_NAME[name] for name in outcome.changed]
        changes = [_update(table) for table in touched]
        for place, (name, n) in enumerate(outcome.changed.items()):
            changes.append(_log(f"what_{place}", f"changed_{place}"))
            act |= {f"what_{place}": name, f"changed_{place}": n}
        changes += [statement for more in AFTERWARDS for statement in more()]
        # The ledger of closed months grows by the new hashes, so its own sums are no proof.
        proved = [t for t in touched if t.name != "month_closings"]
        warehouse.rewrite(changes, parameters | act, _unchanged(proved))
    _count_files(runtime, forgotten, outcome, dry=False)  # by the hashes: an interrupted act no longer knows the other addresses
    for what in ("spool", "uploads"):
        if outcome.changed.get(what):
            warehouse.execute(_log(), act | {"what": what, "changed": outcome.changed[what]})
    if isinstance(warehouse, DuckDBWarehouse):
        warehouse.compact()
    if runtime.settings.report_file.exists():
        write_html_report(runtime)
    warehouse.execute(_log(), act | {"what": "finished", "changed": 0})
    outcome.left = list(_left(runtime, mine))
    return outcome


def addresses(warehouse: Warehouse, email: str) -> list[str]:
    """The folded addresses of the person: the one given, the one that it is an alias of, and every alias that the sheet ever gave it, without
    those that are another person's by now."""
    given = fold(email)
    aliases = {r["alias"]: r["email"] for r in warehouse.select("SELECT alias, email FROM stg_email_aliases").to_pylist()}
    main = aliases.get(given, given)
    found = {given, main}
    others = set()
    for row in warehouse.select(f"SELECT DISTINCT email, aliases FROM raw_sheet_people WHERE {every_day('usage_date')}").to_pylist():
        if fold(row["email"]) == main:
            found |= {fold(a) for a in re.split(r"[;,\s]+", row["aliases"] or "") if "@" in a}
        else:
            others.add(fold(row["email"]))
    return sorted(a for a in found if a in {given, main} or (a not in others and aliases.get(a, main) == main))


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


def _unchanged(touched: Sequence[Table]) -> dict[str, str]:
    """{what: question} whose answers must be the same after as before: sums by all that names no person, and no two rows of one key."""
    asked = {}
    for table in touched:
        asked[f"the sums of {table.name}"] = _sums(table)
        if any(table.column(k).personal for k in table.key):
            days = f" WHERE {every_day(table.date_column)}" if table.date_column else ""
            asked[f"the number of repeated keys in {table.name}"] = (
                f"SELECT COUNT(*) AS n FROM (SELECT COUNT(*) AS n FROM {table.name}{days} GROUP BY {', '.join(table.key)} HAVING COUNT(*) > 1) AS k"
            )
    for view, by in (
        ("vw_cost_allocation", ("cost_date", "platform", "department", "cost_center")),
        ("stg_cost", ("cost_date", "platform")),
    ):
        asked[f"the cost in {view}"] = f"SELECT {', '.join(by)}, SUM(cost_usd) AS usd FROM {view} GROUP BY {', '.join(by)}"
    return asked


def _sums(table: Table) -> str:
    numbers = [c for c in table.columns if c.type in (Type.NUMERIC, Type.INT64)]
    if table.layer == "raw":
        by = ["usage_date", "fetch_id"]
    else:
        by = [_clean(c.name) if c in _texts(table) else c.name for c in table.columns if c not in numbers and not c.personal]
    sums = [f"SUM({c.name}) AS s{n}" for n, c in enumerate(numbers)]
    keys = [f"{expression} AS d{n}" for n, expression in enumerate(by)]
    days = f" WHERE {every_day(table.date_column)}" if table.date_column else ""
    grouped = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
    return f"SELECT {', '.join([*keys, *sums, 'COUNT(*) AS n'])} FROM {table.name}{days}{grouped}"


def _log(what: str = "what", changed: str = "changed") -> str:
    """A row of the log; `what` and `changed` are the names of its parameters."""
    return (
        "INSERT INTO forget_log (act_id, acted_at, acted_by, token, what, changed) "
        f"VALUES (@act_id, @acted_at, @acted_by, @token, @{what}, @{changed})"
    )


def _note(warehouse: Warehouse, forgotten: Forgotten, mine: Sequence[str], token: str) -> None:
    """The tombstones; those that are there stay."""
    salt = min(forgotten.salts, default=random.token_hex(32))
    for address in mine:
        if forgotten.anyone() and forgotten(address):
            continue
        warehouse.execute(
            "INSERT INTO forgotten_people (address_hmac, salt, token, forgotten_at) VALUES (@address_hmac, @salt, @token, @forgotten_at)",
            {"address_hmac": digest(address, salt), "salt": salt, "token": token, "forgotten_at": datetime.now(UTC)},
        )
    forgotten.refresh()


# Files --------------------------------------------------------------------------------------------------------


def _count_files(runtime: Runtime, swap: redaction.Swap, outcome: Outcome, *, dry: bool) -> None:
    """Spool and drop folder, rewritten or, `dry`, only counted. Files that wait to be loaded are left: their load replaces the address."""
    if isinstance(swap, Forgotten) and not swap.anyone():
        return
    spool, uploads = runtime.settings.spool_dir, runtime.settings.uploads
    records = rows = 0
    for path in sorted(spool.rglob("*.ndjson.zst")):
        source, name = path.relative_to(spool).parts[:2]
        records += redaction.redact_spool(path, ENDPOINTS.get((source, name)), swap, dry=dry)
    for folder in ("loaded", "refused"):
        for path in sorted(p for p in (uploads / folder).glob("*") if p.suffix.lower() in {".csv", ".txt"}):
            rows += redaction.redact_file(path, swap, keep_rows=folder == "loaded", dry=dry)
    outcome.changed |= {what: n for what, n in (("spool", records), ("uploads", rows)) if n}


def _left(runtime: Runtime, mine: Sequence[str]) -> Iterator[Path]:
    """Files of the platform that still hold an address in plain bytes: Dagster's records of old checks, copies of reports, files not loaded yet."""
    pattern = re.compile(rb"(?<![\w.%+-])(?:" + b"|".join(re.escape(a.encode()) for a in mine) + rb")", re.IGNORECASE)
    settings = runtime.settings
    homes = {settings.data_dir.resolve(), settings.dagster_home, settings.uploads}
    files = {p for home in homes for p in home.rglob("*") if p.is_file() and p.stat().st_size}
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

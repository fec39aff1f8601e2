"""The statements of an erasure, from the declarations in `tables/`: what is searched, what is changed, what must stay as it was, and what becomes one row.

Belongs here: SQL, and the few questions that decide which. Does not belong here: whose addresses they are and the order of the act (`erasure.py`), files
(`erasure_files.py`).
"""

from __future__ import annotations

import hashlib
import re
import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ai_usage import tables
from ai_usage.loading.forgotten import Forgotten, digest
from ai_usage.sources import redaction
from ai_usage.tables.schema import Column, Personal, Table, Type
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import Warehouse, models
from ai_usage.warehouse.base import every_day

_OWN_TABLES = {t.name for t in tables.OPERATIONS if t.name in {"forgotten_people", "forget_log"}}
STORED = tuple(t for t in tables.ALL if not t.view and t.name not in _OWN_TABLES)
"""Every table that is searched."""
ADDED_UP = ("fct_usage_daily", "fct_cost_daily", "fct_cost_corrections")
"""Facts whose rows of one key become one. Beside their key they have measures, a settle state and the moment of their making."""
CORRECTIONS = "fct_cost_corrections"
ONE_EACH = ("dim_users", "dim_user_assignments")
"""What is told of a person once: of two addresses the main one's rows stay, as the next run would make them."""
PERSON_TOTALS = tuple(n for n in totals.NAMES if tables.BY_NAME[n].personal(Personal.EMAIL))


def personal_columns() -> list[tuple[str, str, Personal]]:
    """(table, column, how it names a person) of every stored table, from the declarations."""
    return [(t.name, c.name, c.personal) for t in STORED for c in t.columns if c.personal]


def matching(mine: Sequence[str], token: str) -> dict[str, Any]:
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


def held(warehouse: Warehouse, parameters: dict[str, Any]) -> dict[Table, int]:
    """How many rows of each table name the person."""
    searched = [t for t in STORED if _texts(t)]
    parts = [f"SELECT '{t.name}' AS name, COUNT(*) AS n FROM {t.name} WHERE {_where(t)}" for t in searched]
    found = {row["name"]: row["n"] for row in warehouse.select("\nUNION ALL\n".join(parts), parameters).to_pylist()}
    return {t: found[t.name] for t in searched}


def update(table: Table) -> str:
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


def unchanged_sums(touched: Sequence[Table], merging: Merging) -> dict[str, str]:
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


def log_row(what: str = "what", changed: str = "changed") -> str:
    """A row of the log; `what` and `changed` are the names of its parameters."""
    return (
        "INSERT INTO forget_log (act_id, acted_at, acted_by, token, what, changed) "
        f"VALUES (@act_id, @acted_at, @acted_by, @token, @{what}, @{changed})"
    )


def tombstones(forgotten: Forgotten, mine: Sequence[str], token: str) -> tuple[list[str], dict[str, Any]]:
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


def merging_of(warehouse: Warehouse, touched: Sequence[Table], parameters: dict[str, Any], main: str) -> Merging:
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

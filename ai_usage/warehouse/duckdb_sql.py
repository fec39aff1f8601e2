"""What DuckDB is told: a statement with the models that it reads in front of it, and nothing of those that are empty.

Planning is most of what a statement costs at a company's size, and it costs as much for a vendor that is not on. So where stored tables are known to hold no row
(the file says so in the same transaction), a model that can have none (`emptiness.py`) is an empty relation of its columns, and whatever reads it is written out.
The answer is the same: `properties/test_pruning.py`.

Belongs here: text, put together from models that are translated one by one. Does not belong here: connections (`duckdb.py`), translation (`dialect.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import duckdb

from ai_usage import tables
from ai_usage.tables.schema import Table
from ai_usage.warehouse import dialect, emptiness, models


@dataclass(frozen=True)
class Statement:
    """DuckDB's text, and the parameters that it names: DuckDB refuses others."""

    text: str
    parameters: frozenset[str]


def view(table: Table) -> str:
    """A view's SELECT. Cast to the declared types: a SUM of BIGINT is HUGEINT in DuckDB, which Arrow would hand on as a float."""
    columns = ", ".join(f'CAST("{c.name}" AS {c.duckdb_type}) AS "{c.name}"' for c in table.columns)
    return f"SELECT {columns} FROM ({dialect.to_duckdb(models.view_sql(models.model(table.name)))})"


@lru_cache(maxsize=1024)
def statement(sql: str, *, ranged: bool, held: tuple[str, ...] = (), empty: frozenset[str] = frozenset()) -> Statement:
    """A BigQuery statement for DuckDB.

    Args:
        sql: the statement.
        ranged: whether `@start_date` and `@end_date` reach the staging that it reads (`models.expand`); else views show all days.
        held: staging whose rows lie in tables `held_<name>`.
        empty: stored tables that hold no row.

    Returns:
        The text with every relation in front of it that is not read as its stored view: staging of a day range, what is empty, and what reads that.
    """
    void = emptiness.empty_models(empty)
    parts: dict[str, str] = {}
    named = set(dialect.parameters(sql))

    def put(text: str) -> None:
        for name in dialect.references(text) & _views() - parts.keys() - set(held):
            model = models.model(name)
            if name in void:
                parts[name] = _nothing(model.table)
            elif ranged and models.is_ranged_staging(name):
                parts[name] = f"{name} AS ({dialect.to_duckdb(model.sql)})"
                named.update(dialect.parameters(model.sql))
                put(model.sql)
            # A mart in a day range shows all days, so it may not find the staging of the range under the name of its own.
            elif _reads(name, void) and not (ranged and model.table.layer != "staging"):
                parts[name] = f"{name} AS NOT MATERIALIZED ({view(model.table)})"
                put(model.sql)

    put(sql)
    parts |= {name: f"{name} AS (SELECT * FROM held_{name})" for name in held if name not in void}
    text = dialect.to_duckdb(sql)
    if parts:
        front = ", ".join(parts[name] for name in models.all_models() if name in parts)
        text = f"WITH {front} SELECT * FROM ({text}) AS expanded"
    return Statement(text, frozenset(named))


def reads_views(sql: str) -> bool:
    """Whether anything could be left out of it."""
    return bool(dialect.references(sql) & _views())


def empty_tables(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The stored tables that hold no row in this transaction. Not one is named where the file's views are not all of this version: a view that somebody
    replaced is asked as it stands."""
    made = con.execute("SELECT view_name FROM duckdb_views() WHERE comment = ?", [models.fingerprint()]).fetchall()
    if _views() - {name for (name,) in made}:
        return frozenset()
    stored = [t.name for t in tables.ALL if not t.view]
    filled = con.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM \"{name}\" LIMIT 1)" for name in stored)).fetchall()
    return frozenset(stored) - {name for (name,) in filled}


@lru_cache(maxsize=1)
def _views() -> frozenset[str]:
    return frozenset(m.table.name for m in models.views())


@lru_cache(maxsize=4096)
def _reads(name: str, void: frozenset[str]) -> bool:
    """Whether a view reads one that is empty, through others too."""
    inputs = _views() & set(models.model(name).inputs)
    return not inputs.isdisjoint(void) or any(_reads(other, void) for other in inputs)


def _nothing(table: Table) -> str:
    columns = ", ".join(f'CAST(NULL AS {c.duckdb_type}) AS "{c.name}"' for c in table.columns)
    return f"{table.name} AS (SELECT {columns} WHERE FALSE)"

"""What a person's question may name: the declared tables, the engine's list of them, and functions of the dialect.

Belongs here: what is refused before an engine sees it. Each rule lists what is allowed: engines have too many doors to list those. Does not belong here: bounds of time
and memory (the engines), and what every statement of the platform itself must keep (`models.question`).
"""

from __future__ import annotations

import difflib

from sqlglot import exp

from ai_usage import tables
from ai_usage.warehouse import dialect
from ai_usage.warehouse.base import WarehouseError

# GoogleSQL's functions that sqlglot knows by name alone. Any other name that it does not know is an engine's own, such as `current_setting`.
FUNCTIONS = frozenset({"ERROR", "IEEE_DIVIDE", "NULLIFZERO", "ZEROIFNULL"})
LISTS = frozenset({"columns", "schemata", "tables", "views"})
_CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Create, exp.Drop, exp.Command)
LIST = "SELECT table_name, column_name FROM information_schema.columns lists all."


def check(sql: str) -> None:
    """Raises `WarehouseError`, one sentence, for a statement that a person may not send."""
    tree = dialect.parse(sql)
    if not isinstance(tree, exp.Query) or tree.find(*_CHANGES):
        raise WarehouseError("only a SELECT can be asked here; the tables are written by assets alone.")
    if tree.find(exp.Parameter, exp.Placeholder, exp.SessionParameter):
        raise WarehouseError("a question has no parameters; write the value into the SQL.")
    for function in tree.find_all(exp.Anonymous, exp.AnonymousAggFunc):
        if function.name.upper() not in FUNCTIONS:
            raise WarehouseError(f"{function.name} is no function of BigQuery's dialect; use one of GoogleSQL's.")
    own = {cte.alias for cte in tree.find_all(exp.CTE) if cte.alias.isidentifier()}
    for table in tree.find_all(exp.Table):
        _check(table, own)


def _check(table: exp.Table, own: set[str]) -> None:
    """A table by its name alone, a list of information_schema, or a WITH's own; a WITH named like a file could stand for the file elsewhere."""
    place, _, name = ".".join(part.name for part in table.parts).rpartition(".")
    if place.lower() == "information_schema":
        if name.lower() not in LISTS:
            raise WarehouseError(f"information_schema.{name} is not shown here; ask one of {', '.join(sorted(LISTS))}.")
    elif place or (name not in own and name not in tables.BY_NAME):
        said = f"{place}.{name}" if place else name
        near = ", ".join(difflib.get_close_matches(name, tables.BY_NAME, 3))
        raise WarehouseError(f"there is no table {said} here; {f'did you mean {near}? ' if near else ''}{LIST}")

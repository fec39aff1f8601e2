"""The files under `sql/`: finding them, reading their headers, and what each depends on.

Belongs here: which file makes which table, and the unions that let a new vendor join by adding two staging files. Does
not belong here: running them (each engine does) and what they say.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import sqlglot

from ai_usage import tables, vendors
from ai_usage.tables import texts
from ai_usage.tables.schema import Table
from ai_usage.warehouse import dialect, sheet_models, vendor_models
from ai_usage.warehouse.base import WarehouseError

LAYERS = ("staging", "curated", "marts")

# Columns of the common shapes that say who or which: here their texts are folded, for every vendor alike.
_EMAILS = frozenset({"user_email", "email", "creator_email"})
_NAMES = frozenset({"api_key_id", "api_key_name", "workspace_id"})
SHAPES = ("usage", "cost", "seats", "keys", "people", "workspaces", "charges", "billed", "list_value", "priority_tokens")
"""What vendors tell in one shape each: stg_<shape> is the union of whatever stg_*_<shape> there are."""


@dataclass(frozen=True)
class Model:
    """One SELECT that makes one declared table or view. `inputs` are the tables it reads."""

    table: Table
    sql: str
    path: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(sorted(dialect.references(self.sql) & set(tables.BY_NAME)))


@lru_cache(maxsize=1)
def sql_root() -> Path:
    """The folder `sql/`: beside the package in a checkout, inside it when installed."""
    checkout = Path(__file__).resolve().parents[2] / "sql"
    if checkout.is_dir():
        return checkout
    return Path(str(resources.files("ai_usage"))) / "_sql"


def files(layer: str) -> list[Path]:
    """The models of a layer by name; a vendor's staging lies in a folder of its own, or in its own distribution."""
    brought = vendors.sql_folders() if layer == "staging" else ()
    return sorted((path for folder in (sql_root() / layer, *brought) for path in folder.rglob("*.sql")), key=lambda path: path.stem)


def _shown(path: Path) -> str:
    """A file as documentation names it."""
    if path.is_relative_to(sql_root()):
        return f"sql/{path.relative_to(sql_root()).as_posix()}"
    folder = next(folder for folder in vendors.sql_folders() if path.is_relative_to(folder))
    return path.relative_to(folder.parents[1]).as_posix()


@lru_cache(maxsize=1)
def all_models() -> dict[str, Model]:
    """Every model by table name, in an order in which each finds its inputs made."""
    found: dict[str, Model] = {}
    for layer in LAYERS:
        for path in files(layer):
            if path.stem not in tables.BY_NAME:
                raise LookupError(f"{path} makes {path.stem}, which ai_usage/tables does not declare; declare it there.")
            found[path.stem] = Model(tables.BY_NAME[path.stem], path.read_text(encoding="utf-8"), _shown(path))
    for name, sql in sheet_models.all_sql().items():
        found[name] = Model(tables.BY_NAME[name], sql, "ai_usage/warehouse/sheet_models.py")
    for name, sql in vendor_models.all_sql().items():
        found[name] = Model(tables.BY_NAME[name], sql, "ai_usage/warehouse/vendor_models.py")
    for kind in SHAPES:
        union = tables.BY_NAME[f"stg_{kind}"]
        parts = [name for name in found if name.startswith("stg_") and name.endswith(f"_{kind}")]
        needed = [c.name for c in union.columns if not c.nullable and c.name in _EMAILS | _NAMES]
        known = " AND ".join(f"{_fold(name)} IS NOT NULL" for name in needed)
        where = f" WHERE {known}" if known else ""
        # One account holds one seat, however a day spells it.
        select = "SELECT DISTINCT" if kind == "seats" else "SELECT"
        sql = "\nUNION ALL\n".join(f"{select} {_padded(union, tables.BY_NAME[part])} FROM {part}{where}" for part in parts)
        found[union.name] = Model(union, sql, f"sql/staging/stg_*_{kind}.sql")
    # A vendor's report that names keys by their names asks the rule of its own keys: those of others may be learned from every event ever kept.
    rule, keys = found["stg_key_bearers"], tables.BY_NAME["stg_keys"]
    for name in sorted(tables.BY_NAME.keys() - found.keys()):
        if name.endswith("_key_bearers"):
            part = f"stg_{name.removeprefix('stg_').removesuffix('_key_bearers')}_keys"
            own = f"FROM (SELECT {_padded(keys, tables.BY_NAME[part])} FROM {part}) AS own"
            found[name] = Model(tables.BY_NAME[name], rule.sql.replace("FROM stg_keys", own), rule.path)
    return _ordered(found)


def _padded(union: Table, part: Table) -> str:
    """The columns of a union as one of its parts gives them, texts that say who or which folded: NULL where the part does not declare one."""
    return ", ".join(_folded(c.name) if c.name in part.column_names else f"CAST(NULL AS {c.type.value}) AS {c.name}" for c in union.columns)


def model(name: str) -> Model:
    """The model of that table; LookupError names what there is."""
    try:
        return all_models()[name]
    except KeyError:
        raise LookupError(f"no file under sql/ makes {name!r}; there are {', '.join(all_models())}.") from None


@lru_cache(maxsize=256)
def tables_read(name: str) -> frozenset[str]:
    """The stored tables and the marts that a model reads, staging seen through, itself left out."""
    found: set[str] = set()
    for other in model(name).inputs:
        found |= tables_read(other) if tables.BY_NAME[other].layer == "staging" else {other}
    return frozenset(found - {name})


@lru_cache(maxsize=256)
def expand(sql: str, held: tuple[str, ...] = ()) -> str:
    """The statement with every staging model that it reads put in front of it, so that their `@start_date` and `@end_date` reach the raw tables:
    a day then costs a day. Unchanged when it reads none. The views of the same names show the same models over all days. Names in `held` stay as
    they are: `over` says where their rows lie.
    """
    wanted: set[str] = set()

    def collect(text: str) -> None:
        for name in dialect.references(text) & all_models().keys() - set(held):
            if name not in wanted and is_ranged_staging(name):
                wanted.add(name)
                collect(all_models()[name].sql)

    collect(sql)
    if not wanted:
        return sql
    parts = ",\n".join(f"{name} AS (\n{_bare(all_models()[name].sql)}\n)" for name in all_models() if name in wanted)
    return f"WITH {parts}\nSELECT * FROM (\n{_bare(sql)}\n) AS expanded"


@lru_cache(maxsize=64)
def shared(statements: tuple[str, ...]) -> tuple[str, ...]:
    """Staging of a day range that several of these statements read: computed once, it serves a fact and its proofs."""
    read = Counter(name for sql in statements for name in dialect.references(sql) & all_models().keys())
    return tuple(name for name in all_models() if read[name] > 1 and is_ranged_staging(name))


def rows_of_days(name: str, date_column: str | None) -> str:
    """A question for what a staging model gives for `@start_date` to `@end_date`: the rows of its table `held_<name>`."""
    where = f" WHERE {date_column} BETWEEN @start_date AND @end_date" if date_column in tables.BY_NAME[name].column_names else ""
    return f"SELECT * FROM {name}{where}"


def staged(name: str, date_column: str | None) -> str:
    """`rows_of_days` with the staging that it reads in front of it."""
    return expand(rows_of_days(name, date_column))


def over(select: str, held: tuple[str, ...]) -> str:
    """A statement of any engine that reads the tables `held_<name>` where it names `<name>`, and nobody else does: no view sees them."""
    if not held:
        return select
    return f"WITH {', '.join(f'{name} AS (SELECT * FROM held_{name})' for name in held)}\nSELECT * FROM (\n{_bare(select)}\n) AS asked"


def may_be_asked(sql: str) -> None:
    """Raises `WarehouseError` unless the statement only reads, and only tables."""
    if not dialect.is_read_only(sql):
        raise WarehouseError("only a SELECT can be asked here; the tables are written by assets alone.")
    if functions := dialect.table_functions(sql):
        raise WarehouseError(
            f"{functions[0]} is no table; ask the tables by their names (SELECT table_name FROM information_schema.tables)."
        )


def question(sql: str, parameters: Mapping[str, object] | None) -> str:
    """A read-only statement as an engine runs it: with a day range given, staging is asked for those days only."""
    may_be_asked(sql)
    return expand(sql) if parameters and "start_date" in parameters else sql


def view_sql(model: Model) -> str:
    """A view's SELECT: a staging model over all days."""
    return re.sub(r"@end_date\b", "DATE '9999-12-31'", re.sub(r"@start_date\b", "DATE '0001-01-01'", model.sql))


@lru_cache(maxsize=256)
def is_ranged_staging(name: str) -> bool:
    """Whether a model is staging that takes a day range, itself or in what it reads."""
    if not name.startswith("stg_"):
        return False
    sql = all_models()[name].sql
    return "start_date" in dialect.parameters(sql) or any(
        is_ranged_staging(other) for other in dialect.references(sql) & all_models().keys()
    )


def _fold(column: str) -> str:
    """What a column of identity means: NULL for a text that means nothing, what is invisible left out; an e-mail in lower case, without its wrapping and its
    plus-tag. What is no address is a label, such as "(org service usage)"."""
    if column in _EMAILS:
        return texts.fold_sql(column)
    if column == "account":
        return texts.address_sql(column)
    name, nothing = f"TRIM({texts.visible_sql(column)})", ", ".join(f"'{text}'" for text in texts.NOTHING)
    return f"CASE WHEN LOWER({name}) NOT IN ({nothing}) THEN {name} END"


def _folded(column: str) -> str:
    return f"{_fold(column)} AS {column}" if column in {"account", *_EMAILS, *_NAMES} else column


def _bare(sql: str) -> str:
    """A statement without its leading comment lines and final semicolon: it will stand inside another one."""
    lines = sql.strip().rstrip(";").splitlines()
    while lines and lines[0].lstrip().startswith("--"):
        lines.pop(0)
    return "\n".join(lines)


def views() -> list[Model]:
    return [m for m in all_models().values() if m.table.view]


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Changes when a declaration, a file under `sql/`, the translation or sqlglot does. Reads text only: parsing costs 0.3 s."""
    said = [repr([(t.name, t.columns, t.view) for t in tables.ALL]), sqlglot.__version__]
    said += [p.read_text(encoding="utf-8") for layer in LAYERS for p in files(layer)]
    written = (dialect.__file__, sheet_models.__file__, texts.__file__, __file__, Path(__file__).with_name("duckdb_sql.py"))
    said += [Path(p).read_text(encoding="utf-8") for p in written]
    said += vendor_models.all_sql().values()
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _ordered(models: dict[str, Model]) -> dict[str, Model]:
    """Inputs first. A model may read its own table (people, incrementally); nothing else may run in a circle."""
    ordered: dict[str, Model] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in visiting:
            raise LookupError(f"the models under sql/ depend on each other in a circle through {name!r}; break it.")
        visiting.add(name)
        for other in models[name].inputs:
            if other in models and other != name:
                visit(other)
        visiting.discard(name)
        ordered[name] = models[name]

    for name in models:
        visit(name)
    return ordered

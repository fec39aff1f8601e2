"""Which rows of the sheet count: one SELECT for each tab, written from its business key.

Belongs here: the keys, and the one rule for all tabs. Rows that agree in their key and in what they say count once. Rows that agree in their key
alone contradict each other: none is new, and what the last snapshot without the contradiction said stands. The order of rows decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ai_usage.tables import sheet
from ai_usage.tables.raw import LINEAGE


def _folded(column: str) -> str:
    return f"LOWER(TRIM(COALESCE(r.{column}, '')))"


_EMAIL = r"REGEXP_REPLACE(LOWER(TRIM(COALESCE(r.email, ''))), r'\+[^@]*@', '@')"
_FROM = "COALESCE(r.valid_from, DATE '1900-01-01')"
_UNREAD = "COALESCE(r.unread, '')"  # two names that cannot be read are one only where the same stands there


def _unless(column: str, otherwise: str, nothing: str) -> str:
    """What tells rows apart that lack the number of their document."""
    return f"CASE WHEN {_folded(column)} = '' THEN {otherwise} ELSE {nothing} END"


def _written(money: str) -> tuple[str, ...]:
    return (f"r.{money}", "r.currency", "r.written_amount")


def _alone(column: str, money: str) -> tuple[str, ...]:
    amount = f"COALESCE(r.{money}, r.written_amount)"
    return (_unless(column, amount, "CAST(0 AS NUMERIC)"), _unless(column, "COALESCE(r.currency, 'USD')", "''"))


@dataclass(frozen=True)
class _Key:
    """What tells rows apart, never NULL, and what rows of one key must agree in."""

    key: tuple[str, ...]
    says: tuple[str, ...]


KEYS = {
    "api_keys": _Key(("TRIM(r.api_key_name)", _FROM), (_EMAIL, "r.valid_to")),
    "people": _Key((_EMAIL, _FROM), (_folded("department"), "TRIM(r.cost_center)", "r.valid_to")),
    "claude_ai_usage": _Key(("r.activity_date", _EMAIL), ("r.conversations", "r.messages", "r.projects", "r.files")),
    "subscriptions": _Key(
        ("r.platform", _folded("plan"), _EMAIL, _folded("contract_id"), _FROM, _UNREAD), ("r.seats", "r.valid_to", *_written("price_usd"))
    ),
    "invoices": _Key(
        ("r.platform", "DATE_TRUNC(r.invoice_month, MONTH)", _folded("invoice_number"), "COALESCE(r.cost_type, 'usage')", _folded("description"),
         _UNREAD, *_alone("invoice_number", "amount_usd")),
        _written("amount_usd"),
    ),
    "budgets": _Key(("DATE_TRUNC(r.month, MONTH)", _folded("department"), _folded("platform")), _written("budget_usd")),
    "adjustments": _Key(
        ("r.adjustment_date", "r.platform", "COALESCE(r.cost_type, 'adjustment')", _EMAIL, _folded("reference"), _UNREAD,
         _unless("reference", _folded("reason"), "''"), _unless("reference", _folded("author"), "''"), *_alone("reference", "amount_usd")),
        _written("amount_usd"),
    ),
    "fx_rates": _Key(("DATE_TRUNC(r.month, MONTH)", "r.currency"), ("r.usd",)),
}  # fmt: skip


def _columns(tab: str) -> list[str]:
    return [LINEAGE[0].name, *(c.name for c in sheet.TABS[tab].columns if c not in LINEAGE)]


def _keyed(tab: str, join: str, *more: str) -> str:
    """Rows with their key and with what they say, each in columns of its own."""
    key = KEYS[tab]
    parts = [f"r.{c}" for c in _columns(tab)] + list(more)
    parts += [f"{k} AS key_{n}" for n, k in enumerate(key.key)] + [f"{s} AS says_{n}" for n, s in enumerate(key.says)]
    return f"SELECT {', '.join(parts)} FROM raw_sheet_{tab} AS r {join}"


def _judged(tab: str, rows: str, *within: str) -> str:
    """Rows with their place among those of their key, and which of the things that rows of the key say they say: one, or they are disputed."""
    key = KEYS[tab]
    by = ", ".join((*within, *(f"key_{n}" for n in range(len(key.key)))))
    # By what a row says, not by where it stands: rows that agree may differ in the spelling of a name.
    order = ", ".join([*_columns(tab)[2:], "sheet_row"])
    says = ", ".join(f"says_{n}" for n in range(len(key.says)))
    return (
        "SELECT *, MAX(variant) OVER w > 1 AS is_disputed, MIN(sheet_row) OVER w AS lowest, MAX(sheet_row) OVER w AS highest, "
        "MAX(CASE WHEN place = 1 THEN sheet_row END) OVER w AS standing "
        f"FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY {order}) AS place, "
        f"DENSE_RANK() OVER (PARTITION BY {by} ORDER BY {says}) AS variant FROM {rows}) AS placed WINDOW w AS (PARTITION BY {by})"
    )


def _now(tab: str) -> str:
    snapshot = "INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id"
    keyed = f"{_keyed(tab, snapshot)} WHERE s.source = 'google_sheets' AND s.endpoint = '{tab}'"
    return _judged(tab, f"({keyed}) AS keyed")


def rows_sql(tab: str) -> str:
    """The rows of a tab that count."""
    key = KEYS[tab]
    names = [f"key_{n}" for n in range(len(key.key))]
    columns = _columns(tab)
    seen = f"""(
      SELECT version_fetch_id, MAX(fetched_at) AS last_seen_at FROM raw_fetches
      WHERE source = 'google_sheets' AND endpoint = '{tab}' AND state = 'complete' GROUP BY version_fetch_id
    )"""
    every = _keyed(tab, f"INNER JOIN {seen} AS v ON r.fetch_id = v.version_fetch_id", "v.last_seen_at")
    same = " AND ".join(f"e.{n} = d.{n}" for n in names)
    before = ", ".join("now_row AS sheet_row" if name == "sheet_row" else name for name in columns)
    sql = f"""WITH now AS (
  {_now(tab)}
),
disputed AS (SELECT {", ".join(names)}, MIN(sheet_row) AS now_row FROM now WHERE is_disputed GROUP BY {", ".join(names)}),
earlier AS (
  {_judged(tab, f"(SELECT e.*, d.now_row FROM ({every}) AS e INNER JOIN disputed AS d ON {same}) AS keyed", "last_seen_at")}
),
counted AS (
  SELECT {", ".join(columns)} FROM now WHERE place = 1 AND NOT is_disputed
  UNION ALL
  SELECT {before} FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY {", ".join(names)} ORDER BY last_seen_at DESC) AS latest
    FROM earlier WHERE place = 1 AND NOT is_disputed
  ) AS before WHERE latest = 1
)
"""
    if tab not in sheet.MONTHS:
        return sql + f"SELECT {', '.join(columns)} FROM counted"
    month, money = sheet.MONTHS[tab]
    usd = f"COALESCE(c.{money}, CAST(c.written_amount * x.usd AS NUMERIC))"
    shown = ", ".join(f"{usd} AS {money}" if name == money else f"c.{name}" for name in columns)
    return sql + (
        f"SELECT {shown}, x.usd AS usd_rate FROM counted AS c LEFT JOIN stg_sheet_fx_rates_rows AS x "
        f"ON c.currency = x.currency AND DATE_TRUNC(c.{month}, MONTH) = DATE_TRUNC(x.month, MONTH) WHERE {usd} IS NOT NULL"
    )


def _repeats_sql() -> str:
    return "\nUNION ALL\n".join(
        f"SELECT '{tab}' AS tab, sheet_row, "
        "CASE WHEN is_disputed AND sheet_row = lowest THEN highest WHEN is_disputed THEN lowest ELSE standing END AS other_row, is_disputed "
        f"FROM ({_now(tab)}) AS judged WHERE is_disputed OR place > 1"
        for tab in KEYS
    )


def _unread_sql() -> str:
    return "\nUNION ALL\n".join(
        f"SELECT '{tab}' AS tab, r.sheet_row, JSON_VALUE(line, '$.c') AS column_name, JSON_VALUE(line, '$.v') AS value, "
        "JSON_VALUE(line, '$.r') AS reason, JSON_VALUE(line, '$.m') AS remedy "
        f"FROM raw_sheet_{tab} AS r INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id, UNNEST(JSON_QUERY_ARRAY(r.unread)) AS line "
        f"WHERE s.source = 'google_sheets' AND s.endpoint = '{tab}'"
        for tab in KEYS
    )


def all_sql() -> dict[str, str]:
    """{table: SELECT} of every model that is made here."""
    made = {table.name: rows_sql(tab) for tab, table in sheet.ROWS.items()}
    return made | {sheet.stg_sheet_repeats.name: _repeats_sql(), sheet.stg_sheet_unread.name: _unread_sql()}

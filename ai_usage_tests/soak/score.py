"""The verdict: the simulator's books against the warehouse, set-wise, in DuckDB itself.

Belongs here: what is compared with what, and how a difference is called. Nothing here asks the code under test what is right: truth is the
generator's ledger, and the only table that is believed is `raw_fetches`' clock, when a day's data was published.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ai_usage.simulator import World

BY_DAY = (
    ("cursor", "filtered-usage-events"), ("cursor", "daily-usage-data"), ("anthropic", "usage_report/messages"), ("anthropic", "cost_report"),
    ("anthropic", "usage_report/claude_code"),
)  # fmt: skip
SCHEMA = pa.schema([("ledger", pa.string()), ("day", pa.date32()), ("part", pa.string()), ("amount", pa.decimal128(38, 9))])
BILLED = "cost_type = 'usage' AND cost_date BETWEEN $first AND $last"
USED = "usage_date BETWEEN $first AND $last"
CLAUDE = "platform IN ('claude_api', 'claude_code')"
# What is held, in the shape of the books. One row a ledger, day and part.
HELD = f"""
  SELECT 'cursor, USD by person' AS ledger, cost_date AS day, user_email AS part, cost_usd AS amount
  FROM fct_cost_daily WHERE platform = 'cursor' AND {BILLED}
  UNION ALL SELECT 'claude, USD by platform', cost_date, platform, cost_usd FROM fct_cost_daily WHERE {CLAUDE} AND {BILLED}
  UNION ALL SELECT 'claude, USD by workspace', cost_date, workspace_id, cost_usd FROM fct_cost_daily WHERE {CLAUDE} AND {BILLED}
  UNION ALL SELECT 'claude, USD by key', cost_date, api_key_id, cost_usd FROM fct_cost_daily WHERE {CLAUDE} AND {BILLED}
  UNION ALL SELECT 'claude, USD by person', cost_date, user_email, cost_usd FROM fct_cost_daily WHERE {CLAUDE} AND {BILLED}
  UNION ALL SELECT 'seats, USD by platform', cost_date, platform, cost_usd
  FROM fct_cost_daily WHERE cost_type = 'subscription' AND cost_date BETWEEN $first AND $last
  UNION ALL SELECT 'cursor, included USD', usage_date, user_email, included_usd FROM fct_usage_daily WHERE platform = 'cursor' AND {USED}
  UNION ALL SELECT 'cursor, list USD', usage_date, user_email, list_usd FROM fct_usage_daily WHERE platform = 'cursor' AND {USED}
  UNION ALL SELECT 'cursor, lines', usage_date, user_email, loc_accepted FROM fct_usage_daily WHERE platform = 'cursor' AND {USED}
  UNION ALL SELECT 'cursor, output tokens', usage_date, user_email || '/' || model, output_tokens
  FROM fct_usage_daily WHERE platform = 'cursor' AND model IS NOT NULL AND {USED}
  UNION ALL SELECT 'claude, output tokens by key', usage_date, COALESCE(api_key_id, '-') || '/' || model, output_tokens
  FROM fct_usage_daily WHERE platform IN ('claude_api', 'claude_code') AND source = 'anthropic_messages' AND {USED}
  UNION ALL SELECT 'claude code, estimated USD', usage_date, user_email, estimated_usd FROM fct_usage_daily WHERE source = 'anthropic_claude_code' AND {USED}
  UNION ALL SELECT 'cursor, events', f.usage_date, 'records', f.row_count
  FROM stg_current_fetches AS f WHERE f.endpoint = 'filtered-usage-events' AND f.{USED}
  UNION ALL SELECT 'cost allocation, USD by platform', cost_date, platform, cost_usd FROM vw_cost_allocation
  WHERE cost_type IN ('usage', 'subscription') AND cost_date BETWEEN $first AND $last
"""
COMPARE = f"""
  WITH held AS (SELECT ledger, day, COALESCE(part, '-') AS part, SUM(amount) AS amount FROM ({HELD}) GROUP BY ALL HAVING SUM(amount) != 0)
  SELECT COALESCE(h.ledger, t.ledger) AS ledger, COALESCE(h.day, t.day) AS day, COALESCE(h.part, t.part) AS part, h.amount AS held, t.amount AS truth
  FROM held AS h FULL JOIN truth AS t ON h.ledger = t.ledger AND h.day = t.day AND h.part = t.part
  WHERE ABS(COALESCE(h.amount, 0) - COALESCE(t.amount, 0)) > 0.000000001 ORDER BY ALL
"""


@dataclass
class Verdict:
    """What was compared and what differed. A part that is missing or smaller is lost, one that is larger is doubled where it is a multiple or
    should not be there at all; anything else that differs is wrong. `usd` is by how much, over all ledgers of money."""

    compared: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    usd: dict[str, Decimal] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


@contextmanager
def opened(db: Path, patience_s: float = 90) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read only; a run may hold it for a moment."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            con = duckdb.connect(str(db), read_only=True)
            break
        except duckdb.IOException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    try:
        con.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'top_n_window_elimination'")
        yield con
    finally:
        con.close()


def truth(world: World, first: date, last: date) -> pa.Table:
    """The books of these days in one long table; zero is left out, as nothing and 0 cannot be told apart in a sum."""
    books, claude = world.truth, world.truth.anthropic
    found: dict[tuple[str, date, str], Decimal] = {}

    def add(ledger: str, day: date, part: str | None, amount: Decimal | int) -> None:
        if amount and first <= day <= last:
            key = (ledger, day, part or "-")
            found[key] = found.get(key, Decimal(0)) + Decimal(amount)

    for name, book in (
        ("cursor, USD by person", books.billed_usd_by_day_user(first, last)), ("cursor, included USD", books.included_usd_by_day_user(first, last)),
        ("cursor, list USD", books.list_usd_by_day_user(first, last)), ("cursor, lines", books.accepted_lines_by_day_user(first, last)),
        ("claude, USD by platform", claude.usd_by_day_platform(first, last)), ("claude, USD by workspace", claude.usd_by_day_workspace(first, last)),
        ("claude, USD by key", claude.usd_by_day_key(first, last)), ("claude, USD by person", claude.usd_by_day_user(first, last)),
        ("seats, USD by platform", books.subscription_usd_by_day()),
    ):  # fmt: skip
        for (day, part), amount in book.items():
            add(name, day, part, amount)
    for (day, email, model), counts in books.tokens_by_day_user_model(first, last).items():
        add("cursor, output tokens", day, f"{email}/{model}", counts["output"])
    for (day, key, model), counts in claude.tokens_by_day_key_model(first, last).items():
        add("claude, output tokens by key", day, f"{key or '-'}/{model}", counts["output_tokens"])
    for (day, email), row in claude.claude_code_by_day_user(first, last).items():
        add("claude code, estimated USD", day, email, row["estimated_usd"])
    for day, events in books.events_by_day(first, last).items():
        add("cursor, events", day, "records", events)
    for (day, _), amount in books.billed_usd_by_day_user(first, last).items():
        add("cost allocation, USD by platform", day, "cursor", amount)
    for (day, platform), amount in (*claude.usd_by_day_platform(first, last).items(), *books.subscription_usd_by_day().items()):
        add("cost allocation, USD by platform", day, platform, amount)
    columns = list(zip(*[(*key, amount) for key, amount in found.items()], strict=True)) or [(), (), (), ()]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def compare(db: Path, world: World, first: date, last: date) -> Verdict:
    """Every figure of these days against the books."""
    books = truth(world, first, last)
    with opened(db) as con:
        con.register("truth", books)
        rows = con.execute(COMPARE, {"first": first, "last": last}).fetchall()
    verdict = Verdict(compared=books.num_rows)
    for ledger, day, part, held, expected in rows:
        kind = judged(held, expected)
        setattr(verdict, kind, getattr(verdict, kind) + 1)
        if "USD" in ledger:
            verdict.usd[kind] = verdict.usd.get(kind, Decimal(0)) + abs((held or Decimal(0)) - (expected or Decimal(0)))
        if len(verdict.samples) < 12:
            verdict.samples.append(f"{kind}: {ledger}, {day}, {part}: {held or 0:f} held, {expected or 0:f} in the books")
    return verdict


def judged(held: Decimal | None, expected: Decimal | None) -> str:
    """lost, doubled or wrong."""
    if not held:
        return "lost"
    if not expected or (held / expected >= 2 and held % expected == 0):
        return "doubled"
    return "wrong"


def published(db: Path, day: date) -> datetime | None:
    """When the last of the day's reports was first held, by simulated time; None while one is missing."""
    if not db.exists():
        return None
    with opened(db) as con:
        rows = con.execute(
            "SELECT source, endpoint, MIN(fetched_at) FROM raw_fetches WHERE usage_date = $day AND state IN ('complete', 'empty') GROUP BY ALL",
            {"day": day},
        ).fetchall()
    held = {(source, endpoint): at for source, endpoint, at in rows}
    return max(held[e] for e in BY_DAY) if all(e in held for e in BY_DAY) else None


def versions(db: Path, world: World, first: date, last: date) -> list[str]:
    """Days whose number of versions is not one and one for each restatement: a crash must not publish a version twice, nor skip one."""
    with opened(db) as con:
        rows = con.execute(
            "SELECT usage_date, COUNT(*) FROM raw_fetches WHERE endpoint = 'filtered-usage-events' AND changed AND state != 'failed' "
            "AND usage_date BETWEEN $first AND $last GROUP BY ALL",
            {"first": first, "last": last},
        ).fetchall()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    held = dict(rows)
    return [
        f"{d}: {held.get(d, 0)} versions, told {1 + len(world.history(d))}" for d in days if held.get(d, 0) != 1 + len(world.history(d))
    ]


def alerts(db: Path) -> list[dict[str, Any]] | None:
    """Alerts about data that did not come, as they opened; None where this build has no alerts."""
    with opened(db) as con:
        if not con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'alert_log'").fetchall():
            return None
        rows = con.execute(
            "SELECT logged_at, event, alert, cause_key FROM alert_log "
            "WHERE event IN ('opened', 'reopened') AND alert IN ('ingestion_failed', 'run_failed', 'data_old') ORDER BY logged_at, seq"
        ).fetchall()
    return [dict(zip(("at", "event", "alert", "cause"), row, strict=True)) for row in rows]

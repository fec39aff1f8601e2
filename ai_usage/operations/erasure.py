"""Forgetting a person: everything that names one becomes a random token, and no figure moves.

Belongs here: whose addresses they are, the order of the act, and its log. Does not belong here: the statements (`erasure_sql.py`), the files
(`erasure_files.py`), how an engine keeps a transaction, printing.

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
import os
import re
import secrets as random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai_usage import __version__, tables
from ai_usage.errors import SettingsError
from ai_usage.finance import ledger
from ai_usage.operations.erasure_files import Files, left_in_files, rewrite_files
from ai_usage.operations.erasure_sql import (
    held,
    log_row,
    matching,
    merging_of,
    tombstones,
    unchanged_sums,
    update,
)
from ai_usage.operations.report import write_html_report
from ai_usage.runtime import Runtime
from ai_usage.sources import redaction
from ai_usage.sources.redaction import fold
from ai_usage.transform import totals
from ai_usage.warehouse import DuckDBWarehouse, Warehouse
from ai_usage.warehouse.base import every_day

_ADDRESS = re.compile(r"[^@\s<>\",;:]+@[^@\s<>\",;:]+\.[^@\s<>\",;:]+")
AFTERWARDS: tuple[Callable[[], Sequence[str]], ...] = (ledger.rewritten,)
"""Statements that follow in the same transaction, such as new hashes of rows that were closed. They may name @act_id, @acted_at, @acted_by, @token and @version."""


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
    parameters = matching(mine, token)
    outcome = Outcome(token, len(mine))
    outcome.changed = {table.name: n for table, n in held(warehouse, parameters).items() if n}
    swap: redaction.Swap = dict.fromkeys(mine, token).get
    if not really:
        _told(outcome, rewrite_files(runtime, swap, dry=True))
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
    changes, noted = tombstones(forgotten, mine, token)
    unchanged: dict[str, str] = {}
    if outcome.changed:
        touched = [tables.BY_NAME[name] for name in outcome.changed]
        merging = merging_of(warehouse, touched, parameters, mine[0])
        changes += merging.before + [update(table) for table in touched]
        for place, (name, n) in enumerate(outcome.changed.items()):
            changes.append(log_row(f"what_{place}", f"changed_{place}"))
            act |= {f"what_{place}": name, f"changed_{place}": n}
        changes += merging.after + [statement for more in AFTERWARDS for statement in more()]
        # The ledger of closed months grows by the new hashes, so its own sums are no proof.
        unchanged = unchanged_sums([t for t in touched if t.name != "month_closings"], merging)
        act |= merging.parameters
    if changes:
        warehouse.rewrite(changes, parameters | act | noted | totalled, unchanged)
    forgotten.refresh()
    _told(outcome, rewrite_files(runtime, forgotten, dry=False))  # by the hashes: an interrupted act no longer knows the other addresses
    for what in ("spool", "uploads"):
        if outcome.changed.get(what):
            warehouse.execute(log_row(), act | {"what": what, "changed": outcome.changed[what]})
    if isinstance(warehouse, DuckDBWarehouse):
        warehouse.compact()
    if runtime.settings.report_file.exists():
        write_html_report(runtime)
    warehouse.execute(log_row(), act | {"what": "incomplete" if outcome.unread else "finished", "changed": len(outcome.unread)})
    outcome.left = list(left_in_files(runtime, mine))
    return outcome


def _told(outcome: Outcome, found: Files) -> None:
    outcome.changed |= {what: n for what, n in (("spool", found.records), ("uploads", found.rows)) if n}
    outcome.unread = found.unread


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


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"

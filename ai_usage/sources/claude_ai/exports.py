"""The files that claude.ai's console exports, as records: the audit log and the spend report.

Belongs here: reading one file, what is left out of it for people's privacy, the range in a spend report's name, and the union of two exports
of the same days. Pure functions of a file; what the warehouse holds already is `loading/exports.py`'s. The dict columns of the audit log are
Python literals or JSON: they are read as data, bounded in size and depth, and never evaluated.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from ai_usage.guards.files import read_dropped
from ai_usage.sources.claude_ai.records import AUDIT_LOG, SPEND
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import ContractError
from ai_usage.sources.uploads.csv_file import Row, encoding, is_total, read_csv, refuse_shortened

Record = dict[str, Any]

LITERAL_CHARACTERS = 16_384  # a cell of the examples has 150; the parser's own stack is the danger beyond
LITERAL_DEPTH = 20
_SHOWN = 500  # characters of an unreadable cell that its reject keeps
# Not needed for usage or cost, and personal: never stored, wherever they stand.
PERSONAL_COLUMNS = frozenset({"ip_address", "device_id", "user_agent"})
PERSONAL_KEYS = PERSONAL_COLUMNS | {"name", "full_name", "display_name", "title", "ip", "ip_addresses", "phone_number", "location", "city"}
_SPEND_NAMES = {
    "user_email": "email", "e_mail": "email", "email_address": "email", "user_uuid": "account_uuid", "account_id": "account_uuid",
    "family": "model_family", "requests": "total_requests", "prompt_tokens": "total_prompt_tokens",
    "completion_tokens": "total_completion_tokens", "net_spend_usd": "total_net_spend_usd", "gross_spend_usd": "total_gross_spend_usd",
}  # fmt: skip
_LABELS = ("email", "account_uuid", "product", "model")
_ORGANIZATION = "(org service usage)"
_RANGE = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?:[_-]to[_-]|_)(\d{4}-\d{2}-\d{2})(?!\d)")


# The audit log ------------------------------------------------------------------------------------------------


def audit_events(path: Path) -> list[Record]:
    """The file's events as records of `AUDIT_LOG`. A row that cannot be read is a record that validation rejects; a file that cannot raises."""
    required = ("created_at", "actor_info", "event", "entity_info")
    return [_event(row) for row in read_csv(path, required, "claude_ai_audit_log", lambda name: name.lower())]


def strip_personal(path: Path) -> None:
    """Rewrite the file without the columns that are not stored: it is kept, and they need not be."""
    raw = read_dropped(path)
    rows = [row for row in csv.reader(io.StringIO(raw.decode(encoding(raw)), newline="")) if row]
    dropped = {place for place, name in enumerate(rows[0]) if name.strip().lower() in PERSONAL_COLUMNS}
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([cell for place, cell in enumerate(row) if place not in dropped] for row in rows)
    part = path.with_suffix(".part")
    part.write_text(out.getvalue(), encoding="utf-8")
    part.replace(path)


def _event(row: Row) -> Record:
    record: Record = {f.path: None for f in AUDIT_LOG.fields}
    rest: Record = {name: value for name, value in row.items() if value is not None}
    found: dict[str, Record] = {}
    for column in ("actor_info", "entity_info", "event_info"):
        text = rest.pop(column, None)
        try:
            found[column] = _literal(text) if text else {}
        except ValueError:
            found[column] = {}
            record["unreadable"] = f"{column}: {(text or '')[:_SHOWN]}"
    record["created_at"] = _instant(rest.pop("created_at", None))
    record["event"], record["client_platform"] = rest.pop("event", None), rest.pop("client_platform", None)
    actor, entity = found["actor_info"], found["entity_info"]
    record["actor_uuid"], record["actor_type"] = _take(actor, "uuid"), _take(actor, "type")
    record["entity_type"], record["entity_uuid"] = _take(entity, "type"), _take(entity, "uuid")
    record["actor_email"] = _take(actor.get("metadata"), "email_address")
    record["project_uuid"] = _take(entity.get("metadata"), "project_uuid")
    record["is_private"] = {"true": True, "false": False}.get(str(_take(entity.get("metadata"), "is_private")))
    record["event_info"] = _json(info) if (info := _impersonal(found["event_info"])) else None
    for name, value in (*_paths("actor_info", _impersonal(actor)), *_paths("entity_info", _impersonal(entity)), *sorted(rest.items())):
        if value and name not in PERSONAL_COLUMNS:
            record[f"column {name}" if name in record else name] = value
    return record


def _paths(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What nobody declared, each by its own path: a message about a new field can name it."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _paths(f"{path}.{key}", inside)
    else:
        yield path, value


def _literal(text: str) -> Record:
    """A dict from its Python or JSON text. Raises ValueError for anything else: code, other types, too long, too deep."""
    if len(text) > LITERAL_CHARACTERS:
        raise ValueError("too long")
    depth = deepest = 0
    for character in text:  # brackets inside strings count too, which only makes the bound stricter
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > LITERAL_DEPTH:
        raise ValueError("too deep")
    try:
        try:
            value = json.loads(text)
        except ValueError:
            value = ast.literal_eval(text)
        if not isinstance(value, dict):
            raise ValueError("not a dict")
        return dict(json.loads(json.dumps(value, allow_nan=False)))  # no sets, bytes, complex numbers or infinities
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError("not a literal") from error


def _take(holder: Any, key: str) -> str | None:
    value = holder.pop(key, None) if isinstance(holder, dict) else None
    return None if value is None or value == "" else value if isinstance(value, str) else _json(value)


def _impersonal(value: Any) -> Any:
    """Without personal keys and without what is empty then."""
    if isinstance(value, dict):
        kept = {k: _impersonal(v) for k, v in value.items() if str(k).lower() not in PERSONAL_KEYS}
        return {k: v for k, v in kept.items() if v not in (None, {}, [])}
    return [_impersonal(v) for v in value] if isinstance(value, list) else value


def _instant(text: str | None) -> str | None:
    """An instant with an offset in one spelling; anything else as it stands, which validation rejects."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return text
    return text if found.tzinfo is None else f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def event_day(record: Mapping[str, Any]) -> date | None:
    """The UTC day of an event; None where its instant cannot be read."""
    text = str(record.get("created_at") or "")
    try:
        return date.fromisoformat(text[:10]) if text.endswith("Z") else None
    except ValueError:
        return None


def union(held: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """The events of both, each once: what stands n times in one and m times in the other stands max(n, m) times.

    So the order of exports does not count, dropping one twice changes nothing, and a partial day never shrinks a fuller one. An event is known by
    its instant, name, actor and entity; of the rest the new export's word stands, where it says anything (a person who has left may have lost
    the e-mail).
    """
    pools: dict[tuple[Any, ...], tuple[list[Record], list[Record]]] = defaultdict(lambda: ([], []))
    for place, records in enumerate((held, new)):
        for record in records:
            pools[_identity(record)][place].append(record)
    found = []
    for before, after in pools.values():
        before.sort(key=_json)
        after.sort(key=_json)
        for n in range(max(len(before), len(after))):
            old, fresh = before[n] if n < len(before) else {}, after[n] if n < len(after) else {}
            found.append({**old, **({k: v for k, v in fresh.items() if v is not None or k not in old})})
    return sorted(found, key=lambda r: (str(r.get("created_at")), _json(r)))


def _identity(record: Record) -> tuple[Any, ...]:
    if record.get("unreadable") or event_day(record) is None or not record.get("event"):
        return ("unreadable", _json(record))
    actor = record.get("actor_uuid") or str(record.get("actor_email") or "").lower()
    return (record["created_at"], record["event"], actor, record.get("entity_type"), record.get("entity_uuid"))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


# The spend report ---------------------------------------------------------------------------------------------


def period_in(name: str) -> Window | None:
    """The range that a file's name holds, as in claude_ai_spend.2026-10-01_2026-10-31.csv or the vendor's own …-2026-10-01-to-2026-10-31.csv.

    None without one. Raises when it is no range."""
    found = _RANGE.search(name)
    if not found:
        return None
    try:
        first, last = (date.fromisoformat(day) for day in found.groups())
    except ValueError:
        raise ContractError(f"{name} names a day that does not exist; write its first and last day like 2026-10-01_2026-10-31.") from None
    return Window(first, last)


def check_period(name: str, period: Window | None, today: date) -> Window:
    """The period where it can be used; `ContractError` says what to do otherwise."""
    if period is None:
        raise ContractError(
            f"{name} does not say which days it sums; name it claude_ai_spend.2026-10-01_2026-10-31.csv (its first and last day), "
            "or put it in with `ai-usage upload FILE --from 2026-10-01 --to 2026-10-31`."
        )
    if period.first > period.last:
        raise ContractError(f"{name} begins on {period.first}, after it ends on {period.last}; exchange the two days.")
    if period.last >= today:
        raise ContractError(
            f"{name} ends on {period.last}, which has not ended in UTC; export it again with {today - timedelta(days=1)} as its last day at most."
        )
    if period.first < date(2020, 1, 1):
        raise ContractError(f"{name} begins on {period.first}, before claude.ai existed; correct the range in its name.")
    return period


def spend_rows(path: Path, period: Window, numbers: list[int] | None = None) -> list[Record]:
    """The file's rows as records of `SPEND`; an empty list where the report says that nothing was spent. A file that cannot be read raises.

    `numbers` gets the number of each row as a spreadsheet counts them."""

    def ours(name: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        return _SPEND_NAMES.get(plain, plain)

    numbers = [] if numbers is None else numbers
    rows = read_csv(path, ("email", "total_net_spend_usd"), "claude_ai_spend", ours, may_be_empty=True, numbers=numbers)
    refuse_shortened(path, numbers, rows, "total_")
    for number, row in zip(numbers, rows, strict=True):
        if _is_total(row, rows):
            label = next((f" ({v})" for name in _LABELS if (v := row.get(name))), "")
            raise ContractError(
                f"{path.name}, row {number} is a total of the other rows{label}, so their money would count twice; drop the file as it was downloaded."
            )
    dates = {"period_start": str(period.first), "period_end": str(period.last)}
    return [{**{f.path: None for f in SPEND.fields}, **row, **dates} for row in rows]


def _is_total(row: Row, rows: list[Row]) -> bool:
    """Whether somebody added this row to sum the others: it says so, or it has no address and their sum in every amount that it has; where it names
    nothing at all, their net sum will do. The vendor's own rows without an address, which are what the organization spent, are none."""
    who = row.get("email") or ""
    if "@" in who or who == _ORGANIZATION:
        return False
    if any(is_total(label) for name in _LABELS if (label := row.get(name))):
        return True
    names_something = any(row.get(name) for name in _LABELS)
    given = [name for name in ("total_net_spend_usd", "total_gross_spend_usd") if row.get(name)][: None if names_something else 1]
    others = {name: [_amount(other, name) for other in rows if other is not row] for name in given}
    return any(map(any, others.values())) and all(_rounds_to(sum(others[name], Decimal(0)), _amount(row, name)) for name in given)


def _rounds_to(total: Decimal, amount: Decimal) -> bool:
    """Whether an amount is the total, exactly or in whole cents."""
    return amount in (total, total.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _amount(row: Row, name: str) -> Decimal:
    try:
        return Decimal((row.get(name) or "0").translate({ord(c): None for c in "$,"}))
    except ArithmeticError:
        return Decimal(0)

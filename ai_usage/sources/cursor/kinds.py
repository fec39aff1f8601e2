"""Which of Cursor's events are billed: the one place of the rule, as SQL for the decoder and for the warehouse.

Belongs here: the kinds, how their spellings are folded, and the model that `make docs` writes from both (`sql/staging/cursor/stg_cursor_event_versions.sql`).

`isChargeable` says that an event has a price, not that it is billed: live accounts send true on "Included in Business". The bill of a live account
agrees with the kinds (6,746 cents, where the flag alone gives 14,806). The set of kinds is open.
"""

from __future__ import annotations

from ai_usage.tables.texts import INVISIBLE

# Whole kinds, folded: what is invisible left out, words in lower case with one underscore between them (a word may begin with a space, a sign or a
# capital letter), with or without the prefix of Cursor's enumeration.
BILLED = "usage_based|on_demand"
INCLUDED = "included(_in_.+)?"
NOT_CHARGED = "free_credit|user_api_key|(.+_)?not_charged"
_CAPITAL = "([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4"


def _folded(kind: str, replace: str) -> str:
    """The folded kind; `replace` is how an engine replaces every match of a pattern in a text."""
    for pattern, by in ((INVISIBLE, ""), _CAPITAL, ("[^a-zA-Z0-9]+", "_")):
        kind = replace.format(kind, pattern, by)
    return f"LOWER(COALESCE({kind}, ''))"


def _whole(kinds: str) -> str:
    return f"'^_?(usage_event_kind_)?({kinds})_?$'"


def billing(folded: str, chargeable: str, matches: str) -> str:
    """What becomes of an event, as a SQL expression: billed, included (in a plan) or not_charged. `matches` is the engine's function for RE2."""
    return (
        f"CASE WHEN {matches}({folded}, {_whole(INCLUDED)}) THEN 'included' WHEN {matches}({folded}, {_whole(NOT_CHARGED)}) THEN 'not_charged' "
        f"WHEN {chargeable} THEN 'billed' ELSE 'not_charged' END"
    )


def decoded(kind: str, chargeable: str) -> str:
    """`billing` over a record's fields, in DuckDB's words. An absent flag is false."""
    folded = _folded(kind, "regexp_replace({}, '{}', '{}', 'g')")
    return billing(folded, f"coalesce({chargeable}, false)", "regexp_matches")


def model() -> str:
    """`sql/staging/cursor/stg_cursor_event_versions.sql`."""
    case = billing("e.folded_kind", "e.is_chargeable", "REGEXP_CONTAINS").replace(" WHEN ", "\n    WHEN ").replace(" ELSE ", "\n    ELSE ").replace(
        " END", "\n  END"
    )  # fmt: skip
    columns = (
        "fetch_id", "usage_date", "event_at", "user_email", "service_account_id", "service_account_name", "model", "kind", "is_chargeable", "input_tokens",
        "output_tokens", "cache_read_tokens", "cache_write_tokens", "list_usd", "charged_usd",
    )  # fmt: skip
    kept = ",\n".join(f"  e.{c}" for c in columns)
    read = ",\n".join(f"    r.{c}" for c in columns)
    folded = _folded("r.kind", "REGEXP_REPLACE({}, r'{}', r'{}')")
    return f"""\
-- Cursor's events of all versions and what became of each: billed, included (in a plan), or not_charged (errored, a free credit, the user's own
-- key). An event is billed when it is chargeable and no plan or grant covers its kind; `is_known_kind` is false where nobody has said so yet, and
-- then it is billed all the same.
-- Grain: one event of one fetch. Inputs: raw_cursor_events. Written by `make docs` from ai_usage/sources/cursor/kinds.py.
SELECT
{kept},
  {case} AS billing,
  REGEXP_CONTAINS(
    e.folded_kind, {_whole(f"{BILLED}|{INCLUDED}|{NOT_CHARGED}")}
  ) AS is_known_kind
FROM (
  SELECT
{read},
    {folded} AS folded_kind  -- noqa: LT05
  FROM raw_cursor_events AS r
  WHERE r.usage_date BETWEEN @start_date AND @end_date
) AS e
"""

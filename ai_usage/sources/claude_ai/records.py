"""The records of claude.ai's two exports, and how they become columns.

Belongs here: declarations only. `exports.py` makes these records of a file's rows. Amounts are dollars already, not cents. Source: Claude's help
centre on audit logs and on the spend report; field by field in README.md.
"""

from __future__ import annotations

from ai_usage.sources.claude_ai import tables
from ai_usage.sources.endpoint import Endpoint, Field, Rule, ids
from ai_usage.tables.schema import Type

SOURCE = "claude_ai"
_AGAIN = "Export it again from claude.ai and drop the file as it was downloaded, its name ending in .replace.csv."

# Only this form, which exports.py writes where a row's instant has an offset: a time without one could be anybody's.
_INSTANT = r"""CASE WHEN regexp_full_match("created_at", '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z') THEN TRY_CAST("created_at" AS TIMESTAMPTZ) END"""

AUDIT_LOG = Endpoint(
    source=SOURCE,
    name="audit_log",
    table=tables.raw_claude_ai_audit_log,
    fields=(
        Field("created_at", required=True), Field("event", required=True), Field("actor_type"), Field("actor_email", "email"), Field("entity_type"),
        *ids("actor_uuid", "entity_uuid", "project_uuid"), Field("is_private", "bool"), Field("client_platform"), Field("event_info"), Field("unreadable"),
    ),
    columns={"event_at": _INSTANT},
    usage_date=f"CAST(({_INSTANT}) AS DATE)",
    rules=(Rule("unreadable", '"unreadable" IS NULL', "is neither a Python literal nor JSON, or too large or too deep", _AGAIN),),
    remedies={Type.TIMESTAMP: _AGAIN},
    remedy=_AGAIN,
)  # fmt: skip


_MOST = {"DECIMAL(38, 9)": 10**8, "DOUBLE": 10**13}  # as the decoder has it: the sums of a range fit


def _number(column: str, kind: str) -> str:
    """Plain numbers that can be meant, US thousands and dollar signs where they cannot be mistaken: 3,933 alone may be 3.933, so it is refused."""
    cell = f'trim("{column}")'
    plain = r"^-?\$?(\d+(\.\d+)?([eE][+-]?\d+)?|\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,})$"
    number = f"TRY_CAST(regexp_replace({cell}, '[$,]', '', 'g') AS {kind})"
    return f"CASE WHEN regexp_full_match({cell}, '{plain}') AND abs({number}) < {_MOST[kind]} THEN {number} END"


_NET, _GROSS = (_number(column, "DECIMAL(38, 9)") for column in ("total_net_spend_usd", "total_gross_spend_usd"))
_COUNTS = {
    "requests": "total_requests", "prompt_tokens": "total_prompt_tokens", "completion_tokens": "total_completion_tokens",
    "uncached_input_tokens": "total_uncached_input_tokens", "cache_read_tokens": "total_cache_read_tokens",
    "cache_write_5m_tokens": "total_cache_write_5m_tokens", "cache_write_1h_tokens": "total_cache_write_1h_tokens",
    "web_searches": "total_web_search_count",
}  # fmt: skip

SPEND = Endpoint(
    source=SOURCE,
    name="spend",
    table=tables.raw_claude_ai_spend,
    fields=(
        Field("period_start", required=True), Field("period_end", required=True), Field("email", "email", required=True),
        *ids("account_uuid", "user_id", "product", "model", "model_family", "slack_channel_id", "teams_channel_id"),
        *(Field(f) for f in _COUNTS.values()),
        Field("total_net_spend_usd", required=True), Field("total_gross_spend_usd"),
    ),
    columns={
        "user_email": '"email"', "net_usd": _NET, "gross_usd": _GROSS, **{c: _number(f, "DOUBLE") for c, f in _COUNTS.items()},
    },
    # The report has no days: what it sums stands on the last day of its range.
    usage_date='"period_end"',
    rules=tuple(
        Rule(field, f"{_number(field, 'DOUBLE')} IS NULL OR {_number(field, 'DOUBLE')} = floor({_number(field, 'DOUBLE')})", "is not a whole number",
             "Export the range again and drop the file as it was downloaded.")
        for field in _COUNTS.values()
    ),
    # NULL where the money cannot be read: then the day's total is unknown, and a check says so.
    vendor_total=_NET,
    staged_as="claude_ai_spend",
    named_by={"user_email": "user_email", "model": "model"},
    remedies={
        Type.NUMERIC: "Write dollars like 1234.56, or export the range again and drop the file as it was downloaded.",
        Type.INT64: "Write a whole number like 1200.",
    },
    remedy="Export the same range again and drop the file as it was downloaded; it replaces this one.",
    whole_window=True,
)  # fmt: skip

ENDPOINTS = {"claude_ai_audit_log": AUDIT_LOG, "claude_ai_spend": SPEND}

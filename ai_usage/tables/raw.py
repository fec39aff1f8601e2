"""The raw layer: what vendors said, typed, versioned, never changed.

Belongs here: the columns that all raw tables share, and the ledger. Does not belong here: what a vendor says (`sources/<vendor>/tables.py`). Every
raw row belongs to one fetch; a fetch whose id is not in `raw_fetches` does not exist for anything downstream.
"""

from __future__ import annotations

from typing import Any

from ai_usage.tables.schema import Column, Personal, Table, boolean, count, date, integer, string, timestamp, usd

LINEAGE: tuple[Column, ...] = (
    date("usage_date", "The UTC day that the row speaks of; for snapshots the day they were taken.", nullable=False),
    string("fetch_id", "The fetch that brought the row; visible once `raw_fetches` names it.", nullable=False),
    timestamp("fetched_at", "When the fetch ended.", nullable=False),
    date("ingest_date", "The UTC day of `fetched_at`.", nullable=False),
    string("extra", "Fields that the vendor sent and this table does not know, as JSON text.", personal=Personal.RECORD),
)


def raw_table(name: str, description: str, grain: str, columns: tuple[Column, ...], **more: Any) -> Table:
    """A raw table: the columns that all share, then its own."""
    more.setdefault("cluster_by", ("fetch_id",))  # a version's rows lie together
    return Table(name=name, layer="raw", description=description, grain=grain, columns=LINEAGE + columns, date_column="usage_date", **more)


raw_fetches = Table(
    name="raw_fetches",
    layer="raw",
    description="Every question put to a source and how it ended. Inserting a row here is what publishes a fetch.",
    grain="one attempt to read one source, endpoint and UTC day",
    key=("fetch_id",),
    date_column="usage_date",
    cluster_by=("source", "endpoint"),
    do_not="read raw tables without this one: rows of unpublished or superseded fetches are still in them.",
    columns=(
        string("fetch_id", "Names this fetch.", nullable=False),
        string("version_fetch_id", "The fetch whose rows hold this content: itself, or an earlier one seen again unchanged."),
        string("source", "The vendor or file store asked.", nullable=False),
        string("endpoint", "The endpoint, sheet tab or file kind.", nullable=False),
        date("usage_date", "The UTC day asked about.", nullable=False),
        timestamp("fetched_at", "When the fetch ended.", nullable=False),
        string("run_id", "The Dagster run, if one ran it."),
        string(
            "state",
            "complete: rows came. empty: the source said that nothing happened. failed: the call failed; nothing is known. "
            "refused: the vendor does not let this key read an endpoint that it never gave and that bills nothing.",
            nullable=False,
            allowed=("complete", "empty", "failed", "refused"),
        ),
        string("origin", "api, or upload when a dropped file stood in for the vendor.", nullable=False, allowed=("api", "upload")),
        boolean("changed", "False when the content equals the version that was current before."),
        count("row_count", "Rows of this version.", "rows"),
        count("rejected_count", "Records of this version that failed validation and lie in `raw_rejects`.", "records"),
        count("pages", "Pages walked for the window that holds this day.", "pages"),
        count("requests", "HTTP requests made for that window, retries included.", "requests"),
        string("content_sha256", "SHA-256 over the sorted record hashes of this day and the parser's version."),
        usd("vendor_total_usd", "Billed USD that the vendor's readable records of this day sum to; NULL where the endpoint bills nothing."),
        count(
            "unknown_money_count",
            "Records of this day whose billed amount, currency or day could not be read: they lie in `raw_rejects`.",
            "records",
        ),
        string(
            "parser_version",
            "Which declaration read the records; another one means that the rule changed, not the vendor. NULL before 2026-12.",
        ),
        string(
            "changed_by",
            "Who made this version differ from the one before. vendor: the records changed. rule: the same records were read by another rule. "
            "vendor and rule: both may have changed. NULL where nothing changed, or before 2026-12.",
            allowed=("vendor", "rule", "vendor and rule"),
        ),
        timestamp("window_start", "First instant of the window asked."),
        timestamp("window_end", "Last instant of the window asked, inclusive."),
        string("spool_path", "Where the bytes lie, below the data folder, as long as retention keeps them."),
        string("error", "For failed and refused fetches: one sentence."),
        timestamp(
            "told_at",
            "When the source told what this version holds, where it was read again from the same bytes since. NULL: at `fetched_at`.",
        ),
    ),
)

raw_rejects = Table(
    name="raw_rejects",
    layer="raw",
    description="Records that failed validation, or lost a field to it, whole, with the reason and the remedy. Nothing is dropped silently.",
    grain="one broken rule of one record of one fetch",
    date_column="usage_date",
    cluster_by=("source", "endpoint", "fetch_id"),
    columns=(
        date("usage_date", "The UTC day asked about.", nullable=False),
        string("fetch_id", "The fetch that brought the record.", nullable=False),
        timestamp("fetched_at", "When the fetch ended.", nullable=False),
        string("source", "The vendor or file store asked.", nullable=False),
        string("endpoint", "The endpoint, sheet tab or file kind.", nullable=False),
        integer("record_number", "The record's place in the fetch, from 1; for a sheet or a file the row as a person counts it."),
        string("column_name", "The field that broke the rule."),
        boolean(
            "is_counted",
            "True: the record counts, and only this field is NULL in it. False, or NULL before 2026-12: the record does not count.",
        ),
        string("value", "What stood there.", personal=Personal.NAME),
        string("reason", "The rule that was broken.", nullable=False),
        string("remedy", "What a person can do.", nullable=False),
        string("payload", "The record as it came, JSON text.", nullable=False, personal=Personal.RECORD),
    ),
)

RAW: tuple[Table, ...] = (raw_fetches, raw_rejects)

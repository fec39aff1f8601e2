"""How the platform itself fares: what vendors were asked and how they answered, and which day is held.

Belongs here: declarations about the platform's own work. Does not belong here: what vendors said (`raw.py`) and what it means (`marts.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Table, boolean, count, date, integer, numeric, string, timestamp, usd

vendor_requests = Table(
    name="vendor_requests",
    layer="operations",
    description="HTTP requests to vendors, counted. Each run appends its own when it ends; requests outside of runs are not counted.",
    grain="one run, UTC hour, source, endpoint and HTTP status",
    key=("run_id", "hour", "source", "endpoint", "status"),
    columns=(
        timestamp("hour", "Beginning of the UTC hour in which the requests ended.", nullable=False),
        string("source", "The vendor asked.", nullable=False),
        string("endpoint", "The endpoint.", nullable=False),
        integer("status", "HTTP status; NULL where no answer came."),
        count("requests", "Requests that ended so.", "requests", nullable=False),
        count("retries", "Those among them that repeated one before.", "requests", nullable=False),
        numeric("seconds", "Time from request to whole answer, summed.", unit="seconds", nullable=False),
        string("run_id", "The Dagster run.", nullable=False),
    ),
)

held_back = Table(
    name="held_back",
    layer="operations",
    description="What stands as it was, since its rows in raw are gone or it could not be proved when it was computed last: a source's days of a fact, a dimension.",
    grain="one fact or dimension, source, endpoint and UTC day",
    key=("table_name", "source", "endpoint", "usage_date"),
    columns=(
        string("table_name", "The fact, fct_cost_daily or fct_usage_daily, or the dimension.", nullable=False),
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "UTC day of the fact; of a dimension, the day of the list that has lost rows.", nullable=False),
        string("reason", "What does not hold, and the remedy.", nullable=False),
        timestamp("found_at", "When it was computed.", nullable=False),
    ),
)

vw_certificate = Table(
    name="vw_certificate",
    layer="mart",
    view=True,
    description="For each endpoint that is asked about days, and each UTC day since its source's first: what is held, or why nothing is.",
    grain="one source, endpoint and UTC day",
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "UTC day.", nullable=False),
        string(
            "state",
            "complete and empty are held. open: read before the day ended. failed: every attempt failed, or what was read could not be proved "
            "(`held_back`). refused: the vendor does not let this key read the endpoint. missing: nobody asked.",
            nullable=False,
            allowed=("complete", "empty", "open", "failed", "refused", "missing"),
        ),
        string("origin", "api, or upload where a file holds the day."),
        count("row_count", "Rows of the current version.", "rows"),
        count("rejected_count", "Rejected records of the current version.", "records"),
        usd("vendor_total_usd", "Billed USD by the vendor's readable records."),
        count("unknown_money_count", "Records whose billed amount, currency or day could not be read: `stg_unknown_money`.", "records"),
        string("content_sha256", "SHA-256 over the day's sorted records and the parser's version."),
        string("fetch_id", "The latest fetch that did not fail."),
        string("version_fetch_id", "The fetch whose rows hold the content."),
        timestamp("fetched_at", "When the latest fetch that did not fail ended."),
        timestamp("failed_at", "When an attempt failed since; NULL where none did."),
        string("error", "What that attempt said."),
    ),
    key=("source", "endpoint", "usage_date"),
    date_column="usage_date",
)

_STATES = (
    string("source", "Source.", nullable=False),
    string("endpoint", "Endpoint.", nullable=False),
    string(
        "state",
        "read; late: a day is due and nobody has read it yet, or only before it ended; missing: nobody ever asked; refused: the vendor does not let this key "
        "read it; failed: the last attempt failed, or what it brought could not be proved.",
        nullable=False,
        allowed=("read", "late", "missing", "refused", "failed"),
    ),
    boolean("is_owed", "False where the vendor refuses what bills nothing and never answered: no failure.", nullable=False),
    date("due_day", "The last UTC day that should have been read, by the schedule and the endpoint's lag.", nullable=False),
    date("last_held", "The last UTC day held."),
    date("lacking_since", "The first UTC day in that state, of those that the mornings read."),
    string("reason", "What the last failure said."),
    string("source_state", "The worst state of the source's endpoints.", nullable=False),
    string("source_said", "One line about the source for people.", nullable=False),
    timestamp("judged_at", "When.", nullable=False),
)

source_states = Table(
    name="source_states",
    layer="operations",
    description="What each endpoint that is expected has told, judged at the end of each run and by each pass of the alerts.",
    grain="one source and endpoint",
    key=("source", "endpoint"),
    columns=_STATES,
)

vw_sources = Table(
    name="vw_sources",
    layer="mart",
    view=True,
    description="What each endpoint that is expected has told, as of the last run or pass of the alerts: one word, and one line for each source.",
    grain="one source and endpoint",
    key=("source", "endpoint"),
    columns=_STATES,
)

OPERATIONS: tuple[Table, ...] = (vendor_requests, held_back, source_states)

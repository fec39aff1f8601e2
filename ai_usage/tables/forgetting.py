"""What is kept of people who were forgotten: enough to forget them again when a vendor still names them, and to prove that it was done.

Belongs here: the declarations of the two tables. Does not belong here: the act (`ai_usage/operations/erasure.py`) and the search (`loading/forgotten.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Table, count, string, timestamp

forgotten_people = Table(
    name="forgotten_people",
    layer="operations",
    description="Addresses that every load replaces before it publishes, as keyed hashes: the address itself is not kept.",
    grain="one address of a forgotten person",
    key=("address_hmac",),
    columns=(
        string("address_hmac", "HMAC-SHA-256 of the folded address under `salt`, hexadecimal.", nullable=False),
        string("salt", "256 random bits, the same in every row, hexadecimal.", nullable=False),
        string("token", "What stands in the address's place: random, and the same for all addresses of a person.", nullable=False),
        timestamp("forgotten_at", "When it was decided.", nullable=False),
    ),
    do_not="delete a row: the next load would store the address again.",
)

forget_log = Table(
    name="forget_log",
    layer="operations",
    description="Who had whom forgotten when, and how much was changed; nobody is named by an address.",
    grain="one table or kind of file of one act; `finished` is the last row of an act that came to its end",
    key=("act_id", "what"),
    columns=(
        string("act_id", "Names the act.", nullable=False),
        timestamp("acted_at", "When the act began.", nullable=False),
        string("acted_by", "The account of the operating system that ran the command.", nullable=False),
        string("token", "What stands in the person's place.", nullable=False),
        string(
            "what",
            "A table, `spool`, `uploads`, or how it ended: `finished`, or `incomplete` with the number of files that could not be read.",
            nullable=False,
        ),
        count("changed", "Rows changed; of files the records or rows in them.", "rows", nullable=False),
    ),
)

OPERATIONS: tuple[Table, ...] = (forgotten_people, forget_log)

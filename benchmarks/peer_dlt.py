"""The peer of `load_cursor_events.py`: dlt's arrow mode, run in a venv of its own that has dlt[duckdb], pyarrow, msgspec.

Belongs here: the same pages, received the same way as the limit, as typed Arrow tables into a dlt pipeline that loads
Parquet into DuckDB. What was done in its favour: a bare HTTP client, msgspec to split pages, pyarrow's JSON reader with a
declared schema (no Python objects per record), a table for every 20 pages, no load id column, no telemetry, one worker,
buffers that hold a whole table, DuckDB in the version of the platform. What it does not do: versions, rejects, unknown
fields, evidence; those are the platform's own work and make it slower.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from common import Meter, answer, pages

_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "EXTRACT__WORKERS": "1", "NORMALIZE__WORKERS": "1",
    "LOAD__WORKERS": "1", "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false", "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}  # fmt: skip
_AT_ONCE = 20  # pages


def main() -> None:
    url, key, first, days, question = sys.argv[1], sys.argv[2], date.fromisoformat(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    folder = tempfile.TemporaryDirectory()
    os.environ.update(_SETTINGS | {"DLT_DATA_DIR": folder.name})
    import dlt
    import duckdb
    import msgspec
    import pyarrow as pa
    import pyarrow.json

    money, text, flag = pa.decimal128(38, 9), pa.string(), pa.bool_()
    schema = pa.schema(
        dict.fromkeys(("timestamp", "userEmail", "serviceAccountId", "serviceAccountName", "cloudAgentId", "automationId", "conversationId", "model", "kind"), text)
        | dict.fromkeys(("maxMode", "isTokenBasedCall", "isChargeable", "isHeadless"), flag)
        | dict.fromkeys(("requestsCosts", "chargedCents", "cursorTokenFee"), money)
        | {"tokenUsage": pa.struct(
            {name: pa.int64() for name in ("inputTokens", "outputTokens", "cacheWriteTokens", "cacheReadTokens")}
            | {"totalCents": money, "discountPercentOff": money}
        )}
    )  # fmt: skip
    parse = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=16 << 20)

    split = msgspec.json.Decoder(msgspec.defstruct("Page", [("usageEvents", list[msgspec.Raw])])).decode

    def typed(bodies: list[bytes]) -> pa.Table:
        lines = b"\n".join(record for body in bodies for record in split(body).usageEvents)
        found = pyarrow.json.read_json(pa.BufferReader(lines), read_options=read, parse_options=parse).flatten()
        return found.rename_columns([name.replace("tokenUsage.", "") for name in found.column_names])

    meter = Meter()

    @dlt.resource(name="events", write_disposition="append")
    def events() -> Iterator[pa.Table]:
        held: list[bytes] = []
        for body in pages(url, key, first, days):
            held.append(body)
            if len(held) == _AT_ONCE:
                yield typed(held)
                held = []
        if held:
            yield typed(held)

    file = Path(folder.name) / "peer.duckdb"
    pipeline = dlt.pipeline(
        "peer", destination=dlt.destinations.duckdb(str(file)), dataset_name="raw", pipelines_dir=str(Path(folder.name) / "pipelines")
    )
    pipeline.run(events(), loader_file_format="parquet").raise_on_failed_jobs()
    read_out = meter.read()
    with duckdb.connect(str(file), read_only=True) as con:
        found = con.execute(question).fetchone()
    assert found is not None
    answer(**read_out, rows=found[0], billed=found[1], versions=f"dlt {dlt.__version__}, duckdb {duckdb.__version__}")
    folder.cleanup()


if __name__ == "__main__":
    main()

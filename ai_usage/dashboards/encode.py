"""Arrow tables as compact, exact text for a script tag: columnar, dictionary-encoded JSON, deflated, base64.

Money and counts become integers: NUMERIC as units of 1e-9 (scale 9), INT64 as they are (scale 0). A JSON
number holds an integer exactly up to 2**53; anything larger is a string, which the page reads as BigInt. A
float column is refused: a float is not a sum of money. The alphabet of base64 cannot close a script tag.
Belongs here: encoding and its inverse for tests. Does not belong here: what the columns mean.
"""

from __future__ import annotations

import base64
import json
import zlib
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ai_usage.errors import PlatformError

SCALE = 9
SAFE = 2**53
WIDE = Context(prec=100)


class EncodeError(PlatformError, ValueError):
    """A result that the report cannot carry exactly; one sentence with the remedy."""


def encode_table(table: pa.Table, name: str, keep: set[str] | None = None) -> str:
    """One dataset as base64 text. `keep` drops the columns that no card reads."""
    names = [c for c in table.column_names if keep is None or c in keep]
    table = table.select(names)
    columns: dict[str, Any] = {}
    for c in names:
        column = _column(table.column(c), f"{name}, column {c}")
        columns[c] = _part_of_another(column, columns) or column
    return pack({"rows": table.num_rows, "columns": columns})


def _part_of_another(column: dict[str, Any], before: dict[str, Any]) -> dict[str, Any] | None:
    """A number column whose every value is another column's, 0 or NULL (cost that is final; cost of platforms that report lines) travels as a mask
    of one digit a row, which deflates to almost nothing: 0 NULL, 1 the other's value, 2 zero."""
    if column["kind"] != "number" or not column["values"]:
        return None
    for name, other in before.items():
        if other["kind"] == "number" and other["scale"] == column["scale"]:
            pairs = list(zip(column["values"], other["values"], strict=True))
            if all(mine is None or mine == 0 or mine == its for mine, its in pairs):
                mask = "".join("0" if mine is None else "2" if mine == 0 else "1" for mine, _ in pairs)
                return {"kind": "part", "of": name, "mask": mask}
    return None


def pack(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def unpack(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def decode_table(text: str) -> dict[str, list[Any]]:
    """The inverse, for tests: strings, and Decimal for numbers."""
    data = unpack(text)
    result: dict[str, list[Any]] = {}
    for name, column in data["columns"].items():
        if column["kind"] == "part":
            pick = {"0": lambda _: None, "1": lambda its: its, "2": lambda _: Decimal(0)}
            result[name] = [pick[digit](its) for digit, its in zip(column["mask"], result[column["of"]], strict=True)]
        elif column["kind"] == "dict":
            result[name] = [None if c < 0 else column["values"][c] for c in column["codes"]]
        else:
            scale = column["scale"]
            result[name] = [None if v is None else WIDE.scaleb(Decimal(int(v)), -scale) for v in column["values"]]
    return result


def _column(column: pa.ChunkedArray, where: str) -> dict[str, Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_integer(kind):
        return {"kind": "number", "scale": 0, "values": [_safe(v) for v in column.to_pylist()]}
    if pa.types.is_decimal(kind):
        if kind.scale > SCALE:
            raise EncodeError(f"{where}: {kind} has more than {SCALE} decimals; CAST it AS NUMERIC in the card's SQL.")
        scale = 0 if kind.scale == 0 else SCALE
        return {
            "kind": "number",
            "scale": scale,
            "values": [_safe(_units(v, scale)) for v in column.to_pylist()],
        }
    if pa.types.is_floating(kind):
        raise EncodeError(f"{where}: a float cannot carry money or counts exactly; CAST it AS NUMERIC in the card's SQL.")
    return _dictionary(_as_text(column, where))


def _units(value: Decimal | None, scale: int) -> int | None:
    return None if value is None else int(WIDE.scaleb(value, scale))


def _safe(value: int | None) -> int | str | None:
    return value if value is None or -SAFE <= value <= SAFE else str(value)


def _as_text(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_date(kind):
        return pc.strftime(column.cast(pa.date32()), format="%Y-%m-%d")
    if pa.types.is_timestamp(kind):
        utc = column.cast(pa.timestamp("s", tz="UTC"), safe=False)
        return pc.strftime(utc, format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_boolean(kind):
        return column.cast(pa.string())
    raise EncodeError(f"{where}: the type {kind} has no place in the report; CAST it AS STRING, NUMERIC or DATE.")


def _dictionary(column: pa.ChunkedArray) -> dict[str, Any]:
    """Values sorted, so that codes of dates compare as dates do; NULL is code -1."""
    values = sorted(v for v in pc.unique(column).to_pylist() if v is not None)
    codes = pc.index_in(column, value_set=pa.array(values, type=column.type))
    return {"kind": "dict", "values": values, "codes": pc.fill_null(codes, -1).to_pylist()}

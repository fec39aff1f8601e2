"""From bytes to typed rows: nothing is lost, nothing is guessed, a bad record costs only itself.

Records are written as JSON text by hand, so that numbers stay as the vendor would write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.sources.cursor.records import DAILY_USAGE, EVENTS, MEMBERS
from ai_usage.sources.decode import Decoder
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import ContractError
from ai_usage_tests.fixtures.desk import NOON, event, event_json, ms, spooled, work
from ai_usage_tests.proving import PROVE, some

DAY = date(2026, 11, 1)
NEXT = date(2026, 11, 2)


class Decoded:
    """Everything one decoding says. A decoder reads one batch after another, as in a load; making one costs a fifth of a decoding."""

    def __init__(
        self, decoder: Decoder, spool: Path, endpoint: Endpoint, records: list, first: date = DAY, last: date | None = None
    ) -> None:
        walk = spooled(spool, endpoint, first, last, records)
        self.days = decoder.load([walk])
        ids = {(str(walk.path), d.usage_date): f"f-{d.usage_date}" for d in self.days}
        self.table: pa.Table = decoder.rows(ids, NOON)
        self.rows = sorted(self.table.to_pylist(), key=repr)
        # As the loader does: no question where no day has any, which costs a third of a decoding.
        self.rejects = decoder.rejects(ids, NOON).to_pylist() if PROVE or any(d.rejected or d.incomplete for d in self.days) else []
        self.unknown, self.absent, self.careful = decoder.unknown_fields, decoder.absent_fields, decoder.careful


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as made:
        yield made


@pytest.fixture
def decode(decoder: Decoder, tmp_path: Path):
    return lambda endpoint, records, first=DAY, last=None: Decoded(decoder, tmp_path, endpoint, records, first, last)


BAD = json.dumps(event(DAY, cents="not a number"))


# Numbers ------------------------------------------------------------------------------------------------------


CENTS = {
    "21.36232": "0.2136232",
    "37.33": "0.3733",
    "12.5": "0.125",
    "8": "0.08",
    "0": "0",
    "0.1": "0.001",
    "1e2": "1",
    "2.5E-3": "0.000025",
    "123456789.012345": "1234567.89012345",
    "9999999999.9": "99999999.999",
    "0.0000001": "0.000000001",
    "41280.000000": "412.8",
    '"21.36232"': "0.2136232",
    '"41280.000000"': "412.8",
    '"1234567890.1234567"': "12345678.901234567",
    "-5.25": "-0.0525",
    "1.10": "0.011",
}


@pytest.mark.parametrize("cents", CENTS)
def test_cents_become_usd_exactly(decode, cents: str) -> None:
    """Numbers of up to 15 digits and strings of any length lose nothing: 41280.000000 cents are 412.80 USD."""
    assert [r["charged_usd"] for r in decode(EVENTS, [event_json(DAY, cents)]).rows] == [Decimal(CENTS[cents])]


def test_cents_become_usd_exactly_beside_a_bad_record(decode) -> None:
    found = decode(EVENTS, [*(event_json(DAY, cents, email=f"{n}@example.com") for n, cents in enumerate(CENTS)), BAD])
    assert found.careful
    usd = {r["user_email"]: r["charged_usd"] for r in found.rows}
    assert usd == {f"{n}@example.com": Decimal(expected) for n, expected in enumerate(CENTS.values())}


@pytest.mark.parametrize("text", ["1_000", "1_0.5", "_1"])
def test_a_number_as_programs_write_it_is_none(decode, text: str) -> None:
    """1_000 may be a thousand or a slip; the engine would take it for a thousand. The record beside it counts."""
    found = decode(EVENTS, [event_json(DAY, f'"{text}"'), event_json(DAY, "5")])
    assert [r["charged_usd"] for r in found.rows] == [Decimal("0.05")]
    assert [(r["column_name"], r["value"], r["reason"]) for r in found.rejects] == [("chargedCents", text, "is not a number")]


@settings(max_examples=30)
@given(st.lists(st.decimals(min_value=0, max_value=10**8, places=7), min_size=1, max_size=20))
def test_any_15_digits_are_exact_and_the_total_is_their_sum(decoder: Decoder, tmp_path: Path, cents: list[Decimal]) -> None:
    """JSON goes through double: up to 15 significant digits survive, summed in Decimal here and in the decoder alike."""
    cents = [c for c in cents if len(c.normalize().as_tuple().digits) <= 15] or [Decimal("0.1")]
    found = Decoded(decoder, tmp_path, EVENTS, [event_json(DAY, format(c, "f")) for c in cents])
    assert sorted(r["charged_usd"] for r in found.rows) == sorted(c / 100 for c in cents)
    assert found.days[0].vendor_total_usd == sum(cents) / 100


@pytest.mark.parametrize("company", [[], [BAD]], ids=["fast", "careful"])
def test_integers_may_come_as_strings_and_ids_as_numbers(decode, company: list) -> None:
    """timestamp is a string of milliseconds; a token count may be one too; an id may be a number and stays text."""
    found = decode(
        EVENTS, [event(DAY, tokenUsage={"inputTokens": "126", "outputTokens": 450}, serviceAccountId=1234567890123456789), *company]
    )
    (row,) = found.rows
    assert (row["input_tokens"], row["output_tokens"], row["service_account_id"]) == (126, 450, "1234567890123456789")
    assert row["event_at"] == datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_a_fractional_token_count_is_unknown_and_not_rounded(decode) -> None:
    """The event's money counts, its tokens are NULL, and the field is named."""
    found = decode(EVENTS, [event(DAY, "a@example.com"), event(DAY, "b@example.com", tokenUsage={"inputTokens": 126.5, "outputTokens": 3})])
    assert [(r["user_email"], r["input_tokens"], r["output_tokens"], r["charged_usd"]) for r in found.rows] == [
        ("a@example.com", None, None, Decimal("0.1")),
        ("b@example.com", None, 3, Decimal("0.1")),
    ]
    (reject,) = found.rejects
    assert (reject["column_name"], reject["value"], reject["reason"]) == ("tokenUsage.inputTokens", "126.5", "is not a whole number")
    assert reject["is_counted"] and reject["record_number"] == 2 and json.loads(reject["payload"])["tokenUsage"]["inputTokens"] == 126.5


def test_a_negative_count_is_rejected(decode) -> None:
    found = decode(DAILY_USAGE, [work(DAY), work(DAY, "user_2", totalLinesAdded=-1)])
    assert [r["user_id"] for r in found.rows] == ["user_1"]
    assert [(r["column_name"], r["value"]) for r in found.rejects] == [("totalLinesAdded", "-1")]


# A bad record costs only itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"chargedCents": "n/a"}, "chargedCents"),
        ({"chargedCents": True}, "chargedCents"),
        ({"chargedCents": False}, "chargedCents"),
        ({"chargedCents": 1e30}, "chargedCents"),
        ({"chargedCents": "1e28"}, "chargedCents"),
        ({"timestamp": True}, "timestamp"),
        ({"chargedCents": None}, "chargedCents"),
        ({"chargedCents": {}}, "chargedCents"),
        ({"chargedCents": [1]}, "chargedCents"),
        ({"chargedCents": "21,36"}, "chargedCents"),
        ({"chargedCents": 1e40}, "chargedCents"),
        ({"chargedCents": ""}, "chargedCents"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": 10**30}, "timestamp"),
        ({"timestamp": "1793491200000.5"}, "timestamp"),
        ({"isChargeable": "perhaps"}, "isChargeable"),
        ({"isChargeable": False, "chargedCents": -1}, "chargedCents"),
    ],
)
def test_a_record_without_readable_money_costs_only_itself(decode, change: dict, column: str) -> None:
    """The others stand; the bad one is kept whole with the field, the value, the reason and what to do."""
    bad = {**event(DAY), **change}
    found = decode(EVENTS, [event(DAY, "a@example.com"), bad, event(DAY, "b@example.com")])
    assert sorted(r["user_email"] for r in found.rows) == ["a@example.com", "b@example.com"]
    assert {r["record_number"] for r in found.rejects} == {2}
    assert column in {r["column_name"] for r in found.rejects} and not any(r["is_counted"] for r in found.rejects)
    assert all(json.loads(r["payload"]) == bad and r["reason"] and r["remedy"] for r in found.rejects)
    assert (found.days[0].records, found.days[0].rejected) == (3, 1), "a record with two faults is one rejected record"


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"userEmail": None}, {"user_email"}),
        ({"userEmail": "null"}, {"user_email"}),
        ({"serviceAccountId": "null", "serviceAccountName": " None "}, set()),
        ({"model": ""}, {"model"}),
        ({"tokenUsage": {"outputTokens": "many"}}, {"output_tokens"}),
        ({"tokenUsage": [1]}, {"output_tokens", "list_usd"}),
        ({"tokenUsage": {"totalCents": True}}, {"list_usd"}),
        ({"cursorTokenFee": 1e30}, {"token_fee_usd"}),
        ({"requestsCosts": "x"}, {"request_units"}),
        ({"maxMode": "sometimes"}, {"is_max_mode"}),
        ({"conversationId": {"a": 1}}, set()),
    ],
)
def test_a_record_whose_money_can_be_read_counts_whatever_else_it_lacks(decode, change: dict, columns: set[str]) -> None:
    """Law 5: the field alone is NULL, and named where it was unreadable; 25 and 10 cents are 0.35 USD either way."""
    found = decode(EVENTS, [{**event(DAY, "b@example.com", cents=25), **change}, event(DAY, "a@example.com")])
    (row,) = (r for r in found.rows if r["charged_usd"] == Decimal("0.25"))
    assert {c for c in columns if row[c] is not None} == set()
    assert (row["service_account_id"], row["service_account_name"]) == (None, None)
    day = found.days[0]
    assert (day.rejected, day.unknown_money, day.vendor_total_usd) == (0, 0, Decimal("0.35"))
    assert all(r["is_counted"] and r["record_number"] == 1 for r in found.rejects)
    assert day.incomplete == len({r["record_number"] for r in found.rejects})


@pytest.mark.parametrize(
    "broken", [b'"\\ud83d"', b'"cut \\ud83d\\ud83d\\ude00"', b'"\\udc00 alone"', b'"\xff\xfe"', b'"caf\xe9"', b'"a\\u0000b"'], ids=repr
)
def test_text_that_is_not_unicode_costs_no_money(decode, broken: bytes) -> None:
    """Half an emoji, a wrong encoding: the text is mended, the record counts, and the one beside it is untouched."""
    bad = json.dumps(event(DAY, cents=25, model="@")).encode().replace(b'"@"', broken)
    found = decode(EVENTS, [bad, event(DAY, cents=10, model="\\ud83d whole: 😀")])
    assert {r["charged_usd"] for r in found.rows} == {Decimal("0.25"), Decimal("0.1")} and found.days[0].vendor_total_usd == Decimal("0.35")
    assert "\\ud83d whole: 😀" in {r["model"] for r in found.rows}, "an escaped backslash begins no surrogate"


@pytest.mark.parametrize("record", [b"{}", b"null", b"5", b"[]", b'"text"', b"true"], ids=repr)
def test_a_record_that_is_nothing_is_rejected_alone(decode, record: bytes) -> None:
    for endpoint, good in ((EVENTS, event(DAY)), (DAILY_USAGE, work(DAY)), (MEMBERS, {"id": "u", "email": "a@example.com"})):
        found = decode(endpoint, [good, record])
        assert len(found.rows) == 1 and {r["record_number"] for r in found.rejects} == {2}
        lone = decode(endpoint, [record])
        assert lone.rows == [] and lone.days[0].rejected == 1


def test_money_that_cannot_be_read_is_counted_beside_the_total_of_the_rest(decode) -> None:
    """Neither 0 nor unknown for the whole day: 10 cents are known, and one record is not."""
    for change in ({"chargedCents": None}, {"chargedCents": "n/a"}, {"isChargeable": "perhaps"}, {"timestamp": "yesterday"}):
        day = decode(EVENTS, [event(DAY), {**event(DAY, cents=7), **change}]).days[0]
        assert (day.vendor_total_usd, day.unknown_money, day.rejected) == (Decimal("0.1"), 1, 1)


def test_an_event_that_bills_nothing_hides_no_money(decode) -> None:
    """The user's own key, without an amount: one reason, and it is true; its billed amount is known to be 0."""
    day = decode(EVENTS, [event(DAY), {"timestamp": str(ms(DAY)), "kind": "User API Key", "isChargeable": False, "cursorTokenFee": 1.25}])
    assert [(r["column_name"], r["reason"]) for r in day.rejects] == [("chargedCents", "is missing")]
    assert (day.days[0].vendor_total_usd, day.days[0].unknown_money) == (Decimal("0.1"), 0)


def test_an_absent_flag_is_false(decode) -> None:
    """For one record; that it goes missing everywhere is another matter."""
    lacking = {k: v for k, v in event(DAY, cents=7).items() if k != "isChargeable"}
    found = decode(EVENTS, [event(DAY), lacking, {**lacking, "isChargeable": None}])
    assert sorted(r["is_chargeable"] for r in found.rows) == [False, False, True] and found.days[0].vendor_total_usd == Decimal("0.1")


def test_the_vendors_total_is_of_what_is_billed(decode) -> None:
    """10 + 7 cents; included value is no money, though the flag says that it has a price."""
    included = event(DAY, cents=99, kind="Included in Business")
    found = decode(EVENTS, [event(DAY), event(DAY, cents=7, tokenUsage={"inputTokens": 0.5}), included])
    assert len(found.rows) == 3 and found.days[0].vendor_total_usd == Decimal("0.17")


def test_a_day_outside_the_window_is_rejected(decode) -> None:
    """An event of another day must not be stored on a day that was not asked: its own day would be replaced by a part of it."""
    inside = [event(DAY), event(NEXT)]
    outside = [{**event(DAY), "timestamp": str(ms(date(2026, 11, 3), 0))}, {**event(DAY), "timestamp": str(ms(DAY, 0) - 1)}]
    found = decode(EVENTS, inside + outside, DAY, NEXT)
    assert sorted(r["usage_date"] for r in found.rows) == [DAY, NEXT]
    assert [(r["record_number"], r["reason"]) for r in found.rejects] == [
        (3, "is outside the days that were asked"),
        (4, "is outside the days that were asked"),
    ]


def test_both_bounds_of_a_day_belong_to_it(decode) -> None:
    """00:00:00.000 and 23:59:59.999 UTC are in; the millisecond after is out."""
    records = [
        {**event(DAY), "timestamp": str(ms(DAY, 0))},
        {**event(DAY), "timestamp": str(ms(NEXT, 0) - 1)},
        {**event(DAY), "timestamp": str(ms(NEXT, 0))},
    ]
    found = decode(EVENTS, records)
    assert sorted(r["event_at"] for r in found.rows) == [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, 23, 59, 59, 999000, UTC)]
    assert len(found.rejects) == 1


def test_day_is_the_date_whatever_date_says(decode) -> None:
    """daily-usage-data: `date` carries the time of day of startDate; `day` counts."""
    found = decode(DAILY_USAGE, [work(NEXT) | {"date": ms(DAY, 17)}], DAY, NEXT)
    assert [r["usage_date"] for r in found.rows] == [NEXT]


@pytest.mark.parametrize("day", ["2026-11-31", "01.11.2026", "", None, 20261101])
def test_a_day_that_is_none_is_rejected(decode, day) -> None:
    found = decode(DAILY_USAGE, [work(DAY, "user_1"), {**work(DAY, "user_2"), "day": day}])
    assert [r["user_id"] for r in found.rows] == ["user_1"] and {r["record_number"] for r in found.rejects} == {2}


# Nothing is lost ------------------------------------------------------------------------------------------------

HOSTILE = [
    'a"b',
    "a.b",
    "x'y",
    "$",
    "$.a",
    "",
    " ",
    "a/b",
    "~1",
    "ä€😀",
    "[0]",
    "*",
    "null",
    "c:user_email",
    "__n",
    "select",
    'q"; DROP TABLE walks; --',
]


@pytest.mark.parametrize("value", [1, "text", None, {"x": [1, {"y": None}]}, [], 'it\'s "quoted"\n'], ids=repr)
def test_an_unknown_field_is_kept_whatever_its_name(decode, value: Any) -> None:
    """`extra` is a JSON object of the unknown fields by name with their exact values; declared columns are untouched. A record has one of the names,
    and nothing of its neighbours'."""
    found = decode(
        EVENTS, [*(event(DAY, f"{n}@example.com", **{name: value}) for n, name in enumerate(HOSTILE)), event(DAY, "b@example.com")]
    )
    rows = {r["user_email"]: r for r in found.rows}
    assert found.unknown == tuple(sorted(HOSTILE))
    for n, name in enumerate(HOSTILE):
        assert json.loads(rows[f"{n}@example.com"]["extra"]) == {name: value}, name
    assert rows["b@example.com"]["extra"] is None
    assert {r["charged_usd"] for r in rows.values()} == {Decimal("0.1")}


@pytest.mark.parametrize("name", some(["a.b", "$"], HOSTILE))
def test_an_unknown_field_alone(decode, name: str) -> None:
    found = decode(EVENTS, [event(DAY, "a@example.com", **{name: 1}), event(DAY, "b@example.com")])
    assert found.unknown == (name,)
    assert [json.loads(r["extra"] or "null") for r in found.rows] in ([{name: 1}, None], [None, {name: 1}])


def test_an_unknown_nested_field_is_kept_under_its_path(decode) -> None:
    names = [name for name in HOSTILE if name]
    found = decode(
        EVENTS, [event(DAY, f"{n}@example.com", tokenUsage={"inputTokens": 5, name: {"z": 1.5}}) for n, name in enumerate(names)]
    )
    rows = {r["user_email"]: r for r in found.rows}
    for n, name in enumerate(names):
        row = rows[f"{n}@example.com"]
        assert row["input_tokens"] == 5, name
        assert json.loads(row["extra"]) == {f"tokenUsage.{name}": {"z": 1.5}}, name


def test_a_field_named_like_a_path_is_not_taken_for_it(decode) -> None:
    """A top-level `tokenUsage.inputTokens` is another field than inputTokens inside tokenUsage: both are kept."""
    found = decode(EVENTS, [event(DAY, **{"tokenUsage.inputTokens": 7}, tokenUsage={"inputTokens": 5})])
    (row,) = found.rows
    assert row["input_tokens"] == 5
    assert row["extra"] is not None and 7 in json.loads(row["extra"]).values()


def test_two_unknown_fields_of_one_path_are_both_kept(decode) -> None:
    """`{"tokenUsage.new": 1, "tokenUsage": {"new": 2}}` holds two facts."""
    found = decode(EVENTS, [event(DAY, **{"tokenUsage.new": 1}, tokenUsage={"inputTokens": 5, "new": 2})])
    assert sorted(json.loads(found.rows[0]["extra"]).values()) == [1, 2]


def test_records_of_thousands_of_fields_are_a_changed_contract(decode) -> None:
    """Each costs memory in every record: 500 are kept, and one more is an error with a sentence."""
    new = {f"f{n}": n for n in range(501)}
    with pytest.raises(
        ContractError, match=r"501 fields that are not declared, such as 'f0', and at most 500 are kept; nothing was stored"
    ):
        decode(EVENTS, [event(DAY, **new)])
    del new["f500"]
    assert len(json.loads(decode(EVENTS, [event(DAY, **new)]).rows[0]["extra"])) == 500


@pytest.mark.parametrize("field", ["tokenUsage", "chargedCents", "isChargeable"])
def test_a_long_text_that_is_not_ascii_in_another_fields_place_costs_its_record_alone(decode, field: str) -> None:
    """DuckDB quotes it in its error and cuts it in the middle of a letter, which Python's binding cannot decode: at one of two lengths."""
    for before in ("", "a"):
        found = decode(EVENTS, [event(DAY, cents=125), event(DAY, **{field: before + "é" * 120})])
        assert Decimal("1.25") in {row["charged_usd"] for row in found.rows}


def test_new_fields_are_counted_while_they_come(decode) -> None:
    """Three records of 3,000 new fields each: the first is enough, so that millions are never held at once."""
    with pytest.raises(ContractError, match=r"have 3,000 fields that are not declared"):
        decode(EVENTS, [event(DAY, **{f"f{r}_{n}": n for n in range(3_000)}) for r in range(3)])


def test_what_needs_too_much_memory_is_one_sentence_and_fills_no_working_directory(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spool").mkdir()
    walk = spooled(tmp_path / "spool", EVENTS, DAY, None, [event(DAY, model=str(n) * 2_000) for n in range(1_500)])
    with Decoder("10MB") as decoder, pytest.raises(ContractError, match=r"need more memory than 10MB to be read; nothing was stored"):
        decoder.load([walk])
        decoder.rows({(str(walk.path), DAY): "f"}, datetime.now(UTC))
    assert [p.name for p in tmp_path.iterdir()] == ["spool"]


def test_an_object_that_became_something_else_is_not_lost(decode) -> None:
    """tokenUsage as text: the record is rejected or the text is kept, but it does not vanish."""
    found = decode(EVENTS, [event(DAY, tokenUsage="126 in, 450 out")])
    assert found.rejects or "126 in, 450 out" in (found.rows[0]["extra"] or "")


def test_numbers_in_extra_keep_their_digits(decode) -> None:
    found = decode(EVENTS, [event_json(DAY, "1", newPrice="@@").replace('"@@"', "1234567.12345678")])
    assert json.loads(found.rows[0]["extra"], parse_float=Decimal) == {"newPrice": Decimal("1234567.12345678")}


def test_unknown_fields_are_the_same_on_the_careful_path(decode) -> None:
    records = [event(DAY, "a@example.com", new={"a": 1}, tokenUsage={"inputTokens": 1, "n.w": 2})]
    fast, careful = decode(EVENTS, records), decode(EVENTS, [*records, BAD])
    assert fast.rows == careful.rows and careful.careful and not fast.careful


# Missing is not zero ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["timestamp", "isChargeable", "chargedCents"])
def test_a_required_field_that_no_record_has_fails_the_fetch(decode, name: str) -> None:
    """Renamed by the vendor: one sentence names the endpoint, the days and the field."""
    records = [{(k + "V2" if k == name else k): v for k, v in event(DAY).items()}] * 3
    with pytest.raises(ContractError) as caught:
        decode(EVENTS, records)
    said = str(caught.value)
    assert name in said and "filtered-usage-events" in said and "2026-11-01" in said and f"{name}V2" in said and "\n" not in said


@pytest.mark.parametrize("name", ["timestamp", "chargedCents"])
def test_a_required_field_that_one_record_lacks_rejects_that_record(decode, name: str) -> None:
    lacking = {k: v for k, v in event(DAY, "b@example.com").items() if k != name}
    found = decode(EVENTS, [event(DAY, "a@example.com"), lacking])
    assert [r["user_email"] for r in found.rows] == ["a@example.com"]
    assert {r["record_number"] for r in found.rejects} == {2} and name in {r["column_name"] for r in found.rejects}


def test_few_records_that_lack_a_field_are_bad_records_and_many_are_a_changed_contract(decode) -> None:
    """One broken event must not stop its day; ten that lack the same field say that the vendor dropped it."""
    lacking = {k: v for k, v in event(DAY).items() if k != "chargedCents"}
    few = decode(EVENTS, [lacking] * 9)
    assert (few.days[0].rejected, few.days[0].unknown_money) == (9, 9)
    with pytest.raises(ContractError):
        decode(EVENTS, [lacking] * 10)


def test_a_contract_that_changed_for_one_day_is_found_beside_other_days(tmp_path: Path) -> None:
    """A walk fails alone and inside a range alike: a day without chargedCents in any record must not pass because another has it."""
    good = spooled(tmp_path, EVENTS, DAY, records=[event(DAY)])
    changed = spooled(tmp_path, EVENTS, NEXT, records=[{k: v for k, v in event(NEXT).items() if k != "chargedCents"}] * 10)
    with Decoder() as decoder:
        with pytest.raises(ContractError):
            decoder.load([changed])
        with pytest.raises(ContractError):
            decoder.load([good, changed])


def test_null_absent_and_zero_are_three_things(decode) -> None:
    """Absent and null are NULL, never 0; 0 is 0."""
    records = [work(DAY, "user_1", totalApplies=0), work(DAY, "user_2", totalApplies=None), work(DAY, "user_3")]
    found = decode(DAILY_USAGE, records)
    assert {r["user_id"]: r["applies"] for r in found.rows} == {"user_1": 0, "user_2": None, "user_3": None}


def test_tokens_of_an_event_without_token_usage_are_unknown(decode) -> None:
    found = decode(EVENTS, [event(DAY), event(DAY, tokenUsage=None), event(DAY, tokenUsage={})])
    assert [(r["input_tokens"], r["list_usd"]) for r in found.rows] == [(None, None)] * 3


def test_empty_texts_of_live_answers_are_null(decode) -> None:
    """Live answers of 2025 sent '' where the documents say null."""
    found = decode(DAILY_USAGE, [work(DAY, mostUsedModel="", clientVersion="")])
    assert (found.rows[0]["most_used_model"], found.rows[0]["client_version"]) == (None, None)


def test_the_text_none_never_appears(decode) -> None:
    """NULL turned into the text 'None' is a known wrong turn."""
    found = decode(MEMBERS, [{"id": "u", "email": "a@example.com", "name": None, "role": None}])
    assert (found.rows[0]["name"], found.rows[0]["role"], found.rows[0]["is_removed"]) == (None, None, None)


def test_a_walk_without_records_is_an_empty_day_and_each_day_of_the_window_is_there(decode) -> None:
    found = decode(EVENTS, [], DAY, date(2026, 11, 3))
    assert [(d.usage_date, d.records, d.vendor_total_usd) for d in found.days] == [
        (DAY, 0, Decimal(0)),
        (NEXT, 0, Decimal(0)),
        (date(2026, 11, 3), 0, Decimal(0)),
    ]
    assert found.rows == []


def test_rows_have_exactly_the_declared_schema(decode) -> None:
    for records in ([event(DAY)], [event(DAY), BAD], []):
        assert decode(EVENTS, records).table.schema == EVENTS.table.arrow_schema()


# Content ----------------------------------------------------------------------------------------------------------


def test_the_content_hash_sees_order_as_nothing_and_copies_as_something(decode) -> None:
    """Vendors answer newest first or not; but two equal events are two events."""
    a, b = event(DAY, "a@example.com"), event(DAY, "b@example.com")
    sha = lambda records: decode(EVENTS, records).days[0].sha256  # noqa: E731
    assert sha([a, b]) == sha([b, a])
    assert len({sha([a]), sha([a, a]), sha([a, b]), sha([a, b, b])}) == 4


def test_equal_events_are_both_kept(decode) -> None:
    """Cursor gives events no id: two equal ones are two, and cost twice."""
    found = decode(EVENTS, [event(DAY)] * 3)
    assert len(found.rows) == 3 and found.days[0].vendor_total_usd == Decimal("0.3")


# Both paths -------------------------------------------------------------------------------------------------------

texts = st.text(max_size=8)
numbers = st.one_of(st.integers(0, 10**6), st.decimals(0, 10**6, places=4).map(float), st.integers(0, 999).map(str), st.none())
booleans = st.sampled_from([True, False])
good_events = st.fixed_dictionaries(
    {
        "timestamp": st.integers(ms(DAY, 0), ms(NEXT, 0) - 1).flatmap(lambda n: st.sampled_from([n, str(n)])),
        "userEmail": st.emails(),
        "isChargeable": booleans,
        "chargedCents": numbers.filter(lambda n: n is not None),
    },
    optional={
        "model": st.one_of(texts, st.none()),
        "kind": texts,
        "maxMode": st.one_of(booleans, st.none()),
        "serviceAccountId": texts,
        "requestsCosts": numbers,
        "cursorTokenFee": numbers,
        "unknown": st.one_of(texts, numbers, st.lists(numbers, max_size=2)),
        "tokenUsage": st.fixed_dictionaries({}, optional={"inputTokens": st.integers(0, 10**9), "totalCents": numbers, "odd": texts}),
    },
)


@settings(max_examples=25)
@given(st.lists(good_events, min_size=1, max_size=6))
def test_the_fast_and_the_careful_path_agree_on_every_good_record(decoder: Decoder, tmp_path: Path, records: list[dict]) -> None:
    """One bad record switches the whole batch to the careful path: no other row may change by that."""
    fast, careful = (Decoded(decoder, tmp_path, EVENTS, given) for given in (records, [*records, BAD]))
    assert careful.careful
    assert fast.rows == careful.rows
    assert len(fast.rows) == len(records) and not fast.rejects
    read = sorted((r["user_email"], r["charged_usd"], r["is_chargeable"], str(r["input_tokens"])) for r in fast.rows)
    assert read == sorted(
        (
            r["userEmail"],
            (Decimal(str(r["chargedCents"])) / 100).quantize(Decimal("1e-9")),
            r["isChargeable"],
            str((r.get("tokenUsage") or {}).get("inputTokens")),
        )
        for r in records
    )


@pytest.mark.parametrize(
    ("field", "odd", "counts"),
    [
        ("isChargeable", 2, False), ("isChargeable", 0.0, False), ("isChargeable", 1e30, False), ("isChargeable", 1, True),
        ("maxMode", -1, True), ("isHeadless", 0.5, True), ("requestsCosts", True, True), ("cursorTokenFee", "1_0", True),
    ],
)  # fmt: skip
def test_what_stands_in_the_place_of_another_kind_reads_alike_on_both_paths(decode, field: str, odd: Any, counts: bool) -> None:
    """A number is no flag and a flag no number, whoever lies beside the record; where nobody can say what was billed, it does not count."""
    alone, beside = (decode(EVENTS, [{**event(DAY), field: odd}, *others]) for others in ([], [BAD]))
    assert alone.rows == beside.rows and len(alone.rows) == counts
    reasons = [{(r["record_number"], r["reason"]) for r in found.rejects if r["column_name"] == field} for found in (alone, beside)]
    assert reasons[0] == reasons[1]
    assert bool(reasons[0]) == ((field, odd) != ("isChargeable", 1))

"""Identity follows no order: whatever order rows, lists and tabs arrive in, whoever pays is the same, and no key has two owners.

Truth is the test's own reading of the rule, key by key and day by day in Python; never the models' answer for another order alone.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.remembered import unrecorded
from ai_usage.tables import texts
from ai_usage.warehouse.dialect import to_duckdb
from ai_usage_tests.fixtures.desk import Desk

D, N = date, Decimal
FIRST = D(2026, 11, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
EVER = D(1900, 1, 1), D(9999, 12, 31)
KEYS, NAMES = ("k1", "k2", "k3"), ("ci", "etl")
OWNERS = ("ana@example.com", "ben@example.com")
CREATOR = "admin@example.com"

lists = st.fixed_dictionaries({}, optional={key: st.sampled_from(NAMES) for key in KEYS})
sheet_rows = st.lists(
    st.tuples(st.sampled_from((*NAMES, *KEYS)), st.sampled_from(OWNERS), st.sampled_from((None, *DAYS)), st.sampled_from((None, DAYS[-1]))),
    max_size=5,
)


def owner(key: str, day: date, told: dict[date, dict[str, str]], rows: list[tuple]) -> str | None:
    """Who answers for a key on a day, by the rule as the docs say it."""

    def name_on(k: str) -> str | None:
        """The name in the last list up to the day that has the key; a key that a list leaves out keeps it."""
        known = [told[d][k] for d in sorted(told) if d <= day and k in told[d]]
        return known[-1] if known else None

    ever = {k: {names[k] for names in told.values() if k in names} for k in KEYS}
    valid = [r for r in rows if (r[2] or EVER[0]) <= day <= (r[3] or EVER[1])]
    ids = [(r, 1) for r in valid if r[0] == key]
    today, others = [], []
    for r in valid:
        bearers = [k for k in KEYS if name_on(k) == r[0]]
        if key in bearers:
            today.append((r, len(bearers)))
        elif not bearers and r[0] in ever[key]:
            others.append((r, sum(r[0] in ever[k] for k in KEYS)))
    claims = ids or today or others
    if not claims:
        return CREATOR
    latest = max(r[2] or EVER[0] for r, _ in claims)
    claims = [(r, n) for r, n in claims if (r[2] or EVER[0]) == latest]
    emails = {r[1] for r, _ in claims}
    return emails.pop() if len(emails) == 1 and all(n == 1 for _, n in claims) else None


shown = st.fixed_dictionaries({}, optional={key: st.tuples(st.sampled_from(NAMES), st.booleans()) for key in KEYS})


@settings(max_examples=25, deadline=None)
@given(told=st.lists(shown, min_size=1, max_size=4))
def test_a_name_means_one_key_whoever_asks(new_desk: Callable[[], Desk], told: list[dict[str, tuple[str, bool]]]) -> None:
    """Who bears a name on a day is one answer, for the sheet's rows and for a report that names keys by their names: key by key, day by day."""
    desk, days = new_desk(), {DAYS[n]: keys for n, keys in enumerate(told)}
    for day, keys in days.items():
        rows = [{"api_key_id": k, "name": name, "status": "active" if is_on else "inactive"} for k, (name, is_on) in keys.items()]
        desk.fetch("anthropic", "api_keys", day, "raw_anthropic_api_keys", *rows, window_start=None)
    asked = [*DAYS, DAYS[-1] + timedelta(days=1)]
    actor = {"actor_type": "api_actor", "customer_type": "api"}
    for day in asked:
        rows = [{**actor, "api_key_name": name} for name in NAMES]
        desk.fetch("anthropic", "usage_report/claude_code", day, "raw_claude_code_usage", *rows)

    def bears(key: str, name: str, day: date) -> bool:
        """What the last list that has the key says; a list that says it is off counts from the day after."""
        until = [days[d][key] for d in sorted(days) if d <= day and key in days[d]]
        if until and not until[-1][1] and day in days and key in days[day]:
            until.pop()
        return bool(until) and until[-1] == (name, True)

    ever = {name: {k for keys in told for k, (n, _) in keys.items() if n == name} for name in NAMES}
    found = desk.ask("SELECT usage_date, api_key_name, api_key_id, candidates FROM stg_anthropic_key_names")
    periods = desk.ask("SELECT api_key_id, api_key_name, valid_from, valid_to FROM stg_key_bearers")
    assert len(found) == len(asked) * len(NAMES)
    for row in found:
        day, name = row["usage_date"], row["api_key_name"]
        bearers = {k for k in KEYS if bears(k, name, day)}
        meant = bearers or ever[name]
        assert (row["api_key_id"], row["candidates"]) == (min(meant) if len(meant) == 1 else None, ", ".join(sorted(meant)) or None)
        assert {
            p["api_key_id"] for p in periods if p["api_key_name"] == name and p["valid_from"] and p["valid_from"] <= day <= p["valid_to"]
        } == bearers


@settings(max_examples=25, deadline=None)
@given(told=st.lists(lists, min_size=1, max_size=3), rows=sheet_rows, seed=st.integers(0, 999))
def test_who_answers_for_a_key_is_the_rule_in_any_order(
    new_desk: Callable[[], Desk], told: list[dict], rows: list[tuple], seed: int
) -> None:
    desk, shuffled = new_desk(), random.Random(seed)
    days = {DAYS[n]: names for n, names in enumerate(told)}
    rows = [r for r in rows if (r[2] or EVER[0]) <= (r[3] or EVER[1])]
    desk.fetch("anthropic", "users", FIRST, "raw_anthropic_users", {"user_id": "u", "email": CREATOR}, window_start=None)
    made: dict[str, Any] = {"status": "active", "created_by_id": "u", "created_by_type": "user"}
    for day in shuffled.sample(sorted(days), len(days)):
        keys = [{"api_key_id": k, "name": name, **made} for k, name in days[day].items()]
        desk.fetch("anthropic", "api_keys", day, "raw_anthropic_api_keys", *shuffled.sample(keys, len(keys)), window_start=None)
    tab = [
        {"api_key_name": k, "email": e, "valid_from": begins, "valid_to": ends} for k, e, begins, ends in shuffled.sample(rows, len(rows))
    ]
    desk.tab("api_keys", *tab)
    desk.run("dim_api_keys")
    found = desk.ask("SELECT api_key_id, email, valid_from, valid_to FROM dim_api_keys WHERE NOT STARTS_WITH(api_key_id, 'sheet:')")
    for key in {k for names in told for k in names}:
        for day in (FIRST - timedelta(1), *DAYS, DAYS[-1] + timedelta(1)):
            (row,) = [f for f in found if f["api_key_id"] == key and f["valid_from"] <= day <= f["valid_to"]]
            assert row["email"] == owner(key, day, days, rows), (key, day)


@settings(max_examples=15, deadline=None)
@given(
    claims=st.lists(
        st.tuples(st.sampled_from(("p", "q", "r")), st.sets(st.sampled_from("wxyz"), max_size=3), st.sampled_from(("Eng", "Ops"))),
        max_size=5,
    ),
    seed=st.integers(0, 999),
)
def test_people_are_the_same_in_any_order_of_the_sheets_rows(new_desk: Callable[[], Desk], claims: list[tuple], seed: int) -> None:
    """Everybody's rows hold for ever: an alias of one person is theirs, an alias of two is nobody's; a department that two rows dispute is unknown."""
    desk = new_desk()
    rows = [{"email": f"{p}@x.com", "aliases": ";".join(f"{a}@x.com" for a in sorted(names)), "department": d} for p, names, d in claims]
    desk.tab("people", *random.Random(seed).sample(rows, len(rows)))
    desk.run("dim_user_assignments")
    people = {a: {p for p, names, _ in claims if a in names} for a in "wxyz"}
    expected = {f"{a}@x.com": f"{next(iter(who))}@x.com" for a, who in people.items() if len(who) == 1}
    assert {r["alias"]: r["email"] for r in desk.ask("SELECT alias, email FROM stg_email_aliases")} == expected
    said = {p: {d for q, _, d in claims if q == p} for p, _, _ in claims}
    departments = {f"{p}@x.com": next(iter(d)) for p, d in said.items() if len(d) == 1}
    found = desk.ask("SELECT email, department FROM dim_user_assignments WHERE department IS NOT NULL")
    assert {r["email"]: r["department"] for r in found} == departments


# What programs leave in an address: zero-width spaces and joiners, a byte order mark, a soft hyphen, a direction, a variation selector, a filler.
HIDDEN = "\u200b\u200d\ufeff\u00ad\u2060\u202e\ufe0f\u034f\u3164\U000e0041\x00"
WRAPPED = ("{}", " {}\t", "\u00a0{}\u3000", "<{}>", "mailto:{}", "MAILTO:{}", "Ana B <{}>", "{}.", "Ana, B <mailto:{}>", "{0} <{0}>", "{};")


def read(addresses: list[str]) -> list[tuple[str | None, str | None, str | None]]:
    """Whom each address names: to Python, to the models over stored rows, and to the models over what the decoder reads."""
    with unrecorded():
        folded = to_duckdb(f"SELECT {texts.fold_sql('x')} AS stored, {texts.fold_sql('y')} AS loaded FROM read")
    sql = f"WITH read AS (SELECT x, {texts.read_sql('x', is_address=True)} AS y FROM (SELECT unnest(?) AS x)) {folded}"
    found = duckdb.execute(sql, [addresses]).fetchall()
    return [(texts.fold(address), *row) for address, row in zip(addresses, found, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    written=st.sampled_from(["ana@example.com", "Zo\u00eb.M+tag@ex\u00e4mple.com", "A_B-c%1@x.co", "o'neil@sub.example.com"]),
    hidden=st.lists(st.tuples(st.sampled_from(HIDDEN), st.integers(0, 40)), max_size=4),
    wrapping=st.sampled_from(WRAPPED),
    form=st.sampled_from(["NFC", "NFD"]),
)
@example(written="Zo\u00eb@x.com", hidden=[("\u200b", 3)], wrapping="{}", form="NFD")
def test_an_address_names_one_person_whatever_nobody_sees_in_it(written: str, hidden: list, wrapping: str, form: str) -> None:
    """Inserted anywhere, between a letter and its accent too; composed or not; alone or as a mail program wraps it."""
    person = re.sub(r"\+.*@", "@", written.lower())
    text = unicodedata.normalize(form, wrapping.format(written))
    for character, place in hidden:
        text = text[:place] + character + text[place:]
    assert read([text]) == [(person, person, person)], ascii(text)


def test_what_is_no_single_address_is_nobody() -> None:
    texts_ = [
        "(org service usage)",
        "a@x.com b@x.com",
        "a@x.com, b@x.com",
        "a b@x.com",
        "a\u00a0b@x.com",
        "@x.com",
        "a@",
        "null",
        "",
        "a@x.com <b@x.com",
    ]
    assert read(texts_[:-1]) == [(None, None, None)] * (len(texts_) - 1)
    assert read(texts_[-1:]) == [("b@x.com",) * 3], "what a bracket holds is the address, closed or not"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("@<>.,;: " + HIDDEN)), max_size=12), max_size=30)
)
def test_python_and_sql_read_every_text_alike(texts_: list[str]) -> None:
    """Whatever a text holds: the three readings agree about who it is."""
    for text, (one, other, loaded) in zip(texts_, read(texts_), strict=True):
        assert one == other == loaded, ascii(text)

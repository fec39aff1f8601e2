"""Claude's bill and its owners against answers worked out by hand, in a real DuckDB.

Belongs here: who pays for which token, and what the directory knows of people, keys and workspaces. Does not belong here: how answers
become raw rows (contract/test_anthropic_contract.py).
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage_tests.fixtures.desk import NOON, Desk, curated

D, N = date, Decimal
DAY, NEXT = D(2026, 11, 1), D(2026, 11, 2)
AS_OF = D(2026, 11, 22)
ANA, BEN, CHLOE = "ana@example.com", "ben@example.com", "chloe@example.com"
NANO = N("1e-9")
SAME = {"model": "m", "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "workspace_id": "w"}
OTHER = {"model": None, "token_type": None, "service_tier": None, "context_window": None, "inference_geo": None}


def line(usd: Any, token_type: str | None = "output_tokens", **more: Any) -> dict[str, Any]:
    """A line of the cost report."""
    return SAME | {"amount_usd": N(usd), "currency": "USD", "cost_type": "tokens", "token_type": token_type, "description": "d"} | more


def other(cost_type: str, usd: Any, **more: Any) -> dict[str, Any]:
    """A line that charges something else than tokens."""
    return line(usd, **OTHER) | {"cost_type": cost_type, "description": cost_type} | more


def used(key: str | None, output: int | None = None, **more: Any) -> dict[str, Any]:
    """A row of the usage report."""
    return SAME | {"api_key_id": key, "output_tokens": output} | more


def bill(desk: Desk, *lines: dict[str, Any], day: date = DAY, **fetch: Any) -> None:
    desk.fetch("anthropic", "cost_report", day, "raw_anthropic_cost", *lines, **fetch)


def usage(desk: Desk, *rows: dict[str, Any], day: date = DAY, **fetch: Any) -> None:
    desk.fetch("anthropic", "usage_report/messages", day, "raw_anthropic_usage", *rows, **fetch)


def snapshot(desk: Desk, endpoint: str, *rows: dict[str, Any], day: date = DAY) -> None:
    desk.fetch("anthropic", endpoint, day, f"raw_anthropic_{endpoint}", *rows, at=NOON + timedelta(days=day.day), window_start=None)


def acted(
    email: str | None, model: str = "m", customer: str = "api", key: str | None = None, usd: Any = 0, **tokens: int
) -> dict[str, Any]:
    """A row of Claude Code's report with one model."""
    breakdown = [{"model": model, "tokens": {"input": 0, "output": 0, "cache_read": 0, "cache_creation": 0} | tokens}]
    return {
        "actor_email": email, "api_key_name": key, "customer_type": customer, "model_breakdown": json.dumps(breakdown), "sessions": 1,
        "estimated_usd": N(usd),
    }  # fmt: skip


def code(desk: Desk, *rows: dict[str, Any], day: date = DAY) -> None:
    desk.fetch("anthropic", "usage_report/claude_code", day, "raw_claude_code_usage", *rows)


def parts(desk: Desk, *columns: str) -> list[tuple[Any, ...]]:
    """The split bill: (key, USD) unless other columns are named, sorted."""
    names = columns or ("api_key_id", "cost_usd")
    return sorted((tuple(r.values()) for r in desk.ask(f"SELECT {', '.join(names)} FROM stg_anthropic_cost")), key=repr)


def facts(desk: Desk, first: date = DAY, last: date = NEXT) -> list[tuple[Any, ...]]:
    """(day, key, person, USD, attribution) of the facts."""
    curated(desk, first, last, AS_OF)
    rows = desk.ask("SELECT cost_date, api_key_id, user_email, cost_usd, attribution FROM fct_cost_daily WHERE vendor = 'Anthropic'")
    return sorted((tuple(r.values()) for r in rows), key=repr)


# Parts and lines ----------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_a_line_is_split_by_tokens(desk: Desk) -> None:
    """10 USD over 7, 2 and 1 tokens."""
    bill(desk, line(10))
    usage(desk, used("a", 7), used("b", 2), used("c", 1))
    assert parts(desk) == [("a", N(7)), ("b", N(2)), ("c", N(1))]
    assert parts(desk, "platform", "vendor", "cost_type", "token_type", "attribution", "settled_on", "source")[0] == (
        "claude_api", "Anthropic", "usage", "output_tokens", "token_share", DAY + timedelta(days=30), "anthropic_cost_report",
    )  # fmt: skip


@pytest.mark.either_engine
def test_what_the_cut_leaves_goes_to_the_largest_part(desk: Desk) -> None:
    """10 nano-dollars over 3, 2 and 2 tokens: 4.28, 2.86 and 2.86 are cut to 4, 2, 2, and the 2 left go to the largest."""
    bill(desk, line("0.000000010"))
    usage(desk, used("b", 2), used("c", 2), used("a", 3))
    assert parts(desk) == [("a", N(6) * NANO), ("b", N(2) * NANO), ("c", N(2) * NANO)]


def test_of_equal_parts_the_first_key_takes_the_rest(desk: Desk) -> None:
    bill(desk, line(1))
    usage(desk, used("c", 5), used("a", 5), used("b", 5))
    assert parts(desk) == [("a", N("0.333333334")), ("b", N("0.333333333")), ("c", N("0.333333333"))]


@pytest.mark.either_engine
def test_a_credit_is_split_like_the_charge_it_takes_back(desk: Desk) -> None:
    """The same parts with the other sign; no key gains what another loses."""
    bill(desk, line("-0.000000010"))
    usage(desk, used("a", 3), used("b", 2), used("c", 2))
    assert parts(desk) == [("a", N(-6) * NANO), ("b", N(-2) * NANO), ("c", N(-2) * NANO)]


def test_large_lines_over_many_tokens_stay_exact(desk: Desk) -> None:
    """A million dollars over 3e15 tokens: nano-dollars times tokens has 31 digits. A double would lose the last 15, as the emulator does."""
    bill(desk, line("1000000.000000001"))
    usage(desk, used("a", 2_000_000_000_000_000), used("b", 1_000_000_000_000_000))
    assert parts(desk) == [("a", N("666666.666666668")), ("b", N("333333.333333333"))]


@pytest.mark.parametrize("usd", ["99999999.999999999", "-99999999.999999999"])
def test_the_largest_line_over_the_most_tokens_stays_exact(desk: Desk, usd: str) -> None:
    """The most that a record may say: 100 million USD over 1e13 tokens of five keys, in batches and not, so that the product has 33 digits. Batches
    cost half, so a has 20 parts of 55, b to d 10, e 5; a takes what the cut at 1e-9 USD leaves over."""
    bill(desk, line(usd, service_tier=None))
    most = 9_999_999_999_999
    usage(desk, used("a", most), used("a", most), *(used(key, most) for key in "bcd"), used("e", most, service_tier="batch"))
    nano = int(N(usd).scaleb(9))
    cut = {key: int(N(nano) * part / 55) for key, part in {"a": 20, "b": 10, "c": 10, "d": 10, "e": 5}.items()}
    cut["a"] += nano - sum(cut.values())
    assert parts(desk) == [(key, N(part).scaleb(-9)) for key, part in cut.items()]


def test_two_lines_that_differ_only_in_their_text_are_both_split(desk: Desk) -> None:
    bill(desk, line(1, description="x"), line(2, description="y"), line("0.5", description="y"))
    usage(desk, used("a", 1), used("b", 1))
    assert parts(desk) == [("a", N("1.75")), ("b", N("1.75"))]


def test_each_class_of_tokens_has_its_own_line_and_its_own_shares(desk: Desk) -> None:
    """Five lines of 4 USD; a and b used them 1 to 3 and 3 to 1 in turn."""
    columns = {
        "uncached_input_tokens": "uncached_input_tokens", "output_tokens": "output_tokens", "cache_read_input_tokens": "cache_read_tokens",
        "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
        "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    }  # fmt: skip
    bill(desk, *(line(4, kind) for kind in columns))
    usage(
        desk,
        used("a") | {c: 1 if n % 2 else 3 for n, c in enumerate(columns.values())},
        used("b") | {c: 3 if n % 2 else 1 for n, c in enumerate(columns.values())},
    )
    found = {(k, t): usd for k, t, usd in parts(desk, "api_key_id", "token_type", "cost_usd")}
    assert found == {(k, t): N(1 if (n % 2 == 1) == (k == "a") else 3) for n, t in enumerate(columns) for k in "ab"}


@pytest.mark.parametrize(
    ("dimension", "one", "two"),
    [
        ("service_tier", "standard", "batch"),
        ("context_window", "0-200k", "200k-1M"),
        ("inference_geo", "global", "us"),
        ("model", "m", "n"),
        ("workspace_id", "w", None),
        ("workspace_id", None, "w"),
    ],
)
def test_tiers_windows_regions_models_and_workspaces_do_not_mix(desk: Desk, dimension: str, one: Any, two: Any) -> None:
    """4 USD of the one: a has 1 token, b 3. 10 USD of the other: only a used it. NULL on both sides is the default workspace."""
    bill(desk, line(4, **{dimension: one}), line(10, **{dimension: two}))
    usage(desk, used("a", 1, **{dimension: one}), used("b", 3, **{dimension: one}), used("a", 999, **{dimension: two}))
    by_key: dict[str, Decimal] = defaultdict(Decimal)
    for key, usd in parts(desk):
        by_key[key] += usd
    assert by_key == {"a": N(11), "b": N(3)}


@pytest.mark.parametrize("geo", [None, "", " not_available", "None"])
def test_usage_that_lacks_a_region_takes_the_lines_that_no_other_usage_fits(desk: Desk, geo: str | None) -> None:
    """20 USD for us: only k1's usage could be of it. 8 USD for global are k2's, who says so, whatever k1 may have had there."""
    bill(desk, line(20, inference_geo="US"), line(8))
    usage(desk, used("k1", 5, inference_geo=geo), used("k2", 1, inference_geo="Global"))
    assert parts(desk, "api_key_id", "cost_usd", "attribution") == [("k1", N(20), "token_share"), ("k2", N(8), "token_share")]


def test_two_keys_without_a_region_share_each_line_by_their_tokens(desk: Desk) -> None:
    """20 USD for us and 8 for global over 3 and 1 tokens: 15 + 6 and 5 + 2. The line names the window, so k2's, which says so, is not dearer."""
    bill(desk, line(20, inference_geo="us", context_window="200k-1M"), line(8, context_window="200k-1M"))
    usage(desk, used("k1", 3, inference_geo=None, context_window=None), used("k2", 1, inference_geo=None, context_window="200K-1M"))
    assert parts(desk, "api_key_id", "cost_usd", "attribution") == [("k1", N(21), "token_share"), ("k2", N(7), "token_share")]


def test_lines_that_differ_only_in_how_nothing_is_written_are_one(desk: Desk) -> None:
    """Both lack a region: the 3 USD go to all usage, once, and us is a tenth dearer: 10 and 11 of 21 parts of 4.20."""
    bill(desk, line(3, inference_geo="not_available"), line("1.2", inference_geo=None))
    usage(desk, used("k1", 1), used("k2", 1, inference_geo="us"))
    assert parts(desk, "api_key_id", "cost_usd", "attribution") == [("k1", N(2), "allocated"), ("k2", N("2.2"), "allocated")]


@pytest.mark.parametrize("says", [{"service_tier": "batch"}, {"context_window": "200k-1M"}, {"inference_geo": "us"}])
def test_usage_that_says_something_else_takes_no_line(desk: Desk, says: dict[str, str]) -> None:
    """What the line lacks and what the usage lacks may be anything; what both say is compared."""
    nothing = dict.fromkeys(("service_tier", "context_window", "inference_geo"))
    bill(desk, line(20, **nothing | {name: SAME[name] for name in says}))
    usage(desk, used("k1", 5, **nothing | says))
    assert parts(desk) == [(None, N(20))]


@pytest.mark.either_engine
@pytest.mark.parametrize(
    ("model", "says", "fast", "standard"),
    [
        ("claude-opus-5-5", "fast", 14, 7),  # twice
        ("claude-opus-4-6-20260301", " Fast", 18, 3),  # six times
        ("claude-opus-5-5", "standard", "10.5", "10.5"),
        ("claude-opus-5-5", None, "10.5", "10.5"),
    ],
)
def test_fast_tokens_are_dearer_and_no_line_says_which(desk: Desk, model: str, says: str | None, fast: Any, standard: Any) -> None:
    """21 USD over one token of each key: a line names no speed, so its parts are weighted by list price, and say so."""
    bill(desk, line(21, model=model))
    usage(desk, used("f", 1, model=model, speed=says), used("s", 1, model=model, speed="standard"))
    found = parts(desk, "api_key_id", "cost_usd", "attribution")
    how = "allocated" if fast != standard else "token_share"
    assert found == [("f", N(fast), how), ("s", N(standard), how)]


def test_fast_and_standard_tokens_of_one_key_are_both_its_own(desk: Desk) -> None:
    """1 fast token counts as 2: k has 2 + 1 of 4 parts. Long context is no surcharge on fast: 2 against 2 there."""
    bill(desk, line(4), line(6, "uncached_input_tokens", context_window=None))
    usage(
        desk,
        used("k", 1, speed="fast"), used("k", 1), used("o", 1),
        used("k", speed="fast", context_window="200k-1M", uncached_input_tokens=1), used("o", context_window="200k-1M", uncached_input_tokens=1),
    )  # fmt: skip
    assert parts(desk, "api_key_id", "token_type", "cost_usd") == [
        ("k", "output_tokens", N(3)), ("k", "uncached_input_tokens", N(3)), ("o", "output_tokens", N(1)), ("o", "uncached_input_tokens", N(3)),
    ]  # fmt: skip


@pytest.mark.parametrize("tier", ["flex", "flex_discount", "Flex"])
def test_flex_takes_a_line_that_no_other_usage_fits(desk: Desk, tier: str) -> None:
    """The cost report documents no flex tier, so its money stands in a line of another: of 5 USD that only flex usage explains, and of no 3 USD that
    standard usage does. A line without a tier is shared by tokens, as no price of flex is known, and says that it is an estimate."""
    bill(desk, line(5), line(3, model="n"), line(8, model="o", service_tier=None))
    usage(
        desk, used("f", 1, service_tier=tier), used("f", 9, model="n", service_tier=tier), used("s", 1, model="n"),
        used("f", 1, model="o", service_tier=tier), used("s", 3, model="o"),
    )  # fmt: skip
    assert parts(desk, "model", "api_key_id", "cost_usd", "attribution") == [
        ("m", "f", N(5), "token_share"), ("n", "s", N(3), "token_share"), ("o", "f", N(2), "allocated"), ("o", "s", N(6), "allocated"),
    ]  # fmt: skip


def test_priority_tier_has_usage_and_no_bill(desk: Desk) -> None:
    """Its tokens take nothing of the standard line."""
    bill(desk, line(3))
    usage(desk, used("a", 1), used("b", 1_000_000, service_tier="priority"))
    assert parts(desk) == [("a", N(3))]


@pytest.mark.either_engine
def test_searches_are_split_by_requests_whatever_the_model(desk: Desk) -> None:
    """0.30 USD: one request of a, two of b with two models and tiers; tokens do not count."""
    bill(desk, other("web_search", "0.30"))
    usage(
        desk,
        used("a", 1_000_000, web_search_requests=1),
        used("b", 1, web_search_requests=1),
        used("b", 1, web_search_requests=1, model="n", service_tier="batch"),
        used("c", 1, web_search_requests=0),
        used("d", 1, web_search_requests=9, workspace_id=None),
    )
    assert parts(desk, "api_key_id", "token_type", "model", "cost_usd") == [
        ("a", "web_search", None, N("0.1")),
        ("b", "web_search", None, N("0.2")),
    ]


@pytest.mark.parametrize("cost_type", ["code_execution", "session_usage", "something_new"])
def test_what_no_usage_explains_stays_whole_and_nobodys(desk: Desk, cost_type: str) -> None:
    bill(desk, other(cost_type, "0.041667"))
    usage(desk, used("a", 5, web_search_requests=5))
    assert parts(desk, "api_key_id", "user_email", "token_type", "cost_usd", "attribution") == [
        (None, None, cost_type, N("0.041667"), "unattributed")
    ]
    assert facts(desk) == [(DAY, None, None, N("0.041667"), "unattributed")]


@pytest.mark.parametrize(
    "rows", [[], [used("a", 0)], [used("a", None)], [used("a", 5, model="n")], [used("a", None, uncached_input_tokens=5)]]
)
def test_a_line_without_usage_stays_whole_and_nobodys(desk: Desk, rows: list[dict[str, Any]]) -> None:
    """No usage at all, zero tokens, tokens of another model or class: the money is there all the same."""
    bill(desk, line(2))
    usage(desk, *rows)
    assert parts(desk, "api_key_id", "cost_usd", "attribution") == [(None, N(2), "unattributed")]


def test_usage_without_a_line_costs_nothing(desk: Desk) -> None:
    bill(desk)
    usage(desk, used("a", 5))
    assert parts(desk) == []
    assert desk.one("SELECT output_tokens FROM stg_anthropic_usage") == 5


def test_a_line_of_nothing_is_nothing_to_everybody(desk: Desk) -> None:
    bill(desk, line(0))
    usage(desk, used("a", 5), used("b", 1))
    assert {usd for _, usd in parts(desk)} == {N(0)}


def test_the_same_line_twice_is_money_twice(desk: Desk) -> None:
    """The vendor's rows have no identity; two equal ones are two charges."""
    bill(desk, line(1), line(1))
    usage(desk, used("a", 1))
    assert parts(desk) == [("a", N(2))]


@pytest.mark.either_engine
def test_days_and_superseded_versions_do_not_mix(desk: Desk) -> None:
    bill(desk, line(100))
    usage(desk, used("z", 1))
    bill(desk, line(6), at=NOON + timedelta(hours=1))
    usage(desk, used("a", 1), used("b", 2), at=NOON + timedelta(hours=1))
    bill(desk, line(5), day=NEXT)
    usage(desk, used("b", 1), day=NEXT)
    assert parts(desk, "cost_date", "api_key_id", "cost_usd") == [(DAY, "a", N(2)), (DAY, "b", N(4)), (NEXT, "b", N(5))]


def test_a_service_account_pays_for_its_own(desk: Desk) -> None:
    bill(desk, line(4))
    usage(desk, used(None, 1, service_account_id="svac"), used("a", 3))
    assert parts(desk) == [("a", N(3)), ("svac", N(1))]


def test_somebody_who_signed_in_is_the_account(desk: Desk) -> None:
    """OAuth requests name the user; nobody's tokens are the console's playground."""
    snapshot(desk, "users", {"user_id": "u1", "email": "Ana@Example.com"})
    bill(desk, line(6))
    usage(desk, used(None, 1, account_id="u1"), used(None, 2, account_id="gone"), used(None, 3))
    assert parts(desk, "user_email", "cost_usd") == [("Ana@Example.com", N(1)), (None, N(5))]
    assert facts(desk) == [(DAY, None, ANA, N(1), "token_share"), (DAY, None, None, N(5), "unattributed")]


# Random days --------------------------------------------------------------------------------------------------

usd = st.decimals(min_value=N("-50"), max_value=N("5000"), places=9)
tokens = st.one_of(st.just(0), st.integers(1, 9), st.integers(1, 10**12))


@settings(max_examples=20)
@given(
    lines=st.dictionaries(st.tuples(st.sampled_from(["w", None]), st.sampled_from(["m", "n"])), usd, min_size=1),
    rows=st.lists(
        st.tuples(st.sampled_from(["w", None]), st.sampled_from(["m", "n"]), st.sampled_from([*"abcde", None]), tokens), max_size=14
    ),
    seed=st.integers(0, 99),
)
def test_parts_are_the_line(new_desk: Callable[[], Desk], lines: dict, rows: list, seed: int) -> None:
    """They sum to it to the last digit, none has the other sign, none is further from its share than the cut, no order matters."""
    found = []
    for shuffled in (False, True):
        desk = new_desk()
        laid = [line(amount, workspace_id=w, model=m) for (w, m), amount in lines.items()]
        seen = [used(key, count, workspace_id=w, model=m) for w, m, key, count in rows]
        if shuffled:
            random.Random(seed).shuffle(laid)
            random.Random(seed).shuffle(seen)
        bill(desk, *laid)
        usage(desk, *seen)
        found.append(parts(desk, "workspace_id", "model", "api_key_id", "attribution", "cost_usd"))
    assert found[0] == found[1]
    held: dict[tuple, dict[tuple, Decimal]] = defaultdict(dict)
    for w, m, key, attribution, amount in found[0]:
        assert (key, attribution) not in held[w, m]
        held[w, m][key, attribution] = amount
    assert held.keys() == lines.keys()
    for (w, m), amount in lines.items():
        shares: dict[Any, int] = defaultdict(int)
        for rw, rm, key, count in rows:
            if (rw, rm) == (w, m):
                shares[key] += count
        shares = {key: count for key, count in shares.items() if count}
        mine = held[w, m]
        assert sum(mine.values()) == amount
        assert all(part * amount >= 0 for part in mine.values())
        if not shares:
            assert mine == {(None, "unattributed"): amount}
            continue
        assert mine.keys() == {(key, "token_share") for key in shares}
        for key, count in shares.items():
            assert abs(mine[key, "token_share"] - amount * count / sum(shares.values())) <= len(shares) * NANO


# Owners -------------------------------------------------------------------------------------------------------

ANA_USER, BEN_USER = {"user_id": "u_ana", "email": ANA, "name": "Ana One"}, {"user_id": "u_ben", "email": BEN, "name": "Ben Two"}


def key(identity: str, creator: str | None = "u_ana", kind: str = "user", **more: Any) -> dict[str, Any]:
    return {
        "api_key_id": identity, "name": f"name-{identity}", "status": "active", "workspace_id": "w", "created_by_id": creator,
        "created_by_type": kind if creator else None, **more,
    }  # fmt: skip


@pytest.mark.either_engine
def test_a_key_changes_hands_at_midnight(desk: Desk) -> None:
    """Ana answers for it until the 1st, Ben from the 2nd; the tokens of each day are whose the key was that day."""
    snapshot(desk, "users", ANA_USER, BEN_USER)
    snapshot(desk, "api_keys", key("k"))
    desk.tab("api_keys", {"api_key_name": "name-k", "email": BEN, "valid_from": NEXT})
    for day in (DAY, NEXT):
        bill(desk, line(1), day=day)
        usage(desk, used("k", 1), day=day)
    assert facts(desk) == [(DAY, "k", ANA, N(1), "token_share"), (NEXT, "k", BEN, N(1), "token_share")]


@pytest.mark.parametrize(
    ("made", "owner"),
    [
        (key("k"), ANA),
        (key("k", "u_ben", principal_user_id="u_ana"), ANA),  # whom the key acts for, before whoever made it
        (key("k", "u_ben", principal_user_id="u_gone"), BEN),
        (key("k", None), None),
        (key("k", "u_nobody"), None),
        (key("k", "svac", kind="service_account"), None),
        (key("k", "u_ana", kind="service_account"), None),  # an id alone is not a person
        (key("k", status="archived"), ANA),
        (key("k", status="expired"), ANA),
        (key("k", status="inactive"), ANA),
        (key("another"), None),  # a key that no directory lists
    ],
)
def test_whose_a_key_is_when_the_sheet_is_silent(desk: Desk, made: dict[str, Any], owner: str | None) -> None:
    snapshot(desk, "users", ANA_USER, BEN_USER)
    snapshot(desk, "api_keys", made)
    bill(desk, line(1))
    usage(desk, used("k", 1))
    assert facts(desk) == [(DAY, "k", owner, N(1), "token_share" if owner else "unattributed")]
    if made["api_key_id"] == "k":
        assert desk.one("SELECT is_active FROM dim_api_keys") == (made["status"] == "active")


def test_who_is_removed_keeps_what_was_theirs(desk: Desk) -> None:
    """Ana leaves on the 2nd: the key she made, the requests she signed in for, and her name stay hers, and she is no longer active."""
    snapshot(desk, "users", ANA_USER, BEN_USER)
    snapshot(desk, "api_keys", key("k"))
    bill(desk, line(4))
    usage(desk, used("k", 1), used(None, 3, account_id="u_ana"))
    before = facts(desk)
    assert before == [(DAY, "k", ANA, N(1), "token_share"), (DAY, None, ANA, N(3), "token_share")]
    snapshot(desk, "users", BEN_USER, day=NEXT)
    snapshot(desk, "api_keys", key("k"), day=NEXT)
    assert facts(desk) == before
    people = {r["email"]: (r["first_name"], r["is_active"]) for r in desk.ask("SELECT email, first_name, is_active FROM dim_users")}
    assert people == {ANA: ("Ana", False), BEN: ("Ben", True)}


def test_a_key_that_is_listed_no_more_stays_known(desk: Desk) -> None:
    snapshot(desk, "users", ANA_USER)
    snapshot(desk, "api_keys", key("k"))
    snapshot(desk, "api_keys", key("other"), day=NEXT)
    bill(desk, line(1))
    usage(desk, used("k", 1))
    assert facts(desk) == [(DAY, "k", ANA, N(1), "token_share")]


def test_an_address_that_changed_is_the_latest_and_two_accounts_of_one_person_are_one(desk: Desk) -> None:
    """A user renamed at the vendor is who they are now; somebody who left and came back has two ids and one address."""
    snapshot(desk, "users", {"user_id": "u1", "email": "old@example.com"}, {"user_id": "u2", "email": BEN})
    snapshot(desk, "users", {"user_id": "u1", "email": "new@example.com"}, {"user_id": "u3", "email": BEN.upper()}, day=NEXT)
    bill(desk, line(6))
    usage(desk, used(None, 1, account_id="u1"), used(None, 2, account_id="u2"), used(None, 3, account_id="u3"))
    by_person: dict[str, Decimal] = defaultdict(Decimal)
    for _, _, email, amount, _ in facts(desk):
        by_person[email] += amount
    assert by_person == {"new@example.com": N(1), BEN: N(5)}


def test_a_list_that_names_somebody_twice_doubles_nothing(desk: Desk) -> None:
    """Lists that move while they are read may repeat a user, a key or a workspace: neither tokens nor money may follow."""
    snapshot(desk, "users", ANA_USER, ANA_USER)
    snapshot(desk, "workspaces", {"workspace_id": "w", "name": "Production"}, {"workspace_id": "w", "name": "Production"})
    snapshot(desk, "api_keys", key("k"), key("k"))
    bill(desk, line(4))
    usage(desk, used("k", 1), used(None, 3, account_id="u_ana"))
    assert facts(desk) == [(DAY, "k", ANA, N(1), "token_share"), (DAY, None, ANA, N(3), "token_share")]
    assert desk.one("SELECT SUM(output_tokens) FROM stg_anthropic_usage") == 4


# Claude Code --------------------------------------------------------------------------------------------------

CODE = {"workspace_id": "cc"}


def place(desk: Desk, name: str = "Claude Code", day: date = DAY, **more: Any) -> None:
    snapshot(desk, "workspaces", {"workspace_id": "cc", "name": name, **more}, {"workspace_id": "w", "name": "Production"}, day=day)


@pytest.mark.either_engine
def test_claude_codes_workspace_is_its_keys_and_then_its_actors(desk: Desk) -> None:
    """10 USD: 30 of 100 tokens have Ana's key, 3 USD; the 7 USD without a key go to the actors by their 10 and 25 output tokens."""
    place(desk)
    snapshot(desk, "users", ANA_USER)
    snapshot(desk, "api_keys", key("k_ana", **CODE, principal_user_id="u_ana"))
    bill(desk, line(10, **CODE))
    usage(desk, used("k_ana", 30, **CODE), used(None, 70, **CODE))
    code(
        desk,
        acted(ANA, output=10, input=999),
        acted(BEN, output=20),
        acted(BEN, output=5),  # remote work is a row of its own
        acted(CHLOE, customer="subscription", output=5000),  # inside her seat
        acted(CHLOE, model="n", output=5000),
        acted(None, key="name-k_ana", output=5000),  # a key is no person
    )
    assert parts(desk, "platform", "api_key_id", "user_email", "cost_usd") == [
        ("claude_code", "k_ana", None, N(3)),
        ("claude_code", None, ANA, N(2)),
        ("claude_code", None, BEN, N(5)),
    ]
    assert facts(desk) == [
        (DAY, "k_ana", ANA, N(3), "token_share"),
        (DAY, None, ANA, N(2), "token_share"),
        (DAY, None, BEN, N(5), "token_share"),
    ]


@pytest.mark.parametrize(
    ("token_type", "column", "of_ana", "of_ben"),
    [
        ("uncached_input_tokens", "uncached_input_tokens", N("0.000000002"), N("0.000000008")),
        ("output_tokens", "output_tokens", N("0.000000006"), N("0.000000004")),
        ("cache_read_input_tokens", "cache_read_tokens", N("0.000000009"), N("0.000000001")),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write_5m_tokens", N("0.000000005"), N("0.000000005")),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h_tokens", N("0.000000005"), N("0.000000005")),
    ],
)
def test_each_class_goes_by_the_actors_tokens_of_that_class(
    desk: Desk, token_type: str, column: str, of_ana: Decimal, of_ben: Decimal
) -> None:
    """10 nano-dollars; Ana's and Ben's tokens are 1:4, 3:2, 9:1 and, of cache writes, whose length nobody says, 1:1."""
    place(desk)
    bill(desk, line("0.000000010", token_type, **CODE))
    usage(desk, used(None, **CODE) | {column: 77})
    code(desk, acted(ANA, input=1, output=3, cache_read=9, cache_creation=1), acted(BEN, input=4, output=2, cache_read=1, cache_creation=1))
    assert parts(desk, "user_email", "cost_usd") == [(ANA, of_ana), (BEN, of_ben)]


def test_what_actors_cannot_share_evenly_goes_to_the_largest_and_credits_keep_their_sign(desk: Desk) -> None:
    place(desk)
    bill(desk, line("-0.000000010", **CODE))
    usage(desk, used(None, 70, **CODE))
    code(desk, acted(ANA, output=3), acted(BEN, output=2), acted(CHLOE, output=2))
    assert parts(desk, "user_email", "cost_usd") == [(ANA, N(-6) * NANO), (BEN, N(-2) * NANO), (CHLOE, N(-2) * NANO)]


def test_without_actors_the_part_without_a_key_is_nobodys(desk: Desk) -> None:
    place(desk)
    bill(desk, line(4, **CODE))
    usage(desk, used("k", 1, **CODE), used(None, 3, **CODE))
    code(desk, acted(ANA, output=0))
    assert parts(desk, "api_key_id", "user_email", "cost_usd") == [("k", None, N(1)), (None, None, N(3))]
    assert (DAY, None, None, N(3), "unattributed") in facts(desk)


def test_other_workspaces_tokens_without_a_key_are_not_the_actors(desk: Desk) -> None:
    """The playground of Production and of the default workspace is nobody's, whoever wrote code that day."""
    place(desk)
    bill(desk, line(1), line(2, workspace_id=None))
    usage(desk, used(None, 1), used(None, 1, workspace_id=None))
    code(desk, acted(ANA, output=5))
    assert parts(desk, "workspace_id", "user_email", "platform", "cost_usd") == [
        ("w", None, "claude_api", N(1)),
        (None, None, "claude_api", N(2)),
    ]


def test_a_seats_work_is_usage_and_no_bill(desk: Desk) -> None:
    """Chloe's tokens and estimate are usage; of an API customer's row the tokens are left out, since the messages report has them."""
    place(desk)
    code(desk, acted(CHLOE, customer="subscription", usd="0.47", output=9900, cache_creation=42000), acted(ANA, usd="3.46", output=31000))
    rows = desk.ask("SELECT source, user_email, output_tokens, cache_write_tokens, estimated_usd, sessions FROM stg_anthropic_usage")
    assert sorted((tuple(r.values()) for r in rows), key=repr) == [
        ("anthropic_claude_code", ANA, None, None, N("3.46"), 1),
        ("anthropic_claude_code", CHLOE, None, None, N("0.47"), 1),
        ("anthropic_claude_code_seats", CHLOE, 9900, 42000, None, None),
    ]
    assert parts(desk) == []
    assert facts(desk) == []


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("Claude Code", "claude_code"),
        ("claude code", "claude_code"),
        (" Claude Code ", "claude_code"),
        ("Claude Code sandbox", "claude_api"),
        ("Code", "claude_api"),
    ],
)
def test_which_workspace_is_claude_codes(desk: Desk, name: str, platform: str) -> None:
    place(desk, name, archived_at=NOON)
    bill(desk, line(1, **CODE))
    assert parts(desk, "platform", "cost_usd") == [(platform, N(1))]


def test_a_rename_moves_no_past_day_to_another_platform(desk: Desk) -> None:
    place(desk)
    snapshot(desk, "api_keys", key("k", **CODE))
    bill(desk, line(1, **CODE))
    usage(desk, used("k", 1, **CODE))
    before = parts(desk, "platform", "api_key_id", "cost_usd")
    place(desk, "Developer tools", day=NEXT)
    assert parts(desk, "platform", "api_key_id", "cost_usd") == before == [("claude_code", "k", N(1))]
    assert desk.one("SELECT name FROM stg_anthropic_workspaces WHERE is_claude_code") == "Developer tools"
    assert desk.one("SELECT platform FROM stg_anthropic_usage") == "claude_code"

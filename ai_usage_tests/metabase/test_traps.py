"""Each known trap of Metabase's API, and each way in which a command can fail: one sentence, nothing half-done, no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ai_usage.dashboards.metabase import config as metabase_config
from ai_usage.dashboards.metabase import extras, payloads
from ai_usage.dashboards.metabase.client import Client
from ai_usage.dashboards.metabase.desired import Desired
from ai_usage.dashboards.metabase.errors import ConnectionLostError, MetabaseError
from ai_usage.dashboards.metabase.identity import entity_id, mark_of, marked
from ai_usage.dashboards.metabase.run import Run
from ai_usage.dashboards.metabase.suite import Event
from ai_usage_tests.metabase import openapi
from ai_usage_tests.metabase.engines import BigQuery
from ai_usage_tests.metabase.scene import SECRET, apply, config, plan, walk, wanted
from ai_usage_tests.metabase.standin import StandIn


def walk_with(metabase: StandIn, desired: Desired, write: bool = True) -> Run:
    """A walk with a desired state of our own."""
    settings = config(metabase)
    run = Run(Client(settings.url, tries=1), settings, desired, write=write)
    run.walk()
    return run


# Payloads -----------------------------------------------------------------------------------------------------


def test_every_mapping_bears_its_card_and_every_change_of_a_dashboard_is_one_put(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        puts = [(path, body) for method, path, body in metabase.log if method == "PUT" and path.startswith("/api/dashboard/")]
        assert len(puts) == len(metabase.boards) == len({path for path, _ in puts})
        for _, body in puts:
            for tile in body["dashcards"]:
                assert all(m["card_id"] == tile["card_id"] for m in tile["parameter_mappings"])
                assert {m["parameter_id"] for m in tile["parameter_mappings"]} <= {p["id"] for p in body["parameters"]}


def test_the_older_query_format_with_a_new_dimension_would_be_refused(bigquery: BigQuery) -> None:
    """Trap 2 is in the stand-in, so a card of ours that mixed the formats would fail every test here."""
    with StandIn(bigquery) as metabase:
        tag = {"id": "x", "name": "d", "display-name": "D", "type": "dimension", "widget-type": "string/=", "dimension": ["field", {}, 5]}
        query = {"type": "native", "database": 1, "native": {"query": "SELECT 1", "template-tags": {"d": tag}}}
        body = {"name": "n", "display": "table", "visualization_settings": {}, "dataset_query": query}
        assert openapi.problems("POST", "/api/card", body), "the schema refuses it as well"
        with pytest.raises(metabase.refusal) as refused:
            metabase.create_card(body)
        assert refused.value.status == 500


def test_a_query_stored_as_nothing_is_sent_again(bigquery: BigQuery) -> None:
    """Trap 2: 2xx with an empty query at POST. What came back is compared, and PUT puts it right."""
    with StandIn(bigquery, store_empty_query=True) as metabase:
        apply(metabase)
        assert all(c["dataset_query"]["stages"] for c in metabase.cards.values())
        assert plan(metabase) == []


def test_tags_are_one_thing_as_a_map_as_a_list_and_in_the_older_format() -> None:
    """Trap 3, with fresh uuids and options that only the server adds."""
    tag = {
        "id": "u",
        "name": "team",
        "display-name": "Team",
        "type": "dimension",
        "widget-type": "string/=",
        "dimension": ["field", {}, 141],
    }
    answered = {**tag, "dimension": ["field", {"lib/uuid": "fresh", "base-type": "type/Text"}, 141]}
    stage = {"lib/type": "mbql.stage/native", "native": "SELECT 1"}
    sent = {"lib/type": "mbql/query", "database": 1, "stages": [{**stage, "template-tags": {"team": tag}}]}
    listed = {"lib/type": "mbql/query", "database": 1, "stages": [{**stage, "lib/uuid": "a", "template-tags": [answered]}]}
    older = {
        "type": "native",
        "database": 1,
        "native": {"query": "SELECT 1", "template-tags": {"team": {**tag, "dimension": ["field", 141, None]}}},
    }
    forms = [payloads.comparable_query(q) for q in (sent, listed, older)]
    assert forms[0] is not None and forms[0] == forms[1] == forms[2]
    listed["stages"][0]["template-tags"][0] = {**answered, "dimension": ["field", {}, 142]}
    assert payloads.comparable_query(listed) != forms[0], "another field is another query"
    assert payloads.comparable_query({}) is None


def test_ids_follow_from_the_key_alone() -> None:
    """21 characters of the nano alphabet; a known value, so that a change of the rule, which would duplicate every card, is seen."""
    assert entity_id("cost_allocation/billed_cost") == entity_id("cost_allocation/billed_cost") != entity_id("cost_allocation/people")
    assert len({entity_id(f"a/{n}") for n in range(2000)}) == 2000
    assert all(len(entity_id(str(n))) == 21 and set(entity_id(str(n))) <= set(json.loads(json.dumps(ALPHABET))) for n in range(50))
    assert mark_of(marked("Some words.", "a/b_c")) == "a/b_c"
    assert mark_of("nothing of ours") is None


ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"


# Secrets ------------------------------------------------------------------------------------------------------


def test_a_masked_secret_is_no_drift_and_the_mask_is_never_sent(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        database = next(iter(metabase.db.values()))
        assert metabase.databases({})["data"][0]["details"]["service-account-json"] == "**MetabasePass**"
        database["details"]["project-id"] = "elsewhere"
        assert [str(c) for c in plan(metabase)] == ["update database AI Usage: project-id: 'elsewhere' -> 'project'"]
        apply(metabase)
        assert database["details"]["service-account-json"] == SECRET
        assert "**MetabasePass**" not in json.dumps([body for _, _, body in metabase.log])
        assert plan(metabase) == []


def test_a_new_secret_is_sent_when_asked(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        next(iter(metabase.db.values()))["details"]["service-account-json"] = "an old one"
        assert plan(metabase) == [], "Metabase does not show it, so nobody can see that it is old"
        walk(metabase, write=True, send_secrets=True)
        assert next(iter(metabase.db.values()))["details"]["service-account-json"] == SECRET


def test_no_secret_is_in_any_message_or_repr(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        settings = config(metabase)
        assert SECRET not in repr(settings) and metabase.api_key not in repr(settings)
        client = Client(metabase.url, secrets=settings.secrets)
        assert SECRET not in client._clean(f"could not connect with {SECRET}")


# Graphs -------------------------------------------------------------------------------------------------------


def test_a_stale_revision_is_read_again_a_bounded_number_of_times(bigquery: BigQuery) -> None:
    with StandIn(bigquery, stale_writes=3) as metabase:
        apply(metabase)
        assert plan(metabase) == []
    with StandIn(bigquery, stale_writes=50) as metabase, pytest.raises(MetabaseError, match="changed 5 times while they were written"):
        apply(metabase)


def test_all_users_are_locked_out_before_there_is_anything_to_see(bigquery: BigQuery) -> None:
    """Permissions add up, so the lock is the first write after the database and after the suite's collection."""
    with StandIn(bigquery) as metabase:
        apply(metabase)
        writes = [(method, path, body) for method, path, body in metabase.writes()]
        paths = [path for _, path, _ in writes]
        database, collection = paths.index("/api/database"), paths.index("/api/collection")
        assert paths[database + 1] == "/api/permissions/graph" and "1" in writes[database + 1][2]["groups"]
        assert paths[collection + 1] == "/api/collection/graph" and writes[collection + 1][2]["groups"].keys() == {"1"}
        number = str(next(iter(metabase.db)))
        assert metabase.data["1"][number]["create-queries"] == "no"
        assert all(right == "none" for right in metabase.read["1"].values())
        assert not any("sandboxes" in (body or {}) for _, _, body in writes), "rows' permissions are paid: 402"


def test_who_may_open_what(bigquery: BigQuery) -> None:
    """Dashboards that show people are for the audiences of the setting; the query builder only for those named."""

    def readers(metabase: StandIn) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for group, places in metabase.read.items():
            for place, right in places.items():
                if right != "none":
                    found.setdefault(metabase.collections[int(place)]["name"], set()).add(metabase.group_names[int(group)])
        return found

    with StandIn(bigquery) as metabase:
        apply(metabase)
        seen = readers(metabase)
        assert seen["Cost Allocation"] == seen["Productivity Analytics"] == {"Finance"}
        assert seen["Team Productivity"] == {"Finance", "Managers", "Engineers"}
        apply(metabase, personal=("finance", "managers"), explorers=("finance",))
        assert readers(metabase)["Productivity Analytics"] == {"Finance", "Managers"}
        number, finance = str(next(iter(metabase.db))), next(str(g) for g, n in metabase.group_names.items() if n == "Finance")
        assert metabase.data[finance][number]["create-queries"] == "query-builder"
        apply(metabase)
        assert readers(metabase)["Productivity Analytics"] == {"Finance"}, "what is taken from the setting is taken away"
        assert metabase.data[finance][number]["create-queries"] == "no"
        assert plan(metabase) == []


def test_rights_given_by_hand_are_taken_back(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        place = next(str(c["id"]) for c in metabase.collections.values() if c["name"] == "Cost Allocation")
        metabase.read["1"][place] = "read"
        metabase.data["1"][str(next(iter(metabase.db)))]["create-queries"] = {"ai_usage": "query-builder"}
        assert [str(c) for c in plan(metabase)] == [
            "update data permissions All Users: create-queries: 'query-builder' -> 'no'",
            "update collection permissions Cost Allocation, All Users: read -> none",
        ]
        apply(metabase)
        assert plan(metabase) == []


# Sync ---------------------------------------------------------------------------------------------------------


def test_sync_in_the_background_is_awaited(bigquery: BigQuery) -> None:
    with StandIn(bigquery, sync_polls=6) as metabase:
        apply(metabase)
        assert len([1 for _, path, _ in metabase.log if path.endswith("/sync_schema")]) == 1
        assert all(t["description"] for t in metabase.tables.values() if t["name"] == "vw_cost_allocation")
        fields = {f["name"]: f for t in metabase.tables.values() if t["name"] == "vw_cost_allocation" for f in t["fields"]}
        assert fields["cost_usd"]["semantic_type"] == "type/Currency" and fields["cost_usd"]["settings"] == {"currency": "USD"}
        assert (fields["user_email"]["semantic_type"], fields["user_email"]["has_field_values"]) == ("type/Email", "list")
        assert fields["department"]["semantic_type"] == "type/Category" and "USD" in fields["cost_usd"]["description"]


def test_a_table_that_never_comes_is_named(bigquery: BigQuery) -> None:
    with StandIn(bigquery, sync_polls=10**9) as metabase, pytest.raises(MetabaseError, match=r"has not found vw_\w+\.\w+.* and \d+ more"):
        apply(metabase, patience_s=0.3)


# Mails, events, cache -----------------------------------------------------------------------------------------


def test_mails_without_a_mail_server_are_reported(bigquery: BigQuery) -> None:
    """Trap 9: they are accepted and never sent."""
    with StandIn(bigquery, email=False) as metabase:
        run = apply(metabase)
        assert any("no e-mail server" in note for note in run.notes)
        assert len(metabase.pulses) == 1 and len(metabase.notifications) == 1


def test_mails_go_only_to_audiences_that_may_open_the_dashboard(bigquery: BigQuery) -> None:
    """Trap 12: a mail runs with its maker's rights."""
    with StandIn(bigquery) as metabase:
        run = apply(metabase, personal=("managers",))
        assert metabase.pulses == {} and metabase.notifications == {}
        assert any("may not open cost_allocation" in note for note in run.notes)
        run = apply(metabase, recipients={})
        assert any("AI_USAGE_METABASE_RECIPIENTS names nobody for finance" in note for note in run.notes)


def test_a_subscription_is_changed_in_place_and_stays_off_when_someone_switched_its_channel(bigquery: BigQuery) -> None:
    """Trap 13: PUT applies defaults again, so everything is sent, the ids of what is there included."""
    with StandIn(bigquery) as metabase:
        apply(metabase)
        number, pulse = next(iter(metabase.pulses.items()))
        assert all(c["dashboard_card_id"] != c["id"] for c in pulse["cards"]) and len(pulse["cards"]) == 19
        channel = pulse["channels"][0]["id"]
        assert [str(c) for c in plan(metabase, recipients={"finance": ("new@example.com",)})] == [
            "update subscription AI cost of the month: channels",
            "update alert More than 5 % of the AI cost of 30 days has no owner: recipients",
        ]
        notification = next(iter(metabase.notifications.values()))
        parts = [p["id"] for kind in ("subscriptions", "handlers") for p in notification[kind]]
        apply(metabase, recipients={"finance": ("new@example.com",)})
        assert list(metabase.pulses) == [number] and metabase.pulses[number]["channels"][0]["id"] == channel
        held = next(iter(metabase.notifications.values()))
        assert [p["id"] for kind in ("subscriptions", "handlers") for p in held[kind]] == parts, "trap 8: parts keep their ids"
        assert held["handlers"][0]["recipients"][0]["details"]["value"] == "new@example.com"
        apply(metabase, recipients={})
        assert metabase.pulses[number]["archived"] and metabase.notifications == {}


def test_events_are_made_moved_and_taken_away(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        plain = wanted(config(metabase))
        event = Event(key="contract", date=date(2026, 3, 1), title="New contract", dashboards=["cost_allocation"])

        def with_events(*events: Event) -> Desired:
            return replace(plain, suite=plain.suite.model_copy(update={"events": list(events)}))

        walk_with(metabase, with_events(event))
        assert [t["name"] for t in metabase.lines.values()] == ["Events of Cost Allocation"]
        assert [e["timestamp"] for e in metabase.events.values()] == ["2026-03-01T00:00:00Z"]
        assert walk_with(metabase, with_events(event), write=False).changes == []
        by_hand = metabase.create_event(
            {"name": "Party", "timestamp": "2026-04-01T00:00:00Z", "timezone": "UTC", "timeline_id": next(iter(metabase.lines))}
        )
        moved = event.model_copy(update={"date": date(2026, 3, 2)})
        assert [str(c) for c in walk_with(metabase, with_events(moved)).changes] == [
            "update event New contract: day: '2026-03-01' -> '2026-03-02'"
        ]
        walk_with(metabase, with_events())
        assert [e["name"] for e in metabase.events.values() if not e["archived"]] == ["Party"]
        assert not by_hand["archived"] and walk_with(metabase, with_events(), write=False).changes == []


def test_the_cache_of_a_shared_instance_is_left_alone(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase, dedicated=False)
        assert metabase.cache == {"type": "nocache"}
        apply(metabase)
        assert metabase.cache == {"type": "ttl", "multiplier": 50, "min_duration_ms": 1000}
        assert [body["model"] for _, path, body in metabase.log if path == "/api/cache" and body] == ["root"], "any other scope is paid"


# What can go wrong at the start -------------------------------------------------------------------------------


def test_endpoints_that_are_gone_are_errors_and_not_warnings(bigquery: BigQuery) -> None:
    """Traps 7 and 8: the old routes answer 404."""
    with StandIn(bigquery) as metabase:
        client = Client(metabase.url)
        client.use_key(metabase.api_key)
        for path in ("/api/dashboard/1/cards", "/api/alert"):
            with pytest.raises(MetabaseError, match="has no /api"):
                client.post(path, {"cards": []})


def test_a_get_is_repeated_and_a_post_never(bigquery: BigQuery) -> None:
    """Trap 14."""
    with StandIn(bigquery) as metabase:
        metabase.broken_gets = 2
        assert apply(metabase).changes
        metabase.cut_after = 0
        client = Client(metabase.url, backoff_s=0.001)
        client.use_key(metabase.api_key)
        before = len(metabase.group_names)
        with pytest.raises(ConnectionLostError, match="run `ai-usage metabase apply` again"):
            client.post("/api/permissions/group", {"name": "Once"})
        assert len(metabase.group_names) == before + 1
        assert sum(entry == ("POST", "/api/permissions/group", {"name": "Once"}) for entry in metabase.log) == 1


def test_a_wrong_key_an_old_version_and_no_administrator_are_one_sentence_each(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        with pytest.raises(MetabaseError, match="refuses METABASE_API_KEY"):
            plan(metabase, api_key="mb_wrong")
        with pytest.raises(MetabaseError, match="neither METABASE_API_KEY nor METABASE_USER"):
            plan(metabase, api_key="")
        with pytest.raises(MetabaseError, match="refuses METABASE_USER with METABASE_PASSWORD"):
            plan(metabase, api_key="", user="a@example.com", password="p")
        metabase.administrator = False
        with pytest.raises(MetabaseError, match="is no administrator"):
            plan(metabase)
        metabase.version = "v0.57.9"
        with pytest.raises(MetabaseError, match=r"is v0\.57\.9, and 0\.58 is the oldest"):
            plan(metabase)
        metabase.version, metabase.administrator = "v0.66.0", True
        assert any("written for 0.58 to 0.64" in note for note in walk(metabase, write=False).notes)
        metabase.version = "something else"
        with pytest.raises(MetabaseError, match="is METABASE_URL the address of Metabase"):
            plan(metabase)
    with StandIn(bigquery, set_up=False) as metabase, pytest.raises(MetabaseError, match="has no administrator yet"):
        plan(metabase)


def test_a_wrong_url_is_one_sentence(answers) -> None:
    with pytest.raises(MetabaseError, match="gave no answer to GET /api/health"):
        Client("http://127.0.0.1:9").wait(0.1)
    answers.give({"status": "ok"})
    answers.give(b"<html>hello</html>")
    with pytest.raises(MetabaseError, match="where JSON was expected"):
        Client(answers.url).wait(1)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "needs a paid edition"),
        (403, "its group must be Administrators"),
        (404, "the object is gone"),
        (409, "somebody changed it"),
        (400, "with 400"),
    ],
)
def test_every_refusal_is_one_sentence_without_the_secret(answers, status: int, said: str) -> None:
    answers.give({"message": f"bad {SECRET}"}, status=status)
    with pytest.raises(MetabaseError, match=said) as found:
        Client(answers.url, secrets=(SECRET,)).post("/api/card", {})
    assert SECRET not in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_redirect_is_refused_and_not_followed(answers, method: str) -> None:
    """It would carry the key to whatever host the answer names."""
    client = Client(answers.url, secrets=(SECRET,))
    client.use_key(SECRET)
    answers.give(b"", status=302, Location=f"http://bob:pass@127.0.0.1/?key={SECRET}")
    answers.on = lambda asked: {} if asked.path != "/api/x" else None
    with pytest.raises(MetabaseError, match=r"redirects /api/x to http://\*\*\*@127\.0\.0\.1/\?key=\*\*\*; set METABASE_URL"):
        getattr(client, method)("/api/x", *([{}] if method == "post" else []))
    assert len(answers.asked) == 1


def test_a_failed_query_is_an_error_although_its_status_is_202(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        number = next(iter(metabase.cards))
        metabase.cards[number]["dataset_query"]["stages"][0]["native"] = "SELECT nothing FROM nowhere"
        client = Client(metabase.url)
        client.use_key(metabase.api_key)
        with pytest.raises(MetabaseError, match="the query failed"):
            client.query(f"/api/card/{number}/query", {"parameters": []})


def test_postgres_urls() -> None:
    schema, details = metabase_config.postgres_details("postgresql://re%40der:p%2Fw@db.example.com/marts?schema=ai&sslmode=require")
    assert (schema, details["user"], details["password"], details["port"], details["ssl"]) == ("ai", "re@der", "p/w", 5432, True)
    with pytest.raises(MetabaseError, match="is not of the form"):
        metabase_config.postgres_details("mysql://x")


def test_the_stand_in_reproduces_what_it_claims(bigquery: BigQuery) -> None:
    """402, arrays that replace, a subscription that comes back to life, an assertion error without `enabled`."""
    with StandIn(bigquery) as metabase:
        apply(metabase)
        for body in ({"revision": metabase.revision, "groups": {}, "sandboxes": []},):
            with pytest.raises(metabase.refusal) as refused:
                metabase.put_data_graph(body)
            assert refused.value.status == 402
        with pytest.raises(metabase.refusal):
            metabase.put_cache({"model": "dashboard", "model_id": 1, "strategy": {"type": "duration"}})
        board = next(iter(metabase.boards))
        metabase.update_dashboard(board, {"dashcards": []})
        assert metabase.boards[board]["dashcards"] == []
        number, pulse = next(iter(metabase.pulses.items()))
        pulse["archived"] = True
        metabase.update_pulse(number, {"cards": [], "channels": []})
        assert pulse["archived"] is False
        assert extras.PREFIX in pulse["name"]


def test_openapi_subset_refuses_what_it_should() -> None:
    assert openapi.problems("POST", "/api/card", {"name": "x"})
    assert openapi.problems("POST", "/api/nothing", {}) == ["POST /api/nothing is no operation of the contract"]
    assert Path(openapi.FILES / "openapi-subset.json").exists()

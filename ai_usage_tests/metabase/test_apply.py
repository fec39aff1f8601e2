"""The suite is made in an empty Metabase, and a second walk finds nothing to do; what people did by hand is found and undone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ai_usage.dashboards.load import default_root, load_dashboards
from ai_usage.dashboards.metabase.errors import ConnectionLostError
from ai_usage.dashboards.metabase.identity import entity_id
from ai_usage_tests.metabase.engines import BigQuery
from ai_usage_tests.metabase.scene import SECRET, apply, config, plan, walk, wanted
from ai_usage_tests.metabase.standin import StandIn
from ai_usage_tests.proving import PROVE


@pytest.fixture
def metabase(bigquery: BigQuery):
    with StandIn(bigquery) as server:
        yield server
        assert server.invalid == [], "a body broke Metabase's schema"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The dashboards' files, to change them."""
    return Path(shutil.copytree(default_root(), tmp_path / "dashboards"))


def held(metabase: StandIn) -> str:
    """Everything that people see, without ids of parts."""
    cards = {
        c["entity_id"]: {k: c[k] for k in ("name", "display", "description", "dataset_query", "archived")} for c in metabase.cards.values()
    }
    boards = sorted(
        (b["name"], len(b["dashcards"]), sum(len(t["parameter_mappings"]) for t in b["dashcards"]), b["archived"])
        for b in metabase.boards.values()
    )
    graph = sorted(
        (metabase.group_names[int(g)], metabase.collections[int(c)]["name"], right)
        for g, places in metabase.read.items() for c, right in places.items() if right != "none"
    )  # fmt: skip
    tags = json.dumps({e: cards[e]["display"] + cards[e]["dataset_query"]["stages"][0]["native"] for e in sorted(cards)})
    others = (
        len(metabase.pulses),
        len(metabase.notifications),
        len(metabase.lines),
        len(metabase.events),
        sorted(metabase.group_names.values()),
    )
    names = sorted(c["name"] for c in metabase.collections.values())
    return repr((tags, boards, graph, others, names, metabase.cache, len(metabase.db)))


def test_an_empty_instance_is_filled_and_a_second_walk_changes_nothing(bigquery: BigQuery) -> None:
    """First account, database, groups, collections, every card, every dashboard; then no line in the plan and no write by apply."""
    account = {"api_key": "", "user": "admin@example.com", "password": "a long pass phrase"}
    with StandIn(bigquery, set_up=False) as metabase:
        planned = plan(metabase, **account)
        assert metabase.writes() == [], "a plan writes nothing"
        run = apply(metabase, **account)
        assert [str(c).split(":")[0] for c in planned if c.kind not in ("table", "field", "metadata")] == [
            str(c).split(":")[0] for c in run.changes if c.kind not in ("table", "field")
        ], "the plan said what apply did"
        made = metabase.log.copy()
        cards = sum(1 for d in load_dashboards() for c in d.cards if c.kind != "note")
        boards = len(load_dashboards())
        assert len(metabase.cards) == cards + 2 * boards + 1, (
            "every card, on each dashboard its sentence and the state of the data, and the alert's"
        )
        assert len(metabase.boards) == boards
        assert plan(metabase, **account) == []
        before = len(metabase.writes())
        assert apply(metabase, **account).changes == []
        assert len(metabase.writes()) == before
        assert made and metabase.invalid == []
        assert SECRET not in repr(run.changes + run.notes)


def test_a_card_says_what_it_speaks_of_and_which_filters_never_act_on_it(metabase: StandIn) -> None:
    """Metabase shows such a card under any filter as if it acted; the description is where a reader finds out."""
    said = {card.key: card.description.split("\n\n[ai-usage")[0] for card in wanted(config(metabase)).cards}
    assert said["executive_summary/projection"].endswith(" Latest month, whole company. Not filtered by department, platform, person.")
    assert said["cost_allocation/budgets"].endswith(
        " Months that the period touches. Not filtered by platform, person. At most 2,000 rows are shown."
    )
    assert said["cost_allocation/seats"].endswith(" Months that the period touches. At most 2,000 rows are shown."), "every filter acts"
    assert said["cost_allocation/department_by_month"].endswith(" All dates on record. The 15 largest are shown.")
    assert "filtered by" not in said["cost_allocation/billed_cost"] and "on record" not in said["cost_allocation/billed_cost"]


def test_one_changed_card_file_is_one_line_in_the_plan(metabase: StandIn, root: Path) -> None:
    apply(metabase, root=root)
    board = root / "cost_allocation" / "dashboard.yaml"
    board.write_text(board.read_text().replace("title: By cost type", "title: By kind of cost"))
    assert [str(c) for c in plan(metabase, root=root)] == [
        "update card cost_allocation/cost_by_type: name: 'By cost type' -> 'By kind of cost'"
    ]
    assert [c.name for c in apply(metabase, root=root).changes] == ["cost_allocation/cost_by_type"]
    assert plan(metabase, root=root) == []


def test_a_changed_sql_file_updates_the_cards_that_use_it(metabase: StandIn, root: Path) -> None:
    apply(metabase, root=root)
    file = root / "person_days.sql"
    file.write_text(file.read_text().replace("SUM(requests) AS", "SUM(requests * 1) AS"))
    changes = plan(metabase, root=root)
    assert {c.kind for c in changes} == {"card"} and {c.fields for c in changes} == {("query (sql)",)}
    using = {d.key: [c for c in d.cards if c.sql == file.name] for d in load_dashboards()}
    assert sum(map(bool, using.values())) == 3 and len(changes) == sum(map(len, using.values()))


@pytest.mark.parametrize("before", [False, True], ids=["carried out, answer lost", "not carried out"])
def test_a_walk_that_dies_anywhere_is_completed_by_the_next(bigquery: BigQuery, root: Path, before: bool) -> None:
    """The connection breaks at a write of each kind and at the last one, in a suite of two dashboards: afterwards everything is there once. When
    proving: at one of the first twelve writes of the whole suite, and at every fifth of the others."""
    for board in set() if PROVE else {d.key for d in load_dashboards()} - {"cost_allocation", "team_productivity"}:
        shutil.rmtree(root / board)
    with StandIn(bigquery, sync_polls=0) as metabase:
        apply(metabase, root=root)
        whole, writes = held(metabase), metabase.writes()
    last, kinds = len(writes) - 1, [(method, re.sub(r"\d+", "N", path)) for method, path, _ in writes]
    assert {method for method, _ in kinds} == {"POST", "PUT"} and len(set(kinds)) > 10
    for step in sorted({*range(12), *range(12, last, 5), last - 1, last} if PROVE else {*map(kinds.index, kinds), last}):
        with StandIn(bigquery, sync_polls=0) as metabase:
            metabase.cut_after, metabase.cut_before = step, before
            with pytest.raises(ConnectionLostError):
                apply(metabase, root=root)
            metabase.cut_after = None
            apply(metabase, root=root)
            assert held(metabase) == whole, f"after dying at write {step}, {kinds[step]}"
            assert plan(metabase, root=root) == []


def test_what_somebody_edits_by_hand_is_named_and_restored(metabase: StandIn) -> None:
    apply(metabase)
    card = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/billed_cost"))
    card["dataset_query"]["stages"][0]["native"] += "\n-- tuned"
    card["visualization_settings"]["graph.show_values"] = True
    assert [str(c) for c in plan(metabase)] == [
        "update card cost_allocation/billed_cost: query (sql); visualization_settings (graph.show_values)"
    ]
    apply(metabase)
    assert "-- tuned" not in card["dataset_query"]["stages"][0]["native"]
    assert plan(metabase) == []


def test_a_card_moved_renamed_or_trashed_is_found_by_its_id(metabase: StandIn) -> None:
    apply(metabase)
    number = len(metabase.cards)
    card = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/people"))
    home = card["collection_id"]
    card.update(name="Heads", collection_id=None, archived=True)
    assert [(c.action, c.name) for c in plan(metabase)] == [("update", "cost_allocation/people")]
    apply(metabase)
    assert (card["name"], card["collection_id"], card["archived"]) == ("People with cost", home, False)
    assert len(metabase.cards) == number


def test_a_tile_removed_or_moved_by_hand_comes_back_and_the_others_keep_their_ids(metabase: StandIn) -> None:
    apply(metabase)
    board = next(b for b in metabase.boards.values() if b["name"] == "Cost Allocation")
    ids = {t["id"] for t in board["dashcards"]}
    removed = board["dashcards"].pop(3)
    board["dashcards"][0]["col"] = 20
    board["dashcards"].append({**board["dashcards"][1], "id": 9999, "row": 90, "card_id": removed["card_id"], "parameter_mappings": []})
    assert [(c.action, c.kind, c.name) for c in plan(metabase)][:1] == [("update", "dashboard", "cost_allocation")]
    apply(metabase)
    assert plan(metabase) == []
    kept = {t["id"] for t in board["dashcards"]}
    assert len(kept) == len(ids) and len(kept & ids) == len(ids) - 1


def test_what_other_people_made_stays(metabase: StandIn) -> None:
    """Their collection, database, card, dashboard, group, a copy of our card in our collection, a pulse and an alert on our objects."""
    theirs = metabase.create_collection({"name": "AI Usage", "description": "ours, by hand"})["id"]
    metabase.create_database(
        {"name": "Their database", "engine": "postgres", "details": {"host": "h", "port": 1, "dbname": "d", "user": "u"}}
    )
    query = {"lib/type": "mbql/query", "database": 1, "stages": [{"lib/type": "mbql.stage/native", "native": "SELECT 1"}]}
    metabase.create_card(
        {"name": "Billed cost", "collection_id": theirs, "dataset_query": query, "display": "table", "visualization_settings": {}}
    )
    metabase.create_dashboard({"name": "Cost Allocation", "collection_id": theirs})
    metabase.create_group({"name": "Board"})
    metabase.put_collection_graph({"revision": metabase.collection_revision, "groups": {"1": {str(theirs): "write"}}})
    apply(metabase)
    ours = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/billed_cost"))
    copied = metabase.create_card(
        {
            **{k: ours[k] for k in ("description", "collection_id", "dataset_query", "display", "visualization_settings")},
            "name": "Billed cost - Duplicate",
        }
    )
    board = next(b for b in metabase.boards.values() if b["collection_id"] == ours["collection_id"])
    copy_of_board = metabase.create_dashboard({"name": "Copy", "description": board["description"], "collection_id": theirs})["id"]
    tile = board["dashcards"][0]
    pulse = metabase.create_pulse(
        {"name": "For me", "dashboard_id": board["id"], "cards": [{"id": tile["card_id"], "dashboard_card_id": tile["id"], "include_csv": False, "include_xls": False}],
         "channels": [{"channel_type": "email", "enabled": True, "schedule_type": "daily"}]}
    )["id"]  # fmt: skip
    alert_card = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/alert_unattributed_share"))
    mine = next(iter(metabase.notifications.values()))
    someones = metabase.create_notification(
        {**{k: mine[k] for k in ("payload_type", "payload", "subscriptions")}, "handlers": [], "creator_id": 77}
    )["id"]
    before = repr([metabase.cards[copied["id"]], metabase.boards[copy_of_board], metabase.pulses[pulse], metabase.notifications[someones]])
    alert_card["name"] = "edited"
    apply(metabase)
    assert plan(metabase) == []
    assert before == repr(
        [metabase.cards[copied["id"]], metabase.boards[copy_of_board], metabase.pulses[pulse], metabase.notifications[someones]]
    )
    assert metabase.collections[theirs]["description"] == "ours, by hand"
    assert metabase.read["1"][str(theirs)] == "write"
    assert [n for n in metabase.group_names.values() if n == "Board"]


def test_what_leaves_the_repository_goes_to_the_trash(metabase: StandIn, root: Path) -> None:
    """A card, then a whole dashboard; a card that somebody keeps in its collection keeps the collection alive."""
    apply(metabase, root=root)
    file = root / "cost_allocation" / "dashboard.yaml"
    text = file.read_text()
    leaving = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/cost_by_type"))
    shared = ("description", "collection_id", "dataset_query", "display", "visualization_settings")
    copied = metabase.create_card({**{k: leaving[k] for k in shared}, "name": "My copy"})["id"]
    start = text.index("  - key: cost_by_type")
    end = text.index("  - key: department_by_month")
    file.write_text(text[:start] + text[end:])
    apply(metabase, root=root)
    gone = next(c for c in metabase.cards.values() if c["entity_id"] == entity_id("cost_allocation/cost_by_type"))
    assert not metabase.cards[copied]["archived"], "it bears our mark, and an id of its own"
    assert gone["archived"] and sum(c["archived"] for c in metabase.cards.values()) == 1
    shutil.rmtree(root / "productivity_analytics")
    place = next(c for c in metabase.collections.values() if c["name"] == "Productivity Analytics")
    query = {"lib/type": "mbql/query", "database": 1, "stages": [{"lib/type": "mbql.stage/native", "native": "SELECT 1"}]}
    foreign = metabase.create_card(
        {"name": "Mine", "collection_id": place["id"], "dataset_query": query, "display": "table", "visualization_settings": {}}
    )
    apply(metabase, root=root)
    assert [b["name"] for b in metabase.boards.values() if b["archived"]] == ["Productivity Analytics"]
    assert not metabase.cards[foreign["id"]]["archived"] and not place["archived"]
    assert plan(metabase, root=root) == []
    metabase.cards[foreign["id"]]["archived"] = True
    assert [str(c) for c in plan(metabase, root=root)] == ["archive collection Productivity Analytics"]
    apply(metabase, root=root)
    assert place["archived"] and plan(metabase, root=root) == []


def test_everything_is_found_again_on_a_server_of_every_supported_version(bigquery: BigQuery) -> None:
    """Tags are a map before 0.63 and a list from it; nothing may look changed."""
    for version in ("v0.58.0", "v0.62.4", "v0.63.17", "v0.64.1.5"):
        with StandIn(bigquery, version=version) as metabase:
            apply(metabase)
            assert plan(metabase) == [], version
            assert not walk(metabase, write=False).client.notes

"""Every setting: its variable, its type, and one sentence for a value that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from ai_usage.docsgen.pages import settings_table
from ai_usage.errors import SettingsError
from ai_usage.settings import Settings, load_settings, variable

GOOD = {
    "AI_USAGE_WAREHOUSE": ("warehouse", "duckdb", "duckdb"),
    "AI_USAGE_PLAINTEXT_HOSTS": ("plaintext_hosts", "metabase, Proxy", "metabase, Proxy"),
    "AI_USAGE_DATA_DIR": ("data_dir", "/d", Path("/d")),
    "AI_USAGE_DUCKDB_PATH": ("duckdb_path", "/d/x.duckdb", Path("/d/x.duckdb")),
    "AI_USAGE_DUCKDB_LOCK_WAIT_S": ("duckdb_lock_wait_s", "1.5", 1.5),
    "AI_USAGE_START_DATE": ("start_date", "2026-02-28", date(2026, 2, 28)),
    "AI_USAGE_SETTLE_DAYS": ("settle_days", "40", 40),
    "AI_USAGE_UPLOADS_DIR": ("uploads_dir", "/u", Path("/u")),
    "AI_USAGE_REPORT_PATH": ("report_path", "/r.html", Path("/r.html")),
    "AI_USAGE_EXPORT_DIR": ("export_dir", "/e", Path("/e")),
    "AI_USAGE_CHECK_KEEP_DAYS": ("check_keep_days", "30", 30),
    "AI_USAGE_DAGSTER_KEEP_DAYS": ("dagster_keep_days", "30", 30),
    "AI_USAGE_SUPERSEDED_KEEP_DAYS": ("superseded_keep_days", "9", 9),
    "AI_USAGE_SPOOL_KEEP_DAYS": ("spool_keep_days", "7", 7),
    "AI_USAGE_CURSOR_BASE_URL": ("cursor_base_url", "http://127.0.0.1:1/", "http://127.0.0.1:1"),
    "CURSOR_ADMIN_API_KEY": ("cursor_admin_api_key", "s3cret-value", "s3cret-value"),
    "AI_USAGE_CURSOR_RATE_FACTOR": ("cursor_rate_factor", "0.5", 0.5),
    "AI_USAGE_WINDOWS_IN_FLIGHT": ("windows_in_flight", "2", 2),
    "AI_USAGE_SHEETS_BASE_URL": ("sheets_base_url", "http://127.0.0.1:2", "http://127.0.0.1:2"),
    "AI_USAGE_SHEET_ID": ("sheet_id", "1abc", "1abc"),
    "AI_USAGE_SHEET_CREDENTIALS": ("sheet_credentials", '{"type": "service_account"}', '{"type": "service_account"}'),
    "AI_USAGE_SECRET_MANAGER_BASE_URL": ("secret_manager_base_url", "https://s.example/", "https://s.example"),
    "GOOGLE_APPLICATION_CREDENTIALS": ("google_application_credentials", "/k.json", Path("/k.json")),
    "AI_USAGE_ANTHROPIC_BASE_URL": ("anthropic_base_url", "https://a.example", "https://a.example"),
    "AI_USAGE_ANTHROPIC_RATE_FACTOR": ("anthropic_rate_factor", "0.5", 0.5),
    "ANTHROPIC_ADMIN_API_KEY": ("anthropic_admin_api_key", "s3cret-value", "s3cret-value"),
    "ANTHROPIC_ANALYTICS_API_KEY": ("anthropic_analytics_api_key", "s3cret-value", "s3cret-value"),
    "AI_USAGE_HTTP_PATIENCE_S": ("http_patience_s", "9", 9.0),
    "AI_USAGE_HTTP_BACKOFF_S": ("http_backoff_s", "0.1", 0.1),
    "AI_USAGE_HTTP_MAX_MB": ("http_max_mb", "200", 200),
    "AI_USAGE_HTTP_MAX_S": ("http_max_s", "30.5", 30.5),
    "AI_USAGE_HTTP_MAX_PAGES": ("http_max_pages", "9", 9),
    "AI_USAGE_HTTP_MAX_DEPTH": ("http_max_depth", "9", 9),
    "AI_USAGE_HTTP_MAX_VALUES": ("http_max_values", "5000", 5000),
    "AI_USAGE_HTTP_MAX_TEXT": ("http_max_text", "5000", 5000),
    "METABASE_URL": ("metabase_url", "http://127.0.0.1:3/", "http://127.0.0.1:3"),
    "METABASE_API_KEY": ("metabase_api_key", "s3cret-value", "s3cret-value"),
    "METABASE_USER": ("metabase_user", "a@example.com", "a@example.com"),
    "METABASE_PASSWORD": ("metabase_password", "s3cret-value", "s3cret-value"),
    "AI_USAGE_METABASE_ENGINE": ("metabase_engine", "bigquery", "bigquery"),
    "AI_USAGE_METABASE_DATABASE": ("metabase_database", "Spend", "Spend"),
    "METABASE_POSTGRES_URL": ("metabase_postgres_url", "postgresql://u:p@h/d", "postgresql://u:p@h/d"),
    "AI_USAGE_SERVING_URL": ("serving_url", "postgresql://u:p@h/d", "postgresql://u:p@h/d"),
    "AI_USAGE_METABASE_BIGQUERY_PROJECT": ("metabase_bigquery_project", "p", "p"),
    "AI_USAGE_METABASE_BIGQUERY_DATASET": ("metabase_bigquery_dataset", "d", "d"),
    "AI_USAGE_METABASE_BIGQUERY_CREDENTIALS": ("metabase_bigquery_credentials", "/k.json", Path("/k.json")),
    "AI_USAGE_METABASE_GROUPS": ("metabase_groups", '{"finance": "F"}', {"finance": "F"}),
    "AI_USAGE_METABASE_PERSONAL": ("metabase_personal", "finance,managers", "finance,managers"),
    "AI_USAGE_METABASE_EXPLORERS": ("metabase_explorers", "finance", "finance"),
    "AI_USAGE_METABASE_MINIMUM_GROUP": ("metabase_minimum_group", "8", 8),
    "AI_USAGE_METABASE_RECIPIENTS": ("metabase_recipients", '{"finance": ["a@example.com"]}', {"finance": ["a@example.com"]}),
    "AI_USAGE_METABASE_DEDICATED": ("metabase_dedicated", "false", False),
    "AI_USAGE_METABASE_PATIENCE_S": ("metabase_patience_s", "9", 9.0),
    "AI_USAGE_ALERT_URLS": ("alert_urls", "finance: json://h/", "finance: json://h/"),
    "AI_USAGE_ALERTS_FILE": ("alerts_file", "/a.yaml", Path("/a.yaml")),
    "AI_USAGE_ALERTS_LINK": ("alerts_link", "https://h/r.html/", "https://h/r.html"),
    "AI_USAGE_LEAVE_OUT": ("leave_out", '["anthropic/users"]', ["anthropic/users"]),
    "AI_USAGE_HISTORY_DAYS": ("history_days", '{"cursor": 90}', {"cursor": 90}),
    "AI_USAGE_HISTORY_WARN_DAYS": ("history_warn_days", "14", 14),
    "AI_USAGE_SCHEDULE_AT": ("schedule_at", "22:30", "22:30"),
    "AI_USAGE_SCHEDULE_ZONE": ("schedule_zone", "Europe/Berlin", "Europe/Berlin"),
    "AI_USAGE_OWNERS": ("owners", '["team:finance", "ana@example.com"]', ["team:finance", "ana@example.com"]),
    "AI_USAGE_HOURLY_REFRESH": ("hourly_refresh", "true", True),
    "AI_USAGE_REPAIR_AFTER_MINUTES": ("repair_after_minutes", "0", 0),
    "AI_USAGE_CATCH_UP_RUNS": ("catch_up_runs", "2", 2),
    "AI_USAGE_WAIT_FOR_SOURCES_MINUTES": ("wait_for_sources_minutes", "30", 30),
    "AI_USAGE_LOG_FORMAT": ("log_format", "json", "json"),
    "AI_USAGE_METRICS_FILE": ("metrics_file", "/m/a.prom", Path("/m/a.prom")),
    "AI_USAGE_FILE_GROUP": ("file_group", "finance", "finance"),
    "AI_USAGE_QUERY_TIMEOUT_S": ("query_timeout_s", "9", 9.0),
    "AI_USAGE_QUERY_MEMORY_MB": ("query_memory_mb", "500", 500),
    "AI_USAGE_PAGES_HOSTS": ("pages_hosts", '["usage.example.com"]', ["usage.example.com"]),
    "AI_USAGE_PAGES_TOKEN": ("pages_token", "s3cret-value", "s3cret-value"),
    "AI_USAGE_DEMO": ("demo", "true", True),
    "AI_USAGE_BIGQUERY_PROJECT": ("bigquery_project", "p", "p"),
    "AI_USAGE_BIGQUERY_DATASET": ("bigquery_dataset", "d", "d"),
    "AI_USAGE_BIGQUERY_LOCATION": ("bigquery_location", "EU", "EU"),
    "AI_USAGE_BIGQUERY_ENDPOINT": ("bigquery_endpoint", "http://127.0.0.1:3/", "http://127.0.0.1:3"),
    "AI_USAGE_BIGQUERY_MAX_BYTES_BILLED": ("bigquery_max_bytes_billed", "10000000", 10_000_000),
}
WRONG = {
    "AI_USAGE_WAREHOUSE": ["oracle", "DuckDB "],
    "AI_USAGE_DUCKDB_LOCK_WAIT_S": ["-1", "soon", "nan"],
    "AI_USAGE_START_DATE": ["yesterday", "2026-02-30", "1/5/2026"],
    "AI_USAGE_SETTLE_DAYS": ["0", "367", "1.5", "many"],
    "AI_USAGE_SPOOL_KEEP_DAYS": ["0", "x"],
    "AI_USAGE_SUPERSEDED_KEEP_DAYS": ["0"],
    "AI_USAGE_DAGSTER_KEEP_DAYS": ["6", "x"],
    "AI_USAGE_CURSOR_BASE_URL": ["api.cursor.com", "ftp://x", "http://x.example"],
    "AI_USAGE_CURSOR_RATE_FACTOR": ["-1", "fast", "nan"],
    "AI_USAGE_WINDOWS_IN_FLIGHT": ["0", "33"],
    "AI_USAGE_SHEETS_BASE_URL": ["sheets", "http://x.example"],
    "AI_USAGE_ANTHROPIC_BASE_URL": ["x", "http://x.example"],
    "AI_USAGE_SECRET_MANAGER_BASE_URL": ["secretmanager", "http://x.example"],
    "AI_USAGE_HTTP_PATIENCE_S": ["0", "nan"],
    "AI_USAGE_HTTP_BACKOFF_S": ["0", "-2"],
    "AI_USAGE_HTTP_MAX_MB": ["0", "1.5"],
    "AI_USAGE_HTTP_MAX_S": ["0", "nan"],
    "AI_USAGE_HTTP_MAX_PAGES": ["0"],
    "AI_USAGE_HTTP_MAX_DEPTH": ["7"],
    "AI_USAGE_HTTP_MAX_VALUES": ["999"],
    "AI_USAGE_HTTP_MAX_TEXT": ["999"],
    "METABASE_URL": ["metabase.example.com", "http://x.example"],
    "AI_USAGE_METABASE_ENGINE": ["mysql"],
    "AI_USAGE_METABASE_MINIMUM_GROUP": ["2", "few"],
    "AI_USAGE_METABASE_PATIENCE_S": ["0"],
    "AI_USAGE_ALERTS_LINK": ["reports.example.com"],
    "AI_USAGE_HISTORY_WARN_DAYS": ["0"],
    "AI_USAGE_SCHEDULE_AT": ["6", "24:00", "6:00", "06:60"],
    "AI_USAGE_SCHEDULE_ZONE": ["Berlin", "PST", "+02:00"],
    "AI_USAGE_OWNERS": ["ana"],
    "AI_USAGE_HOURLY_REFRESH": ["hourly"],
    "AI_USAGE_REPAIR_AFTER_MINUTES": ["-1"],
    "AI_USAGE_CATCH_UP_RUNS": ["-1", "51"],
    "AI_USAGE_WAIT_FOR_SOURCES_MINUTES": ["0"],
    "AI_USAGE_LOG_FORMAT": ["xml"],
    "AI_USAGE_METRICS_FILE": ["/m/a.txt"],
    "AI_USAGE_QUERY_TIMEOUT_S": ["0", "nan"],
    "AI_USAGE_QUERY_MEMORY_MB": ["99", "2 GB"],
    "AI_USAGE_DEMO": ["perhaps"],
    "AI_USAGE_BIGQUERY_ENDPOINT": ["localhost:9050", "http://x.example"],
    "AI_USAGE_BIGQUERY_MAX_BYTES_BILLED": ["0", "9999999", "1 TB"],
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of this machine and no .env file counts."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_setting_is_tested_here() -> None:
    assert {v[0] for v in GOOD.values()} == set(Settings.model_fields)
    assert {name: variable(v[0]) for name, v in GOOD.items()} == {name: name for name in GOOD}


@pytest.mark.parametrize("name", GOOD)
def test_a_variable_sets_its_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    field, text, expected = GOOD[name]
    monkeypatch.setenv(name, text)
    found = getattr(load_settings(), field)
    assert (found.get_secret_value() if hasattr(found, "get_secret_value") else found) == expected


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_named_with_its_variable_and_a_remedy(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    said = str(caught.value)
    assert said.startswith(name) and repr(text) in said and "\n" not in said
    assert len(said) > len(f"{name} is set to {text!r}: ") + 15, "and what is expected"


def test_a_setting_that_is_no_json_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text, form in (
        ("AI_USAGE_LEAVE_OUT", "anthropic/users", 'a list. .*"anthropic/usage_report/claude_code"'),
        ("AI_USAGE_HISTORY_DAYS", "cursor=90", 'an object. .*"cursor": 90'),
        ("AI_USAGE_METABASE_GROUPS", "Finance", 'an object. .*"finance": "Finance"'),
    ):
        with (
            monkeypatch.context() as patch,
            pytest.raises(SettingsError, match=f"{name} is set to '{text}', which is no JSON; write {form}"),
        ):
            patch.setenv(name, text)
            load_settings()


@pytest.mark.parametrize("owner", ["the team", "team:", "ana", "ana@example", "ana@b@example.com"])
def test_an_owner_is_an_address_or_a_team(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_OWNERS", f'["team:finance", "{owner}"]')
    with pytest.raises(SettingsError, match=f"'{owner}' is neither an e-mail address nor a team; write team:NAME"):
        load_settings()


ADDRESSES = [name for name, texts in WRONG.items() if "http://x.example" in texts]


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_credential_goes_in_clear_to_this_machine_and_to_named_hosts_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the host, not by how the address begins; and the sentence names the way out."""
    for loopback in ("http://localhost:1", "http://127.9.9.9", "http://[::1]:1"):
        monkeypatch.setenv(name, loopback)
        load_settings()
    for other in (
        "http://localhost.x.example",
        "http://127.0.0.1.x.example:1",
        "http://10.0.0.1",
        "HTTP://x.example".lower(),
        "http://proxy",
    ):
        monkeypatch.setenv(name, other)
        with pytest.raises(SettingsError, match=rf"^{name} is set to .* use https://, or name the host .* in AI_USAGE_PLAINTEXT_HOSTS"):
            load_settings()
    monkeypatch.setenv("AI_USAGE_PLAINTEXT_HOSTS", "metabase, Proxy")
    load_settings()


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("url", ["https://bob:pass@word@x.example/p", "http://:pass@127.0.0.1", "bob:pass@x.example", "ftp://bob:pa/ss@h"])
def test_a_password_in_an_address_is_refused_and_never_shown(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name} is set to ") and not [
        w for w in ("pass", "word", "pa/", "bob") if w in str(caught.value).split(":", 1)[0]
    ]
    assert "***@" in str(caught.value)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.setenv(name, "")
    found = load_settings()
    assert not found.is_on("cursor") and not found.is_on("google_sheets") and found.data_dir == Path("data")


def test_a_source_without_its_key_is_off_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    off = load_settings().off()
    assert (
        "ANTHROPIC_ADMIN_API_KEY" in off["anthropic"]
        and "CURSOR_ADMIN_API_KEY" in off["cursor"]
        and "AI_USAGE_SHEET_ID" in off["google_sheets"]
    )
    monkeypatch.setenv("CURSOR_ADMIN_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_ADMIN_API_KEY", "k")
    assert set(load_settings().off()) == {"google_sheets", "claude_enterprise"}
    monkeypatch.setenv("ANTHROPIC_ANALYTICS_API_KEY", "k")
    assert set(load_settings().off()) == {"google_sheets"}


def test_everything_lies_below_the_data_folder_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch, alone: Path) -> None:
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(alone / "d"))
    s = load_settings()
    for path in (s.duckdb_file, s.spool_dir, s.uploads, s.report_file):
        assert path.is_relative_to(alone / "d")
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(alone / "else.duckdb"))
    assert load_settings().duckdb_file == alone / "else.duckdb"


def test_secrets_never_print(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CURSOR_ADMIN_API_KEY", "ANTHROPIC_ADMIN_API_KEY"):
        monkeypatch.setenv(name, "s3cret-value")
    s = load_settings()
    assert "s3cret" not in f"{s!r} {s} {s.model_dump()} {s.model_dump_json()} {settings_table()}"


def test_a_wrong_setting_beside_a_secret_does_not_print_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURSOR_ADMIN_API_KEY", "s3cret-value")
    monkeypatch.setenv("AI_USAGE_SETTLE_DAYS", "many")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_dotenv_file_counts_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, alone: Path) -> None:
    (alone / ".env").write_text("AI_USAGE_SETTLE_DAYS=11\nAI_USAGE_SHEET_ID=from-file\n")
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.setenv("AI_USAGE_SETTLE_DAYS", "12")
    s = load_settings()
    assert (s.settle_days, s.sheet_id) == (12, "from-file")


def test_the_table_of_settings_is_complete() -> None:
    table = settings_table()
    for name in GOOD:
        assert f"| `{name}` |" in table


def test_a_history_has_at_least_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, said in (('{"cursor": 0}', "at least 1 day"), ('{"cursor": "long"}', "valid integer"), ("90", "AI_USAGE_HISTORY_DAYS")):
        monkeypatch.setenv("AI_USAGE_HISTORY_DAYS", text)
        with pytest.raises(SettingsError, match=said):
            load_settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("AI_USAGE_DATADIR", "AI_USAGE_DATA_DIR"),
        ("CURSOR_ADMIN_KEY", "CURSOR_ADMIN_API_KEY"),
        ("ANTHROPIC_ADMIN_APIKEY", "ANTHROPIC_ADMIN_API_KEY"),
        ("METABASE_APIKEY", "METABASE_API_KEY"),
        ("ai_usage_sheetid", "AI_USAGE_SHEET_ID"),
        ("AI_USAGE_TURBO", None),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_variable_that_nobody_reads_is_refused(
    name: str, near: str | None, where: str, monkeypatch: pytest.MonkeyPatch, alone: Path
) -> None:
    """A misspelled key would turn its source off, a misspelled folder would write into another one."""
    if where == "file":
        (alone / ".env").write_text(f"{name}=x\n", encoding="utf-8")
    else:
        monkeypatch.setenv(name, "x")
    remedy = f"did you mean {near}?" if near else "take a name from docs/settings.md"
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{name.upper()} is not a setting; ") and remedy in str(refused.value)


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "CURSOR_API_KEY", "METABASE_PORT", "AI_USAGE_TEST_PROVE", "CURSOR_TRACE_ID", "PATH_TO_AI_USAGE"]
)
def test_what_other_programs_read_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch, alone: Path) -> None:
    monkeypatch.setenv(name, "x")
    (alone / ".env").write_text("POSTGRES_PASSWORD=x\nCOMPOSE_PROJECT_NAME=y\n", encoding="utf-8")
    load_settings()


def test_hour_zone_and_owners_reach_dagster(tmp_path: Path) -> None:
    """They are fixed when the definitions are made, so this asks a process of its own."""
    ask = (
        "from ai_usage.definitions import build_defs; d = build_defs().get_repository_def(); s = d.get_schedule_def('every_morning'); "
        "print(s.cron_schedule, s.execution_timezone, sorted(o for n in d.asset_graph.asset_nodes for o in n.owners)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AI_USAGE_SCHEDULE_AT": "22:30", "AI_USAGE_SCHEDULE_ZONE": "Europe/Berlin",
            "AI_USAGE_OWNERS": '["team:finance"]',
        },
    )  # fmt: skip
    assert done.stdout.split() == ["30", "22", "*", "*", "*", "Europe/Berlin", "team:finance"]

"""The laws of the deployment's files: one daemon, no socket, local ports, pinned versions, least privilege, no secret in any of them."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from importlib.metadata import distribution
from ipaddress import ip_address, ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ai_usage.settings import Settings, is_key, variable

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DEFAULT = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
RAW = (ROOT / "docker-compose.yml").read_text()
SHELL = sorted(
    [DEPLOY / "entrypoint", *(DEPLOY / "postgres").iterdir(), DEPLOY / "terraform" / "startup.sh"]
    + [p for p in (ROOT / "scripts").iterdir() if p.suffix not in (".py", ".lock")]
)
each_service = pytest.mark.parametrize("name", SERVICES)


def plain(value: Any) -> Any:
    """HCL's strings without the quotes that the parser keeps."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if k != "__is_block__"}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.strip('"') if isinstance(value, str) else value


def blocks(kind: str) -> dict[str, dict[str, Any]]:
    """{"type.name": body} of all Terraform files."""
    found = {}
    for path in (DEPLOY / "terraform").glob("*.tf"):
        for block in plain(hcl2.loads(path.read_text())).get(kind, []):
            for first, inner in block.items():
                if kind == "resource":
                    found |= {f"{first}.{name}": body for name, body in inner.items()}
                else:
                    found[first] = inner
    return found


# Compose ------------------------------------------------------------------------------------------------------------


def test_the_services_are_these_and_one_of_each() -> None:
    assert set(SERVICES) == {"postgres", "code", "webserver", "daemon", "metabase"}
    assert [n for n, s in SERVICES.items() if "dagster-daemon" in (s.get("command") or [])] == ["daemon"]
    assert SERVICES["daemon"]["deploy"]["replicas"] == 1
    assert all(s["deploy"].get("replicas", 1) == 1 and "scale" not in s for s in SERVICES.values())


@each_service
def test_no_service_holds_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].partition(":")[0]) >= 100, "not root"
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "pid", "ipc", "network_mode", "devices", "env_file"} & set(service)
    assert (
        service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD" and "start_period" in service["healthcheck"]
    )
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)


def test_no_docker_socket_and_no_folder_of_the_host_but_a_script() -> None:
    assert "docker.sock" not in RAW
    mounts = [v for s in SERVICES.values() for v in s.get("volumes", [])]
    host = [m for m in mounts if m.startswith((".", "/"))]
    assert host == ["./deploy/postgres:/docker-entrypoint-initdb.d:ro"]
    assert {m.partition(":")[0] for m in mounts} - {"./deploy/postgres"} == set(COMPOSE["volumes"])


def test_ports_are_this_machines_alone() -> None:
    ports = {n: s["ports"] for n, s in SERVICES.items() if "ports" in s}
    assert set(ports) == {"webserver", "metabase"}
    assert all(p.startswith("127.0.0.1:") for held in ports.values() for p in held)


PAIRS = {
    ("code", "postgres"): "Dagster's records, the serving copy",
    ("postgres", "webserver"): "Dagster's records",
    ("daemon", "postgres"): "Dagster's records",
    ("code", "webserver"): "gRPC",
    ("code", "daemon"): "gRPC",
    ("daemon", "webserver"): "neither asks the other: both ask the code server, and the pages want a password",
    ("metabase", "postgres"): "its own database, the serving copy",
    ("code", "metabase"): "ai-usage metabase apply",
}


def test_only_those_that_need_each_other_share_a_network() -> None:
    networks: dict[str, set[str]] = {name: set() for name in COMPOSE["networks"]}
    for name, service in SERVICES.items():
        for network in service["networks"]:
            networks[network].add(name)
    assert {pair for held in networks.values() for pair in combinations(sorted(held), 2)} == set(PAIRS)
    ways_out = {n: held for n, held in networks.items() if not COMPOSE["networks"][n].get("internal")}
    assert ways_out == {"outside": {"code"}, "pages": {"webserver"}, "reports": {"metabase"}}


def test_grpc_which_asks_for_no_password_listens_for_webserver_and_daemon_alone() -> None:
    code = SERVICES["code"]
    address = code["networks"]["dagster"]["ipv4_address"]
    command = code["command"]
    assert command[:3] == ["dagster", "api", "grpc"] and command[command.index("-h") + 1] == address
    assert command[5:] == DEFAULT[5:], "as the image's own command, but for the address"
    assert address in code["healthcheck"]["test"]
    assert ip_address(address) in ip_network(COMPOSE["networks"]["dagster"]["ipam"]["config"][0]["subnet"])
    assert {n for n, s in SERVICES.items() if "dagster" in s["networks"]} == {"code", "webserver", "daemon"}
    assert all(SERVICES[n]["environment"]["DAGSTER_CODE_HOST"] == address for n in ("webserver", "daemon"))


def test_the_pages_are_behind_the_guard() -> None:
    """The container's webserver listens on every address of its network: without the token `ai_usage.runs.pages` does not start."""
    assert SERVICES["webserver"]["command"][:3] == ["python", "-m", "ai_usage.runs.pages"]
    assert "pages_token" in SERVICES["webserver"]["secrets"]
    assert [n for n, s in SERVICES.items() if "pages_token" in s["secrets"]] == ["webserver"]
    started = " ".join(" ".join(s.get("command", [])) for s in SERVICES.values()) + DOCKERFILE + RAW
    assert "dagster-webserver" not in started


def test_only_the_code_server_has_the_warehouse_and_the_vendors_keys() -> None:
    """One writer: the run's process is a child of the code server, and no other container mounts the DuckDB file."""
    assert [n for n, s in SERVICES.items() if any(v.startswith("data:") for v in s.get("volumes", []))] == ["code"]
    vendors = {"cursor_admin_api_key", "anthropic_admin_api_key", "anthropic_analytics_api_key", "sheet_credentials"}
    vendors |= {
        "alert_urls",
        "google_credentials",
        "serving_url",
        "metabase_postgres_url",
        "metabase_api_key",
        "metabase_bigquery_credentials",
    }
    assert [n for n, s in SERVICES.items() if vendors & set(s["secrets"])] == ["code"]
    assert vendors <= set(SERVICES["code"]["secrets"])
    assert [n for n, s in SERVICES.items() if {"marts_writer_password", "marts_reader_password"} & set(s["secrets"])] == ["postgres"]
    passwords = {n: {x for x in s["secrets"] if x.endswith("db_password")} for n, s in SERVICES.items()}
    assert passwords["metabase"] == {"metabase_db_password"} and passwords["code"] == {"dagster_db_password"}
    dagster = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    assert dagster["run_coordinator"]["config"]["max_concurrent_runs"] == 1


def test_every_setting_can_be_given_to_the_code_server() -> None:
    environment = SERVICES["code"]["environment"]
    names = {variable(n) for n in Settings.model_fields}
    folders = {f"AI_USAGE_{n}" for n in ("DATA_DIR", "DUCKDB_PATH", "UPLOADS_DIR", "EXPORT_DIR", "REPORT_PATH")}  # the image's
    for_tests = {n for n in names if n.endswith("_BASE_URL")} | {"AI_USAGE_BIGQUERY_ENDPOINT", "AI_USAGE_DEMO"}
    administrator = {"METABASE_USER", "METABASE_PASSWORD"}  # named once, at the first apply, by `docker compose exec --env`
    given = {n for n in environment if not n.startswith("DAGSTER_")}
    pages = {n for n in SERVICES["webserver"]["environment"] if not n.startswith("DAGSTER_")}
    assert pages == {n for n in names if n.startswith("AI_USAGE_PAGES_")}
    assert given == names - folders - for_tests - administrator - pages, "a new setting: add it to docker-compose.yml"
    own_name = "each is taken from .env under its own name"
    assert all(re.fullmatch(rf"\$\{{{n}:-[a-z0-9:/]*\}}", environment[n]) for n in given), own_name
    assert given <= set(re.findall(r"^# ?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)), "where people look for them"


def test_services_wait_until_what_they_need_is_healthy() -> None:
    needs = {n: {d: c["condition"] for d, c in s.get("depends_on", {}).items()} for n, s in SERVICES.items()}
    healthy = "service_healthy"
    assert needs == {
        "postgres": {}, "code": {"postgres": healthy}, "metabase": {"postgres": healthy},
        "webserver": {"postgres": healthy, "code": healthy}, "daemon": {"postgres": healthy, "code": healthy},
    }  # fmt: skip


def test_images_are_pinned() -> None:
    ours = {n for n, s in SERVICES.items() if s["image"].startswith("${PLATFORM_IMAGE:-ai-usage-analytics:")}
    assert ours == {"code", "webserver", "daemon"} and "build" in SERVICES["code"]
    assert re.fullmatch(r"postgres:\d+\.\d+-bookworm", SERVICES["postgres"]["image"])
    tag = re.fullmatch(r"metabase/metabase:v0\.(\d+)\.\d+(\.\d+)?", SERVICES["metabase"]["image"])
    assert tag and 58 <= int(tag.group(1)) <= 64


def test_secrets_are_files_and_no_value_stands_in_any_file() -> None:
    assert all(set(s) == {"file"} and s["file"].startswith("${SECRETS_DIR:-./deploy/secrets}/") for s in COMPOSE["secrets"].values())
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if re.search(r"PASS|KEY|SECRET|CREDENTIALS", key):
                assert value.startswith("/run/secrets/") or value == f"${{{key}:-}}", f"{name}: {key}"
    assert SERVICES["webserver"]["environment"]["AI_USAGE_PAGES_TOKEN"] == "${AI_USAGE_PAGES_TOKEN:-file:///run/secrets/pages_token}"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"deploy/secrets/", "*.tfvars", "*.tfstate", ".env"} <= set(ignored)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*", "what is not named reaches no image"


def test_the_passwords_are_random_kept_and_their_folder_is_closed(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        subprocess.run([str(ROOT / "scripts" / "secrets")], env={"SECRETS_DIR": str(tmp_path / "s"), "PATH": "/usr/bin:/bin"}, check=True,
                       capture_output=True)  # fmt: skip
        return {p.name: p.read_text() for p in (tmp_path / "s").iterdir()}

    first = make()
    assert set(first) == set(COMPOSE["secrets"])
    filled = {n: t for n, t in first.items() if t}
    addresses = {n: filled.pop(n) for n in ("serving_url", "metabase_postgres_url")}
    roles = {"marts_writer_password": "marts_writer", "marts_reader_password": "marts_reader"}
    assert set(filled) == {"dagster_db_password", "metabase_db_password", "metabase_encryption_key", "pages_token", *roles}
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", t) for t in filled.values()) and len(set(filled.values())) == 6
    assert list(addresses.values()) == [f"postgresql://{u}:{filled[n]}@postgres:5432/marts?schema=ai_usage" for n, u in roles.items()]
    assert make() == first, "a second time changes nothing: the databases know the first passwords"
    (tmp_path / "s" / "marts_reader_password").unlink()
    again = make()
    assert {n for n in first if first[n] != again[n]} == {"marts_reader_password", "metabase_postgres_url"}
    assert again["marts_reader_password"] in again["metabase_postgres_url"], "an address follows its new password"
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


# Image --------------------------------------------------------------------------------------------------------------


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.13.9-slim-bookworm"}
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE) and "HEALTHCHECK" in final and "DAGSTER_HOME=" in final
    assert "pip" not in final and "apt-get" not in final, "the final image installs nothing"
    assert "--require-hashes" in DOCKERFILE


def test_the_image_gets_the_locks_runtime_part_and_no_tool_of_developers() -> None:
    """What the project's own metadata asks for, walked by importlib.metadata, is in; what the dev group asks for is not."""
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "runtime_lock.py"), str(ROOT / "requirements.lock")], capture_output=True, text=True, check=True
    )
    chosen = {canonicalize_name(n) for n in re.findall(r"^([A-Za-z0-9._-]+)==", done.stdout, re.MULTILINE)}
    assert done.stdout.count("--hash=sha256:") > len(chosen)
    wanted, ahead = set(), ["ai-usage-analytics"]
    while ahead:
        name = ahead.pop()
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                other = canonicalize_name(requirement.name)
                if other not in wanted:
                    wanted.add(other)
                    ahead.append(other)
    assert wanted - chosen == set()
    assert not chosen & {
        "pytest",
        "ruff",
        "mypy",
        "uv",
        "playwright",
        "hypothesis",
        "sqlfluff",
        "import-linter",
        "hatchling",
        "pip",
        "python-hcl2",
    }
    unknown = subprocess.run(
        [sys.executable, str(DEPLOY / "runtime_lock.py"), str(ROOT / "requirements.lock"), "no-such"], capture_output=True, text=True
    )
    assert unknown.returncode and "no-such: not in the lock" in unknown.stderr


def test_the_instance_of_the_containers_is_the_repositorys_with_postgres() -> None:
    """What differs is named here, so that a change of one file is not forgotten in the other."""
    ours, theirs = (yaml.safe_load(p.read_text()) for p in (ROOT / "dagster.yaml", DEPLOY / "dagster.yaml"))
    more = {"storage", "local_artifact_storage", "compute_logs"}
    assert set(theirs) - set(ours) == more and set(ours) <= set(theirs)
    for name in set(ours) - {"run_monitoring"}:
        assert theirs[name] == ours[name], name
    assert theirs["run_monitoring"].items() >= ours["run_monitoring"].items()
    asked = set(re.findall(r"env: (\w+)", (DEPLOY / "dagster.yaml").read_text() + (DEPLOY / "workspace.yaml").read_text()))
    given = set(SERVICES["code"]["environment"]) | set(re.findall(r"\b(DAGSTER_\w+)=", DOCKERFILE)) | {"DAGSTER_POSTGRES_PASSWORD"}
    assert asked <= given, "every variable that dagster.yaml asks for is set by Compose, the image or the entry point"
    assert "export DAGSTER_POSTGRES_PASSWORD" in (DEPLOY / "entrypoint").read_text()


@pytest.mark.parametrize("path", SHELL, ids=lambda p: p.name)
def test_scripts_are_sound_and_can_be_run(path: Path) -> None:
    shell = "sh" if path.read_text().startswith("#!/bin/sh") else "bash"
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & stat.S_IXUSR or path.name == "startup.sh"
    assert re.search(r"^set -eu", path.read_text(), re.MULTILINE)


# Terraform ----------------------------------------------------------------------------------------------------------


def test_roles_are_these_and_no_others() -> None:
    """Written from the table of rights in docs/how-to/deploy.md, not from the code."""
    found = {
        (name.partition(".")[0], body["role"], re.sub(r"\W*google_service_account\.|\W+$", "", str(body["member"])))
        for name, body in blocks("resource").items()
        if "iam_" in name
    }
    pipeline, metabase = "pipeline.member", "metabase.member"
    assert found == {
        ("google_bigquery_dataset_iam_member", "roles/bigquery.dataEditor", pipeline),
        ("google_bigquery_dataset_iam_member", "roles/bigquery.dataViewer", metabase),
        ("google_project_iam_member", "roles/bigquery.jobUser", "${each.value"),
        ("google_project_iam_member", "roles/logging.logWriter", pipeline),
        ("google_secret_manager_secret_iam_member", "roles/secretmanager.secretAccessor", pipeline),
        ("google_artifact_registry_repository_iam_member", "roles/artifactregistry.reader", pipeline),
        ("google_iap_tunnel_instance_iam_member", "roles/iap.tunnelResourceAccessor", "${each.key"),
        ("google_compute_instance_iam_member", "roles/compute.osAdminLogin", "${each.key"),
        ("google_service_account_iam_member", "roles/iam.serviceAccountUser", "${each.key"),
    }
    for_each = blocks("resource")["google_project_iam_member.runs_queries"]["for_each"]
    assert set(for_each) == {"pipeline", "metabase"}
    text = "".join(p.read_text() for p in (DEPLOY / "terraform").glob("*.tf"))
    assert not re.search(r"_iam_(binding|policy)\"|allUsers|allAuthenticatedUsers|roles/(owner|editor|viewer)\"", text)


def test_terraform_holds_no_secret_value_and_no_key() -> None:
    kinds = {name.partition(".")[0] for name in blocks("resource")}
    assert "google_secret_manager_secret" in kinds
    assert not kinds & {"google_secret_manager_secret_version", "google_service_account_key", "random_password"}


def test_the_firewall_lets_in_googles_proxy_alone_and_the_machine_has_no_address() -> None:
    resources = blocks("resource")
    rules = {n: b for n, b in resources.items() if n.startswith("google_compute_firewall.")}
    allowed = [b for b in rules.values() if "allow" in b]
    assert [(b["source_ranges"], b["allow"]) for b in allowed] == [(["35.235.240.0/20"], [{"protocol": "tcp", "ports": ["22"]}])]
    [interface] = resources["google_compute_instance.platform"]["network_interface"]
    assert "access_config" not in interface


def test_what_must_last_is_kept() -> None:
    resources = blocks("resource")
    for name in ("google_compute_disk.volumes", "google_bigquery_dataset.warehouse"):
        assert resources[name]["lifecycle"] == [{"prevent_destroy": True}]
    attached = resources["google_compute_disk_resource_policy_attachment.daily"]
    assert "google_compute_disk.volumes" in attached["disk"] and "google_compute_resource_policy.daily" in attached["name"]


def test_every_variable_is_described_typed_and_guarded() -> None:
    unguarded = set()
    for name, body in blocks("variable").items():
        assert body["description"].endswith(".") and "type" in body, name
        if "validation" not in body and body["type"] != "bool":
            unguarded.add(name)
    assert unguarded == {"sheet_id", "machine_type"}
    assert all(body["description"].endswith(".") for body in blocks("output").values())


def test_every_key_of_the_settings_can_be_a_secret_of_terraform() -> None:
    """And each is one of those that the pipeline's account alone may read, and that reach the machine as references."""
    text = (DEPLOY / "terraform" / "main.tf").read_text()
    keys = {variable(n) for n in Settings.model_fields if is_key(n)}
    wanted = {k for k in keys if "METABASE" not in k and k not in ("AI_USAGE_SERVING_URL", "AI_USAGE_PAGES_TOKEN")}
    assert wanted <= set(re.findall(r'"([A-Z_]+)"', text)), "a new key: add it to the settings or to asked in main.tf"
    resources = blocks("resource")
    assert resources["google_secret_manager_secret.key"]["for_each"] == "${local.chosen}"
    assert resources["google_secret_manager_secret_iam_member.pipeline_reads"]["for_each"] == "${google_secret_manager_secret.key}"


def test_terraform_names_settings_that_exist() -> None:
    text = "".join(p.read_text() for p in (DEPLOY / "terraform").glob("*.tf"))
    known = {variable(n) for n in Settings.model_fields} | {f"AI_USAGE_BIGQUERY_{w}" for w in ("PROJECT", "DATASET", "LOCATION")}
    assert set(re.findall(r"\bAI_USAGE_[A-Z_]+\b", text)) <= known
    subnet = COMPOSE["networks"]["outside"]["ipam"]["config"][0]["subnet"]
    assert subnet in (DEPLOY / "terraform" / "startup.sh").read_text(), "the rule that keeps the machine's identity to the code server"
    assert [n for n, s in SERVICES.items() if "outside" in s["networks"]] == ["code"]

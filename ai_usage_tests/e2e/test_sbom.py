"""The bill of materials names what the wheel brings, and nothing of the tools that make it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

from ai_usage_tests.proving import only_in_prove

ROOT = Path(__file__).resolve().parents[2]


def folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@only_in_prove
def test_every_dependency_is_named_with_the_locked_version_and_hash(tmp_path: Path) -> None:
    """It needs the package index for its own tool, so it belongs to `make prove`."""
    subprocess.run([ROOT / "scripts" / "sbom", "--output-file", tmp_path / "sbom.json"], check=True, timeout=300)
    said = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    found = {folded(c["name"]): c for c in said["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = {folded(re.split(r"[\[<>=~! ;]", d)[0]) for d in project["project"]["dependencies"]}
    tools = {folded(re.split(r"[\[<>=~! ;]", d)[0]) for d in project["dependency-groups"]["dev"] if isinstance(d, str)}
    assert direct <= found.keys() and not (tools - direct) & {"pytest", "mypy", "ruff", "hypothesis"} & found.keys()
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {folded(name): version for name, version in re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock, re.MULTILINE)}
    for name, component in found.items():
        assert component["version"] == locked[name], name
        assert any(r.get("hashes") for r in component["externalReferences"]), f"{name} has no hash"

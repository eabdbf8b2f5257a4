"""docker-compose.yml against the Compose Specification's own schema, and its settings against the services' own."""

import importlib
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from algotrendy_common.settings import load
from algotrendy_common.subjects import SERVICES
from algotrendy_local import compose

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
"""github.com/compose-spec/compose-go v2.16.2, schema/compose-spec.json, Apache-2.0."""


@pytest.fixture(scope="module")
def composed() -> dict[str, object]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_it_keeps_to_the_specification(composed):
    jsonschema.validate(composed, SCHEMA)


def test_a_breach_of_the_specification_is_found(composed):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(composed | {"services": {"nats": {"image": 1}}}, SCHEMA)


def test_every_service_and_server_is_there_once(composed):
    assert set(SERVICES) | {
        "nats",
        "postgres",
        "redis",
        "questdb",
        "qdrant",
        "migrate",
        "simulator",
        "dead_man",
    } == set(composed["services"])
    images = {name: row["image"] for name, row in composed["services"].items() if "image" in row}
    assert images["postgres"] == "postgres:16"
    assert not any(image.endswith(":latest") or ":" not in image for image in images.values())


def test_services_are_built_by_one_recipe_that_takes_their_name(composed):
    for service in SERVICES:
        build = composed["services"][service]["build"]
        assert build["dockerfile"] == "deploy/docker/Dockerfile"
        assert build["args"] == {"SERVICE": service}
    assert "ARG SERVICE" in (ROOT / "deploy/docker/Dockerfile").read_text()


def test_the_written_settings_are_ones_each_service_accepts(tmp_path, composed):
    written = {path.name: path for path in compose.write(tmp_path / "docker")}
    again = {path.name: path.read_text() for path in compose.write(tmp_path / "docker")}
    for service in SERVICES:
        file = composed["services"][service]["env_file"]
        lines = written[Path(file).name].read_text().splitlines()
        environment = dict(line.split("=", 1) for line in lines)
        module = importlib.import_module(f"algotrendy_{service}.settings")
        name = f"{service.title().replace('_', '')}Settings"
        settings = load(getattr(module, name), service, environment)
        assert str(settings.nats_seed_file) == f"/run/keys/{service}.nkey"
        assert again[f"{service}.env"] == written[f"{service}.env"].read_text()


def test_secrets_are_not_readable_by_others(tmp_path):
    folder = tmp_path / "docker"
    compose.write(folder)
    assert (folder / "keys").stat().st_mode & 0o077 == 0
    for service in SERVICES:
        assert (folder / f"{service}.env").stat().st_mode & 0o077 == 0

"""Each service as its own code wires it: what it reads, how, what it answers and publishes equals the catalogue."""

import importlib
from pathlib import Path

import pytest
from algotrendy_common.app import App
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.settings import load
from algotrendy_common.subjects import CATALOGUE, SERVICES, subject_of
from algotrendy_local import compose
from algotrendy_local.credentials import Credentials
from algotrendy_local.home import Home

ALWAYS = {"ops.health.{service}", "ops.alert", "deadletter.{service}"}
"""The plumbing publishes these for every service."""


@pytest.fixture(scope="module")
def apps(tmp_path_factory) -> dict[str, App]:
    """Every service, built from the settings that a deployment writes, and not started."""
    folder = tmp_path_factory.mktemp("stack")
    home = Home(folder)
    home.make()
    credentials = Credentials(home)
    seeds = credentials.nats_seed_files()
    built = {}
    for service in SERVICES:
        environment = compose.service_environment(service, credentials)
        environment[f"ALGOTRENDY_{service.upper()}_NATS_SEED_FILE"] = str(seeds[service])
        if service == "agent":
            environment |= {
                name: str(folder / Path(value).name) for name, value in environment.items() if name.endswith("_PATH")
            }
        settings_class = getattr(
            importlib.import_module(f"algotrendy_{service}.settings"), f"{service.title().replace('_', '')}Settings"
        )
        settings = load(settings_class, service, environment)
        built[service] = importlib.import_module(f"algotrendy_{service}.service").build_app(settings)
    return built


@pytest.mark.parametrize("service", SERVICES)
def test_it_reads_what_the_catalogue_says_and_how(apps, service):
    read = {reading.row.pattern: reading.delivery for reading in apps[service].bus.readings}
    assert read == {row.pattern: row.readers[service] for row in CATALOGUE if service in row.readers}


@pytest.mark.parametrize("service", SERVICES)
def test_it_answers_what_the_catalogue_says(apps, service):
    assert set(apps[service].bus.answered) == {call.subject for call in CALLS if call.service == service}


@pytest.mark.parametrize("service", SERVICES)
def test_it_publishes_what_it_owns_and_nothing_else(apps, service):
    published = {subject_of(event).pattern for event in apps[service].published} | ALWAYS
    assert published == {row.pattern for row in CATALOGUE if service in row.owners} | ALWAYS

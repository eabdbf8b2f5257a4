"""Real NATS and PostgreSQL for the plumbing's tests."""

from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest
from algotrendy_common.app import App
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_local.testing import servers_running


@pytest.fixture(scope="session")
def servers() -> Iterator[object]:
    with servers_running("nats", "postgres", migrate=True) as running:
        yield running


@pytest.fixture
def app_of(servers) -> Callable[[str], App]:
    """A fresh, empty service of a given name on the real servers."""

    def make(service: str) -> App:
        environment = {
            name: value
            for name, value in servers.environment(service).items()
            if name.startswith("ALGOTRENDY_NATS_") or name.endswith(("_NATS_SEED_FILE", "_POSTGRES_URL"))
        }
        return App(service, load(ServiceSettings, service, environment))

    return make


@pytest.fixture
async def admin(servers) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(servers.addresses.postgres_url)
    yield connection
    await connection.close()

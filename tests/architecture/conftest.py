"""The real NATS server with the catalogue's users, for the tests that ask it what it permits."""

from collections.abc import Iterator

import pytest
from algotrendy_local.testing import servers_running


@pytest.fixture(scope="session")
def servers() -> Iterator[object]:
    with servers_running("nats", migrate=False) as running:
        yield running

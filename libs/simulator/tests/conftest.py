from collections.abc import AsyncIterator
from pathlib import Path

import ccxt.pro
import pytest
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import repoint

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    """A venue in this process that stands still until it is stepped; thirty minutes are past."""
    async with serving(SimulatorSettings(port=0, paused=True, history=30)) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[ccxt.pro.binance]:
    """An unmodified client but for its URLs."""
    client = ccxt.pro.binance({"apiKey": "demo-key", "secret": "demo-secret", "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()

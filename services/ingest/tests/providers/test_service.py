"""Ingest answers for providers over a real bus, errors as what they are; and one that is slow holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import nats
import pytest
from algotrendy_common.app import App
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc import providers as rpc
from algotrendy_common.rpc.call import Call, Nothing
from algotrendy_common.settings import load
from algotrendy_common.subjects import inbox_prefix
from algotrendy_ingest.providers.desk import build_desk
from algotrendy_ingest.providers.serving import Polled, serve
from algotrendy_ingest.providers.settings import ProvidersSettings
from algotrendy_ingest.settings import IngestSettings
from algotrendy_local.testing import Servers, servers_running
from algotrendy_simulator.providers.faults import ProviderFaultKind


@pytest.fixture(scope="module")
def bus() -> Iterator[Servers]:
    with servers_running("nats", migrate=True) as running:
        yield running


@pytest.fixture
async def ask(bus) -> AsyncIterator[Any]:
    """Asks as the gateway does; an error comes back as its code."""
    client = await nats.connect(
        bus.addresses.nats_url,
        nkeys_seed_str=bus.addresses.nats_seed("gateway"),
        inbox_prefix=inbox_prefix("gateway"),
    )

    async def asked(call: Call[Any, Any], request: Record) -> Any:
        message = await client.request(call.subject, request.model_dump_json().encode(), timeout=rpc.PATIENCE_S)
        if message.headers and "Algotrendy-Fault" in message.headers:
            return message.headers["Algotrendy-Fault"]
        return call.response.model_validate_json(message.data)

    yield asked
    await client.close()


async def test_questions_over_the_bus(bus, ask, hall, until):
    """The service's own answers, on a bus of its own: no feed, no store."""
    names = ("polygon", "fmp", "fred")
    common = {"api_key": "k", "timeout": 900, "calls_a_minute": 1e6}
    members = [{"name": name, "base_url": hall.base_url(name), **common} for name in names]
    settings = ProvidersSettings.model_validate({"members": members, "attempts": 1})
    aapl = rpc.DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1), end=date(2020, 6, 17))
    environment = bus.environment("ingest") | {"ALGOTRENDY_INGEST_HEALTH_PORT": "0"}
    app = App("ingest", load(IngestSettings, "ingest", environment))
    serve(app, build_desk(settings, app.clock))
    async with app.running():
        bars = await ask(rpc.DAILY_BARS, aapl)
        assert (len(bars.bars), bars.source.provider) == (13, "polygon")
        agreed = await ask(rpc.DAILY_BARS, aapl.model_copy(update={"agree": 2}))
        assert agreed.source.agreed == ("polygon", "fmp")
        assert (await ask(rpc.INDICATORS, Nothing())).indicators
        observed = await ask(rpc.OBSERVATIONS, rpc.ObservationsAsked(series="DGS10", start=date(2022, 3, 21)))
        assert str(observed.observations[0].value) == "2.32"

        assert await ask(rpc.DAILY_BARS, aapl.model_copy(update={"symbol": "NOSUCH"})) == "not_listed"
        hall.arm(ProviderFaultKind.ERROR, "fred")
        assert await ask(rpc.SERIES, rpc.SeriesAsked(series="GNPCA")) == "failed"  # which the caller may repeat

        hall.arm(ProviderFaultKind.SLOW, "fred", delay_ms=600_000)
        before = hall.calls["fred"]
        slow = asyncio.ensure_future(ask(rpc.SERIES, rpc.SeriesAsked(series="GNPCA")))
        await until(lambda: hall.calls["fred"] > before)
        assert (await ask(rpc.SERIES, rpc.SeriesAsked(series="GNPCX"))) == "not_listed"
        slow.cancel()

        shown = {one.provider: one for one in (await ask(rpc.PROVIDERS, Nothing())).providers}
        assert list(shown) == list(names)
        assert (shown["polygon"].calls, shown["fred"].failures) == (2, 1)


async def test_what_comes_too_late_is_there_for_the_next_who_asks(hall, desk_at, until):
    hall.arm(ProviderFaultKind.SLOW, "polygon", delay_ms=100)
    aapl = rpc.DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1), end=date(2020, 6, 17))
    async with desk_at(hall, "polygon") as desk:
        polled = Polled(desk, within_s=0.001)
        with pytest.raises(Retryable, match="ask again"):
            await polled.daily_bars(aapl)

        async def kept() -> bool:
            return await desk.members[0].cached(aapl) is not None

        await until(kept)
        assert hall.calls["polygon"] == 1
        await polled.close()


async def test_what_is_under_way_ends_with_the_service(hall, desk_at, until):
    hall.arm(ProviderFaultKind.SLOW, "polygon", delay_ms=600_000)
    async with desk_at(hall, "polygon", polygon={"timeout": 900}) as desk:
        polled = Polled(desk)
        asked = asyncio.ensure_future(polled.daily_bars(rpc.DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1))))
        await until(lambda: hall.calls["polygon"] == 1)
        await polled.close()
        with pytest.raises(asyncio.CancelledError):
            await asked

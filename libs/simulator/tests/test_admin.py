"""The hand behind the simulation, the same whatever venue is spoken."""

import aiohttp
import pytest
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.faults import Fault, FaultKind, Faults
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from algotrendy_simulator.venues.registry import DIALECTS

PERP = "BTCUSDT-PERP"


@pytest.mark.parametrize("name", sorted(DIALECTS))
async def test_every_venue_has_the_same_hand_behind_it(name: str) -> None:
    async with serving(SimulatorSettings(port=0, paused=True, history=5, venue=name)) as running:
        status = await call_admin(running.http, "GET", "/admin/status")
        assert (status["venue"], status["sockets"]) == (name, {"market": 0, "user": 0})
        await call_admin(running.http, "POST", "/admin/step", {"candles": 2})
        by_hand = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.1"}
        placed = await call_admin(running.http, "POST", "/admin/orders/place", by_hand)
        assert placed["status"] == "FILLED"
        (fill, *_) = await call_admin(running.http, "GET", "/admin/fills?account=paper-1")
        assert fill["orderId"] == placed["orderId"]
        for path in ("/admin/sockets/drop", "/admin/faults"):
            body = {} if path.endswith("drop") else {"kind": "delay", "path": "/*"}
            assert await call_admin(running.http, "POST", path, body)
        assert await call_admin(running.http, "POST", "/admin/sockets/mute", {"muted": True, "kind": "all"})
        assert await call_admin(running.http, "POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
        account = running.simulation.exchange.accounts["paper-1"]
        demo = demo_key(name)
        assert (account.key, account.secret, account.passphrase) == (demo.key, demo.secret, demo.passphrase)


@pytest.fixture
async def derivatives() -> Running:
    async with serving(SimulatorSettings(port=0, paused=True, history=5, venue="okx")) as running:
        yield running


async def test_positions_are_shown_and_liquidated(derivatives: Running) -> None:
    http = derivatives.http
    by_hand = {"symbol": PERP, "side": "sell", "quantity": "1", "leverage": "10"}
    await call_admin(http, "POST", "/admin/orders/place", by_hand)
    (position,) = await call_admin(http, "GET", "/admin/positions?account=paper-1")
    assert (position["symbol"], position["quantity"], position["leverage"]) == (PERP, "-1", "10")
    stop = {
        "symbol": PERP,
        "side": "buy",
        "type": "stop",
        "quantity": "1",
        "trigger_price": "19000",
        "reduce_only": True,
    }
    waiting = await call_admin(http, "POST", "/admin/orders/place", stop)
    assert (waiting["waiting"], waiting["stopPrice"], waiting["reduceOnly"]) == (True, "19000.00000000", True)
    (closing,) = await call_admin(http, "POST", "/admin/liquidate", {"symbol": PERP})
    assert (closing["liquidation"], closing["status"]) == (True, "FILLED")
    assert await call_admin(http, "GET", "/admin/positions") == []
    orders = {order["orderId"]: order["status"] for order in await call_admin(http, "GET", "/admin/orders")}
    assert orders[waiting["orderId"]] == "CANCELED"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/admin/orders/place", {"symbol": "DOGEUSDT", "side": "buy", "quantity": "1"}, 409),
        ("/admin/orders/place", {"symbol": "BTCUSDT", "side": "up", "quantity": "1"}, 400),
        ("/admin/orders/cancel", {"account": "nobody"}, 404),
        ("/admin/orders/cancel", {"order_id": 1}, 404),
        ("/admin/partial_fills", {"fraction": "1.5"}, 400),
        ("/admin/ban", {"minutes": 5}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(venue: Running, path: str, body: dict[str, object], status: int) -> None:
    with pytest.raises(aiohttp.ClientResponseError) as refused:
        await call_admin(venue.http, "POST", path, body)
    assert refused.value.status == status


def test_a_closed_venue_answers_every_call_so_and_forgets_it_with_its_faults() -> None:
    faults = Faults()
    faults.arm(Fault(kind=FaultKind.DELAY, path="/a"))
    faults.maintenance = True
    struck = faults.take("GET", "/anything")
    assert struck is not None
    assert struck.kind is FaultKind.MAINTENANCE
    faults.ban(60)
    struck = faults.take("GET", "/anything")
    assert struck is not None
    assert struck.kind is FaultKind.BAN
    assert faults.banned_for_s == 60
    faults.clear()
    assert (faults.take("GET", "/a"), faults.armed, faults.banned_for_s) == (None, [], 0)

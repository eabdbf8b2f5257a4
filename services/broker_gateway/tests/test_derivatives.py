"""Perpetuals with leverage and spot on margin through the whole gateway: orders, positions, exits, the venue's word.

Real servers; OKX's perpetuals and Kraken's margin as the simulated venues speak them.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from algotrendy_broker_gateway.domain.handling import unfit
from algotrendy_broker_gateway.domain.margin import Margin, margin_after
from algotrendy_common.enums import MarginMode, OrderSource, OrderType, ProtectionState, Side
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.order import OrderFilled, OrderTerms, OrderUpdated, Protection
from algotrendy_core.instruments import Instrument
from algotrendy_simulator.testing import RunningVenue, running_venue

PERP, SPOT = "BTC-USDT-PERP", "BTC-USDT"
LISTED = {PERP: "BTCUSDT-PERP", SPOT: "BTCUSDT"}
PERPETUALS = ("okx", "bybit")
"""Venues whose perpetuals are traded here; Kraken's margin is of spot."""
D = Decimal
CROSS = MarginMode.CROSS


def terms(**changes: Any) -> OrderTerms:
    values = {
        "order_id": "0" * 32, "account": "a", "venue": "okx", "symbol": PERP, "side": Side.BUY,
        "type": OrderType.MARKET, "quantity": D("0.05"),
    }  # fmt: skip
    return OrderTerms(**(values | changes))


# -- what a fill does to the margin behind a position -----------------------------------------------------------------

HELD = Margin(CROSS, D(5), D("20000"))


@pytest.mark.parametrize(
    ("known", "before", "after", "order", "expected"),
    [
        (Margin(), "0", "2", {"leverage": D(5), "margin_mode": CROSS}, Margin(CROSS, D(5))),
        (Margin(), "0", "2", {}, Margin(CROSS)),
        (HELD, "2", "1", {"side": Side.SELL, "reduce_only": True}, HELD),
        (HELD, "2", "3", {"leverage": D(3), "margin_mode": CROSS}, Margin(CROSS, D(3), D("20000"))),
        (HELD, "2", "-1", {"side": Side.SELL}, Margin(CROSS)),
        (HELD, "2", "0", {"side": Side.SELL, "reduce_only": True}, Margin(CROSS)),
        (Margin(), "0", "-1", {"symbol": SPOT, "margin_mode": CROSS, "leverage": D(2)}, Margin(CROSS, D(2))),
    ],
)
def test_only_what_opens_says_how_a_position_is_paid_for(known, before, after, order, expected):
    assert margin_after(known, D(before), D(after), terms(**order)) == expected


# -- the gateway around -----------------------------------------------------------------------------------------------


def _served(name: str) -> Iterator[RunningVenue]:
    no_limits = ("--weight-per-minute", "1000000", "--orders-per-10s", "10000")
    manager = running_venue(venue=name, paused=True, history=30, extra=no_limits)
    with asyncio.Runner() as runner:
        running = runner.run(manager.__aenter__())
        try:
            yield running
        finally:
            runner.run(manager.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def okx() -> Iterator[RunningVenue]:
    yield from _served("okx")


@pytest.fixture(scope="module")
def bybit() -> Iterator[RunningVenue]:
    yield from _served("bybit")


@pytest.fixture(scope="module", params=PERPETUALS)
def perpetuals(request: pytest.FixtureRequest) -> tuple[str, RunningVenue]:
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def kraken() -> Iterator[RunningVenue]:
    """Comparisons every second are more than Kraken lets anybody ask; its simulation has no such limit here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("algotrendy_broker_gateway.adapters.kraken._CALLS_PER_S", 200.0)
        yield from _served("kraken")


class Trading:
    """One account at one venue, and everything around it."""

    def __init__(self, world: Any, name: str, simulated: RunningVenue) -> None:
        self.world, self.name, self.simulated = world, name, simulated
        self.account: str = world.account
        self.symbol = PERP if name in PERPETUALS else SPOT
        self.secret = b64encode(self.account.encode()).decode()

    async def open_account(self) -> None:
        for name, balances in (
            (self.account, {"USDT": "20000"}),
            (f"{self.account}-x", {"USDT": "900000000", "BTC": "9000"}),
        ):
            body = {"account": name, "key": name, "secret": self.secret, "passphrase": name, "balances": balances}
            await self.simulated.admin("POST", "/admin/accounts", body)
        await self.simulated.admin("POST", "/admin/step", {"candles": 1})

    @asynccontextmanager
    async def running(self, active: bool = True, **changes: Any) -> AsyncIterator[Any]:
        account = {
            "account": self.account,
            "venue": self.name,
            "symbols": sorted({self.symbol, SPOT}),
            "http_url": self.simulated.http,
            "ws_url": self.simulated.ws,
            "api_key": self.account,
            "api_secret": self.secret,
            "passphrase": self.account if self.name == "okx" else None,
        }
        async with self.world.running(active=active, ACCOUNTS=json.dumps([account | changes])) as app:
            yield app

    async def order(self, **changes: Any) -> OrderUpdated:
        """Approved, and how it stands in the end."""
        values = {"venue": self.name, "symbol": self.symbol, "quantity": D("0.05")}
        approved = await self.world.approve(**(values | changes))
        return await self.world.reaches(approved.order_id, "filled", "cancelled", "rejected")

    async def enter(self, side: Side = Side.BUY, **changes: Any) -> OrderUpdated:
        shape = {"leverage": D(5 if self.symbol == PERP else 3), "margin_mode": CROSS}
        done = await self.order(side=side, **(shape | changes))
        assert done.status == "filled", done.reason_message
        return done

    async def position(
        self, quantity: str, says: Callable[[PositionChanged], Any] = lambda told: True
    ) -> PositionChanged:
        """The newest word, once it says this."""

        def newest() -> PositionChanged | None:
            told = [event for event in self.world.heard if isinstance(event, PositionChanged)]
            last = max(told, key=lambda event: event.revision) if told else None
            return last if last is not None and last.quantity == D(quantity) and says(last) else None

        return await self.world.becomes(newest)

    async def venues(self) -> dict[str, Any] | None:
        rows = await self.simulated.admin("GET", f"/admin/positions?account={self.account}")
        return rows[0] if rows else None

    async def total(self, asset: str = "USDT") -> Decimal:
        books = await self.simulated.admin("GET", f"/admin/balances?account={self.account}")
        return D(books[self.account].get(asset, {"total": "0"})["total"])

    async def reconciled(
        self, ok: bool = True, says: Callable[[AccountReconciled], Any] = lambda told: True
    ) -> AccountReconciled:
        """A comparison that begins after now."""
        seen = len(self.world.heard)

        def told() -> AccountReconciled | None:
            found = [event for event in self.world.heard[seen:] if isinstance(event, AccountReconciled)]
            return next((event for event in found if event.ok is ok and says(event)), None)

        return await self.world.becomes(told)

    async def books_agree(self) -> None:
        told = await self.reconciled(says=lambda event: not event.differences)
        assert told.differences == ()
        held = await self.world.query("SELECT asset, quantity FROM holdings WHERE account = $1", self.account)
        ours = {row["asset"]: row["quantity"] for row in held if row["quantity"]}
        assert ours == {"USDT": await self.total()}

    async def others(self, side: Side, quantity: str, price: str | None = None) -> None:
        body = {"account": f"{self.account}-x", "symbol": LISTED[self.symbol], "side": side, "quantity": quantity}
        more = {} if price is None else {"type": "limit", "time_in_force": "ioc", "limit_price": price}
        await self.simulated.admin("POST", "/admin/orders/place", body | more)

    async def best(self, side: Side) -> Decimal:
        book = (await self.simulated.admin("GET", "/admin/books"))[LISTED[self.symbol]]
        return D(book["bids" if side is Side.BUY else "asks"][0][0])

    async def protection(self, state: ProtectionState) -> ProtectionChanged:
        def newest() -> ProtectionChanged | None:
            told = [event for event in self.world.heard if isinstance(event, ProtectionChanged)]
            last = max(told, key=lambda event: event.revision) if told else None
            return last if last is not None and last.state is state else None

        return await self.world.becomes(newest)


@pytest.fixture
async def trading(servers, venue, world) -> Callable[..., Any]:
    async def at(name: str, simulated: RunningVenue) -> Trading:
        found = Trading(world, name, simulated)
        await found.open_account()
        return found

    return at


# -- perpetuals -------------------------------------------------------------------------------------------------------


async def test_a_perpetual_with_leverage_is_opened_reduced_and_closed(trading, perpetuals):
    perp = await trading(*perpetuals)
    async with perp.running():
        await perp.enter()
        opened = await perp.position("0.05", lambda told: told.liquidation_price is not None or told.leverage == 5)
        own = await perp.venues()
        assert (opened.margin_mode, opened.leverage) == (CROSS, D(5))
        assert (own["leverage"], own["margin_mode"]) == ("5", "cross")
        assert abs(opened.average_price - D(own["entry_price"])) < D("0.0001")

        # What only reduces changes nothing of the rest, and never more than there is.
        reduced = await perp.order(side=Side.SELL, quantity=D("0.02"), reduce_only=True)
        assert reduced.status == "filled"
        left = await perp.position("0.03")
        assert (left.margin_mode, left.leverage, left.average_price) == (CROSS, D(5), opened.average_price)
        await perp.order(side=Side.SELL, quantity=D("0.08"), reduce_only=True)
        assert (await perp.position("0")).realised_pnl != 0
        assert await perp.venues() is None
        await perp.books_agree()


async def test_a_short_is_guarded_by_exits_at_the_venue_and_ends_at_its_stop(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        market = await perp.best(Side.SELL)
        stop, take = (market + 4).quantize(D("0.1")), (market - 900).quantize(D("0.1"))
        await perp.enter(Side.SELL, protection=Protection(stop_price=stop, take_profit_price=take))
        assert (await perp.position("-0.05")).average_price < market
        guarded = await perp.protection(ProtectionState.PROTECTED)
        assert (guarded.held_by, guarded.stop_price, guarded.take_profit_price) == ("venue", stop, take)

        await perp.others(Side.BUY, "40", str(stop + D("0.5")))

        flat = await perp.position("0")
        assert flat.realised_pnl < 0
        await perp.protection(ProtectionState.FLAT)
        await perp.books_agree()


async def test_leverage_is_set_before_the_first_order_and_again_where_somebody_changed_it(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        path = "/api/v5/account/set-leverage"
        await okx.admin("POST", "/admin/faults", {"kind": "lost_after", "path": path, "method": "POST"})
        await perp.enter()  # a lost answer is asked again: setting it twice changes nothing
        assert (await perp.venues())["leverage"] == "5"
        assert len(await perp.world.query("SELECT 1 FROM orders WHERE account = $1", perp.account)) == 1

        # The account's own kind of margin is meant where an order names none.
        await perp.enter(margin_mode=MarginMode.NONE, leverage=D(4))
        assert (await perp.position("0.1", lambda told: told.leverage == 4)).margin_mode is CROSS
        assert (await perp.venues())["leverage"] == "4"


async def test_a_liquidation_arrives_as_an_outside_event_and_trading_goes_on(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        stop = (await perp.best(Side.BUY) - 400).quantize(D("0.1"))
        await perp.enter(protection=Protection(stop_price=stop))
        await perp.protection(ProtectionState.PROTECTED)

        await okx.admin("POST", "/admin/liquidate", {"account": perp.account})

        await perp.position("0")
        await perp.world.becomes(lambda: perp.world.alerts("position_liquidated"))
        adopted = [
            event
            for event in perp.world.heard
            if isinstance(event, OrderUpdated) and event.origin.source is OrderSource.EXTERNAL
        ]
        assert {event.origin.reason for event in adopted} == {"the venue liquidated a position"}
        await perp.protection(ProtectionState.FLAT)
        await perp.books_agree()
        await perp.enter()


async def test_funding_is_booked_as_what_it_is(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        await perp.enter()
        await perp.books_agree()
        before = await perp.total()

        await okx.admin("POST", "/admin/funding", {"symbol": LISTED[PERP], "rate": "0.001"})

        paid = before - await perp.total()
        assert paid > 0
        told = await perp.reconciled(says=lambda event: event.differences)
        assert [(one.what, one.key, one.adopted) for one in told.differences] == [("funding", "USDT", True)]
        assert D(told.differences[0].ours) - D(told.differences[0].venues) == paid
        entries = await perp.world.query(
            "SELECT quantity FROM entries WHERE account = $1 AND kind = 'funding'", perp.account
        )
        assert [row["quantity"] for row in entries] == [-paid]
        await perp.books_agree()


async def test_a_position_that_differs_closes_the_gate(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        await perp.enter()
        await perp.books_agree()
        await perp.world.query("DELETE FROM positions WHERE account = $1", perp.account)

        told = await perp.reconciled(ok=False)

        (difference,) = told.differences
        assert (difference.what, difference.key, difference.ours, difference.venues, difference.adopted) == (
            "position", PERP, "0", "0.05", False,
        )  # fmt: skip
        await perp.world.becomes(lambda: perp.world.alerts("books_differ"))
        waiting = await perp.world.approve(venue="okx", symbol=PERP, leverage=D(5), quantity=D("0.01"))
        await perp.world.reaches(waiting.order_id, "approved")
        await perp.reconciled(ok=False)
        assert perp.world.status(waiting.order_id) == "approved"


async def test_a_position_from_before_is_taken_over_once(trading, okx):
    perp = await trading("okx", okx)
    body = {"account": perp.account, "symbol": LISTED[PERP], "side": "sell", "quantity": "0.03"}
    await okx.admin("POST", "/admin/orders/place", body)
    async with perp.running():
        found = await perp.position("-0.03")
        assert abs(found.average_price - D((await perp.venues())["entry_price"])) < D("0.0001")
        await perp.order(side=Side.BUY, quantity=D("0.03"), reduce_only=True)
        await perp.position("0")
        await perp.books_agree()


# -- what is not offered ----------------------------------------------------------------------------------------------


async def test_leverage_that_a_venue_does_not_offer_is_refused_before_anything_is_sent(trading, okx):
    perp = await trading("okx", okx)
    async with perp.running():
        for changes, code in (
            ({"symbol": SPOT, "margin_mode": CROSS, "leverage": D(2)}, "margin_not_offered"),
            ({"symbol": SPOT, "leverage": D(2)}, "leverage_meaningless"),
            ({"symbol": PERP, "leverage": D(101)}, "leverage_unsupported"),
            ({"symbol": "NOPE-USDT-PERP", "leverage": D(2)}, "symbol_unknown"),
        ):
            done = await perp.order(**changes)
            assert done.status in ("cancelled", "rejected")
            assert code in f"{done.reason_code} {done.reason_message}", changes
        assert await okx.admin("GET", f"/admin/orders?account={perp.account}") == []


async def test_a_venue_without_margin_says_so(world):
    async with world.running():
        order = await world.approve(margin_mode=CROSS, leverage=D(2))
        done = await world.reaches(order.order_id, "cancelled", "rejected")
        assert (done.reason_code, done.reason_message) == (
            "margin_mode_unsupported", "the account has no cross margin",
        )  # fmt: skip
        assert await world.venue_orders() == []


def test_margin_on_spot_needs_a_listing_that_has_it():
    listed = Instrument(
        venue="kraken", symbol=SPOT, base="BTC", quote="USDT", price_step=D("0.1"), quantity_step=D("0.0001"),
        min_quantity=D("0.0001"), max_quantity=D(100), min_notional=D(0), maker_fee=D(0), taker_fee=D(0),
        max_leverage=D(3),
    )  # fmt: skip
    order = terms(symbol=SPOT, margin_mode=CROSS, leverage=D(3))
    assert unfit(order, listed) is None
    assert unfit(order.model_copy(update={"leverage": D(4)}), listed).code == "leverage_unsupported"
    assert unfit(order, listed.model_copy(update={"max_leverage": D(1)})).code == "margin_not_offered"


# -- margin on Kraken -------------------------------------------------------------------------------------------------


async def test_spot_on_margin_is_a_position_that_is_guarded_compared_and_closed(trading, kraken):
    margin = await trading("kraken", kraken)
    async with margin.running():
        stop = (await margin.best(Side.BUY) - 400).quantize(D("0.1"))
        await margin.enter(protection=Protection(stop_price=stop))
        opened = await margin.position("0.05")
        assert (opened.margin_mode, opened.leverage) == (CROSS, D(3))
        assert (await margin.venues())["leverage"] == "3"
        await margin.protection(ProtectionState.PROTECTED)
        (waiting,) = [
            order
            for order in await kraken.admin("GET", f"/admin/orders?account={margin.account}")
            if order["status"] == "NEW"
        ]
        # A stop that were a plain sale would sell bitcoin that nobody has.
        assert (waiting["reduceOnly"], waiting["leverage"] is not None) == (True, True)
        await margin.reconciled(says=lambda event: not event.differences)

        await margin.order(side=Side.SELL, reduce_only=True, margin_mode=CROSS, leverage=D(3))

        await margin.position("0")
        await margin.protection(ProtectionState.FLAT)
        assert await margin.total("BTC") == 0
        await margin.books_agree()


async def test_a_margin_position_that_differs_closes_the_gate(trading, kraken):
    margin = await trading("kraken", kraken)
    async with margin.running():
        await margin.enter(Side.SELL)
        assert (await margin.position("-0.05")).leverage == 3
        await margin.reconciled(says=lambda event: not event.differences)
        fills = [event for event in margin.world.heard if isinstance(event, OrderFilled)]
        assert sum(fill.quantity for fill in fills) == D("0.05")
        await margin.world.query("DELETE FROM positions WHERE account = $1", margin.account)

        told = await margin.reconciled(ok=False)

        assert [(one.what, one.ours, one.venues) for one in told.differences] == [("position", "0", "-0.05")]
        assert any(isinstance(event, BalanceChanged) for event in margin.world.heard)

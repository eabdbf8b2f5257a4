"""Paper trading: the gateway itself, with a venue of its own at live prices, on real servers."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.app import App
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.account import BalanceChanged
from algotrendy_common.events.market import BookLevel, BookSnapshotTaken, QuoteChanged, TradePrinted
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.testing.waiting import eventually

INSTRUMENT = ingest.InstrumentInfo(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)


class Feed:
    """Ingest, played by the test."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def quote(self, bid: int, ask: int, quantity: str = "1") -> None:
        await self._publish(
            QuoteChanged,
            bid=Decimal(bid),
            bid_quantity=Decimal(quantity),
            ask=Decimal(ask),
            ask_quantity=Decimal(quantity),
        )

    async def book(self, *asks: tuple[int, str]) -> None:
        levels = tuple(BookLevel(price=Decimal(price), quantity=Decimal(quantity)) for price, quantity in asks)
        bids = (BookLevel(price=Decimal(49_000), quantity=Decimal(1)),)
        await self._publish(BookSnapshotTaken, sequence=1, bids=bids, asks=levels)

    async def trade(self, price: int, quantity: str = "1") -> None:
        await self._publish(
            TradePrinted, trade_id="1", price=Decimal(price), quantity=Decimal(quantity), side=Side.SELL
        )

    async def _publish(self, event_class, **fields) -> None:
        event = self._app.events.make(
            event_class, event_time=datetime.now(UTC), venue="binance", symbol="BTC-USDT", **fields
        )
        await self._app.bus.publish(event)


@pytest.fixture
async def feed(servers):
    environment = {
        name: value
        for name, value in servers.environment("ingest").items()
        if name.startswith("ALGOTRENDY_NATS_") or name.endswith("_NATS_SEED_FILE")
    }
    app = App("ingest", load(ServiceSettings, "ingest", environment))

    async def instruments(asked: Nothing) -> ingest.Instruments:
        return ingest.Instruments(instruments=(INSTRUMENT,))

    app.answers(ingest.INSTRUMENTS, instruments)
    async with app.running():
        yield Feed(app)


def on_paper(world) -> dict[str, str]:
    account = {
        "account": world.account,
        "venue": "paper",
        "feed": "binance",
        "symbols": ["BTC-USDT"],
        "paper_balances": {"USDT": "100000", "BTC": "1"},
    }
    return {"ACCOUNTS": json.dumps([account])}


async def test_marketable_orders_fill_at_the_live_book_and_resting_ones_when_it_trades_through_them(world, feed):
    async with world.running(**on_paper(world)):
        await feed.book((50_000, "0.01"), (50_010, "0.05"))
        taking = await world.approve(quantity=Decimal("0.03"))
        taken = await world.reaches(taking.order_id, "filled")
        assert taken.average_price == (Decimal(50_000) + 2 * Decimal(50_010)) / 3

        resting = await world.approve_resting(quantity=Decimal("0.02"), limit_price=Decimal(48_000))
        await world.reaches(resting.order_id, "open")
        await feed.trade(48_000)  # others were there before us
        await feed.trade(47_999, "0.005")
        await world.reaches(resting.order_id, "partially_filled")
        await feed.trade(47_990)
        filled = await world.reaches(resting.order_id, "filled")
        assert (filled.average_price, filled.filled_quantity) == (Decimal(48_000), Decimal("0.02"))
        balance = await world.hears(BalanceChanged, lambda event: len(event.balances) == 2)
        assert {one.asset for one in balance.balances} == {"BTC", "USDT"}
        await books_agree(world)

        info = (await world.ask(rpc.ACCOUNTS, Nothing())).accounts[0]
        assert (info.venue, info.mode, info.ready, info.active) == ("binance", "paper", True, True)
        assert OrderType.STOP in info.capabilities.resting


async def test_stops_orders_the_venue_has_not_and_refusals(world, feed):
    async with world.running(**on_paper(world)):
        await feed.quote(49_990, 50_000)
        await feed.trade(50_000)
        stop = await world.approve(
            side=Side.SELL, type=OrderType.STOP, trigger_price=Decimal(49_000), quantity=Decimal("0.01")
        )
        await world.reaches(stop.order_id, "open")
        await feed.quote(48_900, 48_910)
        await feed.trade(48_900)
        assert (await world.reaches(stop.order_id, "filled")).average_price == Decimal(48_900)

        poor = await world.approve(quantity=Decimal("0.5"), limit_price=Decimal(400_000), type=OrderType.LIMIT)
        assert (await world.reaches(poor.order_id, "rejected")).reason_code == "insufficient_balance"
        late = await world.approve(
            quantity=Decimal("0.01"),
            type=OrderType.LIMIT,
            limit_price=Decimal(60_000),
            time_in_force=TimeInForce.POST_ONLY,
        )
        assert (await world.reaches(late.order_id, "rejected")).reason_code == "would_take"
        await books_agree(world)


async def test_the_paper_books_survive_kill_9_and_no_fill_is_lost_or_doubled(world, feed):
    async with world.process(**on_paper(world)) as process:
        await feed.quote(49_990, 50_000, "10")
        orders = [await world.approve(quantity=Decimal("0.01")) for _ in range(3)]
        resting = await world.approve_resting(quantity=Decimal("0.02"), limit_price=Decimal(48_000))
        await world.reaches(resting.order_id, "open")
        orders += [await world.approve(quantity=Decimal("0.01")) for _ in range(20)]
        process.kill()  # in the middle of them
        await process.wait()

    async with world.running(**on_paper(world)):
        await feed.quote(49_990, 50_000, "10")
        for terms in orders:
            # One that had not been looked at finds no price until the feed is heard again; one that was committed as on
            # its way and never came there is lost: the venue does not know it, as the comparison below shows.
            await world.reaches(terms.order_id, "filled", "rejected", "lost", within_s=40)
        await feed.trade(47_000)
        await world.reaches(resting.order_id, "filled")
        await books_agree(world)


async def books_agree(world) -> None:
    """The desk's fills, holdings and orders against the paper venue's own."""

    async def agree() -> bool:
        ours = await world.query(
            "SELECT trade_id::bigint, order_id FROM fills WHERE account = $1 ORDER BY 1", world.account
        )
        venues = await world.query("SELECT trade_id FROM paper_fills WHERE account = $1 ORDER BY 1", world.account)
        held = await world.query("SELECT asset, quantity FROM holdings WHERE account = $1 ORDER BY 1", world.account)
        has = await world.query("SELECT asset, total FROM paper_balances WHERE account = $1 ORDER BY 1", world.account)
        return [row[0] for row in ours] == [row[0] for row in venues] and [tuple(row) for row in held] == [
            tuple(row) for row in has
        ]

    await eventually(agree)
    known = await world.query("SELECT client_id FROM paper_orders WHERE account = $1", world.account)
    ours = await world.query(
        "SELECT client_order_id FROM orders WHERE account = $1 AND venue_order_id IS NOT NULL", world.account
    )
    assert {row[0] for row in known} == {row[0] for row in ours}
    assert len(known) == len({row[0] for row in known})

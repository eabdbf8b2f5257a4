"""Bad luck, on real servers: answers lost, processes killed, servers gone, streams cut. One order stays one order."""

import asyncio
from decimal import Decimal

import pytest
from algotrendy_common import ids
from algotrendy_common.enums import OrderType, Side
from algotrendy_common.events.account import AccountReconciled
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderApproved
from algotrendy_common.rpc import broker_gateway as rpc


async def _becomes(question, within_s=30):
    deadline = asyncio.get_running_loop().time() + within_s
    while not await question():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("fault", ["lost_after", "error_after"])
async def test_an_answer_lost_after_acceptance_is_found_by_asking(world, fault):
    async with world.running():
        await world.fault(fault)
        terms = await world.approve()
        await world.reaches(terms.order_id, "filled")
        history = await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=terms.order_id))

    assert len(await world.venue_orders()) == 1
    assert history.steps[-1].status == "filled"
    await world.books_equal_the_venues()


@pytest.mark.parametrize("fault", ["lost_before", "error_before"])
async def test_an_order_that_never_arrived_becomes_lost_only_after_patience_and_is_never_sent_again(world, fault):
    async with world.running():
        await world.fault(fault)
        terms = await world.approve()
        await world.reaches(terms.order_id, "outcome_unknown", "lost")
        lost = await world.reaches(terms.order_id, "lost")
        await world.hears(AlertRaised, lambda alert: alert.code == "order_lost")
        history = await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=terms.order_id))
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert lost.filled_quantity == 0
    times = {step.status: step.time for step in history.steps}
    # settle time and span of the shortened settings
    assert (times["lost"] - times["outcome_unknown"]).total_seconds() >= 0.9
    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


async def test_an_answer_slower_than_our_patience_is_unknown_first_and_filled_then(world):
    async with world.running(ANSWER_TIMEOUT="PT0.3S"):
        await world.fault("delay", delay_ms=1500)
        terms = await world.approve()
        await world.reaches(terms.order_id, "filled")
        history = await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=terms.order_id))

    assert "outcome_unknown" in [step.status for step in history.steps]
    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


async def test_a_lost_order_that_appears_after_all_is_taken_back(world):
    # The request sits in the venue for longer than our whole patience, and is then processed.
    async with world.running(ANSWER_TIMEOUT="PT0.2S"):
        await world.fault("delay", delay_ms=6000)
        terms = await world.approve()
        await world.reaches(terms.order_id, "lost")
        await world.reaches(terms.order_id, "filled")

    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


@pytest.mark.parametrize("fault", ["delay", "lost_before"])
async def test_kill_9_between_commit_and_answer_neither_doubles_nor_loses(world, fault):
    terms = world.terms()
    async with world.process() as process:
        # The venue takes it up before our patience with it ends, which in these tests is a second.
        await world.fault(fault, delay_ms=400)
        await world.send(world.approval(terms))

        async def committed():
            rows = await world.query("SELECT status FROM orders WHERE order_id = $1", terms.order_id)
            return bool(rows)

        await _becomes(committed)
        process.kill()
        await process.wait()
    # Killed before the call, the order never met its fault: the next one must not.
    await world.venue.admin("DELETE", "/admin/faults")
    async with world.running():
        await world.reaches(terms.order_id, "filled", "lost")
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

        async def as_the_venue_has_it():
            sent = {order["clientOrderId"] for order in await world.venue_orders()}
            expected = "filled" if ids.client_order_id(terms.order_id) in sent else "lost"
            return world.status(terms.order_id) == expected

        await _becomes(as_the_venue_has_it)

    assert len(await world.venue_orders()) == (2 if world.status(terms.order_id) == "filled" else 1)
    await world.books_equal_the_venues()


async def test_kill_9_in_a_stream_of_orders_neither_doubles_nor_loses(world):
    orders = []
    async with world.process() as process:
        for number in range(12):
            orders.append(await world.approve(quantity=Decimal("0.002"), side=(Side.BUY, Side.SELL)[number % 2]))

        async def some_filled():
            return any(world.status(terms.order_id) == "filled" for terms in orders)

        await _becomes(some_filled)
        process.kill()
        await process.wait()
    async with world.running():
        # What was delivered and not committed comes again when the server's patience (30 s) with the dead reader ends.
        for terms in orders:
            await world.reaches(terms.order_id, "filled", "cancelled", "lost", within_s=60)

    # Killed between its commit and the call, an order was never sent: nobody but the venue can tell, and it is lost.
    theirs = {order["clientOrderId"]: Decimal(order["executedQty"]) for order in await world.venue_orders()}
    ours = {ids.client_order_id(terms.order_id): terms for terms in orders}
    assert theirs.keys() <= ours.keys()
    for client_id, terms in ours.items():
        newest = max(world.updates(terms.order_id), key=lambda update: update.revision)
        assert newest.filled_quantity == theirs.get(client_id, Decimal(0))
        assert (newest.status == "filled") == (newest.filled_quantity == terms.quantity)
        assert client_id not in theirs or newest.status != "lost"
    assert len({fill.event_id for fill in world.fills()}) == len({fill.trade_id for fill in world.fills()})
    await world.books_equal_the_venues()


async def test_fills_missed_while_the_user_stream_was_down_are_adopted_when_it_is_back(world, wire):
    relay, url = wire
    async with world.running(BINANCE_WS_URL=url, RECONCILE_INTERVAL="PT10M", RECONCILE_RETRY="PT10M"):
        await world.venue.admin("POST", "/admin/pause")
        price = await world.best(Side.BUY)
        terms = await world.approve(type=OrderType.LIMIT, limit_price=price, quantity=Decimal("0.02"))
        await world.reaches(terms.order_id, "open")
        await relay.cut()
        await world.venue.admin(
            "POST",
            "/admin/accounts",
            {"account": f"{world.account}-x", "key": f"{world.account}-x", "secret": f"{world.account}-x",
             "balances": {"BTC": "500"}},
        )  # fmt: skip
        await world.by_hand(
            "POST", "/api/v3/order", account=f"{world.account}-x", symbol="BTCUSDT", side="SELL", type="LIMIT",
            timeInForce="IOC", quantity="400", price=str(price),
        )  # fmt: skip
        assert world.status(terms.order_id) == "open"
        relay.down = False
        await world.reaches(terms.order_id, "filled")
        reconnected = await world.hears(AccountReconciled, lambda event: event.cause == "reconnect")

    assert reconnected.ok
    await world.books_equal_the_venues()


async def test_dropped_user_sockets_do_not_lose_or_double_fills(world):
    async with world.running():
        orders = []
        for _ in range(5):
            await world.venue.admin("POST", "/admin/sockets/drop", {"kind": "user"})
            orders.append(await world.approve(quantity=Decimal("0.004")))
            orders.append(await world.approve_resting())
            await world.reaches(orders[-2].order_id, "filled")
            await world.reaches(orders[-1].order_id, "open")
            await world.request_cancel(orders[-1].order_id)
        for terms in orders[1::2]:
            await world.reaches(terms.order_id, "cancelled")

    await world.books_equal_the_venues()


async def test_postgresql_restarted_in_the_middle_loses_and_doubles_nothing(world):
    async with world.running():
        await world.fault("delay", delay_ms=700)
        slow = await world.approve()

        async def out():
            rows = await world.query("SELECT 1 FROM orders WHERE order_id = $1", slow.order_id)
            return bool(rows)

        await _becomes(out)
        await world.servers.kill("postgres")
        during = await world.approve()
        await asyncio.sleep(1.0)
        await world.servers.start("postgres")
        await world.reaches(slow.order_id, "filled", within_s=40)
        await world.reaches(during.order_id, "filled", within_s=40)
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert len(await world.venue_orders()) == 3
    await world.books_equal_the_venues()


async def test_a_venue_that_is_not_there_at_start_is_waited_for(world):
    async with world.running(active=False, BINANCE_HTTP_URL="http://127.0.0.1:9") as app:
        problems = await app.health.problems()
        terms = await world.approve()
        await world.reaches(terms.order_id, "approved")

    assert problems[f"account {world.account}"] == "not reconciled with the venue"
    async with world.running():
        await world.reaches(terms.order_id, "filled")
    await world.books_equal_the_venues()


async def test_books_that_differ_close_the_gate_until_they_agree(world):
    async with world.running():
        first = await world.approve()
        await world.reaches(first.order_id, "filled")
        await world.query(
            "UPDATE holdings SET quantity = quantity + 1 WHERE account = $1 AND asset = 'BTC'", world.account
        )
        told = await world.hears(AccountReconciled, lambda event: not event.ok)
        await world.hears(AlertRaised, lambda alert: alert.code == "books_differ")
        waiting = await world.approve()
        await world.reaches(waiting.order_id, "approved")
        await world.query(
            "UPDATE holdings SET quantity = quantity - 1 WHERE account = $1 AND asset = 'BTC'", world.account
        )
        await world.reaches(waiting.order_id, "filled")

    assert [(one.what, one.key, one.adopted) for one in told.differences] == [("balance", "BTC", False)]
    await world.books_equal_the_venues()


async def test_a_deposit_is_adopted_once_and_said(world):
    async with world.running():
        await world.query(
            "UPDATE holdings SET quantity = quantity - 1 WHERE account = $1 AND asset = 'BTC'", world.account
        )
        told = await world.hears(AccountReconciled, lambda event: bool(event.differences))
        later = await world.hears(
            AccountReconciled, lambda event: event.checked_at > told.checked_at and not event.differences
        )

    assert told.ok
    assert later.ok
    assert [(one.key, one.adopted) for one in told.differences] == [("BTC", True)]


async def test_a_commit_whose_own_answer_was_lost_is_submitted_once(world, monkeypatch):
    """A failed call to PostgreSQL is not a failed commit: what was committed and never sent goes out on redelivery."""
    async with world.running() as app:
        (handler,) = (
            reading.handlers[OrderApproved] for reading in app.bus.readings if OrderApproved in reading.handlers
        )
        orders = handler.__self__._desk_of(world.account).submission._orders
        commit, failures = orders.place, []

        async def commit_and_lose_the_answer(*arguments):
            placed = await commit(*arguments)
            if not failures:
                failures.append(placed)
                raise ConnectionResetError("the answer to the commit was lost")
            return placed

        monkeypatch.setattr(type(orders), "place", lambda self, *arguments: commit_and_lose_the_answer(*arguments))
        terms = await world.approve()
        await world.reaches(terms.order_id, "filled")

    assert failures == [True]
    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()

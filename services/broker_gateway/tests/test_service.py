"""The gateway's ordinary life, on real servers."""

import asyncio
from decimal import Decimal

import pytest
from algotrendy_common import ids, subjects
from algotrendy_common.enums import OrderSource, OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.risk import TradingState
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc.call import Nothing


async def test_an_approved_order_is_filled_once_and_the_books_equal_the_venues(world):
    async with world.running():
        terms = await world.approve(strategy="sma-cross-btc")
        filled = await world.reaches(terms.order_id, "filled")
        position = await world.hears(PositionChanged, lambda event: event.symbol == "BTC-USDT")
        history = await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=terms.order_id))

    venue_fills = await world.venue_fills()
    assert {fill.trade_id for fill in world.fills()} == {str(fill["id"]) for fill in venue_fills}
    assert len(world.fills()) == len(venue_fills)
    assert filled.filled_quantity == Decimal("0.01")
    assert filled.client_order_id == ids.client_order_id(terms.order_id)
    assert filled.fee == sum(Decimal(fill["commission"]) for fill in venue_fills)
    assert position.strategies == ("sma-cross-btc",)
    assert [step.status for step in history.steps[:3]] == ["approved", "submitting", "open"]
    assert history.steps[-1].status == "filled"
    assert len(history.fills) == len(venue_fills)
    await world.books_equal_the_venues()


async def test_a_first_start_records_what_is_there_as_the_opening_and_only_once(world):
    for _ in range(2):
        async with world.running():
            reconciled = await world.hears(AccountReconciled, lambda event: event.ok)
            assert reconciled.differences == ()
        world.heard.clear()

    entries = await world.query(
        "SELECT asset, quantity, kind FROM entries WHERE account = $1 ORDER BY asset", world.account
    )
    assert [tuple(row) for row in entries] == [("BTC", Decimal(1), "opening"), ("USDT", Decimal(100000), "opening")]


async def test_buys_and_sells_of_two_symbols_at_once_end_in_equal_books(world):
    async with world.running():
        orders = []
        for number in range(24):
            symbol, quantity = (("BTC-USDT", "0.003"), ("LTC-USDT", "0.25"))[number % 2]
            side = Side.SELL if number % 4 == 0 else Side.BUY
            orders.append(await world.approve(symbol=symbol, side=side, quantity=Decimal(quantity)))
        for terms in orders:
            await world.reaches(terms.order_id, "filled")
        await world.books_equal_the_venues()
        positions = (await world.ask(rpc.POSITIONS, rpc.AccountAsked(account=world.account))).positions
        assert {position.symbol for position in positions} == {"BTC-USDT", "LTC-USDT"}
    assert len(await world.venue_orders()) == 24


async def test_one_approval_delivered_again_and_again_makes_one_order(world):
    async with world.running():
        await world.fault("delay", delay_ms=600)
        approval = world.approval(world.terms())
        for number in range(4):
            await world.risk.bus.jetstream.publish(
                subjects.address(approval), approval.to_json(), headers={"Nats-Msg-Id": f"{approval.event_id}-{number}"}
            )
        await world.reaches(approval.terms.order_id, "filled")
        last = await world.approve()
        await world.reaches(last.order_id, "filled")

    assert len(await world.venue_orders()) == 2
    await world.books_equal_the_venues()


async def test_a_second_approval_of_an_order_is_told_and_not_acted_upon(world):
    async with world.running():
        terms = world.terms()
        first = world.approval(terms)
        await world.send(first)
        await world.reaches(terms.order_id, "filled")
        second_id = ids.new_id()
        signature = world.signer.sign(second_id, terms, first.notional, first.expires_at)
        again = first.model_copy(update={"event_id": ids.new_id(), "approval_id": second_id, "signature": signature})
        await world.send(again)
        await world.hears(AlertRaised, lambda alert: alert.code == "approved_twice")

    assert len(await world.venue_orders()) == 1


# -- approvals that are not acted upon -------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["quantity", "notional", "expiry", "signature"])
async def test_a_forged_or_changed_approval_is_dead_lettered_and_nothing_leaves(world, change):
    async with world.running():
        approval = world.approval(world.terms())
        changed = {
            "quantity": {"terms": approval.terms.model_copy(update={"quantity": Decimal("0.02")})},
            "notional": {"notional": approval.notional * 2},
            "expiry": {"expires_at": approval.expires_at.replace(year=2099)},
            "signature": {"signature": world.approval(world.terms()).signature},
        }[change]
        forged = approval.model_copy(update=changed)
        await world.send(forged)
        letter = await world.hears(MessageDeadLettered, lambda letter: forged.event_id in letter.body)
        assert letter.error_type == "ForgedApproval"
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert len(await world.venue_orders()) == 1


async def test_an_expired_approval_cancels_its_order(world):
    async with world.running():
        terms = world.terms()
        await world.send(world.approval(terms, lifetime_s=-1))
        cancelled = await world.reaches(terms.order_id, "cancelled")

    assert cancelled.reason_code == "approval_expired"
    assert await world.venue_orders() == []


async def test_an_approval_for_an_account_of_nobody_is_cancelled(world):
    async with world.running():
        terms = world.terms(account="nobody-1")
        await world.send(world.approval(terms))
        history = None
        for _ in range(500):
            try:
                history = await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=terms.order_id))
                break
            except Refused:
                await asyncio.sleep(0.02)

    assert history is not None
    assert (history.order.status, history.order.reason_code) == ("cancelled", "account_unknown")
    assert await world.venue_orders() == []


async def test_a_malformed_event_is_dead_lettered_and_the_service_goes_on(world):
    async with world.running():
        marker = ids.new_id()
        await world.risk.bus.jetstream.publish(
            "order.approved", b'{"kind": "OrderApproved", "what": "%s"}' % marker.encode()
        )
        letter = await world.hears(MessageDeadLettered, lambda letter: marker in letter.body)
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert letter.error_type == "ValidationError"
    assert letter.service == "broker_gateway"


async def test_an_order_larger_than_its_approval_stops_the_account_for_good(world):
    async with world.running():
        terms = world.terms(type=OrderType.LIMIT, limit_price=Decimal(5000))
        await world.send(world.approval(terms, notional=Decimal(40)))
        stopped = await world.reaches(terms.order_id, "cancelled")
        await world.hears(AlertRaised, lambda alert: alert.code == "account_stopped")
        refused = await world.approve()
        await world.reaches(refused.order_id, "cancelled")
    async with world.running(active=False):
        again = await world.approve()
        later = await world.reaches(again.order_id, "cancelled")

    assert stopped.reason_code == "stopped"
    assert later.reason_code == "stopped"
    assert await world.venue_orders() == []


async def test_the_venues_refusal_rejects_the_order_in_its_words(world):
    async with world.running():
        terms = await world.approve(quantity=Decimal("90"))
        rejected = await world.reaches(terms.order_id, "rejected")
        off_grid = await world.approve(quantity=Decimal("0.0100000001"))
        filtered = await world.reaches(off_grid.order_id, "rejected")

    assert rejected.reason_code == "venue_refused"
    assert "insufficient balance" in rejected.reason_message
    assert filtered.reason_code == "venue_filter"
    await world.books_equal_the_venues()


async def test_a_throttled_order_is_rejected_because_it_was_not_processed(world):
    async with world.running():
        await world.fault("throttle")
        terms = await world.approve()
        rejected = await world.reaches(terms.order_id, "rejected")

    assert rejected.reason_code == "rate_limited"
    assert await world.venue_orders() == []


# -- waiting and halts -----------------------------------------------------------------------------------------------


async def test_nothing_leaves_before_risk_was_heard_and_what_waited_then_leaves(world):
    async with world.running(active=False):
        waiting = await world.approve()
        early = world.terms()
        await world.send(world.approval(early, lifetime_s=0.5))
        await world.reaches(waiting.order_id, "approved")
        expired = await world.reaches(early.order_id, "cancelled")
        assert await world.venue_orders() == []
        await world.say_risk(TradingState.ACTIVE)
        await world.reaches(waiting.order_id, "filled")

    assert expired.reason_code == "approval_expired"
    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


async def test_a_halt_cancels_working_orders_and_refuses_new_ones_until_it_ends(world):
    async with world.running():
        resting = [await world.approve_resting(limit_price=Decimal(5000 + number)) for number in range(3)]
        for terms in resting:
            await world.reaches(terms.order_id, "open")
        for _ in range(3):
            await world.say_risk(TradingState.HALTED)
        for terms in resting:
            await world.reaches(terms.order_id, "cancelled")
        refused = await world.approve()
        assert (await world.reaches(refused.order_id, "cancelled")).reason_code == "halted"
        await world.say_risk(TradingState.ACTIVE)
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert len(await world.venue_orders()) == 4
    await world.books_equal_the_venues()


# -- cancellations ---------------------------------------------------------------------------------------------------


async def test_a_cancellation_takes_effect_when_the_venue_reports_it(world):
    async with world.running():
        terms = await world.approve_resting()
        await world.reaches(terms.order_id, "open")
        await world.request_cancel(terms.order_id)
        await world.reaches(terms.order_id, "cancelled")

    assert [order["status"] for order in await world.venue_orders()] == ["CANCELED"]
    await world.books_equal_the_venues()


async def test_a_cancellation_that_overtakes_its_approval_keeps_the_order_in(world):
    async with world.running():
        terms = world.terms()
        await world.request_cancel(terms.order_id)
        for _ in range(500):
            if await world.query("SELECT 1 FROM early_cancels WHERE order_id = $1", terms.order_id):
                break
            await asyncio.sleep(0.02)
        await world.send(world.approval(terms))
        cancelled = await world.reaches(terms.order_id, "cancelled")

    assert cancelled.reason_code == "cancelled"
    assert await world.venue_orders() == []


async def test_a_cancellation_whose_answer_is_lost_is_asked_for_again(world):
    async with world.running():
        terms = await world.approve_resting()
        await world.reaches(terms.order_id, "open")
        await world.fault("error_before", method="DELETE")
        await world.request_cancel(terms.order_id)
        await world.reaches(terms.order_id, "cancelled")

    await world.books_equal_the_venues()


async def test_cancelling_a_filled_order_changes_nothing(world):
    async with world.running():
        terms = await world.approve()
        filled = await world.reaches(terms.order_id, "filled")
        await world.request_cancel(terms.order_id)
        after = await world.approve()
        await world.reaches(after.order_id, "filled")

    assert max(world.updates(terms.order_id), key=lambda update: update.revision) == filled


# -- orders made elsewhere -------------------------------------------------------------------------------------------


async def test_orders_made_by_hand_are_adopted_with_their_fills(world):
    resting = await world.by_hand(
        "POST",
        "/api/v3/order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.02",
        price="5000",
        newClientOrderId="by-hand-1",
    )
    async with world.running():
        bought = await world.by_hand("POST", "/api/v3/order", symbol="LTCUSDT", side="BUY", type="MARKET", quantity="1")
        orders = {}

        async def adopted():
            found = (await world.ask(rpc.ORDERS, rpc.OrdersAsked(account=world.account))).orders
            orders.update({order.venue_order_id: order for order in found})
            return len(orders) == 2 and orders[str(bought["orderId"])].status == "filled"

        for _ in range(500):
            if await adopted():
                break
            await asyncio.sleep(0.02)
        await world.by_hand("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=str(resting["orderId"]))
        external = orders[str(resting["orderId"])]
        await world.reaches(external.terms.order_id, "cancelled")

    assert {order.origin.source for order in orders.values()} == {OrderSource.EXTERNAL}
    assert orders[str(bought["orderId"])].filled_quantity == 1
    await world.books_equal_the_venues()


async def test_what_happened_while_nobody_looked_is_adopted_at_the_next_start(world):
    async with world.running():
        resting = await world.approve_resting()
        await world.reaches(resting.order_id, "open")
    await world.by_hand("POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.5")
    await world.by_hand("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    world.heard.clear()
    async with world.running():
        reconciled = await world.hears(AccountReconciled, lambda event: event.cause == "start")
        await world.reaches(resting.order_id, "cancelled")

    assert reconciled.ok
    assert reconciled.fills_adopted == len(await world.venue_fills())
    await world.books_equal_the_venues()


# -- what is asked ---------------------------------------------------------------------------------------------------


async def test_questions_are_answered_from_the_books(world):
    async with world.running():
        first = await world.approve(strategy="sma-cross-btc")
        await world.reaches(first.order_id, "filled")
        second = await world.approve_resting(time_in_force=TimeInForce.POST_ONLY)
        await world.reaches(second.order_id, "open")
        asked = rpc.AccountAsked(account=world.account)
        accounts = (await world.ask(rpc.ACCOUNTS, Nothing())).accounts
        every = (await world.ask(rpc.ORDERS, rpc.OrdersAsked(account=world.account))).orders
        opened = (await world.ask(rpc.ORDERS, rpc.OrdersAsked(account=world.account, open_only=True))).orders
        page = await world.ask(rpc.ORDERS, rpc.OrdersAsked(account=world.account, before=every[0].created_at, limit=1))
        fills = (await world.ask(rpc.FILLS, asked)).fills
        positions = (await world.ask(rpc.POSITIONS, asked)).positions
        await world.hears(
            BalanceChanged, lambda event: any(one.asset == "USDT" and one.reserved for one in event.balances)
        )
        balances = await world.ask(rpc.BALANCES, asked)
        with pytest.raises(Refused) as unknown:
            await world.ask(rpc.ORDER, rpc.OrderAsked(order_id=ids.new_id()))
        with pytest.raises(Refused):
            await world.ask(rpc.FILLS, rpc.AccountAsked(account="nobody-1"))

    assert [(one.account, one.venue, one.mode) for one in accounts] == [(world.account, "binance", "paper")]
    assert [order.terms.order_id for order in every] == [second.order_id, first.order_id]
    assert [order.terms.order_id for order in opened] == [second.order_id]
    assert [order.terms.order_id for order in page.orders] == [first.order_id]
    assert sum(fill.quantity for fill in fills) == Decimal("0.01")
    assert [position.quantity for position in positions] == [Decimal("0.00999")]
    assert balances.reconciled.ok
    assert {one.asset: one.reserved for one in balances.balance.balances}["USDT"] == Decimal("50")
    assert unknown.value.code == "order_unknown"

"""The bus on a real NATS server: durable once-effect, retries, dead letters, calls, hot reading."""

import asyncio
from decimal import Decimal

import pytest
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.order import OrderApproved, OrderOrigin, OrderProposed, OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.risk import HaltAsked, HaltDone
from algotrendy_common.testing.waiting import eventually
from prometheus_client import REGISTRY


def proposal(app, order_id=None):
    terms = OrderTerms(
        order_id=order_id or new_id(),
        account="paper-1",
        venue="binance",
        symbol="BTC-USDT",
        side="buy",
        type="market",
        quantity=Decimal("0.1"),
    )
    return app.events.make(OrderProposed, terms=terms, origin=OrderOrigin(source="trader"))


async def publish_durably(app, event):
    """Publish past the outbox, whose database is about to be away."""
    await app.bus.jetstream.publish("order.proposed", event.to_json(), headers={"Nats-Msg-Id": event.event_id})


def dead_letters() -> float:
    return REGISTRY.get_sample_value("algotrendy_dead_letters_total", {"subject": "order.proposed"}) or 0.0


async def test_what_a_transaction_emits_reaches_its_durable_reader(app_of):
    agent, risk_app = app_of("agent"), app_of("risk")
    seen = []

    async def assess(event: OrderProposed) -> None:
        seen.append(event)

    risk_app.reads(OrderProposed, assess)
    database = agent.uses_database()
    event = proposal(agent)
    async with risk_app.running(), agent.running():
        async with database.transaction() as transaction:
            await transaction.emit(event)
        await eventually(lambda: event in seen)


async def test_a_rolled_back_transaction_publishes_nothing(app_of):
    agent, risk_app = app_of("agent"), app_of("risk")
    seen = []

    async def assess(event: OrderProposed) -> None:
        seen.append(event.event_id)

    risk_app.reads(OrderProposed, assess)
    database = agent.uses_database()
    lost, kept = proposal(agent), proposal(agent)
    async with risk_app.running(), agent.running():
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await transaction.emit(lost)
                raise ZeroDivisionError
        async with database.transaction() as transaction:
            await transaction.emit(kept)
        await eventually(lambda: kept.event_id in seen)
    assert lost.event_id not in seen


async def test_a_failing_handler_is_retried_and_its_effect_is_counted_once(app_of):
    agent, risk_app = app_of("agent"), app_of("risk")
    database, store = agent.uses_database(), risk_app.uses_database()
    event = proposal(agent)
    attempts, effects = [], []

    async def assess(received: OrderProposed) -> None:
        if received.event_id != event.event_id:
            return
        attempts.append(1)
        async with store.transaction() as transaction:
            first = await transaction.first_delivery(received, "risk-order-proposed")
            if len(attempts) < 3:
                raise ConnectionError("the store went away")
        if first:
            effects.append(1)

    risk_app.reads(OrderProposed, assess)
    async with risk_app.running(), agent.running():
        async with database.transaction() as transaction:
            await transaction.emit(event)
        await eventually(lambda: effects)
    assert len(attempts) == 3
    assert len(effects) == 1


async def test_a_malformed_message_is_dead_lettered_and_the_next_is_handled(app_of):
    agent, risk_app = app_of("agent"), app_of("risk")
    database = agent.uses_database()
    event, seen = proposal(agent), []

    async def assess(received: OrderProposed) -> None:
        seen.append(received.event_id)

    risk_app.reads(OrderProposed, assess)
    async with risk_app.running(), agent.running():
        before = (await risk_app.bus.jetstream.stream_info("OPS")).state
        await agent.bus.jetstream.publish("order.proposed", b'{"kind": "Nonsense"}', headers={"Nats-Msg-Id": new_id()})
        async with database.transaction() as transaction:
            await transaction.emit(event)
        await eventually(lambda: event.event_id in seen)
        after = (await risk_app.bus.jetstream.stream_info("OPS")).state
    assert after.last_seq > before.last_seq


async def test_calls_carry_answers_and_refusals(app_of):
    gateway, risk_app = app_of("gateway"), app_of("risk")

    async def halt(asked: HaltAsked) -> HaltDone:
        if asked.reason == "bad":
            raise Refused("no_such_account", "there is no such account")
        return HaltDone(states=())

    risk_app.answers(risk.HALT, halt)
    async with risk_app.running(), gateway.running():
        assert await gateway.bus.ask(risk.HALT, HaltAsked(account=None, by="ada", reason="drill")) == HaltDone(
            states=()
        )
        with pytest.raises(Refused) as refused:
            await gateway.bus.ask(risk.HALT, HaltAsked(account=None, by="ada", reason="bad"))
        assert refused.value.code == "no_such_account"
    async with gateway.running():
        with pytest.raises(Retryable):
            await gateway.bus.ask(risk.HALT, HaltAsked(account=None, by="ada", reason="drill"), timeout_s=1)


async def test_hot_events_reach_hot_readers(app_of):
    ingest, agent = app_of("ingest"), app_of("agent")
    seen = []

    async def on_quote(quote: QuoteChanged) -> None:
        seen.append(quote.bid)

    agent.reads(QuoteChanged, on_quote, venue="binance")
    quote = ingest.events.make(
        QuoteChanged, venue="binance", symbol="BTC-USDT", bid="1", bid_quantity="1", ask="2", ask_quantity="1"
    )
    async with agent.running(), ingest.running():

        async def publish_until_seen() -> bool:
            await ingest.bus.publish(quote)
            return bool(seen)

        await eventually(publish_until_seen)
    assert seen[0] == Decimal(1)


async def test_a_service_cannot_publish_what_it_does_not_own(app_of):
    agent = app_of("agent")
    terms = proposal(agent).terms
    approved = agent.events.make(
        OrderApproved,
        approval_id=new_id(),
        terms=terms,
        origin=OrderOrigin(source="trader"),
        notional="1",
        expires_at=agent.clock.now(),
        signature="x",
    )
    with pytest.raises(ValueError, match="does not own"):
        await agent.bus.publish(approved)


async def test_durable_work_survives_a_killed_nats_server(app_of, servers):
    agent, risk_app = app_of("agent"), app_of("risk")
    database = agent.uses_database()
    seen: set[str] = set()

    async def assess(event: OrderProposed) -> None:
        seen.add(event.event_id)

    risk_app.reads(OrderProposed, assess)
    events = [proposal(agent) for _ in range(60)]
    async with risk_app.running(), agent.running():

        async def emit_all() -> None:
            for event in events:
                async with database.transaction() as transaction:
                    await transaction.emit(event)
                await asyncio.sleep(0.02)

        emitting = asyncio.create_task(emit_all())
        await eventually(lambda: len(seen & {event.event_id for event in events}) > 5)
        await servers.kill("nats")
        await servers.start("nats")
        await emitting
        await eventually(lambda: {event.event_id for event in events} <= seen, within_s=40)


async def test_a_long_outage_of_the_store_kills_no_message_and_keeps_their_order(app_of, servers):
    agent, risk_app = app_of("agent"), app_of("risk")
    database, store = agent.uses_database(), risk_app.uses_database()
    events, done, failures = [proposal(agent) for _ in range(3)], [], []
    wanted = {event.event_id for event in events}

    async def assess(received: OrderProposed) -> None:
        try:
            async with store.transaction() as transaction:
                first = await transaction.first_delivery(received, "outage")
            if first and received.event_id in wanted:
                done.append(received.event_id)
        except Exception as error:
            failures.append(error)
            raise

    risk_app.reads(OrderProposed, assess)
    async with risk_app.running(), agent.running():
        before = dead_letters()
        async with database.transaction() as transaction:
            await transaction.emit(events[0])
        await eventually(lambda: done)
        await servers.kill("postgres")
        for event in events[1:]:
            await publish_durably(agent, event)
        late = proposal(agent)
        wanted.add(late.event_id)
        await publish_durably(agent, late)
        # More tries than deliveries are allowed to fail: the message waits in its place instead.
        await eventually(lambda: len(failures) > 8)
        await servers.start("postgres")
        await eventually(lambda: late.event_id in done, within_s=40)
    assert done == [event.event_id for event in (*events, late)]
    assert dead_letters() == before


async def test_what_a_killed_reader_held_goes_to_the_next_one_without_counting_as_failed(app_of):
    agent, first, second = app_of("agent"), app_of("risk"), app_of("risk")
    database = agent.uses_database()
    event, held, seen = proposal(agent), asyncio.Event(), []

    async def hang(received: OrderProposed) -> None:
        held.set()
        await asyncio.Event().wait()

    async def assess(received: OrderProposed) -> None:
        seen.append(received.event_id)

    first.reads(OrderProposed, hang)
    second.reads(OrderProposed, assess)
    async with agent.running():
        async with first.running():
            async with database.transaction() as transaction:
                await transaction.emit(event)
            await asyncio.wait_for(held.wait(), 20)
            await first.bus.client.close()  # as a killed process leaves it: no word to the server
        async with second.running():
            await eventually(lambda: event.event_id in seen, within_s=30)

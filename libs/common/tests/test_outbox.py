"""What a stream lost is found at the next start and published again from the book of record."""

import shutil
from decimal import Decimal

import nats
from algotrendy_common.events.order import OrderOrigin, OrderProposed, OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_common.schema import migrate_streams
from algotrendy_common.subjects import inbox_prefix
from algotrendy_common.testing.waiting import eventually


def proposal(app):
    terms = OrderTerms(
        order_id=new_id(), account="paper-1", venue="binance", symbol="BTC-USDT", side="buy", type="market",
        quantity=Decimal("0.1"),
    )  # fmt: skip
    return app.events.make(OrderProposed, terms=terms, origin=OrderOrigin(source="trader"))


async def stored_sequences(database) -> list[int]:
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT stream_seq FROM outbox WHERE stream_seq IS NOT NULL")
    return [row["stream_seq"] for row in rows]


async def test_a_stream_that_went_back_is_refilled(app_of, servers):
    agent = app_of("agent")
    database = agent.uses_database()
    events = [proposal(agent) for _ in range(5)]
    async with agent.running():
        async with database.transaction() as transaction:
            await transaction.execute("DELETE FROM outbox")
            await transaction.emit(*events)

        async def all_stored() -> bool:
            return len(await stored_sequences(database)) == 5

        await eventually(all_stored)

    # The whole order stream is lost, as after a corrupted disk, and made anew, empty.
    await servers.kill("nats")
    for folder in list(servers.home.data("nats").rglob("streams/ORDERS")):
        shutil.rmtree(folder)
    await servers.start("nats")
    await migrate_streams(servers.addresses.nats_url, servers.addresses.nats_seed_files["migrator"])

    again = app_of("agent")
    again.uses_database()
    async with again.running():
        migrator = await nats.connect(
            servers.addresses.nats_url,
            nkeys_seed=str(servers.addresses.nats_seed_files["migrator"]),
            inbox_prefix=inbox_prefix("migrator"),
        )
        jetstream = migrator.jetstream()

        async def refilled() -> bool:
            return (await jetstream.stream_info("ORDERS")).state.messages == 5

        await eventually(refilled)
        messages = [await jetstream.get_msg("ORDERS", seq=number) for number in range(1, 6)]
        await migrator.close()
    assert [OrderProposed.from_json(message.data) for message in messages] == events

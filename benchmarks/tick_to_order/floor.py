"""The floor: four processes that make the platform's hops and durable commits, and do nothing else.

A bare socket in, one core NATS hop, two JetStream hops with the stream on disk, three PostgreSQL commits (the same rows
into the same outbox and inbox tables), a bare HTTP request out. No schema, no strategy, no check, no trace.
Run as ``python -m benchmarks.tick_to_order.floor ROLE JSON``.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
import asyncpg
import nats
import uvloop
from nats.aio.msg import Msg

PADDING = "x" * 600
"""An order event is about this long."""
BAR_SUBJECT = "md.bar.1m.floor.FLOOR"


async def connected(settings: dict[str, Any], user: str) -> tuple[Any, Any]:
    client = await nats.connect(
        settings["nats_url"], nkeys_seed=settings["seeds"][user], inbox_prefix=f"_INBOX_{user}", name=f"floor-{user}"
    )
    pool = None
    if user != "ingest":
        pool = await asyncpg.create_pool(settings["postgres"][user], min_size=1, max_size=2)
    return client, pool


async def commit(pool: Any, event_id: str, subject: str, body: str, taken_in: str | None) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if taken_in:
            await connection.execute("INSERT INTO inbox (event_id, consumer) VALUES ($1, 'floor')", taken_in)
        await connection.execute(
            "INSERT INTO outbox (event_id, subject, stream, body, published_at) VALUES ($1, $2, 'FLOOR', $3, now())",
            event_id,
            subject,
            body,
        )


def message(data: bytes, **stamps: int) -> tuple[dict[str, Any], bytes]:
    content = json.loads(data) | stamps
    return content, json.dumps(content).encode()


async def ingest(settings: dict[str, Any]) -> None:
    client, _ = await connected(settings, "ingest")
    async with aiohttp.ClientSession() as session, session.ws_connect(settings["venue"] + "/ws") as socket:
        async for received in socket:
            _, body = message(received.data, received=time.time_ns())
            await client.publish(BAR_SUBJECT, body)


async def agent(settings: dict[str, Any]) -> None:
    client, pool = await connected(settings, "agent")
    jetstream = client.jetstream()

    async def on_bar(received: Msg) -> None:
        content, body = message(received.data, agent=time.time_ns())
        await commit(pool, f"a{content['id']}", "order.proposed", body.decode(), None)
        await jetstream.publish("order.proposed", body, headers={"Nats-Msg-Id": f"a{content['id']}"})

    await client.subscribe(BAR_SUBJECT, cb=on_bar)
    await asyncio.Event().wait()


async def relay(settings: dict[str, Any], user: str, source: str, target: str | None) -> None:
    """Risk, or with no ``target`` the broker gateway: take in, commit, pass on, acknowledge."""
    client, pool = await connected(settings, user)
    jetstream = client.jetstream()
    async with aiohttp.ClientSession() as session:

        async def on_message(received: Msg) -> None:
            content, body = message(received.data, **{user: time.time_ns()})
            number = f"{user[0]}{content['id']}"
            await commit(pool, number, target or "order.event.floor", body.decode(), number)
            if target:
                await jetstream.publish(target, body, headers={"Nats-Msg-Id": number})
            else:
                content["out"] = time.time_ns()
                async with session.post(settings["venue"] + "/order", json=content) as answer:
                    await answer.read()
            await received.ack()

        consumer = f"{user}-{source.replace('.', '-')}"
        await jetstream.subscribe(
            source, queue=consumer, durable=consumer, stream="ORDERS", cb=on_message, manual_ack=True
        )
        await asyncio.Event().wait()


ROLES = {
    "ingest": ingest,
    "agent": agent,
    "risk": lambda settings: relay(settings, "risk", "order.proposed", "order.approved"),
    "broker_gateway": lambda settings: relay(settings, "broker_gateway", "order.approved", None),
}

if __name__ == "__main__":
    uvloop.run(ROLES[sys.argv[1]](json.loads(sys.argv[2])))

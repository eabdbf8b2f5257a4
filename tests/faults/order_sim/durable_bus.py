"""The durable streams: a message is delivered until its reader has acknowledged it, however many readers die.

Invariant: at least once, and now and then once more; never out of memory, for the streams outlive the gateway.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from algotrendy_common.errors import Refused
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import OrderApproved

if TYPE_CHECKING:
    from tests.faults.order_sim.world import Life, World

_REDELIVERY_S = (0.1, 0.5, 2.0, 5.0)


@dataclass
class Message:
    """On a durable stream until its reader acknowledges it."""

    event: Event
    acknowledged: bool = False
    refused: str | None = None


class DurableBus:
    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self.messages: list[Message] = []

    @property
    def undelivered(self) -> bool:
        return not all(message.acknowledged or message.refused for message in self.messages)

    def publish(self, event: Event) -> None:
        message = Message(event)
        self.messages.append(message)
        asyncio.create_task(self.deliver(message))  # noqa: RUF006 - the loop ends with the world

    async def deliver(self, message: Message, again: bool = False) -> None:
        """At least once: until a reader has acknowledged it, however many readers die."""
        attempt = 0
        while again or not (message.acknowledged or message.refused):
            await asyncio.sleep(self._chance.uniform(0.0005, 0.005))
            life = self._world.life
            if life is None or not life.reading:
                await asyncio.sleep(0.25)
                continue
            done = life.process.spawn(self._handle(life, message))
            await asyncio.wait((done, life.process.died), return_when=asyncio.FIRST_COMPLETED)
            if again:
                return
            if life.process.dead:
                # Not acknowledged: the server waits for the reader before it delivers again.
                await asyncio.sleep(self._chance.choice((0.5, 2.0, 12.0)))
            elif not (message.acknowledged or message.refused):
                await asyncio.sleep(_REDELIVERY_S[min(attempt, len(_REDELIVERY_S) - 1)])
                attempt += 1

    async def _handle(self, life: "Life", message: Message) -> None:
        try:
            name = "approval" if isinstance(message.event, OrderApproved) else "cancellation"
            life.process.step(f"{name}: delivered")
            await life.app.hear(message.event)
            life.process.step(f"{name}: about to be acknowledged")
        except Refused as refused:
            message.refused = str(refused)
            self._world.say(f"refused: {refused}")
        except Exception as error:  # as the bus: whatever a handler raises is delivered again
            self._world.say(f"delivered again after {error!r}")
        else:
            message.acknowledged = True

    def repeat(self) -> None:
        """A message comes again although it was acknowledged."""
        if self.messages:
            asyncio.create_task(self.deliver(self._chance.choice(self.messages), again=True))  # noqa: RUF006

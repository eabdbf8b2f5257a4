"""Orders that wait for the gate, and what others do to them in the moment it opens."""

from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderCancelRequested
from algotrendy_common.testing.waiting import eventually


def desk_of(app) -> Desk:
    return next(work.__self__ for name, work in app._loops if name.startswith("desk "))


async def test_an_order_cancelled_while_the_waiting_ones_are_released_is_not_sent_and_ends_nothing(world, monkeypatch):
    async with world.running(active=False) as app:
        desk = desk_of(app)
        waiting = await world.approve()
        await world.reaches(waiting.order_id, "approved")
        await eventually(lambda: desk.gate.reconciled)
        cancel = world.gateway.events.make(
            OrderCancelRequested,
            order_id=waiting.order_id,
            account=world.account,
            requested_by="tom",
            reason="changed my mind",
        )
        orders = desk.submission._orders
        listed = orders.live

        async def cancelled_meanwhile(*statuses):
            found = await listed(*statuses)
            if statuses == (OrderStatus.APPROVED,):
                await desk.cancellation.requested(cancel)
            return found

        monkeypatch.setattr(orders, "live", cancelled_meanwhile)
        desk.gate.halted = False
        await desk.submission.release_waiting()
        await world.reaches(waiting.order_id, "cancelled")
        monkeypatch.undo()

        # The desk goes on: it trades.
        await world.activate(app.http_port)
        other = await world.approve()
        await world.reaches(other.order_id, "filled")
        assert app._failure is None

    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


async def test_an_order_that_waits_leaves_though_the_answer_to_its_commit_was_lost(world, monkeypatch):
    async with world.running(active=False) as app:
        desk = desk_of(app)
        await eventually(lambda: desk.gate.reconciled)
        orders = desk.submission._orders
        place = orders.place

        async def unanswered(*told):
            assert await place(*told)
            monkeypatch.undo()
            raise ConnectionResetError("the answer to the commit was lost")

        monkeypatch.setattr(orders, "place", unanswered)
        waiting = await world.approve()
        await world.reaches(waiting.order_id, "approved")
        await world.activate(app.http_port)
        await world.reaches(waiting.order_id, "filled")
        assert desk.gate.stopped is None

    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()

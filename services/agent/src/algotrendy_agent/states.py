"""A strategy as everybody else sees it, and as its own step does."""

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import OrderSource
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import BarUpdated
from algotrendy_common.events.order import OrderCancelRequested, OrderOrigin, OrderProposed
from algotrendy_common.events.signal import HeldAbroad, StrategyStateChanged
from algotrendy_core.strategies.interface import Holding

from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.ladder_moves import Moves
from algotrendy_agent.domain.plan import Surroundings


def state_of(instance: Instance, events: EventFactory) -> StrategyStateChanged:
    config, last = instance.config, instance.last_signal
    taken = instance.state or {"bars": 0, "last_time": None}
    return events.make(
        StrategyStateChanged,
        strategy=config.strategy,
        revision=instance.revision,
        name=config.name,
        strategy_kind=config.kind,
        venue=config.venue,
        symbol=config.symbol,
        timeframe=config.timeframe,
        account=config.account,
        status=instance.status,
        status_detail=instance.status_detail,
        parameters=config.parameters,
        position_quantity=instance.held,
        realised_pnl=instance.net_realised_pnl,
        routed_account=instance.route.account if instance.route else None,
        routed_venue=instance.route.venue if instance.route else None,
        held_abroad=tuple(
            HeldAbroad(account=account, venue=held.venue, quantity=held.quantity)
            for account, held in instance.abroad.items()
            if held.quantity
        ),
        bars_taken=taken["bars"],
        last_bar_time=None if taken["last_time"] is None else from_ms(taken["last_time"]),
        last_signal_time=last.time if last else None,
        last_signal_target=last.target if last else None,
        last_signal_reason=last.reason if last else None,
    )


def moves_of(
    moved: Moves,
    instance: Instance,
    reason: str,
    around: Surroundings | None,
    bar: BarUpdated | None,
    events: EventFactory,
) -> list[Event]:
    """What is said of a ladder's moves; ``bar`` is the one that they follow from, if any."""
    said: list[Event] = []
    for order in moved.proposals:
        origin = OrderOrigin(
            source=OrderSource.STRATEGY,
            strategy=instance.config.strategy,
            reason=f"rung {order.rung}: {reason}" if reason else f"rung {order.rung}",
            reference_price=around.price if around else None,
            tick_received_time=bar.received_time if bar else None,
        )
        event_time = {"event_time": bar.event_time} if bar else {}
        said.append(events.make(OrderProposed, terms=order.terms, origin=origin, **event_time))
    for order, why in moved.cancels:
        said.append(
            events.make(
                OrderCancelRequested,
                order_id=order.order_id,
                account=order.terms.account,
                requested_by=instance.config.strategy,
                reason=why,
            )
        )
    return said


def holding_of(instance: Instance, around: Surroundings | None) -> Holding:
    """On its own account alone, in float64: the border from exact numbers into the step's."""
    held = instance.position
    step = around.instrument.quantity_step if around and around.instrument else None
    average = held.average_price
    if step is not None and abs(held.quantity) < step:
        average = None  # less than can be sold is nothing
    equity = around.equity if around else None
    return Holding(
        float(held.quantity),
        float(average) if average is not None else 0.0,
        float(equity * instance.config.capital_share) if equity is not None else 0.0,
    )

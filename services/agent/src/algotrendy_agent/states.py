"""A strategy as everybody else sees it."""

from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.signal import HeldAbroad, StrategyStateChanged

from algotrendy_agent.domain.instance import Instance


def state_of(instance: Instance, events: EventFactory) -> StrategyStateChanged:
    config, last = instance.config, instance.last_signal
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
        last_signal_time=last.time if last else None,
        last_signal_target=last.target if last else None,
        last_signal_reason=last.reason if last else None,
    )

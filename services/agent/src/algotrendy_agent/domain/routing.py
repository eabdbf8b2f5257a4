"""Where each strategy trades: on its own account, or on the one that stands in while that account's venue is away.

The broker gateway decides who stands in (its configuration, its own settling times); here it is only followed. What a
strategy holds stays where it was bought, counts towards its target wherever it is, and is sold there.

Invariant: an order that is not settled keeps the strategy from ordering anywhere (``plan``), and an order's id does not
depend on where it goes, so that no bar can order at two venues.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_core.strategies.interface import AnyStrategy

from algotrendy_agent.domain.instance import Instance, StrategyConfig
from algotrendy_agent.domain.market import MarketView
from algotrendy_agent.domain.places import Exit, Place
from algotrendy_agent.domain.plan import Nothing, Surroundings


@dataclass(slots=True)
class Routes:
    """What the broker gateway last said of the accounts; before it was heard, everybody stays where they are."""

    market: MarketView
    accounts: dict[str, AccountInfo] = field(default_factory=dict)

    def take(self, accounts: Iterable[AccountInfo]) -> None:
        self.accounts = {info.account: info for info in accounts}

    def wanted(self, config: StrategyConfig, strategy: AnyStrategy | None) -> Place | None:
        """Where new orders should go; None is the strategy's own account.

        A ladder stays: its orders rest at one venue, and the rest of it at another would be a different strategy.
        """
        if strategy is not None and strategy.rungs is not None:
            return None
        home = self.accounts.get(config.account)
        instead = self.accounts.get(home.stand_in) if home is not None and home.stand_in is not None else None
        return Place(instead.account, instead.venue) if instead is not None else None

    def halted(self, instance: Instance) -> Nothing | None:
        """A halt of its own account holds it on any account: who halts an account does not want it moved."""
        return self.market.halted(instance.config) or self.market.halted(instance.trading)

    def around(self, instance: Instance, close: Decimal, reserve: Decimal) -> Surroundings:
        """All that sizing needs to know: at the venue it trades on, and where else it holds something."""
        config = instance.trading
        exits: list[Exit] = []
        away: list[str] = []
        for place, quantity in instance.holdings():
            if not quantity:
                continue
            there = self.market.around(replace(config, account=place.account, venue=place.venue), close, reserve)
            if there.instrument is None or not self._reachable(place, config):
                away.append(place.account)
            else:
                exits.append(Exit(place, quantity, there.price, there.instrument))
        here = self.market.around(config, close, reserve)
        return replace(here, place=Place(config.account, config.venue), exits=tuple(exits), away=tuple(away))

    def _reachable(self, place: Place, trading: StrategyConfig) -> bool:
        if place.account == trading.account:
            return True
        info = self.accounts.get(place.account)
        return info is not None and info.ready and info.stand_in is None

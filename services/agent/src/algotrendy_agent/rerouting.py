"""Follows the broker gateway's word on who stands in for whom: strategies are moved, and brought back.

Invariant: a strategy's route changes in a transaction of its own, between two bars and never within one.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_common.telemetry import log

from algotrendy_agent.domain.routing import Routes
from algotrendy_agent.ports import Announcer
from algotrendy_agent.runner import STORE_AWAY, Runner
from algotrendy_agent.strategies import Strategies


class Asking(Protocol):
    async def accounts(self) -> tuple[AccountInfo, ...]:
        """As the broker gateway runs them. Raises ``Retryable`` where it does not answer."""
        ...


class Rerouting:
    def __init__(
        self,
        routes: Routes,
        runners: Mapping[str, Runner],
        strategies: Strategies,
        asking: Asking,
        announcer: Announcer,
        every: timedelta,
    ) -> None:
        self._routes = routes
        self._strategies = strategies
        self._runners = runners
        self._asking = asking
        self._announcer = announcer
        self._every_s = every.total_seconds()
        self._log = log("agent")

    async def follow_forever(self) -> None:
        """While the broker gateway is away nothing can be sent, so routes stay as they are."""
        told = ""
        while True:
            try:
                self._routes.take(await self._asking.accounts())
                await self.follow()
            except (Refused, *STORE_AWAY) as error:
                if str(error) != told:
                    told = str(error)
                    self._log.warning("routes stay as they are", error=told)
            else:
                told = ""
            await asyncio.sleep(self._every_s)

    async def follow(self) -> None:
        """Move every strategy that is not where it should trade."""
        for runner in self._runners.values():
            config = runner.instance.config
            wanted = self._routes.wanted(config, self._strategies.known.get(config.kind))
            # An account that nobody spoke of (a gateway that has just started) says nothing about where it trades.
            if wanted == runner.instance.route or config.account not in self._routes.accounts:
                continue
            after = await runner.alter(lambda instance, wanted=wanted: instance.routed(wanted))  # type: ignore[misc]
            self._log.warning("rerouted", strategy=runner.id, account=after.trading.account, venue=after.trading.venue)
            await self._announcer.alert(
                Severity.WARNING,
                "strategy_rerouted",
                f"new orders of {runner.id} go to {after.trading.account} at {after.trading.venue}",
                strategy=runner.id,
                account=after.trading.account,
                venue=after.trading.venue,
            )

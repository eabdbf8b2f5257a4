"""Kraken Earn: what is offered for each asset, what of it an account has allocated, and the changes under way.

Source: Kraken documentation, Spot REST "Earn". What is allocated is locked in the account's books, where it stays over
a restart; how it is spread over strategies is forgotten then and counts to the bonded one. Invariant: one change of a
strategy is under way for an account at a time.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.money import ZERO

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.kraken.identity import Pairs, asset_altname
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.refusals import KrakenError, invalid
from algotrendy_simulator.venues.kraken.wire import Json, volume

PENDING_MS = 500
"""How long an allocation is under way."""
_LOCKS = ("bonded", "instant", "flex")
_MINIMUM = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Strategy:
    id: str
    asset: str
    lock: str

    def shown(self) -> Json:
        lock_type: Json = {"type": self.lock, "payout_frequency": 604_800}
        if self.lock == "bonded":
            lock_type |= {"bonding_period": 0, "unbonding_period": 1_814_400}
        return {
            "id": self.id,
            "asset": asset_altname(self.asset),
            "lock_type": lock_type,
            "apr_estimate": {"low": "1.0000", "high": "3.5000"},
            "user_min_allocation": str(_MINIMUM),
            "allocation_fee": "0.0000",
            "deallocation_fee": "0.0000",
            "auto_compound": {"type": "enabled"},
            "yield_source": {"type": "staking"},
            "can_allocate": self.lock != "flex",
            "can_deallocate": self.lock != "flex",
            "allocation_restriction_info": [],
        }


class Earn:
    def __init__(self, exchange: Exchange, pairs: Pairs, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self.strategies = {
            strategy.id: strategy
            for number, asset in enumerate(pairs.assets())
            for strategy in (Strategy(f"ESR{lock[:3].upper()}-A{number:04d}-KRAKEN", asset, lock) for lock in _LOCKS)
        }
        self._allocated: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        """By account and strategy; the bonded ones' shares are what is left of ``staked``."""
        self._until_ms: dict[tuple[str, str], int] = {}

    def balance_name(self, asset: str) -> str:
        return f"{asset_altname(asset)}.B"

    def staked(self, account: Account, asset: str) -> Decimal:
        """What is locked for neither an order nor a position."""
        held = account.balance(asset).locked
        for order in self._exchange.open_orders(account):
            instrument = self._exchange.markets[order.symbol].instrument
            sells = order.side.sign < 0 and order.leverage is None
            if (instrument.base if sells else instrument.quote) == asset:
                held -= order.reserved
        for position in self._exchange.positions(account):
            if self._exchange.markets[position.symbol].instrument.quote == asset:
                held -= position.margin
        return held

    def list_strategies(self, account: Account, parameters: Parameters) -> Json:
        asset = parameters.optional("asset")
        found = [each for each in self.strategies.values() if asset in (None, each.asset, asset_altname(each.asset))]
        return {"items": [strategy.shown() for strategy in found], "next_cursor": None}

    def allocations(self, account: Account, parameters: Parameters) -> Json:
        items = []
        for strategy in self.strategies.values():
            amount, pending = self._amount(account, strategy), self._is_pending(account, strategy)
            if amount or pending:
                total: Json = {"total": {"native": volume(amount), "converted": volume(amount)}}
                if pending:
                    total["pending"] = {"native": volume(ZERO), "converted": volume(ZERO)}
                items.append(
                    {
                        "strategy_id": strategy.id,
                        "native_asset": asset_altname(strategy.asset),
                        "amount_allocated": total,
                        "total_rewarded": {"native": "0", "converted": "0"},
                    }
                )
        total_native = sum((self._amount(account, each) for each in self.strategies.values()), ZERO)
        return {
            "converted_asset": "USD",
            "total_allocated": volume(total_native),
            "total_rewarded": "0",
            "next_cursor": None,
            "items": items,
        }

    def allocate(self, account: Account, parameters: Parameters) -> bool:
        strategy, amount = self._change(account, parameters)
        if amount > account.balance(strategy.asset).free:
            raise KrakenError("EEarnings:Insufficient funds")
        self._move(account, strategy, amount)
        return True

    def deallocate(self, account: Account, parameters: Parameters) -> bool:
        strategy, amount = self._change(account, parameters)
        if amount > self._amount(account, strategy):
            raise KrakenError("EEarnings:Insufficient funds")
        self._move(account, strategy, -amount)
        return True

    def status(self, account: Account, parameters: Parameters) -> Json:
        return {"pending": self._is_pending(account, self._strategy(parameters))}

    def _change(self, account: Account, parameters: Parameters) -> tuple[Strategy, Decimal]:
        strategy, amount = self._strategy(parameters), parameters.decimal("amount")
        if amount is None:
            raise invalid("amount")
        if strategy.lock == "flex":
            raise KrakenError("EEarnings:Permission denied:The strategy is not allocated to by hand")
        if amount < _MINIMUM:
            raise KrakenError("EEarnings:Below min:(De)allocation operation amount less than minimum")
        if self._is_pending(account, strategy):
            raise KrakenError("EEarnings:Busy:Another (de)allocation for the same strategy is in progress")
        return strategy, amount

    def _move(self, account: Account, strategy: Strategy, amount: Decimal) -> None:
        account.lock(strategy.asset, amount)
        if strategy.lock != "bonded":
            self._allocated[account.name, strategy.id] += amount
        self._until_ms[account.name, strategy.id] = to_ms(self._clock.now()) + PENDING_MS
        self._exchange.finish(Changes(balances={(account.name, strategy.asset): None}))

    def _amount(self, account: Account, strategy: Strategy) -> Decimal:
        if strategy.lock != "bonded":
            return self._allocated[account.name, strategy.id]
        others = sum(
            (
                self._allocated[account.name, other.id]
                for other in self.strategies.values()
                if other.asset == strategy.asset and other.lock != "bonded"
            ),
            ZERO,
        )
        return self.staked(account, strategy.asset) - others

    def _is_pending(self, account: Account, strategy: Strategy) -> bool:
        return to_ms(self._clock.now()) < self._until_ms.get((account.name, strategy.id), 0)

    def _strategy(self, parameters: Parameters) -> Strategy:
        found = self.strategies.get(parameters.text("strategy_id"))
        if found is None:
            raise invalid("Invalid strategy ID")
        return found

"""Accounts of the simulated venue and what they own.

Invariant: ``locked`` is the sum of what the account's open orders have reserved, and 0 <= locked <= total.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.errors import InvariantBroken
from algotrendy_common.money import ZERO


@dataclass(slots=True)
class Balance:
    total: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        return self.total - self.locked


@dataclass(slots=True)
class Account:
    name: str
    key: str
    secret: str
    passphrase: str = ""
    """Where the venue has one."""
    dead_man_ms: int | None = None
    """Wall time at which its orders are cancelled unless it asks for more; None is not armed."""
    balances: dict[str, Balance] = field(default_factory=dict)
    may_withdraw: bool = False
    """Whether its key could take money out, where the venue tells that; not journaled, because a test sets it."""

    def balance(self, asset: str) -> Balance:
        """What it owns of an asset, to be read; an asset it never had is zero."""
        return self.balances.get(asset) or Balance()

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move free to locked; release with a negative amount. Raises InvariantBroken past either bound."""
        balance = self.balances.setdefault(asset, Balance())
        balance.locked += amount
        self._check(asset, balance)

    def add(self, asset: str, amount: Decimal) -> None:
        """Credit, or debit with a negative amount; raises InvariantBroken where less than what is locked remains."""
        balance = self.balances.setdefault(asset, Balance())
        balance.total += amount
        self._check(asset, balance)

    def _check(self, asset: str, balance: Balance) -> None:
        if not ZERO <= balance.locked <= balance.total:
            raise InvariantBroken(
                "an account's books do not hold",
                account=self.name,
                asset=asset,
                total=balance.total,
                locked=balance.locked,
            )

"""What each write of an account carries, so that a gateway that was left behind writes nothing.

Invariant: ``epoch`` is the one the lease was taken with; epoch 0, before that, is nobody's.
"""

from dataclasses import dataclass

from algotrendy_broker_gateway.errors import LeaseLost


@dataclass(slots=True)
class Fence:
    account: str
    epoch: int = 0

    def check(self, newest: int | None) -> None:
        """Raises LeaseLost where another gateway has the account."""
        if newest != self.epoch:
            raise LeaseLost("another gateway has the account", account=self.account, ours=self.epoch, newest=newest)

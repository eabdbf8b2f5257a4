"""What can go wrong here, beyond the platform's own errors.

Retryable
└── StaleBook          another writer changed the account's book first: load it again and decide anew
Refused
└── OrderIdReused      a proposal carries an order id that another order has: dead-lettered, never decided
"""

from algotrendy_common.errors import Refused, Retryable


class StaleBook(Retryable):
    """The book in memory is not the newest one."""

    def __init__(self, account: str, version: int) -> None:
        super().__init__("the book was changed by another writer", account=account, version=version)


class OrderIdReused(Refused):
    def __init__(self, order_id: str) -> None:
        super().__init__("order_id_reused", "another order has this id", order_id=order_id)

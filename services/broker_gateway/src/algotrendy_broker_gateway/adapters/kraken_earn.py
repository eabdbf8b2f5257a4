"""Kraken Earn: what can be staked, and staking it or taking it back. It needs the key right *Earn Funds*.

Invariant: one change of a strategy is under way at a time, which the venue sees to; a change is begun here and goes on
there, and ``products`` tells when it is through.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from algotrendy_common.money import ZERO, plain
from algotrendy_common.rpc.broker_gateway import EarnProduct

from algotrendy_broker_gateway.errors import VenueRefused

_ALTNAMES = {"BTC": "XBT", "DOGE": "XDG"}
FLEXIBLE = "flex"
"""Earns where it is, by a setting of the whole account; nothing is allocated to it by hand."""


type Call = Callable[[Any], Awaitable[Any]]


class Ask(Protocol):
    """How the venue's adapter talks: in turn, at its limits, with the answer sorted into yes, no and unknown."""

    async def __call__[R](self, call: Call, request: Mapping[str, str], read: Callable[[Any], R]) -> R: ...


class KrakenEarn:
    def __init__(self, ask: Ask, change: Ask, wire: Any) -> None:
        self._ask = ask
        self._change = change
        self._wire = wire

    async def products(self, asset: str | None) -> tuple[EarnProduct, ...]:
        request = {} if asset is None else {"asset": _ALTNAMES.get(asset, asset)}
        offered = await self._ask(
            self._wire.privatePostEarnStrategies, request, lambda answer: answer["result"]["items"]
        )
        held = await self._ask(self._wire.privatePostEarnAllocations, {"hide_zero_allocations": "true"}, allocated)
        return tuple(self._product(row, held.get(row["id"], (ZERO, False))) for row in offered)

    async def change(self, product_id: str, amount: Decimal, allocate: bool) -> None:
        """Raises VenueRefused (``earn_busy`` while an earlier change is under way), OutcomeUnknown as an order does."""
        request = {"strategy_id": product_id, "amount": plain(amount)}
        call = self._wire.privatePostEarnAllocate if allocate else self._wire.privatePostEarnDeallocate
        if await self._change(call, request, lambda answer: answer["result"]) is not True:
            raise VenueRefused("venue_refused", f"the change of {product_id} was not begun")

    async def is_pending(self, product_id: str, allocate: bool) -> bool:
        """Whether the last change is still under way."""
        calls = self._wire.privatePostEarnAllocateStatus, self._wire.privatePostEarnDeallocateStatus
        request = {"strategy_id": product_id}
        return await self._ask(calls[not allocate], request, lambda answer: answer["result"]["pending"] is True)

    def _product(self, row: Mapping[str, Any], held: tuple[Decimal, bool]) -> EarnProduct:
        lock, rate = str(row["lock_type"]["type"]), row.get("apr_estimate") or {}
        return EarnProduct(
            product_id=str(row["id"]),
            asset=str(self._wire.safe_currency_code(row["asset"])),
            lock=lock,
            apr_low=_rate(rate.get("low")),
            apr_high=_rate(rate.get("high")),
            minimum=None if row.get("user_min_allocation") is None else Decimal(row["user_min_allocation"]),
            can_allocate=row["can_allocate"] is True and lock != FLEXIBLE,
            allocated=held[0],
            pending=held[1],
        )


def allocated(answer: Mapping[str, Any]) -> dict[str, tuple[Decimal, bool]]:
    """Amount, and whether a change is under way, by strategy."""
    return {
        str(item["strategy_id"]): (
            Decimal(item["amount_allocated"]["total"]["native"]),
            "pending" in item["amount_allocated"],
        )
        for item in answer["result"]["items"]
    }


def _rate(percent: Any) -> Decimal | None:
    """A fraction a year."""
    return None if percent is None else Decimal(percent) / 100

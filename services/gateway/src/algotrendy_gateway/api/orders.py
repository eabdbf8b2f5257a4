"""Orders and fills. Sending an order is idempotent by its id, which the page makes when the ticket opens."""

from typing import Annotated, Literal, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import AccountId, OrderId, Symbol, Venue
from algotrendy_common.money import Leverage
from algotrendy_common.rpc import broker_gateway
from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints, model_validator

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import AccountQuery, Limit, say_missing
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.orders import Fill, Order, OrderDetail
from algotrendy_gateway.domain.shape import GivenPrice, GivenQuantity, GivenRatio, Shape
from algotrendy_gateway.library import Library
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.security.throttle import Throttle
from algotrendy_gateway.steering import Steering


class GivenProtection(Shape):
    """Exits that are placed as the order fills."""

    stop_price: GivenPrice | None = None
    take_profit_price: GivenPrice | None = None
    trailing_ratio: GivenRatio | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.stop_price is None and self.take_profit_price is None and self.trailing_ratio is None:
            raise ValueError("give a stop, a take-profit or a trailing distance")
        return self


class NewOrder(Shape):
    order_id: OrderId
    account: AccountId
    symbol: Symbol
    side: Side
    type: OrderType
    quantity: GivenQuantity
    limit_price: GivenPrice | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    trigger_price: GivenPrice | None = None
    trailing_ratio: GivenRatio | None = None
    good_until: Instant | None = None
    protection: GivenProtection | None = None
    replaces: OrderId | None = None
    """The working order that this one amends."""
    margin_mode: MarginMode = MarginMode.NONE
    leverage: Leverage | None = None
    or_stand_in: bool = False
    """While the account's venue is away: propose it on the account that stands in. The answer says where it went."""

    def terms(self, account: str, venue: str) -> OrderTerms:
        """What is proposed; raises pydantic's ValidationError on protection that protects nothing."""
        asked = self.model_dump(exclude={"or_stand_in"})
        return OrderTerms.model_validate(asked | {"account": account, "venue": venue})


class CancelAll(Shape):
    account: AccountId
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class CancelledAll(Shape):
    account: AccountId
    orders: int
    """Cancellations that were asked of the venue."""


class OrderTaken(Shape):
    order_id: OrderId
    status: Literal["proposed"]
    account: AccountId
    """Where it was proposed."""
    venue: Venue


class CancelTaken(Shape):
    order_id: OrderId
    status: Literal["cancel_requested"]


def order_routes(desk: Desk, steering: Steering, library: Library, peers: Asking, throttle: Throttle) -> APIRouter:
    routes = APIRouter(tags=["orders"])

    @routes.get("/orders")
    async def orders(
        response: Response,
        account: AccountQuery,
        status: Literal["open", "all"] = "all",
        limit: Limit = 200,
        before: Annotated[Instant | None, Query(description="Only orders created before this")] = None,
    ) -> list[Order]:
        """Newest first: placed, refused and still undecided ones alike."""
        await desk.account(account)
        found, missing = await library.orders(account, open_only=status == "open", limit=limit, before=before)
        say_missing(response, missing)
        return found

    @routes.get("/orders/{order_id}")
    async def order(order_id: OrderId) -> OrderDetail:
        return await library.order(order_id)

    @routes.post("/orders", status_code=202)
    async def propose_order(new: NewOrder, owner: Owner) -> OrderTaken:
        await throttle.order(owner.username)
        place = await desk.account_for(new.order_id, new.account, new.or_stand_in)
        await desk.propose(new.terms(place.account, place.venue), owner.username)
        return OrderTaken(order_id=new.order_id, status="proposed", account=place.account, venue=place.venue)

    @routes.delete("/orders/{order_id}", status_code=202)
    async def cancel_order(order_id: OrderId, owner: Owner) -> CancelTaken:
        await desk.cancel(order_id, owner.username)
        return CancelTaken(order_id=order_id, status="cancel_requested")

    @routes.post("/orders/cancel-all", status_code=202)
    async def cancel_all(command: CancelAll, owner: Owner) -> CancelledAll:
        """Everything that works on an account; stops that guard a position stay."""
        await desk.account(command.account)
        asked = await steering.cancel_all(command.account, owner.username, command.reason)
        return CancelledAll(account=command.account, orders=asked)

    @routes.get("/fills")
    async def fills(account: AccountQuery, limit: Limit = 200) -> list[Fill]:
        """Newest first."""
        await desk.account(account)
        answer = await peers.ask(broker_gateway.FILLS, broker_gateway.AccountAsked(account=account, limit=limit))
        return [Fill.of(fill) for fill in answer.fills]

    return routes

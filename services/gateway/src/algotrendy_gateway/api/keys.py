"""What is known of the venues' keys (never the keys), and staking."""

from algotrendy_common.clock import Instant
from algotrendy_common.ids import AccountId, Venue
from algotrendy_common.money import Amount
from algotrendy_common.rpc import broker_gateway
from algotrendy_common.rpc.call import Nothing
from fastapi import APIRouter

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import AccountQuery
from algotrendy_gateway.domain.shape import GivenQuantity, Shape
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.steering import Steering


class Credential(Shape):
    account: AccountId
    venue: Venue
    key_hint: str
    """Its last four characters."""
    key_version: int
    stored_at: Instant


class EarnProduct(Shape):
    product_id: str
    asset: str
    lock: str
    apr_low: Amount | None
    apr_high: Amount | None
    minimum: Amount | None
    can_allocate: bool
    allocated: Amount
    pending: bool


class EarnChange(Shape):
    account: AccountId
    product_id: str
    amount: GivenQuantity
    allocate: bool
    """False takes it back."""


def key_routes(steering: Steering, peers: Asking) -> APIRouter:
    routes = APIRouter(tags=["accounts"])

    @routes.get("/credentials")
    async def credentials() -> list[Credential]:
        answer = await peers.ask(broker_gateway.CREDENTIALS, Nothing())
        return [Credential(**dict(row)) for row in answer.credentials]

    @routes.get("/earn")
    async def earn(account: AccountQuery, asset: str | None = None) -> list[EarnProduct]:
        """Staking products of the account's venue, with what is allocated."""
        return _products(await peers.ask(broker_gateway.EARN, broker_gateway.EarnAsked(account=account, asset=asset)))

    @routes.post("/earn")
    async def change_earn(change: EarnChange, owner: Owner) -> list[EarnProduct]:
        return _products(await steering.earn(broker_gateway.EarnChangeAsked(**dict(change), by=owner.username)))

    return routes


def _products(answer: broker_gateway.EarnProducts) -> list[EarnProduct]:
    return [EarnProduct(**dict(row)) for row in answer.products]

"""What the admin API is sent.

Invariant: a field that is not known is refused, with every violation in the answer.
"""

import json
from decimal import Decimal

from aiohttp import web
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algotrendy_simulator.orders import OrderRequest

KINDS = "^(market|user|all)$"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Speed(Body):
    speed: float = Field(gt=0)


class Step(Body):
    candles: int = Field(1, ge=1, le=1000)


class Drop(Body):
    kind: str = Field("all", pattern=KINDS)


class Mute(Body):
    muted: bool
    kind: str = Field("market", pattern=KINDS)


class Gap(Body):
    symbol: str


class Switch(Body):
    on: bool


class Ban(Body):
    seconds: float = Field(ge=0)
    """0 ends it."""


class Count(Body):
    count: int = Field(1, ge=1)


class PartialFills(Body):
    fraction: Decimal = Field(gt=0, lt=1)
    orders: int = Field(1, ge=1)


class NewAccount(Body):
    account: str = Field(min_length=1)
    key: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    passphrase: str = ""
    balances: dict[str, Decimal] = {}
    may_withdraw: bool = False


class Cancel(Body):
    """One order by either id, or with neither every open one of the account (and the symbol)."""

    account: str | None = None
    symbol: str | None = None
    order_id: int | None = None
    client_order_id: str | None = None


class Place(Body):
    """An order made by hand, past every program."""

    account: str | None = None
    symbol: str
    side: Side
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.GTC
    quantity: Decimal = Field(gt=0)
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    trailing_ratio: Decimal | None = None
    reduce_only: bool = False
    leverage: Decimal | None = None
    client_order_id: str | None = None

    def request(self) -> OrderRequest:
        values = self.model_dump(exclude={"account", "client_order_id"})
        return OrderRequest(self.client_order_id or new_id(), **values)


class Liquidate(Body):
    account: str | None = None
    symbol: str | None = None


class Funding(Body):
    """A rate above zero is paid by those who are long."""

    symbol: str
    rate: Decimal = Field(gt=-1, lt=1)


async def read[B: BaseModel](request: web.Request, body_class: type[B]) -> B:
    """Raises HTTPBadRequest with the violations."""
    text = await request.text()
    try:
        return body_class.model_validate_json(text or "{}")
    except ValidationError as error:
        raise web.HTTPBadRequest(text=json.dumps(error.errors(include_url=False, include_context=False))) from error

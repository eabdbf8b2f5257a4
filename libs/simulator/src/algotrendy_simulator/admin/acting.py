"""What a test or a drill does to the venue's orders, positions and accounts, as the venue or a person outside would.

Invariant: it goes through the exchange like everything else, so it is journaled and told. An act names an account;
without a name it is the first one's.
"""

from dataclasses import dataclass

from aiohttp import web
from algotrendy_common.errors import Refused

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admin import bodies, shown
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.orders import Order


@dataclass(frozen=True, slots=True)
class Acting:
    exchange: Exchange

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/admin/accounts", self.open_account),
            web.post("/admin/orders/place", self.place),
            web.post("/admin/orders/cancel", self.cancel),
            web.post("/admin/liquidate", self.liquidate),
            web.post("/admin/funding", self.pay_funding),
            web.post("/admin/partial_fills", self.fill_partially),
        ]

    async def open_account(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.NewAccount)
        try:
            account = self.exchange.open_account(
                body.account, body.key, body.secret, body.balances, body.passphrase, body.may_withdraw
            )
        except Refused as refused:
            raise web.HTTPConflict(text=str(refused)) from refused
        return web.json_response({body.account: shown.balances(account)})

    async def place(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Place)
        account = self._account(body.account)
        try:
            order = self.exchange.place(account, body.request())
        except Refused as refused:
            raise web.HTTPConflict(text=str(refused)) from refused
        return web.json_response(shown.order(order))

    async def cancel(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Cancel)
        account = self._account(body.account)
        try:
            if body.order_id is None and body.client_order_id is None:
                orders = self.exchange.cancel_all(account, body.symbol)
            else:
                orders = [self.exchange.cancel(account, self._order(account, body))]
        except Refused as refused:
            raise web.HTTPConflict(text=str(refused)) from refused
        return web.json_response([shown.order(order) for order in orders])

    async def liquidate(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Liquidate)
        orders = self.exchange.liquidate(self._account(body.account), body.symbol)
        if not orders:
            raise web.HTTPConflict(text="there is no such position")
        return web.json_response([shown.order(order) for order in orders])

    async def pay_funding(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Funding)
        try:
            holders = self.exchange.pay_funding(body.symbol, body.rate)
        except Refused as refused:
            raise web.HTTPConflict(text=str(refused)) from refused
        return web.json_response({"positions": holders})

    async def fill_partially(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.PartialFills)
        self.exchange.fill_partially(body.fraction, body.orders)
        return web.json_response(body.model_dump(mode="json"))

    def _account(self, name: str | None) -> Account:
        account = next(iter(self.exchange.accounts.values())) if name is None else self.exchange.accounts.get(name)
        if account is None:
            raise web.HTTPNotFound(text=f"no account {name}")
        return account

    def _order(self, account: Account, body: bodies.Cancel) -> Order:
        for order in self.exchange.open_orders(account):
            if body.order_id == order.order_id or body.client_order_id == order.client_order_id:
                return order
        raise web.HTTPNotFound(text="no such open order")

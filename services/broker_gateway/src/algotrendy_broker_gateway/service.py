"""Wiring: what the broker gateway reads, answers, publishes and runs."""

from algotrendy_common.app import App
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderFilled, OrderUpdated
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.rpc import broker_gateway as rpc

from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.handlers import Handlers
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_broker_gateway.store.questions import Questions


def build_app(settings: BrokerGatewaySettings) -> App:
    app = App("broker_gateway", settings)
    database = app.uses_database()
    desk = Desk(settings, app, database, BinanceVenue(settings))
    account = rpc.AccountInfo(
        account=settings.account, venue=settings.venue, mode=settings.mode, quote_currency=settings.quote_currency
    )
    handlers = Handlers(desk, account, Questions(database))

    app.reads(OrderApproved, handlers.submit)
    app.reads(OrderCancelRequested, handlers.cancel)
    app.reads(RiskStateChanged, handlers.on_risk_state)

    app.answers(rpc.ACCOUNTS, handlers.accounts)
    app.answers(rpc.ORDERS, handlers.orders)
    app.answers(rpc.ORDER, handlers.order)
    app.answers(rpc.FILLS, handlers.fills)
    app.answers(rpc.POSITIONS, handlers.positions)
    app.answers(rpc.BALANCES, handlers.balances)

    app.publishes(OrderUpdated, OrderFilled, PositionChanged, BalanceChanged, AccountReconciled)
    app.publishes(AlertRaised, MessageDeadLettered)

    app.before_reading(desk.prepare)
    app.runs(f"desk {settings.account}", desk.live)
    app.on_stop(desk.end)
    app.health.add(f"account {settings.account}", desk.problem)
    return app

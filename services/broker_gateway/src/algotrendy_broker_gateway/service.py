"""Wiring: what the broker gateway reads, answers, publishes and runs."""

from algotrendy_common import ids
from algotrendy_common.app import App
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderFilled, OrderUpdated
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.rpc import broker_gateway as rpc
from pydantic import SecretStr

from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.registry import open_venue
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.handlers import Handlers
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.leases import LeaseStore
from algotrendy_broker_gateway.store.questions import Questions


def build_app(settings: BrokerGatewaySettings) -> App:
    app = App("broker_gateway", settings)
    database = app.uses_database()
    lease = Lease(
        LeaseStore(database), [one.account for one in settings.every_account], ids.new_id(), settings.lease_time
    )
    app.before_reading(lambda: app.unless_stopped(lease.take()))
    app.runs("lease", lease.keep)
    app.on_stop(lease.release)
    app.health.add("lease", lease.problem)
    desks: dict[str, Desk] = {}
    for account in settings.every_account:
        venue = open_venue(account.venue, _access(account, settings))
        desk = desks[account.account] = Desk(account, settings, app, database, venue, lease)
        app.before_reading(desk.prepare)
        app.runs(f"desk {account.account}", desk.live)
        app.on_stop(desk.end)
        app.health.add(f"account {account.account}", desk.problem)
    handlers = Handlers(settings, desks, Questions(database))

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
    return app


def _access(account: AccountSettings, settings: BrokerGatewaySettings) -> VenueAccess:
    return VenueAccess(
        mode=account.mode,
        http_url=account.http_url,
        ws_url=account.ws_url,
        api_key=account.api_key or SecretStr(""),
        api_secret=account.api_secret or SecretStr(""),
        passphrase=account.passphrase,
        answer_timeout=settings.answer_timeout,
    )

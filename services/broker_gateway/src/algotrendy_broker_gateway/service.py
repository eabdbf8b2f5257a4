"""Wiring: what the broker gateway reads, answers, publishes and runs.

Accounts are opened only after their lease was taken: a gateway that stands by decrypts no keys and reads nothing.
"""

import os

from algotrendy_common.app import App
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.market import BookSnapshotTaken, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderFilled, OrderUpdated
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged
from algotrendy_common.rpc import broker_gateway as rpc

from algotrendy_broker_gateway.accounts.halting import Halting
from algotrendy_broker_gateway.accounts.holder import Holder
from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.accounts.prices import Prices
from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.accounts.selection import Selection
from algotrendy_broker_gateway.accounts.starting import Starting
from algotrendy_broker_gateway.answers import Answers
from algotrendy_broker_gateway.handlers import Handlers
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_broker_gateway.store.credentials import CredentialStore
from algotrendy_broker_gateway.store.leases import LeaseStore
from algotrendy_broker_gateway.store.questions import Questions


def build_app(settings: BrokerGatewaySettings) -> App:
    app = App("broker_gateway", settings)
    app.bus.reads_alone = True
    # A gateway that stands still in the middle of a transaction must not keep the next one waiting.
    database = app.uses_database(size=6 + 2 * len(settings.every_account), idle_limit=settings.lease_time)
    lease = Lease(
        LeaseStore(database),
        [one.account for one in settings.every_account],
        str(Holder.of(os.getpid())),
        settings.lease_time,
    )
    accounts: dict[str, RunningAccount] = {}
    halting = Halting(accounts, app.bus, settings.kill_file)
    selection = Selection(accounts, app.bus)
    starting = Starting(settings, app, database, lease, accounts)
    handlers = Handlers(accounts)
    prices = Prices(accounts)
    answers = Answers(settings, accounts, lease, selection, Questions(database), CredentialStore(database))

    app.reads(OrderApproved, handlers.submit)
    app.reads(OrderCancelRequested, handlers.cancel)
    app.reads(RiskStateChanged, handlers.on_risk_state)
    app.reads(HaltChanged, halting.on_halt)
    for market in sorted({one.market for one in settings.every_account}):
        app.reads(TradePrinted, prices.on_trade, venue=market)
        app.reads(QuoteChanged, prices.on_quote, venue=market)
        app.reads(BookSnapshotTaken, prices.on_book, venue=market)
        app.reads(FeedHealthChanged, selection.on_feed, venue=market)

    app.answers(rpc.ACCOUNTS, answers.accounts)
    app.answers(rpc.ORDERS, answers.orders)
    app.answers(rpc.ORDER, answers.order)
    app.answers(rpc.FILLS, answers.fills)
    app.answers(rpc.POSITIONS, answers.positions)
    app.answers(rpc.BALANCES, answers.balances)
    app.answers(rpc.PROTECTIONS, answers.protections)
    app.answers(rpc.CANCEL_ALL, answers.cancel_all)
    app.answers(rpc.CREDENTIALS, answers.credentials)
    app.answers(rpc.EARN, answers.earn)
    app.answers(rpc.EARN_CHANGE, answers.earn_change)

    app.publishes(OrderUpdated, OrderFilled, PositionChanged, BalanceChanged, AccountReconciled, ProtectionChanged)
    app.publishes(AlertRaised, MessageDeadLettered)

    # The last to be told to stop is the first named here: the lease outlives everything that sends.
    app.on_stop(lease.release)
    app.on_stop(starting.end)
    app.on_stop(halting.end)
    app.before_reading(lambda: app.unless_stopped(lease.take()), "lease")
    app.before_reading(starting.open, "accounts")
    app.before_reading(halting.begin)
    app.runs("lease", lease.keep)
    app.runs("kill file", halting.watch_kill_file)
    app.runs("halts", halting.ask_risk)
    app.runs("selection", selection.watch)
    app.health.add("lease", lease.problem)
    return app

"""Wiring of the risk service: what it reads, answers, publishes and runs."""

from algotrendy_common.app import App
from algotrendy_common.approval import Signer
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderApproved, OrderFilled, OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.events.risk import RiskBreached, RiskStateChanged
from algotrendy_common.rpc import risk

from algotrendy_risk.adapters.platform import BusPlatform
from algotrendy_risk.books import Books
from algotrendy_risk.commands import Commands
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.handlers import Handlers
from algotrendy_risk.learning import Learning
from algotrendy_risk.settings import RiskSettings
from algotrendy_risk.store import RiskStore
from algotrendy_risk.watch import Watch


def build_app(settings: RiskSettings) -> App:
    app = App("risk", settings)
    database = app.uses_database()
    store, market = RiskStore(), MarketView()
    books = Books(database, store, app.clock)
    watch = Watch(
        books=books,
        store=store,
        database=database,
        market=market,
        events=app.events,
        clock=app.clock,
        announcer=app.bus,
        settle=settings.settle,
        equity_every=settings.equity_every,
    )
    handlers = Handlers(
        books=books,
        store=store,
        market=market,
        watch=watch,
        events=app.events,
        clock=app.clock,
        signer=Signer(settings.approval_seed.get_secret_value()),
        announcer=app.bus,
        approval_lifetime=settings.approval_lifetime,
    )
    learning = Learning(
        platform=BusPlatform(app.bus),
        handlers=handlers,
        books=books,
        market=market,
        clock=app.clock,
        announcer=app.bus,
        every=settings.confirm_every,
        overdue_after=settings.overdue_after,
    )
    commands = Commands(books=books, store=store, database=database, watch=watch)

    async def open_books() -> None:
        async with database.transaction() as tx:
            for seed in settings.accounts:
                await store.create(tx, seed.account, seed.venue, seed.quote_currency, seed.limits, app.clock.now())
        await books.load()

    app.before_reading(open_books)
    app.before_reading(learning.learn)
    app.reads(OrderProposed, handlers.assess)
    app.reads(OrderUpdated, handlers.on_order_updated)
    app.reads(OrderFilled, handlers.on_order_filled)
    app.reads(PositionChanged, handlers.on_position)
    app.reads(BalanceChanged, handlers.on_balance)
    app.reads(AccountReconciled, handlers.on_reconciled)
    app.reads(QuoteChanged, handlers.on_quote)
    app.reads(FeedHealthChanged, handlers.on_feed)
    app.reads(AlertRaised, handlers.on_alert)
    app.answers(risk.STATE, commands.state)
    app.answers(risk.HALT, commands.halt)
    app.answers(risk.RESUME, commands.resume)
    app.answers(risk.REFUSALS, commands.refusals)
    app.publishes(OrderApproved, OrderRefused, RiskStateChanged, RiskBreached)
    app.runs("watch", watch.watch_forever)
    app.runs("learning", learning.learn_forever)
    return app

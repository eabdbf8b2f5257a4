"""Wiring of the risk service: what it reads, answers, publishes and runs."""

from algotrendy_common.app import App
from algotrendy_common.approval import Signer
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderApproved, OrderFilled, OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.events.risk import (
    ApprovalDecided,
    ApprovalRequested,
    HaltChanged,
    RiskBreached,
    RiskStateChanged,
)
from algotrendy_common.rpc import risk

from algotrendy_risk.adapters.platform import BusPlatform
from algotrendy_risk.approving import Approving
from algotrendy_risk.books import Books
from algotrendy_risk.commands import Commands
from algotrendy_risk.deciding import Deciding
from algotrendy_risk.domain.halts import HaltBoard
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.portfolio import Tracks
from algotrendy_risk.halting import KillSwitch
from algotrendy_risk.handlers import Handlers
from algotrendy_risk.judging import Judge
from algotrendy_risk.learning import Learning
from algotrendy_risk.portfolio import PortfolioDesk
from algotrendy_risk.settings import RiskSettings
from algotrendy_risk.store.books import BookStore
from algotrendy_risk.store.decisions import DecisionStore
from algotrendy_risk.store.people import ApprovalStore, HaltStore, LimitsStore, SwitchStore
from algotrendy_risk.store.results import ResultStore
from algotrendy_risk.switches import Switches
from algotrendy_risk.watch import Watch


def build_app(settings: RiskSettings) -> App:
    app = App("risk", settings)
    database = app.uses_database()
    clock, events, bus = app.clock, app.events, app.bus
    store, results, approvals, decisions = BookStore(), ResultStore(), ApprovalStore(), DecisionStore()
    market, tracks = MarketView(), Tracks()
    books = Books(database, store, clock)
    kill_switch = KillSwitch(
        board=HaltBoard(),
        store=HaltStore(),
        database=database,
        events=events,
        clock=clock,
        announcer=bus,
        kill_file=settings.kill_file,
        release_window=settings.release_window,
    )
    switches = Switches(SwitchStore(), database, events, clock, bus)
    watch = Watch(
        books=books,
        store=store,
        results=results,
        database=database,
        market=market,
        tracks=tracks,
        kill_switch=kill_switch,
        events=events,
        clock=clock,
        announcer=bus,
        settle=settings.settle,
        equity_every=settings.equity_every,
    )
    handlers = Handlers(
        books=books,
        store=store,
        market=market,
        watch=watch,
        tracks=tracks,
        kill_switch=kill_switch,
        events=events,
        clock=clock,
        announcer=bus,
    )
    judge = Judge(
        decisions=decisions,
        market=market,
        halts=kill_switch.board,
        switches=switches,
        events=events,
        clock=clock,
        signer=Signer(settings.approval_seed.get_secret_value()),
        approval_lifetime=settings.approval_lifetime,
    )
    approving = Approving(
        books=books,
        database=database,
        approvals=approvals,
        judge=judge,
        market=market,
        watch=watch,
        events=events,
        clock=clock,
        announcer=bus,
    )
    deciding = Deciding(
        books=books,
        database=database,
        judge=judge,
        approving=approving,
        switches=switches,
        watch=watch,
        clock=clock,
        announcer=bus,
    )
    learning = Learning(
        platform=BusPlatform(bus),
        handlers=handlers,
        books=books,
        market=market,
        clock=clock,
        announcer=bus,
        every=settings.confirm_every,
        overdue_after=settings.overdue_after,
    )
    commands = Commands(
        books=books,
        store=store,
        decisions=decisions,
        limits=LimitsStore(),
        approvals=approvals,
        results=results,
        database=database,
        market=market,
        watch=watch,
        kill_switch=kill_switch,
        switches=switches,
        clock=clock,
        announcer=bus,
    )
    portfolio = PortfolioDesk(books=books, database=database, results=results, market=market, tracks=tracks)

    async def learn_of_others() -> None:
        await kill_switch.load()
        await switches.load()
        await books.drop_older()

    kill_switch.on_change = watch.tell_states
    books.when_stale = learn_of_others
    watch.refresh = learn_of_others
    watch.expire = approving.expire

    async def open_books() -> None:
        async with database.transaction() as tx:
            for seed in settings.accounts:
                await store.create(tx, seed.account, seed.venue, seed.quote_currency, seed.limits, clock.now())
        await kill_switch.load()
        await switches.load()
        await books.load()
        async with database.reading() as tx:
            for trade in await results.trades(tx):
                book = await books.current(trade.account)
                if book is not None:
                    tracks.take(trade, book.quote)

    app.before_reading(open_books, "books")
    app.before_reading(learning.learn, "learning")
    app.reads(OrderProposed, deciding.on_proposed)
    app.reads(ApprovalDecided, approving.on_decided)
    app.reads(OrderUpdated, handlers.on_order_updated)
    app.reads(OrderFilled, handlers.on_order_filled)
    app.reads(PositionChanged, handlers.on_position)
    app.reads(BalanceChanged, handlers.on_balance)
    app.reads(AccountReconciled, handlers.on_reconciled)
    app.reads(ProtectionChanged, handlers.on_protection)
    app.reads(QuoteChanged, handlers.on_quote)
    app.reads(FeedHealthChanged, handlers.on_feed)
    app.reads(AlertRaised, handlers.on_alert)
    app.answers(risk.STATE, commands.state)
    app.answers(risk.HALT, commands.halt)
    app.answers(risk.RESUME, commands.resume)
    app.answers(risk.HALTS, commands.halts)
    app.answers(risk.LIMITS, commands.limits)
    app.answers(risk.SET_LIMITS, commands.set_limits)
    app.answers(risk.PENDING, commands.pending)
    app.answers(risk.PORTFOLIO, portfolio.portfolio)
    app.answers(risk.ENABLE, commands.enable)
    app.answers(risk.REFUSALS, commands.refusals)
    app.publishes(OrderApproved, OrderRefused, RiskStateChanged, RiskBreached, HaltChanged, ApprovalRequested)
    app.runs("kill file", kill_switch.watch_kill_file_forever)
    app.runs("halts", kill_switch.save_forever)
    app.runs("watch", watch.watch_forever)
    app.runs("learning", learning.learn_forever)
    return app

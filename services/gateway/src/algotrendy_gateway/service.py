"""The gateway, wired: what it reads, what it publishes, what it runs, and the web application on its port. No logic."""

from algotrendy_common.app import App
from algotrendy_common.clock import Clock
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.backtest import BacktestFinished, BacktestProgressed, BacktestRequested
from algotrendy_common.events.market import BarUpdated, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import AlertRaised, AuditRecorded, MessageDeadLettered, ServiceHealthChanged
from algotrendy_common.events.order import (
    OrderApproved,
    OrderCancelRequested,
    OrderFilled,
    OrderProposed,
    OrderRefused,
    OrderUpdated,
)
from algotrendy_common.events.risk import (
    ApprovalDecided,
    ApprovalRequested,
    HaltChanged,
    RiskBreached,
    RiskStateChanged,
)
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged

from algotrendy_gateway.adapters.peers import Peers
from algotrendy_gateway.adapters.session_cache import SessionCache
from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.handlers import Handlers
from algotrendy_gateway.library import Library
from algotrendy_gateway.page import Pages
from algotrendy_gateway.people import People
from algotrendy_gateway.pulse import Pulse
from algotrendy_gateway.security.gate import Gate
from algotrendy_gateway.security.passwords import Passwords
from algotrendy_gateway.security.throttle import Throttle
from algotrendy_gateway.security.tokens import AccessTokens
from algotrendy_gateway.settings import GatewaySettings
from algotrendy_gateway.steering import Steering
from algotrendy_gateway.store.alerts import Alerts
from algotrendy_gateway.store.audit import AuditTrail
from algotrendy_gateway.store.proposals import Proposals
from algotrendy_gateway.store.sessions import Sessions
from algotrendy_gateway.store.users import Users
from algotrendy_gateway.stream.hub import Hub
from algotrendy_gateway.synchronise import Synchroniser
from algotrendy_gateway.web import Parts, build_web


def build_app(settings: GatewaySettings, *, clock: Clock | None = None) -> App:
    app = App("gateway", settings, clock=clock)
    database = app.uses_database(size=10)
    redis_url = settings.redis_url.get_secret_value()

    users, sessions, proposals = Users(database), Sessions(database), Proposals(database)
    alerts, trail = Alerts(database), AuditTrail(database)
    auditor = Auditor(database, trail, app.events)
    passwords, cache = Passwords(), SessionCache(redis_url)
    throttle = Throttle(redis_url, settings.requests_limit, settings.orders_limit)
    tokens = AccessTokens(
        settings.token_key.get_secret_value(), settings.retired_token_keys, settings.access_life, app.clock
    )
    gate = Gate(
        database,
        users,
        sessions,
        cache,
        passwords,
        tokens,
        throttle,
        auditor,
        app.clock,
        idle=settings.refresh_idle,
        session_life=settings.session_life,
    )

    board, peers = Board(), Peers(app.bus)
    hub = Hub(max_clients=settings.max_stream_clients, max_per_session=settings.max_streams_per_session)
    handlers = Handlers(board, hub, alerts, app.clock)
    desk = Desk(database, proposals, auditor, peers, board, app.events, app.clock)
    steering = Steering(database, auditor, peers, board, app.events)
    library = Library(board, peers, proposals, handlers.on_order, app.clock)
    pulse = Pulse(board, hub, sessions, alerts, app.clock)
    people = People(database, users, passwords, auditor, app.clock)

    app.reads(QuoteChanged, handlers.on_quote)
    app.reads(TradePrinted, handlers.on_trade)
    app.reads(BarUpdated, handlers.on_bar)
    app.reads(FeedHealthChanged, handlers.on_feed)
    app.reads(SignalRaised, handlers.on_signal)
    app.reads(StrategyStateChanged, handlers.on_strategy)
    app.reads(OrderProposed, handlers.on_order)
    app.reads(OrderApproved, handlers.on_order)
    app.reads(OrderRefused, handlers.on_order)
    app.reads(OrderUpdated, handlers.on_order)
    app.reads(OrderFilled, handlers.on_fill)
    app.reads(PositionChanged, handlers.on_position)
    app.reads(BalanceChanged, handlers.on_balance)
    app.reads(AccountReconciled, handlers.on_reconciled)
    app.reads(RiskStateChanged, handlers.on_risk_state)
    app.reads(RiskBreached, handlers.on_breach)
    app.reads(HaltChanged, handlers.on_halt)
    app.reads(ApprovalRequested, handlers.on_approval_requested)
    app.reads(ProtectionChanged, handlers.on_protection)
    app.reads(BacktestProgressed, handlers.on_backtest_progress)
    app.reads(BacktestFinished, handlers.on_backtest_result)
    app.reads(ServiceHealthChanged, handlers.on_heartbeat)
    app.reads(AlertRaised, handlers.on_alert)
    app.reads(MessageDeadLettered, handlers.on_dead_letter)
    app.publishes(OrderProposed, OrderCancelRequested, ApprovalDecided, BacktestRequested, AuditRecorded)

    if settings.demo_password is not None:
        demo_password = settings.demo_password.get_secret_value()
        app.before_reading(lambda: people.seed_demo(demo_password))
    synchroniser = Synchroniser(board, handlers, peers, app.clock)
    handlers.on_moved = synchroniser.soon
    app.runs("synchronise", synchroniser.run)
    app.runs("flush", hub.flush_forever)
    app.runs("pulse", pulse.beat_forever)
    app.runs("prune", pulse.prune_forever)
    app.on_stop(hub.close)
    app.on_stop(cache.close)

    app.serves(
        build_web(
            Parts(
                settings=settings,
                health=app.health,
                clock=app.clock,
                gate=gate,
                throttle=throttle,
                board=board,
                hub=hub,
                desk=desk,
                steering=steering,
                library=library,
                peers=peers,
                alerts=alerts,
                trail=trail,
            ),
            Pages(settings.page_dir),
        )
    )
    return app

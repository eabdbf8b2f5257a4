"""The risk service on real NATS and PostgreSQL."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from algotrendy_common import subjects
from algotrendy_common.approval import Signer, Verifier
from algotrendy_common.enums import FeedState, OrderStatus
from algotrendy_common.errors import Refused
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import OrderApproved, OrderProposed, OrderRefused
from algotrendy_common.events.risk import RiskBreached, TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.rpc.risk import HaltAsked, RefusalsAsked, ResumeAsked, StateAsked
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually
from algotrendy_risk.service import build_app
from algotrendy_risk.settings import RiskSettings

SEED = "11" * 32


@pytest.fixture
def trading(servers, elsewhere_of, making):
    """``async with trading(**limits) as elsewhere``: an account of 100,000 USDT that may trade."""

    @asynccontextmanager
    async def start(**limits):
        account = f"test-{new_id()[:12]}"
        elsewhere = elsewhere_of(account)
        app = build_app(load(RiskSettings, "risk", making.environment(servers, account, **limits)))
        async with elsewhere.running(), app.running():
            await making.ready(elsewhere)
            yield elsewhere

    return start


async def decided(elsewhere, terms, within_s: float = 60.0):
    return await eventually(lambda: elsewhere.verdict(terms.order_id), within_s)


async def test_an_order_within_the_limits_is_approved_signed_and_reserved(trading):
    async with trading() as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal("0.5"))
        approved = await decided(elsewhere, terms)
        assert isinstance(approved, OrderApproved)
        assert approved.terms == terms
        assert approved.notional == Decimal("10000")
        assert approved.expires_at > approved.received_time
        assert Verifier(Signer(SEED).public_key).genuine(approved)
        await eventually(lambda: elsewhere.state.exposure_reserved == Decimal("10000"))


async def test_a_refusal_names_the_limit_and_can_be_read_again(trading):
    async with trading() as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal(4))
        refused = await decided(elsewhere, terms)
        assert isinstance(refused, OrderRefused)
        assert (refused.code, refused.limit, refused.observed) == ("max_order_notional", "50000", "80000")
        answer = await elsewhere.ask(risk.REFUSALS, RefusalsAsked(account=elsewhere.account))
        assert [row.terms.order_id for row in answer.refusals] == [terms.order_id]


async def test_the_same_proposal_and_the_same_order_are_decided_once(trading):
    async with trading() as elsewhere:
        terms = elsewhere.terms()
        event = elsewhere.apps["agent"].events.make(OrderProposed, terms=terms, origin={"source": "strategy"})
        again = event.model_copy(update={"event_id": new_id()})
        for proposal in (event, event, again):
            await elsewhere.apps["agent"].bus.publish(proposal)
        last = await elsewhere.propose(symbol="LTC-USDT", quantity=Decimal(1))
        await decided(elsewhere, last)
        assert len(elsewhere.verdicts(terms.order_id)) == 1


async def test_another_order_under_a_known_id_is_dead_lettered_and_changes_nothing(trading):
    async with trading() as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal("0.1"))
        await decided(elsewhere, terms)
        await elsewhere.propose(order_id=terms.order_id, quantity=Decimal("0.2"))
        letter = await eventually(lambda: dead_letter(elsewhere, terms.order_id))
        assert "order_id_reused" in letter.error or "another order has this id" in letter.error
        assert len(elsewhere.verdicts(terms.order_id)) == 1


async def test_a_malformed_proposal_is_dead_lettered_and_the_service_goes_on(trading):
    async with trading() as elsewhere:
        broken = new_id()
        client = elsewhere.apps["agent"].bus.client
        await client.publish("order.proposed", f'{{"kind": "OrderProposed", "event_id": "{broken}"}}'.encode())
        letter = await eventually(lambda: dead_letter(elsewhere, broken))
        assert letter.service == "risk"
        assert letter.subject == "order.proposed"
        assert isinstance(await decided(elsewhere, await elsewhere.propose()), OrderApproved)


def dead_letter(elsewhere, text: str) -> MessageDeadLettered | None:
    letters = [event for event in elsewhere.heard if isinstance(event, MessageDeadLettered)]
    return next((letter for letter in letters if text in letter.body), None)


async def test_64_orders_at_the_edge_of_a_limit_never_overshoot(trading):
    """Each order is 4,000 and 40,000 may be held: ten fit, whoever proposes them."""
    async with trading(
        max_position_notional=Decimal(40_000), max_open_orders=100, max_orders=1000, duplicate_window="PT0S"
    ) as elsewhere:
        orders = await asyncio.gather(
            *(elsewhere.propose(("agent", "gateway")[i % 2], quantity=Decimal("0.2")) for i in range(64))
        )
        verdicts = [await decided(elsewhere, terms) for terms in orders]
        approved = [verdict for verdict in verdicts if isinstance(verdict, OrderApproved)]
        assert sum(verdict.notional for verdict in approved) == Decimal(40_000)
        assert {verdict.code for verdict in verdicts if isinstance(verdict, OrderRefused)} == {"max_position"}


async def test_a_reservation_lives_until_the_order_ends_and_its_fills_are_seen(trading):
    async with trading() as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal("0.5"))
        await decided(elsewhere, terms)
        await elsewhere.update(terms, OrderStatus.OUTCOME_UNKNOWN, 3)
        await elsewhere.update(terms, OrderStatus.LOST, 4)
        await elsewhere.update(terms, OrderStatus.PARTIALLY_FILLED, 5, filled="0.2")
        trade = await elsewhere.fill(terms, "0.2", "20000")
        await elsewhere.hold("0.2", price="20000")
        await elsewhere.cash("96000")
        await eventually(lambda: elsewhere.state.exposure_reserved == Decimal(6000))
        await elsewhere.fill(terms, "0.2", "20000", trade.trade_id)
        await elsewhere.update(terms, OrderStatus.FILLED, 6, filled="0.5")
        await elsewhere.fill(terms, "0.3", "20000")
        await elsewhere.hold("0.5", price="20000")
        await elsewhere.cash("90000")
        await eventually(lambda: elsewhere.state.exposure_reserved == 0 and elsewhere.state.cash == Decimal(90_000))
        assert elsewhere.state.equity == Decimal(100_000)
        assert elsewhere.state.day_pnl == 0
        await elsewhere.quote("21000")
        await eventually(lambda: elsewhere.state.day_pnl == Decimal(500))
        assert elsewhere.state.exposure_gross == Decimal(10_500)


async def test_the_day_s_loss_stops_increases_lets_reductions_pass_and_is_a_breach(trading):
    async with trading(max_daily_loss=Decimal(1000), max_drift=Decimal(1)) as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal(1))
        await decided(elsewhere, terms)
        await elsewhere.fill(terms, "1", "20000")
        await elsewhere.update(terms, OrderStatus.FILLED, 3, filled="1")
        await elsewhere.hold("1", price="20000")
        await elsewhere.cash("80000")
        await eventually(lambda: elsewhere.state.cash == Decimal(80_000))
        await elsewhere.quote("18900")
        breach = await eventually(lambda: next((e for e in elsewhere.heard if isinstance(e, RiskBreached)), None))
        assert (breach.code, breach.limit, breach.observed) == ("max_daily_loss", "1000", "1100")
        assert (await decided(elsewhere, await elsewhere.propose(quantity=Decimal("0.1")))).code == "max_daily_loss"
        exit_order = await elsewhere.propose(side="sell", quantity=Decimal(1), reduce_only=True)
        assert isinstance(await decided(elsewhere, exit_order), OrderApproved)


async def test_a_drawdown_halts_and_a_person_resumes(trading):
    async with trading(max_drawdown=Decimal("0.01"), max_daily_loss=Decimal(90_000), max_drift=Decimal(1)) as elsewhere:
        terms = await elsewhere.propose(quantity=Decimal(1))
        await decided(elsewhere, terms)
        await elsewhere.fill(terms, "1", "20000")
        await elsewhere.update(terms, OrderStatus.FILLED, 3, filled="1")
        await elsewhere.hold("1", price="20000")
        await elsewhere.cash("80000")
        await eventually(lambda: elsewhere.state.cash == Decimal(80_000))
        await elsewhere.quote("18000")
        await eventually(lambda: elsewhere.state.trading_state is TradingState.HALTED)
        assert elsewhere.state.halted_by == "risk"
        exit_order = await elsewhere.propose(side="sell", quantity=Decimal(1), reduce_only=True)
        assert (await decided(elsewhere, exit_order)).code == "account_halted"
        asked = ResumeAsked(account=elsewhere.account, by="ada", reason="looked at it")
        assert not (await elsewhere.ask(risk.RESUME, asked)).released
        assert not (await elsewhere.ask(risk.RESUME, asked)).released
        assert elsewhere.state.trading_state is TradingState.HALTED
        second = asked.model_copy(update={"by": "bob"})
        assert (await elsewhere.ask(risk.RESUME, second)).released
        await eventually(lambda: elsewhere.state.trading_state is TradingState.ACTIVE)
        await asyncio.sleep(1.5)
        assert elsewhere.state.trading_state is TradingState.ACTIVE
        assert any(row.code == "max_drawdown" for row in elsewhere.heard if isinstance(row, RiskBreached))


async def test_a_halt_survives_a_restart(servers, elsewhere_of, making):
    account = f"test-{new_id()[:12]}"
    elsewhere = elsewhere_of(account)
    settings = load(RiskSettings, "risk", making.environment(servers, account))
    async with elsewhere.running():
        async with build_app(settings).running():
            await making.ready(elsewhere)
            done = await elsewhere.ask(risk.HALT, HaltAsked(account=account, by="tom", reason="test"))
            assert done.states[0].trading_state is TradingState.HALTED
            refused = await decided(elsewhere, await elsewhere.propose())
            assert refused.code == "account_halted"
        async with build_app(settings).running():
            answer = await elsewhere.ask(risk.STATE, StateAsked(account=account))
            assert (answer.state.halted_by, answer.state.halted_reason) == ("tom", "test")
            assert answer.equity_curve[-1].equity == Decimal(100_000)
            refused = await decided(elsewhere, await elsewhere.propose())
            assert refused.code == "account_halted"


async def test_a_stream_that_lost_messages_halts_every_account(trading):
    async with trading() as elsewhere:
        await elsewhere.say(
            "agent", AlertRaised, service="agent", severity="critical", code="stream_regressed",
            message="stream ORDERS lost messages", context={},
        )  # fmt: skip
        await eventually(lambda: elsewhere.state.trading_state is TradingState.HALTED)
        assert "ORDERS" in elsewhere.state.halted_reason
        # It stands over every account there is: those of the other tests too.
        for by in ("ada", "bob"):
            await elsewhere.ask(risk.RESUME, ResumeAsked(account=None, by=by, reason="looked at it"))


@pytest.mark.parametrize(
    ("state", "stale", "code"),
    [
        (FeedState.DOWN, (), "feed_down"),
        (FeedState.STALE, (), "feed_stale"),
        (FeedState.LIVE, ("BTC-USDT",), "feed_stale"),
    ],
)
async def test_a_feed_that_is_not_well_refuses(trading, state, stale, code):
    async with trading() as elsewhere:
        await elsewhere.feed(state, stale)
        refused = await eventually(lambda: refusal(elsewhere))
        assert refused.code == code


async def refusal(elsewhere) -> OrderRefused | None:
    """Of one more order; None where it was approved, because the news had not come yet."""
    verdict = await decided(elsewhere, await elsewhere.propose(quantity=Decimal("0.01")))
    return verdict if isinstance(verdict, OrderRefused) else None


async def test_books_that_nobody_confirms_any_more_refuse(trading):
    async with trading(max_account_age="PT1S") as elsewhere:
        elsewhere.silent = True
        await eventually(lambda: elsewhere.state.trading_state is TradingState.RECONCILING)
        refused = await decided(elsewhere, await elsewhere.propose())
        assert refused.code == "account_reconciling"
        elsewhere.silent = False
        await eventually(lambda: elsewhere.state.trading_state is TradingState.ACTIVE)


async def test_a_reconciliation_that_failed_refuses(trading):
    async with trading() as elsewhere:
        await elsewhere.reconcile(ok=False)
        await eventually(lambda: elsewhere.state.trading_state is TradingState.RECONCILING)
        assert (await decided(elsewhere, await elsewhere.propose())).code == "account_reconciling"


async def test_an_account_that_is_not_kept_is_refused(trading):
    async with trading() as elsewhere:
        terms = await elsewhere.propose(account="nobody")
        assert (await decided(elsewhere, terms)).code == "account_unknown"
        with pytest.raises(Refused):
            await elsewhere.ask(risk.STATE, StateAsked(account="nobody"))


async def test_an_approval_nobody_speaks_of_is_released_only_by_the_broker_gateway(servers, elsewhere_of, making):
    account = f"test-{new_id()[:12]}"
    elsewhere = elsewhere_of(account)
    quick = {"ALGOTRENDY_RISK_APPROVAL_LIFETIME": "PT0.1S", "ALGOTRENDY_RISK_OVERDUE_AFTER": "PT0.1S"}
    app = build_app(load(RiskSettings, "risk", making.environment(servers, account) | quick))
    async with elsewhere.running(), app.running():
        await making.ready(elsewhere)
        terms = await elsewhere.propose()
        await decided(elsewhere, terms)
        await asyncio.sleep(1.5)
        assert elsewhere.state.exposure_reserved == Decimal(10_000)
        event = await elsewhere.update(elsewhere.terms(), OrderStatus.CANCELLED, 2)
        # Behind a page full of newer orders.
        elsewhere.page = 2
        for number in range(5):
            other = elsewhere.terms()
            newer = {"terms": other, "created_at": event.created_at + timedelta(seconds=number + 1)}
            elsewhere.orders[other.order_id] = event.model_copy(update=newer)
        elsewhere.orders[terms.order_id] = event.model_copy(update={"terms": terms})
        await eventually(lambda: elsewhere.state.exposure_reserved == 0)


@asynccontextmanager
async def risk_process(env: dict[str, str], log: Path):
    """The real program, started; ``kill`` it at will. What it says is kept, and told where it does not start."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "algotrendy_risk", env=os.environ | env, stdout=output, stderr=output
        )
    try:
        # By its own word: on a machine that does ten other things the imports alone can take a minute.
        await eventually(lambda: process.returncode is not None or "service started" in said(log), 240)
        assert process.returncode is None, said(log)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        print(said(log))


def said(log: Path) -> str:
    return log.read_text()


async def test_kill_9_under_load_decides_every_order_once_and_within_the_limit(servers, elsewhere_of, making, tmp_path):
    account = f"test-{new_id()[:12]}"
    elsewhere = elsewhere_of(account)
    env = making.environment(
        servers, account, max_position_notional=Decimal(40_000), max_open_orders=100, max_orders=1000,
        duplicate_window="PT0S", max_proposal_age="PT1M", max_data_age="PT1M", max_feed_silence="PT1M",
    )  # fmt: skip
    async with elsewhere.running():
        orders = []
        async with risk_process(env, tmp_path / "first.log") as first:
            await making.ready(elsewhere)
            for _ in range(12):
                orders.append(await elsewhere.propose(quantity=Decimal("0.1")))
            await decided(elsewhere, orders[2], within_s=60)
            first.kill()
            await first.wait()
        for _ in range(12):
            orders.append(await elsewhere.propose(quantity=Decimal("0.1")))
        async with risk_process(env, tmp_path / "second.log"):
            # What the killed process had taken and not acknowledged comes again after the server's wait.
            for terms in orders:
                await decided(elsewhere, terms, within_s=60)
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("risk"))
    try:
        rows = await connection.fetch("SELECT order_id, approved FROM decision WHERE account = $1", account)
        reserved = await connection.fetchval(
            "SELECT sum(price * (terms->>'quantity')::numeric) FROM reservation WHERE account = $1", account
        )
        told = await connection.fetchval(
            "SELECT count(*) FROM outbox WHERE subject = 'order.approved' AND body LIKE '%' || $1 || '%'", account
        )
    finally:
        await connection.close()
    assert {row["order_id"] for row in rows} == {terms.order_id for terms in orders}
    approved = [row for row in rows if row["approved"]]
    assert len(approved) == told > 0
    assert reserved <= Decimal(40_000)
    by_order = {terms.order_id: {e.event_id for e in elsewhere.verdicts(terms.order_id)} for terms in orders}
    assert all(len(events) == 1 for events in by_order.values())


async def test_the_service_is_what_the_catalogue_says(servers, making):
    app = build_app(load(RiskSettings, "risk", making.environment(servers, "paper-1")))
    owned = {event for row in subjects.CATALOGUE if "risk" in row.owners for event in row.events}
    read = {row.pattern for row in subjects.CATALOGUE if "risk" in row.readers}
    assert {reading.row.pattern for reading in app.bus.readings} == read
    assert {event.__name__ for event in owned - app.published} <= {
        "AlertRaised",
        "MessageDeadLettered",
        "OrderCancelRequested",
    }
    assert set(app.bus.answered) == {call.subject for call in CALLS if call.service == "risk"}

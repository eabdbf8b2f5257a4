"""What people command, on real NATS and PostgreSQL: halts, limits, approvals, switches, and what they are shown."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from algotrendy_common.approval import Signer, Verifier
from algotrendy_common.enums import HaltLevel, OrderStatus, ProtectionState
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.account import ProtectionChanged
from algotrendy_common.events.order import OrderApproved, OrderRefused
from algotrendy_common.events.risk import RiskBreached, TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.risk import (
    EnableAsked,
    HaltAsked,
    LimitsAsked,
    PortfolioAsked,
    RefusalsAsked,
    ResumeAsked,
    SetLimitsAsked,
)
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually
from algotrendy_risk.service import build_app
from algotrendy_risk.settings import RiskSettings


@pytest.fixture
def desk(servers, elsewhere_of, making):
    """``async with desk(**limits) as elsewhere``: an account of 100,000 USDT that may trade, and people around it."""

    @asynccontextmanager
    async def start(settings: dict[str, str] | None = None, **limits):
        elsewhere = elsewhere_of(f"test-{new_id()[:12]}")
        environment = making.environment(servers, elsewhere.account, **limits) | (settings or {})
        async with elsewhere.running(), build_app(load(RiskSettings, "risk", environment)).running():
            await making.ready(elsewhere)
            yield elsewhere

    return start


async def decided(elsewhere, terms):
    return await eventually(lambda: elsewhere.verdict(terms.order_id), 20)


async def release(elsewhere, account=None, strategy=None) -> None:
    for by in ("ada", "bob"):
        asked = ResumeAsked(account=account, strategy=strategy, by=by, reason="done")
        done = await elsewhere.ask(risk.RESUME, asked)
    assert done.released


# ── halts ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_strategy_s_halt_stops_that_strategy_alone_and_passes_flatten_on(desk):
    async with desk() as elsewhere:
        asked = HaltAsked(account=None, strategy="wild", by="tom", reason="odd", flatten=True)
        done = await elsewhere.ask(risk.HALT, asked)
        assert [(row.level, row.key, row.flatten) for row in done.halts if row.key == "wild"] == [
            (HaltLevel.STRATEGY, "wild", True)
        ]
        told = (await eventually(lambda: elsewhere.halts("wild")))[0]
        assert (told.engaged, told.by, told.flatten) == (True, "tom", True)
        assert (await decided(elsewhere, await elsewhere.propose(strategy="wild"))).code == "strategy_halted"
        assert isinstance(await decided(elsewhere, await elsewhere.propose(strategy="tame")), OrderApproved)
        assert elsewhere.state.trading_state is TradingState.ACTIVE
        await release(elsewhere, strategy="wild")
        approved = await decided(elsewhere, await elsewhere.propose(strategy="wild", quantity=Decimal("0.1")))
        assert isinstance(approved, OrderApproved)
        assert {row.code for row in elsewhere.alerts("halt_engaged")} == {"halt_engaged"}


async def test_everything_is_halted_released_by_two_and_the_kill_file_stands_above_both(desk, tmp_path):
    kill_file = tmp_path / "KILL"
    async with desk({"ALGOTRENDY_RISK_KILL_FILE": str(kill_file)}) as elsewhere:
        await elsewhere.ask(risk.HALT, HaltAsked(account=None, by="tom", reason="drill"))
        assert (await decided(elsewhere, await elsewhere.propose())).code == "global_halted"
        await eventually(lambda: elsewhere.state.trading_state is TradingState.HALTED)
        await release(elsewhere)
        await eventually(lambda: elsewhere.state.trading_state is TradingState.ACTIVE)
        kill_file.write_text("smoke in the room\nmore")
        await eventually(lambda: elsewhere.state.trading_state is TradingState.HALTED)
        assert (elsewhere.state.halted_by, elsewhere.state.halted_reason) == ("kill file", "smoke in the room")
        with pytest.raises(Refused, match="kill file"):
            await elsewhere.ask(risk.RESUME, ResumeAsked(account=None, by="ada", reason="?"))
        kill_file.unlink()
        await asyncio.sleep(0.2)
        assert elsewhere.state.trading_state is TradingState.HALTED
        await release(elsewhere)
        with pytest.raises(Refused, match="no such halt"):
            await elsewhere.ask(risk.RESUME, ResumeAsked(account=None, by="ada", reason="?"))


async def test_a_halt_is_in_force_at_once_without_postgresql_and_stored_when_it_is_back(desk, servers):
    async with desk() as elsewhere:
        await servers.kill("postgres")
        try:
            begun = asyncio.get_running_loop().time()
            asked = HaltAsked(account=elsewhere.account, by="tom", reason="no database")
            answering = asyncio.create_task(elsewhere.ask(risk.HALT, asked))
            await eventually(lambda: elsewhere.halts(elsewhere.account))
            took = asyncio.get_running_loop().time() - begun
            done = await answering
            assert done.states[0].trading_state is TradingState.HALTED
            assert took < 1.0
        finally:
            await servers.start("postgres")
        halts = await elsewhere.ask(risk.HALTS, Nothing())
        assert elsewhere.account in {row.key for row in halts.halts}
        assert (await decided(elsewhere, await elsewhere.propose())).code == "account_halted"
        await eventually(lambda: len({row.event_id for row in elsewhere.halts(elsewhere.account)}) >= 2, 20)


async def test_two_of_us_obey_a_halt_and_its_release_whoever_heard_of_it(servers, elsewhere_of, making):
    elsewhere = elsewhere_of(f"test-{new_id()[:12]}")
    # One may approve for many rounds before the other has heard: no limit is to end that but the halt.
    counts = ("max_open_orders", "max_orders", "max_strategy_orders", "max_instrument_orders")
    plenty = {"duplicate_window": "PT0S", "max_data_age": "PT10M"} | dict.fromkeys(counts, 10_000)
    settings = load(RiskSettings, "risk", making.environment(servers, elsewhere.account, **plenty))
    async with elsewhere.running(), build_app(settings).running(), build_app(settings).running():
        await making.ready(elsewhere)
        await elsewhere.ask(risk.HALT, HaltAsked(account=elsewhere.account, by="tom", reason="drill"))
        refused = [await elsewhere.propose(quantity=Decimal(f"0.0{number + 1}")) for number in range(6)]
        codes = [(await decided(elsewhere, terms)).code for terms in refused]
        # Whoever has not heard of it yet may have found another reason: an approval could not have been stored.
        assert "account_halted" in codes
        await release(elsewhere, account=elsewhere.account)

        async def both_approve() -> bool:
            orders = [await elsewhere.propose(user="tom", quantity=Decimal("0.001")) for _ in range(4)]
            said = [await decided(elsewhere, terms) for terms in orders]
            return all(isinstance(verdict, OrderApproved) for verdict in said)

        await eventually(both_approve, 20)


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_limits_are_changed_by_a_person_with_a_reason_over_the_newest_version(desk):
    async with desk() as elsewhere:
        asked = LimitsAsked(account=elsewhere.account)
        first = (await elsewhere.ask(risk.LIMITS, asked)).versions[0]
        assert (first.version, first.set_by) == (1, "settings")
        document = first.document | {"max_order_notional": "9000"}
        change = SetLimitsAsked(
            account=elsewhere.account, version=1, document=document, by="ada", reason="smaller for a while"
        )
        stored = await elsewhere.ask(risk.SET_LIMITS, change)
        assert (stored.version, stored.set_by, stored.reason) == (2, "ada", "smaller for a while")
        refused = await decided(elsewhere, await elsewhere.propose(quantity=Decimal("0.5")))
        assert (refused.code, refused.limit) == ("max_order_notional", "9000")
        with pytest.raises(Refused) as late:
            await elsewhere.ask(risk.SET_LIMITS, change)
        assert late.value.code == "limits_changed"
        for broken in ({"max_order_notional": "-1"}, {"no_such_limit": 1}, {"price_collar": None}):
            with pytest.raises(Refused) as wrong:
                await elsewhere.ask(
                    risk.SET_LIMITS, change.model_copy(update={"version": 2, "document": document | broken})
                )
            assert wrong.value.code == "limits_invalid"
        history = (await elsewhere.ask(risk.LIMITS, asked)).versions
        assert [row.version for row in history] == [2, 1]
        assert history[1].document["max_order_notional"] == "50000"
        alert = (await eventually(lambda: elsewhere.alerts("limits_changed")))[0]
        assert alert.context["max_order_notional"] == "50000 -> 9000"


async def test_two_people_who_change_limits_at_once_cannot_both(desk):
    async with desk() as elsewhere:
        document = (await elsewhere.ask(risk.LIMITS, LimitsAsked(account=elsewhere.account))).versions[0].document
        changes = [
            SetLimitsAsked(
                account=elsewhere.account,
                version=1,
                document=document | {"max_open_orders": number},
                by="x",
                reason="r",
            )
            for number in range(1, 9)
        ]
        answers = await asyncio.gather(
            *(elsewhere.ask(risk.SET_LIMITS, change) for change in changes), return_exceptions=True
        )
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"limits_changed"}


# ── approvals ───────────────────────────────────────────────────────────────────────────────────────────────────


async def asked_about(elsewhere, **changes):
    terms = await elsewhere.propose(user="tom", **changes)
    return terms, (await eventually(lambda: elsewhere.asked(terms.order_id)))[0]


async def test_a_large_order_waits_for_another_person_whose_word_binds_to_its_terms(desk):
    async with desk(approval_notional="9000") as elsewhere:
        terms, asked = await asked_about(elsewhere)
        assert (asked.code, asked.limit, asked.observed) == ("approval_notional", "9000", "10000")
        pending = await elsewhere.ask(risk.PENDING, Nothing())
        assert terms.order_id in {row.terms.order_id for row in pending.approvals}
        assert elsewhere.verdict(terms.order_id) is None
        assert elsewhere.state.exposure_reserved == 0
        await elsewhere.decide(asked, "tom")
        await elsewhere.decide(asked, "ada", quantity=Decimal("0.6"))
        await eventually(lambda: len(elsewhere.alerts("approval_ignored")) == 2)
        assert elsewhere.verdict(terms.order_id) is None
        word = await elsewhere.decide(asked, "ada")
        approved = await decided(elsewhere, terms)
        assert isinstance(approved, OrderApproved)
        assert approved.terms == terms
        assert Verifier(Signer("11" * 32).public_key).genuine(approved)
        assert approved.expires_at > word.received_time
        await elsewhere.decide(asked, "bob", approved=False)
        await eventually(lambda: len(elsewhere.alerts("approval_ignored")) == 3)
        assert len(elsewhere.verdicts(terms.order_id)) == 1
        await eventually(lambda: elsewhere.state.exposure_reserved == Decimal(10_000))


async def test_no_is_a_refusal_and_so_is_silence(desk):
    async with desk(approval_notional="9000", approval_timeout="PT1S") as elsewhere:
        terms, asked = await asked_about(elsewhere)
        await elsewhere.decide(asked, "ada", approved=False)
        refused = await decided(elsewhere, terms)
        assert isinstance(refused, OrderRefused)
        assert (refused.code, "ada" in refused.message) == ("approval_refused", True)
        silent, asked = await asked_about(elsewhere, quantity=Decimal("0.6"))
        assert (await decided(elsewhere, silent)).code == "approval_timeout"
        await elsewhere.decide(asked, "ada")
        await eventually(lambda: elsewhere.alerts("approval_ignored"))
        assert len(elsewhere.verdicts(silent.order_id)) == 1
        answer = await elsewhere.ask(risk.REFUSALS, RefusalsAsked(account=elsewhere.account))
        assert {row.code for row in answer.refusals} == {"approval_refused", "approval_timeout"}


async def test_a_price_that_has_left_asks_again_and_everything_is_checked_once_more(desk):
    async with desk(approval_notional="9000", max_drift="1") as elsewhere:
        terms, asked = await asked_about(elsewhere)
        await elsewhere.quote("22000")
        await elsewhere.decide(asked, "ada")
        again = (await eventually(lambda: elsewhere.asked(terms.order_id)[1:]))[0]
        assert (again.asked_again, again.code, again.reference_price) == (True, "price_moved", Decimal(22_000))
        assert elsewhere.verdict(terms.order_id) is None
        await elsewhere.ask(risk.HALT, HaltAsked(account=elsewhere.account, by="tom", reason="drill"))
        await elsewhere.decide(again, "ada")
        assert (await decided(elsewhere, terms)).code == "account_halted"


# ── the throttle ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_strategy_that_keeps_firing_is_switched_off_until_a_person_enables_it(desk):
    strategy = f"s{new_id()[:8]}"
    async with desk(max_repeats=3) as elsewhere:
        for number in range(3):
            terms = await elsewhere.propose(strategy=strategy, quantity=Decimal(f"0.0{number + 1}"))
            assert isinstance(await decided(elsewhere, terms), OrderApproved)
        tripped = await decided(elsewhere, await elsewhere.propose(strategy=strategy, quantity=Decimal("0.05")))
        assert tripped.code == "execution_throttle"
        await eventually(lambda: elsewhere.alerts("strategy_switched_off"))
        assert any(row.code == "execution_throttle" for row in elsewhere.heard if isinstance(row, RiskBreached))
        other_side = await elsewhere.propose(strategy=strategy, side="sell", quantity=Decimal("0.01"))
        assert (await decided(elsewhere, other_side)).code == "strategy_switched_off"
        assert isinstance(await decided(elsewhere, await elsewhere.propose(user="tom")), OrderApproved)
        await elsewhere.ask(risk.ENABLE, EnableAsked(strategy=strategy, by="ada", reason="mended"))
        again = await decided(elsewhere, await elsewhere.propose(strategy=strategy, quantity=Decimal("0.06")))
        assert isinstance(again, OrderApproved)
        with pytest.raises(Refused):
            await elsewhere.ask(risk.ENABLE, EnableAsked(strategy=strategy, by="ada", reason="again"))


# ── what they are shown ─────────────────────────────────────────────────────────────────────────────────────────


async def traded(elsewhere, side, quantity, price, strategy) -> None:
    terms = elsewhere.terms(side=side, quantity=Decimal(quantity))
    await elsewhere.fill(terms, quantity, price, strategy=strategy)


async def test_the_portfolio_follows_from_fills_and_marks(desk, servers, making):
    async with desk() as elsewhere:
        await traded(elsewhere, "buy", "1", "20000", "alpha")
        await traded(elsewhere, "sell", "1", "20500", "alpha")
        await traded(elsewhere, "buy", "2", "20000", "beta")
        await traded(elsewhere, "sell", "1", "19800", "beta")
        await elsewhere.hold("1", price="20000")
        await elsewhere.cash("80300")
        await elsewhere.quote("20100")

        async def portfolio(**asked):
            return await elsewhere.ask(risk.PORTFOLIO, PortfolioAsked(**asked))

        async def complete() -> bool:
            whole = await portfolio(account=elsewhere.account)
            curves = [
                (await portfolio(strategy=name, account=elsewhere.account)).equity_curve for name in ("alpha", "beta")
            ]
            return whole.equity == Decimal(100_400) and all(curves) and whole.equity_curve[-1].equity == whole.equity

        await eventually(complete)
        account = await portfolio(account=elsewhere.account)
        assert (account.realised_pnl, account.unrealised_pnl) == (Decimal(300), Decimal(100))
        assert (account.exposure_gross, account.exposure_net) == (Decimal(20_100), Decimal(20_100))
        assert [(row.quantity, row.average_price) for row in account.positions] == [(1, 20_000)]
        alpha = await portfolio(account=elsewhere.account, strategy="alpha")
        assert (alpha.realised_pnl, alpha.unrealised_pnl, alpha.statistics.trades) == (Decimal(500), 0, 1)
        assert (alpha.statistics.win_rate, alpha.statistics.profit_factor) == (1.0, None)
        beta = await portfolio(account=elsewhere.account, strategy="beta")
        assert (beta.realised_pnl, beta.unrealised_pnl, beta.statistics.trades) == (Decimal(-200), Decimal(100), 0)
        assert [row.quantity for row in beta.positions] == [1]
        whole = await portfolio()
        assert elsewhere.account in {row.account for row in whole.positions}
        with pytest.raises(Refused):
            await portfolio(account="nobody")
    # The same after a restart: from what is stored.
    again = elsewhere
    async with (
        again.running(),
        build_app(load(RiskSettings, "risk", making.environment(servers, again.account))).running(),
    ):

        async def kept():
            try:
                return await again.ask(risk.PORTFOLIO, PortfolioAsked(account=again.account, strategy="alpha"))
            except Retryable:
                return None  # it has only just started

        answer = await eventually(kept)
        assert (answer.realised_pnl, answer.statistics.trades) == (Decimal(500), 1)


async def test_a_naked_position_is_a_breach(desk):
    async with desk() as elsewhere:
        fields = {
            "account": elsewhere.account, "venue": "binance", "symbol": "BTC-USDT", "held_by": None,
            "position_quantity": Decimal(1), "stop_price": None, "take_profit_price": None, "trailing_ratio": None,
            "order_ids": (), "detail": "the stop was cancelled",
        }  # fmt: skip
        for revision, state, covered in ((1, ProtectionState.PROTECTED, "1"), (2, ProtectionState.NAKED, "0")):
            await elsewhere.say(
                "broker_gateway", ProtectionChanged, revision=revision, state=state,
                protected_quantity=Decimal(covered), **fields,
            )  # fmt: skip
        breach = await eventually(lambda: next((row for row in elsewhere.heard if isinstance(row, RiskBreached)), None))
        assert (breach.code, breach.limit, breach.observed) == ("position_naked", "1", "0")


async def test_protection_from_the_gateway_leaves_the_way_out_free(desk):
    async with desk() as elsewhere:
        entry = await elsewhere.propose(quantity=Decimal("0.5"))
        await decided(elsewhere, entry)
        await elsewhere.fill(entry, "0.5", "20000")
        await elsewhere.update(entry, OrderStatus.FILLED, 3, filled="0.5")
        await elsewhere.hold("0.5", price="20000")
        await elsewhere.cash("90000")
        stop = elsewhere.terms(
            side="sell", type="stop", trigger_price=Decimal(18_000), quantity=Decimal("0.5"), reduce_only=True
        )
        await elsewhere.update(stop, OrderStatus.OPEN, 1, source="protection")
        await eventually(lambda: elsewhere.state.cash == Decimal(90_000) and elsewhere.state.exposure_reserved == 0)
        leaving = await elsewhere.propose(side="sell", quantity=Decimal("0.5"), reduce_only=True)
        assert isinstance(await decided(elsewhere, leaving), OrderApproved)

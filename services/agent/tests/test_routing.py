"""Another account stands in while a strategy's own venue is away: where orders go, and what stays where it is."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.market import MarketView
from algotrendy_agent.domain.places import Place
from algotrendy_agent.domain.plan import Nothing, Plan, Proposal, order_id_of, plan
from algotrendy_agent.domain.routing import Routes
from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import HaltLevel, Mode, OrderStatus, Side
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.order import OrderFilled, OrderProposed
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually
from algotrendy_core.positions import Position
from algotrendy_core.strategies.registry import strategy_named

HOME, AWAY = "paper-1", "paper-2"
STAND_IN = Place(AWAY, "bybit")
SMA = strategy_named("sma_cross")


def info(account: str, venue: str, stand_in: str | None = None, ready: bool = True) -> AccountInfo:
    return AccountInfo(
        account=account, venue=venue, mode=Mode.PAPER, quote_currency="USDT", ready=ready, stand_in=stand_in
    )


WELL = (info(HOME, "binance"), info(AWAY, "bybit"))
DOWN = (info(HOME, "binance", AWAY, ready=False), info(AWAY, "bybit"))
BOTH_DOWN = (info(HOME, "binance", ready=False), info(AWAY, "bybit", ready=False))


@pytest.fixture
def events(making) -> EventFactory:
    return EventFactory("test", ManualClock(making.BEGINNING))


@pytest.fixture
def routes(making, events) -> Routes:
    """Both venues at 100, the stand-in's coarser; 100,000 at home and 40,000 on the stand-in."""
    market = MarketView()
    for venue, account, equity, step in (("binance", HOME, "100000", "0.00001"), ("bybit", AWAY, "40000", "0.001")):
        market.instruments[venue, "BTC-USDT"] = making.instrument.model_copy(
            update={"venue": venue, "quantity_step": Decimal(step)}
        )
        price, one = Decimal(100), Decimal(1)
        market.take_quote(
            events.make(
                QuoteChanged, venue=venue, symbol="BTC-USDT", bid=price, ask=price, bid_quantity=one, ask_quantity=one
            )
        )
        market.take_account(risk_state(events, account, equity))
    found = Routes(market)
    found.take(WELL)
    return found


def risk_state(events, account: str, equity: str) -> RiskStateChanged:
    zero = Decimal(0)
    return events.make(
        RiskStateChanged, account=account, revision=1, trading_state="active", halted_by=None, halted_reason=None,
        halted_since=None, quote_currency="USDT", equity=Decimal(equity), cash=None, day_pnl=None, day_realised=zero,
        day_unrealised=None, day_fees=zero, exposure_gross=None, exposure_reserved=zero, drawdown_ratio=None, limits=(),
    )  # fmt: skip


def planned(routes, instance, target, making, minute=0) -> Plan:
    around = routes.around(instance, Decimal(100), Decimal("0.01"))
    time = making.BEGINNING + minute * making.MINUTE
    return plan(instance, Decimal(target), bar_time=time, around=around, now=time)


def proposed(routes, instance, target, making, minute=0) -> Proposal:
    made = planned(routes, instance, target, making, minute)
    assert isinstance(made, Proposal)
    return made


def holding(instance: Instance, home: str, abroad: str = "0") -> Instance:
    held = Position("bybit", "BTC-USDT", "BTC", "USDT", Decimal(abroad), Decimal(abroad) * 100)
    return replace(
        instance,
        position=replace(instance.position, quantity=Decimal(home), cost=Decimal(home) * 100),
        abroad={AWAY: held},
        held_target=None,
    )


def placed(made: Proposal) -> tuple[str, str, Decimal]:
    return made.terms.account, made.terms.venue, made.terms.quantity


def test_the_broker_gateways_stand_in_is_followed_and_nothing_else(routes, instance):
    assert routes.wanted(instance.config, SMA) is None
    routes.take(DOWN)
    assert routes.wanted(instance.config, SMA) == STAND_IN
    routes.take((info(HOME, "binance", "nobody-knows"),))
    assert routes.wanted(instance.config, SMA) is None
    assert Routes(MarketView()).wanted(instance.config, SMA) is None


def test_a_ladder_stays_where_its_orders_rest(routes, instance):
    routes.take(DOWN)
    assert routes.wanted(instance.config, strategy_named("grid")) is None
    assert routes.wanted(instance.config, SMA) == STAND_IN


def test_a_new_order_goes_to_the_stand_in_sized_by_its_equity_price_and_steps(routes, instance, making):
    at_home = proposed(routes, instance, "1", making)
    routes.take(DOWN)
    made = proposed(routes, instance.routed(STAND_IN), "1", making)
    assert placed(at_home) == (HOME, "binance", Decimal(495))  # half of 100,000, less one per cent
    assert placed(made) == (AWAY, "bybit", Decimal(198))  # half of 40,000
    # One bar has one order id wherever it orders, so that no second order of it can exist.
    assert made.terms.order_id == at_home.terms.order_id == order_id_of("cross", "BTC-USDT", making.BEGINNING)


def test_while_an_order_at_the_first_venue_is_not_settled_nothing_goes_to_the_second(routes, instance, making):
    order = proposed(routes, instance, "1", making).order
    unknown = replace(instance, order=replace(order, status=OrderStatus.OUTCOME_UNKNOWN)).routed(STAND_IN)
    routes.take(DOWN)
    assert planned(routes, unknown, "1", making, 1) == Nothing("an order is outcome_unknown")


def test_what_is_held_at_a_venue_that_is_away_counts_and_stays_there(routes, instance, making):
    routes.take(DOWN)
    abroad = holding(instance, home="150").routed(STAND_IN)
    assert placed(proposed(routes, abroad, "1", making)) == (AWAY, "bybit", Decimal(48))  # 198 wanted in all
    stuck = planned(routes, abroad, "0", making)
    assert stuck == Nothing(f"no order: what is held on {HOME} cannot be sold now")
    both = holding(instance, home="150", abroad="30.0005").routed(STAND_IN)
    made = proposed(routes, both, "0", making)
    assert placed(made) == (AWAY, "bybit", Decimal(30))  # what it holds there, in that venue's steps
    assert (made.terms.side, made.terms.reduce_only, made.order.clipped) == (Side.SELL, True, True)


def test_back_home_what_was_bought_abroad_is_sold_there_first_and_then_the_rest_at_home(routes, instance, making):
    back = holding(instance, home="150", abroad="30")
    first = proposed(routes, back, "0", making)
    assert placed(first) == (AWAY, "bybit", Decimal(30))
    second = proposed(routes, holding(instance, home="150"), "0", making, 1)
    assert placed(second) == (HOME, "binance", Decimal(150))
    assert not second.order.clipped
    more = proposed(routes, holding(instance, home="0", abroad="30"), "1", making)
    assert placed(more) == (HOME, "binance", Decimal(465))  # entries are at home again
    routes.take((info(HOME, "binance"), info(AWAY, "bybit", ready=False)))
    assert placed(proposed(routes, back, "0", making)) == (HOME, "binance", Decimal(150))


def test_a_rest_too_small_to_be_sold_abroad_does_not_keep_the_rest_from_being_sold(routes, instance, making):
    dusty = holding(instance, home="150", abroad="0.0009")
    assert placed(proposed(routes, dusty, "0", making)) == (HOME, "binance", Decimal(150))


def test_fills_count_on_the_account_they_came_from(routes, instance, making, events):
    made = proposed(routes, instance.routed(STAND_IN), "1", making)
    filled = replace(instance.routed(STAND_IN), order=made.order).with_fill(fill(events, made.terms, "198"), made.order)
    assert (filled.position.quantity, filled.abroad[AWAY].quantity, filled.held) == (0, 198, 198)
    guarded = filled.with_exit(fill(events, made.terms, "198", side=Side.SELL))
    assert (guarded.held, guarded.abroad[AWAY].quantity) == (0, 0)


def fill(events, terms, quantity, **changes) -> OrderFilled:
    told = {
        "order_id": terms.order_id, "client_order_id": client_order_id(terms.order_id), "account": terms.account,
        "venue": terms.venue, "symbol": terms.symbol, "trade_id": new_id(), "side": terms.side, "price": Decimal(100),
        "quantity": Decimal(quantity), "fee": Decimal(0), "fee_currency": "USDT", "liquidity": "taker",
        "strategy": None,
    }  # fmt: skip
    return events.make(OrderFilled, **told | changes)


@pytest.mark.parametrize("key", [HOME, AWAY])
def test_a_halt_of_either_account_holds_a_strategy_that_is_away_from_home(routes, instance, making, events, key):
    routes.take(DOWN)
    away = instance.routed(STAND_IN)
    assert routes.halted(away) is None
    halt = events.make(
        HaltChanged, level=HaltLevel.ACCOUNT, key=key, revision=1, engaged=True, by="tom", reason="odd", flatten=False,
        since=making.BEGINNING,
    )  # fmt: skip
    routes.market.take_halt(halt)
    assert "by tom" in routes.halted(away).detail


def test_with_no_account_to_go_to_it_stays_and_sells_nothing_at_a_venue_it_cannot_reach(routes, instance, making):
    routes.take(BOTH_DOWN)
    assert routes.wanted(instance.config, SMA) is None
    back = holding(instance, home="0", abroad="30")
    assert planned(routes, back, "0", making) == Nothing(f"no order: what is held on {AWAY} cannot be sold now")


# -- the service, on real NATS and PostgreSQL ----------------------------------------------------------------------


async def test_the_service_moves_a_strategy_and_brings_it_back_over_a_restart(servers, elsewhere_of):
    name = f"routed-{new_id()[:8]}"
    seed = {
        "strategy": name, "name": name, "kind": "sma_cross", "venue": "binance", "symbol": "BTC-USDT", "account": name,
        "parameters": {"fast": 1, "slow": 2}, "capital_share": "0.5", "status": "running",
    }  # fmt: skip
    own = {"ALGOTRENDY_AGENT_STRATEGIES": json.dumps([seed]), "ALGOTRENDY_AGENT_ROUTE_INTERVAL": "PT0.1S"}
    settings = load(AgentSettings, "agent", servers.environment("agent") | own)
    elsewhere, stand_in = elsewhere_of(), f"{name}-b"
    elsewhere.history(0, *(str(120 - minute) for minute in range(10)))
    instruments = [elsewhere.instrument, elsewhere.instrument.model_copy(update={"venue": "bybit"})]
    elsewhere.instruments = instruments
    elsewhere.accounts |= {name: info(name, "binance"), stand_in: info(stand_in, "bybit")}

    async def orders(count: int) -> list[OrderProposed]:
        return await eventually(lambda: found if len(found := elsewhere.of(OrderProposed, name)) == count else None)

    async def routed(venue: str | None) -> None:
        await eventually(lambda: (state := elsewhere.state(name)) and state.routed_venue == venue and state)

    async with elsewhere.running():
        async with build_app(settings).running():
            for account in (name, stand_in):
                await elsewhere.equity(account)
            await eventually(lambda: len(elsewhere.asked) >= 2)
            elsewhere.accounts[name] = info(name, "binance", stand_in, ready=False)
            await routed("bybit")
            await elsewhere.bar(10, "130")  # its own venue's: nobody trades on it now
            await elsewhere.bar(10, "130", venue="bybit")
            (entry,) = await orders(1)
            assert (entry.terms.account, entry.terms.venue) == (stand_in, "bybit")
            await elsewhere.fill_whole(entry.terms)
            state = await eventually(lambda: (now := elsewhere.state(name)) and now.held_abroad and now)
            assert state.held_abroad[0].quantity == state.position_quantity == entry.terms.quantity
            await eventually(lambda: elsewhere.state(name).status_detail == "order filled")
        async with build_app(settings).running():
            for account in (name, stand_in):
                await elsewhere.equity(account)
            elsewhere.accounts[name] = info(name, "binance")
            await routed(None)
            await elsewhere.bar(11, "120")
            _, leaving = await orders(2)
            assert (leaving.terms.account, leaving.terms.side) == (stand_in, Side.SELL)
            assert leaving.terms.quantity == entry.terms.quantity
            await elsewhere.fill_whole(leaving.terms)
            await eventually(lambda: elsewhere.state(name).position_quantity == 0)
            await eventually(lambda: elsewhere.state(name).status_detail == "order filled")
            await elsewhere.bar(12, "131")
            assert (await orders(3))[2].terms.account == name
            assert len({row.terms.order_id for row in elsewhere.of(OrderProposed, name)}) == 3

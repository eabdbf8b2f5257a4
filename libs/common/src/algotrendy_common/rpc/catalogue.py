"""Every remote call there is. A call that is not here cannot be served, asked or permitted."""

from typing import Any

from algotrendy_common.rpc import agent, backtest, broker_gateway, ingest, risk
from algotrendy_common.rpc.call import Call

CALLS: tuple[Call[Any, Any], ...] = (
    ingest.CANDLES,
    ingest.INSTRUMENTS,
    ingest.QUOTES,
    ingest.QUOTE_BEFORE,
    ingest.FEEDS,
    broker_gateway.ACCOUNTS,
    broker_gateway.ORDERS,
    broker_gateway.ORDER,
    broker_gateway.FILLS,
    broker_gateway.POSITIONS,
    broker_gateway.BALANCES,
    broker_gateway.PROTECTIONS,
    broker_gateway.CANCEL_ALL,
    broker_gateway.CREDENTIALS,
    broker_gateway.EARN,
    broker_gateway.EARN_CHANGE,
    risk.STATE,
    risk.HALT,
    risk.RESUME,
    risk.HALTS,
    risk.LIMITS,
    risk.SET_LIMITS,
    risk.PENDING,
    risk.PORTFOLIO,
    risk.ENABLE,
    risk.REFUSALS,
    agent.STRATEGIES,
    agent.START,
    agent.PAUSE,
    agent.STOP,
    agent.SIGNALS,
    agent.RECALL,
    backtest.RUN,
    backtest.RUNS,
    backtest.TRADES,
    backtest.TRIALS,
    backtest.ARTEFACTS,
    backtest.ARTEFACT,
    backtest.PAUSE,
    backtest.VERDICT,
)

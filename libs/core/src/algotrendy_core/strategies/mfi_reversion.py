"""Money flow reversion: buy where the money has flown out too fast, sell once it flows back.

Invariant: between the two levels what is held is kept.
"""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.mfi import MfiState, mfi, mfi_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

OVERSOLD = 1
OVERBOUGHT = 2
RECOVERED = 3
HOLDING = 4
WAITING = 5


class MfiReversionParameters(Parameters):
    period: int = Field(14, ge=2, le=1000, description="Length of the index", json_schema_extra={"unit": "bars"})
    entry: float = Field(
        20.0,
        gt=0,
        lt=100,
        description="Buy below this index; sell short above its mirror image",
        json_schema_extra={"unit": "MFI points"},
    )
    exit: float = Field(
        50.0,
        gt=0,
        lt=100,
        description="Sell above this index; cover a short below its mirror image",
        json_schema_extra={"unit": "MFI points"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()

    @model_validator(mode="after")
    def _entry_is_below_exit(self) -> Self:
        if not self.entry < self.exit:
            raise ValueError("entry must be below exit")
        if self.entry >= 50.0:
            raise ValueError("entry must be below 50, or it would be long and short at once")
        return self


@dataclass(slots=True)
class MfiReversionState:
    mfi: MfiState
    target: float = 0.0


def initial_state(parameters: MfiReversionParameters) -> MfiReversionState:
    return MfiReversionState(mfi_state(parameters.period))


def step(parameters: MfiReversionParameters, state: MfiReversionState, candle: Candle) -> Decision:
    flow = mfi(state.mfi, candle.high, candle.low, candle.close, candle.volume)
    if flow != flow:  # NaN: not warm yet
        return UNDECIDED
    if flow < parameters.entry:
        state.target = parameters.exposure
        return Decision(state.target, OVERSOLD)
    if parameters.allow_short == 1 and flow > 100.0 - parameters.entry:
        state.target = -parameters.exposure
        return Decision(state.target, OVERBOUGHT)
    long_is_over = state.target > 0.0 and flow > parameters.exit
    short_is_over = state.target < 0.0 and flow < 100.0 - parameters.exit
    if long_is_over or short_is_over:
        state.target = 0.0
        return Decision(0.0, RECOVERED)
    return Decision(state.target, WAITING if state.target == 0.0 else HOLDING)


MFI_REVERSION = Strategy(
    name="mfi_reversion",
    description="Trades against exhaustion: buys when money has flown out too fast (low money flow index), sells as it "
    "flows back",
    parameters=MfiReversionParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period + 1,
    reasons=("warming_up", "oversold", "overbought", "recovered", "holding", "waiting"),
)

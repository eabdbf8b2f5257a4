"""An account that this gateway runs: what it was told, its desk and its venue."""

from dataclasses import dataclass

from algotrendy_broker_gateway.accounts.liveness import Liveness
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.settings import AccountSettings


@dataclass(slots=True)
class RunningAccount:
    settings: AccountSettings
    desk: Desk
    venue: Venue
    liveness: Liveness

    @property
    def account(self) -> str:
        return self.settings.account

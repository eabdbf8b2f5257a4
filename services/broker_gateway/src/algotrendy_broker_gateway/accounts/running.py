"""An account that this gateway runs: what it was told, its desk and its venue."""

from dataclasses import dataclass

from algotrendy_broker_gateway.accounts.liveness import Liveness
from algotrendy_broker_gateway.adapters.paper import PaperVenue
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.settings import AccountSettings


@dataclass(slots=True)
class RunningAccount:
    settings: AccountSettings
    desk: Desk
    venue: Venue
    paper: PaperVenue | None = None
    """The venue once more, where it is the paper venue."""

    @property
    def liveness(self) -> Liveness:
        return self.desk.liveness

    @property
    def account(self) -> str:
        return self.settings.account

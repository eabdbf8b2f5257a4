"""Venues of accounts, opened: which adapter, at which addresses, with which keys.

Invariant: stored keys are decrypted here, when an adapter is made, and go nowhere else.
"""

from collections.abc import Awaitable, Callable

from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Nothing
from algotrendy_core.instruments import Instrument, InstrumentKind

from algotrendy_broker_gateway.accounts.vault import Vault, VenueKeys, read_wrapping_keys
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.paper import PaperVenue
from algotrendy_broker_gateway.adapters.registry import adapter_of, open_venue
from algotrendy_broker_gateway.domain.fence import Fence
from algotrendy_broker_gateway.domain.rate_limit import SharedLimits
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.paper import PaperStore


class Opening:
    """``limits`` are shared by everything that is opened here: the venue counts by address and by key, not by us."""

    def __init__(self, settings: BrokerGatewaySettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._limits = SharedLimits()
        for name in {one.venue for one in settings.every_account} - {"paper"}:
            adapter_of(name)

    async def keys(self, account: AccountSettings) -> VenueKeys:
        """Given in the settings, else stored. Raises Refused where there are none."""
        if account.api_key is not None and account.api_secret is not None:
            return VenueKeys(account.api_key, account.api_secret, account.passphrase)
        if self._settings.credentials_key_file is None:
            raise InvariantBroken("an account without keys", account=account.account)
        vault = Vault(self._database, read_wrapping_keys(self._settings.credentials_key_file))
        return await vault.open(account.account, account.venue)

    async def venue(self, account: AccountSettings, halted: Callable[[], bool] = lambda: False) -> Venue:
        """An outside venue, not yet connected."""
        keys = await self.keys(account)
        return open_venue(
            account.venue,
            VenueAccess(
                mode=account.mode,
                http_url=account.http_url,
                ws_url=account.ws_url,
                api_key=keys.api_key,
                api_secret=keys.api_secret,
                passphrase=keys.passphrase,
                answer_timeout=self._settings.answer_timeout,
                limits=self._limits,
                halted=halted,
            ),
        )

    def paper(self, account: AccountSettings, fence: Fence, bus: Bus, clock: Clock) -> PaperVenue:
        store = PaperStore(self._database, account.account, fence)
        return PaperVenue(account.market, dict(account.paper_balances), store, _listed_by(bus, account.market), clock)


def _listed_by(bus: Bus, venue: str) -> Callable[[], Awaitable[tuple[Instrument, ...]]]:
    """The spot instruments that a feed lists."""

    async def ask() -> tuple[Instrument, ...]:
        answer = await bus.ask(ingest.INSTRUMENTS, Nothing())
        found = (
            Instrument.model_validate(row.model_dump() | {"kind": InstrumentKind(row.kind)})
            for row in answer.instruments
            if row.venue == venue
        )
        return tuple(one for one in found if one.kind is InstrumentKind.SPOT)

    return ask

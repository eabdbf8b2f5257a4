"""How one account reaches its venue: addresses, keys and patience, decrypted only when an adapter is made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from algotrendy_common.enums import Mode
from pydantic import SecretStr

from algotrendy_broker_gateway.domain.rate_limit import SharedLimits


@dataclass(frozen=True, slots=True)
class VenueAccess:
    mode: Mode
    http_url: str | None
    """Replaces ``https://<host>`` of every REST address; None is the venue itself."""
    ws_url: str | None
    api_key: SecretStr
    api_secret: SecretStr
    passphrase: SecretStr | None = None
    """OKX alone has one."""
    answer_timeout: timedelta = timedelta(seconds=5)
    limits: SharedLimits = field(default_factory=SharedLimits)
    """The venue's rate limits, shared with its other accounts."""
    halted: Callable[[], bool] = lambda: False
    """Asked after a wait, so that an order that waited for its turn does not leave into a halt."""

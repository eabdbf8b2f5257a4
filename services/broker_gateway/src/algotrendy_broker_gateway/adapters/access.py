"""How one account reaches its venue: addresses, keys and patience, decrypted only when an adapter is made."""

from dataclasses import dataclass
from datetime import timedelta

from algotrendy_common.enums import Mode
from pydantic import SecretStr


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

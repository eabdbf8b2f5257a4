"""Keys of venues: sealed when they are stored, opened only when an adapter is made.

Invariant: plaintext is in no log, no message, no row and no error; rotation changes what wraps a row, never the row.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from algotrendy_common import ids
from algotrendy_common.database import Database
from algotrendy_common.errors import InvariantBroken, Refused
from pydantic import SecretStr

from algotrendy_broker_gateway.domain.envelope import KEY_BYTES, Bound, HeldKeys, WrappingKeys, keys_of, seal, unseal
from algotrendy_broker_gateway.store.credentials import CredentialStore, SealedCredentials

_BATCH = 500


@dataclass(frozen=True, slots=True)
class VenueKeys:
    api_key: SecretStr
    api_secret: SecretStr
    passphrase: SecretStr | None = None


def read_wrapping_keys(file: Path) -> WrappingKeys:
    """Raises InvariantBroken where the file is missing, readable by others, or not what it should be."""
    try:
        if file.stat().st_mode & 0o077:
            raise InvariantBroken("others may read the file of wrapping keys: chmod 600", file=str(file))
        return HeldKeys(keys_of(file.read_text()), secrets.token_bytes)
    except OSError as error:
        raise InvariantBroken("the file of wrapping keys cannot be read", file=str(file)) from error


class Vault:
    def __init__(self, database: Database, wrapping: WrappingKeys) -> None:
        self._database = database
        self._store = CredentialStore(database)
        self._wrapping = wrapping

    async def put(self, account: str, venue: str, keys: VenueKeys) -> None:
        bound = Bound(account, venue, ids.new_id())
        data_key = secrets.token_bytes(KEY_BYTES)
        version, wrapped = self._wrapping.wrap(data_key, bound)
        secret = {
            "api_key": keys.api_key.get_secret_value(),
            "api_secret": keys.api_secret.get_secret_value(),
            "passphrase": keys.passphrase.get_secret_value() if keys.passphrase else None,
        }
        sealed = seal(data_key, json.dumps(secret).encode(), bound, secrets.token_bytes)
        hint = secret["api_key"][-4:] if len(secret["api_key"] or "") >= 12 else "----"  # type: ignore[index]
        await self._store.put(SealedCredentials(bound.credential_id, account, venue, hint, version, wrapped, sealed))

    async def open(self, account: str, venue: str) -> VenueKeys:
        """Raises Refused where there are none of this account at this venue, InvariantBroken where they do not open."""
        row = await self._store.of(account)
        if row is None or row.venue != venue:
            raise Refused("credentials_missing", f"no keys are stored for {account} at {venue}")
        bound = Bound(row.account, row.venue, row.credential_id)
        secret = json.loads(unseal(self._wrapping.unwrap(row.key_version, row.wrapped_key, bound), row.sealed, bound))
        return VenueKeys(
            SecretStr(secret["api_key"]),
            SecretStr(secret["api_secret"]),
            SecretStr(secret["passphrase"]) if secret["passphrase"] else None,
        )

    async def rotate(self) -> tuple[int, tuple[str, ...]]:
        """Wrap by the newest key what an older one wraps; rows stay readable.

        Returns how many, and the accounts whose rows do not open: they are left as they are.
        """
        rotated, broken, after = 0, [], ""
        while True:
            async with self._database.transaction() as tx:
                rows = await self._store.older_than(tx, self._wrapping.newest, after, _BATCH)
                for row in rows:
                    bound = Bound(row.account, row.venue, row.credential_id)
                    try:
                        data_key = self._wrapping.unwrap(row.key_version, row.wrapped_key, bound)
                    except InvariantBroken:
                        broken.append(row.account)
                        continue
                    await self._store.rewrap(tx, row.credential_id, *self._wrapping.wrap(data_key, bound))
                    rotated += 1
            if not rows:
                return rotated, tuple(broken)
            after = rows[-1].credential_id

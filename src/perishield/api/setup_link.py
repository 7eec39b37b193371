"""The one-time link with which the first administrator is made. No default password exists anywhere."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.keys import write_private
from perishield.store.accounts import count_accounts
from perishield.store.database import Database
from perishield.store.meta import SETUP_TOKEN, get_meta, set_meta

FILE_NAME = "setup_link.txt"


class SetupLink:
    """Its token is random; the database keeps only its hash, the file beside it the link until it is used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def prepare(self, database: Database, address: str) -> str | None:
        """The link, while there is no account; the same again after a restart, as long as its file is there."""
        async with database.write() as session:
            if await count_accounts(session):
                await asyncio.to_thread(self.path.unlink, missing_ok=True)
                return None
            kept = await get_meta(session, SETUP_TOKEN)
            token = await asyncio.to_thread(self._read)
            if not token or not kept or not _matches(kept, token):
                token = secrets.token_urlsafe(24)
                await set_meta(session, SETUP_TOKEN, _digest(token))
        link = f"{address}/setup?token={token}"
        await asyncio.to_thread(write_private, self.path, f"{link}\n".encode())
        return link

    async def allows(self, session: AsyncSession, token: str) -> bool:
        kept = await get_meta(session, SETUP_TOKEN)
        return kept is not None and _matches(kept, token)

    async def used(self, session: AsyncSession) -> None:
        """Make the token worthless, in the transaction that adds the account."""
        await set_meta(session, SETUP_TOKEN, None)

    def remove_file(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> str:
        try:
            return parse_qs(urlsplit(self.path.read_text().strip()).query).get("token", [""])[0]
        except (OSError, ValueError):
            return ""


def _digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


def _matches(kept: str, token: str) -> bool:
    return hmac.compare_digest(kept, _digest(token))

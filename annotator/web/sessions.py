"""Logins that a browser keeps: a signed cookie, valid for two weeks, until it is ended or the password changes."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from annotator.errors import FileUnavailable
from annotator.storage.store import Store
from annotator.types import Account

COOKIE = "annotator_session"
_SECONDS = 14 * 24 * 3600
_KEY_FILE = "session.key"


class Sessions:
    """Signs and reads the cookie with a key of the data folder. Its owner alone can read the key's file.

    Raises FileUnavailable if there is no key and none can be made.
    """

    def __init__(self, store: Store, data_dir: Path) -> None:
        self._store = store
        self._signer = URLSafeTimedSerializer(_read_key(data_dir / _KEY_FILE), salt="session")

    def start(self, response: Response, request: Request, account: Account, public_url: str) -> None:
        """Let the browser that gets the response be logged in as this user."""
        value = self._signer.dumps([account.name, _fingerprint(account), secrets.token_urlsafe(16)])
        is_secure = public_url.startswith("https:") or request.url.scheme == "https"
        response.set_cookie(COOKIE, value, max_age=_SECONDS, httponly=True, samesite="lax", secure=is_secure)

    def user_of(self, cookie: str) -> Account | None:
        """The user of a cookie.

        None if it is not ours or too old, if the login was ended, or if the user was removed or has a new password.
        """
        try:
            name, fingerprint, login_id = self._signer.loads(cookie, max_age=_SECONDS)
        except (BadData, ValueError):
            return None
        account = self._store.user_of_login(login_id, name)
        return account if account is not None and fingerprint == _fingerprint(account) else None

    def end(self, cookie: str) -> None:
        """End the login of a cookie, wherever it was copied to."""
        with suppress(BadData, ValueError):
            _, _, login_id = self._signer.loads(cookie, max_age=_SECONDS)
            self._store.end_login(login_id, keep=timedelta(seconds=_SECONDS))


def _fingerprint(account: Account) -> str:
    return hashlib.sha256(str(account.password_hash).encode()).hexdigest()[:16]


def _read_key(path: Path) -> bytes:
    """The key in the file. It is made if there is none; of several processes that make one, the first one's counts."""
    try:
        if not path.exists():
            with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # its mode is 600
                file.write(secrets.token_bytes(32))
                file.flush()
                if not path.exists():
                    os.link(file.name, path)
    except FileExistsError:
        pass
    except OSError as error:
        raise FileUnavailable(f"The key of the logins cannot be stored in {path} ({error.strerror}).") from error
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileUnavailable(f"The key of the logins in {path} cannot be read ({error.strerror}).") from error

"""Users: adding them, their passwords and tokens, and who logs in."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from annotator.errors import Conflict, InvalidRequest, NotLoggedIn
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, Account
from annotator.workspace.throttle import Throttle

MAX_PASSWORD = 1000
"""Most characters of a password."""

_MIN_PASSWORD = 8
_WRONG = "The name or the password is wrong."
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


def clean_name(name: str) -> str:
    """The name of a user, in small letters. Raises InvalidRequest for one that cannot be used."""
    name = name.strip().lower()
    if name == LOCAL_USER:
        raise InvalidRequest(f"The name {name} is taken: it is that of the one user where there is no login.")
    if not _NAME.fullmatch(name):
        raise InvalidRequest("The name of a user has letters, digits and . _ @ + - only, at most 100 of them.")
    return name


class Accounts:
    """The users of a server. Passwords are kept as argon2 hashes, tokens as sha256."""

    def __init__(self, store: Store, hasher: PasswordHasher | None = None) -> None:
        self._store, self._hasher = store, hasher or PasswordHasher()
        self._throttle = Throttle()
        self._turn = threading.Lock()

    def add(self, name: str, password: str, is_admin: bool = False) -> Account:
        """Add a user, or give one another password. There is always an admin, and an admin stays one.

        Raises InvalidRequest for a name or password that cannot be used.
        """
        name = clean_name(name)
        if not _MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise InvalidRequest(f"A password has {_MIN_PASSWORD} to {MAX_PASSWORD} characters.")
        try:
            password_hash = self._hasher.hash(password)
        except UnicodeEncodeError:
            raise InvalidRequest("A password is text in UTF-8.") from None
        known = {each.name: each.is_admin for each in self._store.users()}
        is_admin = is_admin or known.get(name, False) or not any(known.values())
        return self._store.save_user(Account(name, is_admin, password_hash))

    def vouched(self, name: str) -> Account:
        """The user of a name that a proxy vouches for, added at the first visit. Raises NotLoggedIn for a bad name."""
        try:
            name = clean_name(name)
        except InvalidRequest as error:
            raise NotLoggedIn(str(error)) from None
        known = self._store.user(name)
        if known is not None:
            return known
        with suppress(Conflict):  # another request of the same visit was faster
            self._store.add_user(Account(name))
        return Account(name)

    def log_in(self, name: str, password: str, address: str) -> Account:
        """The user with this name and password, asked for from a network address.

        Raises NotLoggedIn, and TooManyLogins after too many failures for the name or from the address.
        """
        try:
            name = clean_name(name)
        except InvalidRequest:
            raise NotLoggedIn(_WRONG) from None
        with self._turn:  # a hash takes much memory, and guesses at the same time are counted
            self._throttle.check(name, address)
            account = self._store.user(name)
            expected = account.password_hash if account else None
            # Somebody without a password takes as long as somebody with another one: the time tells no names.
            if not self._verify(expected or self._nobody, password) or account is None or expected is None:
                self._throttle.failed(name, address)
                raise NotLoggedIn(_WRONG)
            self._throttle.succeeded(name)
        if self._hasher.check_needs_rehash(expected):
            account = self._store.save_user(replace(account, password_hash=self._hasher.hash(password)))
        return account

    def new_token(self, user: str, name: str) -> str:
        """A token that speaks for a user; only its hash is kept. An earlier one of this name no longer works."""
        token = secrets.token_urlsafe(32)
        self._store.save_token(user.strip().lower(), name, _digest(token))
        return token

    def token_user(self, token: str) -> Account:
        """The user for whom a token speaks. Raises NotLoggedIn."""
        account = self._store.user_of_token(_digest(token))
        if account is None:
            raise NotLoggedIn("The token is unknown.")
        return account

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())

    def _verify(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, password)
        except (Argon2Error, UnicodeEncodeError):
            return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

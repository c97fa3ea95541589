"""Who is asking: found out once for every request, before any route, static file or route of Gradio sees it.

Without users, whoever asks from this machine is the one local user. With users, a request has a token, the name that a
trusted proxy gives, or the cookie of a login.
"""

from __future__ import annotations

from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.errors import AnnotatorError, InvalidSetting, NotLoggedIn
from annotator.serving.segmenter import caller
from annotator.settings import Settings
from annotator.types import LOCAL_USER, Account
from annotator.web.errors import problem
from annotator.web.guard import OPEN, error_response
from annotator.web.sessions import COOKIE, Sessions
from annotator.workspace.accounts import Accounts

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""What watches the server has no login; the metrics look at the address themselves."""

_LOCAL_ONLY = (
    "This server has no users yet and answers to its own machine only. "
    "Whoever runs it can add one with `annotator users add NAME` and start it again."
)

_THREADS = CapacityLimiter(4)
"""Threads that look users up. Requests that take long hold others, and a click waits for none of them."""


def needs_login(settings: Settings, has_users: bool) -> bool:
    """Whether users log in. Raises InvalidSetting if they do not, and the server is not for its machine alone."""
    if has_users or settings.proxy_user_header:
        return True
    exposed = [each for each in (settings.host, _host_of(settings.public_url)) if each and not _is_loopback(each)]
    if exposed and not settings.insecure_no_login:
        raise InvalidSetting(
            f"Everybody who reaches {exposed[0]} could change everything: add a user with `annotator users add NAME`, "
            "or insist with --insecure-no-login."
        )
    return False


class Authentication:
    """ASGI middleware: puts the user into the state of the request, or answers somebody who is not logged in."""

    def __init__(self, app: ASGIApp, accounts: Accounts, sessions: Sessions | None, settings: Settings) -> None:
        """`sessions` is None where there is no login."""
        self._app, self._accounts, self._sessions = app, accounts, sessions
        self._is_open = settings.insecure_no_login
        self._header = settings.proxy_user_header
        self._proxies = [ip_network(each) for each in settings.trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer a known user."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        refusal: Response | None = None
        address = scope["client"][0] if scope.get("client") else ""
        if self._sessions is None:
            account: Account | None = Account(LOCAL_USER)
            if not self._is_open and not _is_local(address):
                refusal = error_response(403, _LOCAL_ONLY)
        else:
            identify = partial(self._identify, self._sessions, Headers(scope=scope), address)
            scope.setdefault("state", {})["identify"] = identify  # a stream asks again whether its login still holds
            try:
                account = await run_sync(identify, limiter=_THREADS)
                if account is None and scope["path"] not in OPEN:
                    refusal = _log_in_first(scope)
            except AnnotatorError as error:
                refusal = problem(error)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # Where there is no login, who comes from another address is taken for somebody else.
        caller.set(address if account is None or self._sessions is None else account.name)
        if account is not None:
            scope.setdefault("state", {}).update(user=account.name, is_admin=account.is_admin)
        await self._app(scope, receive, send)

    def _identify(self, sessions: Sessions, headers: Headers, address: str) -> Account | None:
        """The user of the request, None if it tells of none. Raises NotLoggedIn for a token that is unknown."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._accounts.token_user(token.strip())
        if self._header and (name := headers.get(self._header)) and self._is_proxy(address):
            return self._accounts.vouched(name)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        return sessions.user_of(cookie) if cookie else None

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(_ip(address) in network for network in self._proxies)
        except ValueError:
            return False


def _log_in_first(scope: Scope) -> Response:
    """A browser that wants to show a page is led to the login; everything else is told that it is needed."""
    if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        up = "../" * (scope["path"].count("/") - 1)  # the address may have a prefix that only a proxy knows
        return RedirectResponse(f"{up}login", 303)
    return problem(NotLoggedIn("Log in first."))


@lru_cache(maxsize=1024)
def _is_local(address: str) -> bool:
    """Whether a request comes from this machine. One without an IP address came through a socket of this machine."""
    try:
        return _ip(address).is_loopback
    except ValueError:
        return True


def _ip(address: str) -> IPv4Address | IPv6Address:
    """The address; an IPv4 address that a socket for both kinds tells as IPv6 is given as IPv4. Raises ValueError."""
    ip = ip_address(address)
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


def _is_loopback(host: str) -> bool:
    try:
        return _ip(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""

"""Logging in and out: a page that needs no JavaScript, and a route for scripts."""

from __future__ import annotations

from html import escape
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from annotator.errors import AnnotatorError, NotFound, NotLoggedIn, TooManyLogins
from annotator.types import Account
from annotator.web.deps import Space
from annotator.web.errors import problem
from annotator.web.schemas.users import Credentials, LoggedIn
from annotator.web.sessions import COOKIE, Sessions
from annotator.workspace.workspace import Workspace

router = APIRouter(tags=["users"])
"""Part of the REST routes."""

pages = APIRouter(include_in_schema=False)

_ONE = CapacityLimiter(1)
"""Thread for logins: a flood of them holds no other one."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Annotator</title>
<style>
  :root {{ color-scheme: light dark; --bg: light-dark(#f4f5f7, #0e1013); --panel: light-dark(#fff, #17191e);
    --line: light-dark(#dfe2e8, #2b2f37); --text: light-dark(#1a1d23, #e8eaee); --accent: light-dark(#2459d0, #7aa2ff);
    --accent-text: light-dark(#fff, #0b1020); --danger: light-dark(#c62828, #ff8a80); }}
  * {{ box-sizing: border-box; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--bg); color: var(--text);
    font: 15px/1.4 system-ui, sans-serif; }}
  form {{ width: min(22rem, 92vw); padding: 1.5rem; background: var(--panel); border: 1px solid var(--line);
    border-radius: 8px; display: grid; gap: .8rem; }}
  h1 {{ margin: 0; font-size: 1.2rem; }}
  label {{ display: grid; gap: .25rem; }}
  input, button {{ font: inherit; padding: .5rem .6rem; border-radius: 8px; border: 1px solid var(--line); }}
  input {{ background: var(--bg); color: inherit; }}
  button {{ background: var(--accent); border-color: var(--accent); color: var(--accent-text); cursor: pointer; }}
  p {{ margin: 0; color: var(--danger); }}
</style>
</head>
<body>
<form method="post">
  <h1>Annotator</h1>
  {error}
  <label>Name
    <input name="name" value="{name}" autocomplete="username" autocapitalize="none" required autofocus>
  </label>
  <label>Password
    <input name="password" type="password" autocomplete="current-password" required>
  </label>
  <button>Log in</button>
</form>
</body>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}


@router.post("/session")
async def log_in(body: Credentials, request: Request, response: Response, space: Space) -> LoggedIn:
    """Log in with a cookie. Scripts do without: they send `Authorization: Bearer TOKEN`, see `annotator users`."""
    account = await _log_in(request, response, space, body.name, body.password)
    return LoggedIn(name=account.name, is_admin=account.is_admin)


@pages.get("/login")
def login_page(request: Request) -> HTMLResponse:
    """The page to log in."""
    _sessions(request)
    return HTMLResponse(_PAGE.format(error="", name=""), headers=_HEADERS)


@pages.post("/login")
async def submit_login(
    request: Request, space: Space, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """To the page after a login, else back to the form with a sentence."""
    response = RedirectResponse("./", 303)
    try:
        await _log_in(request, response, space, name, password)
    except (NotLoggedIn, TooManyLogins) as error:
        return _again(error, name)
    return response


@pages.post("/logout")
def log_out(request: Request) -> Response:
    """End the login of this browser."""
    _sessions(request).end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("login", 303)
    response.delete_cookie(COOKIE)
    return response


def _again(error: AnnotatorError, name: str) -> Response:
    told = problem(error)
    text = f'<p role="alert">{escape(str(error))}</p>'
    headers = {key: value for key, value in told.headers.items() if key == "retry-after"}
    return HTMLResponse(_PAGE.format(error=text, name=escape(name)), told.status_code, {**_HEADERS, **headers})


async def _log_in(request: Request, response: Response, space: Workspace, name: str, password: str) -> Account:
    sessions = _sessions(request)
    address = request.client.host if request.client else ""
    account = await run_sync(space.accounts.log_in, name, password, address, limiter=_ONE)
    sessions.start(response, request, account, space.settings.public_url)
    return account


def _sessions(request: Request) -> Sessions:
    """Raises NotFound where there is no login."""
    sessions: Sessions | None = request.app.state.sessions
    if sessions is None:
        raise NotFound("There is nothing here.")
    return sessions

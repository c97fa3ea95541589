"""Users, their API tokens, and the members of projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from annotator.errors import Conflict, NotFound
from annotator.storage import project_versions
from annotator.storage.database import Database
from annotator.storage.tables import api_tokens, ended_logins, images, memberships, places, projects, users
from annotator.types import LOCAL_USER, RIGHTS, Account, Member, Right, Role

_ACCOUNT = tuple(users.c[field] for field in Account.__dataclass_fields__)


class UserStore(Database):
    """The part of the store that knows users. Names are taken as they are: see `workspace.accounts`."""

    def users(self) -> list[Account]:
        """All users, by name."""
        with self._reading() as connection:
            return [Account(*row) for row in connection.execute(select(*_ACCOUNT).order_by(users.c.name))]

    def user(self, name: str) -> Account | None:
        """The user of this name, if there is one."""
        with self._reading() as connection:
            return _account(connection, name)

    def user_of_login(self, login_id: str, name: str) -> Account | None:
        """The user of a login; None if it was ended, or if there is no such user any more."""
        ended = select(ended_logins.c.id).where(ended_logins.c.id == login_id).exists()
        with self._reading() as connection:
            row = connection.execute(select(*_ACCOUNT).where(users.c.name == name, ~ended)).one_or_none()
        return None if row is None else Account(*row)

    def end_login(self, login_id: str, keep: timedelta) -> None:
        """Let nobody be logged in with it any more. Those that were ended longer ago than `keep` are forgotten."""
        now = datetime.now(UTC)
        which = (ended_logins.c.id == login_id) | (ended_logins.c.ended_at < now - keep)
        with self._writing() as connection:
            connection.execute(delete(ended_logins).where(which))
            connection.execute(insert(ended_logins).values(id=login_id, ended_at=now))

    def save_user(self, account: Account) -> Account:
        """Add a user, or give the user of this name these values.

        The first admin becomes the owner of the projects that were made without a login.
        """
        values = {"is_admin": account.is_admin, "password_hash": account.password_hash}
        with self._writing() as connection:
            if account.is_admin and not _admins(connection):
                _give_projects(connection, LOCAL_USER, account.name)
            if connection.execute(update(users).where(users.c.name == account.name).values(values)).rowcount == 0:
                connection.execute(insert(users).values(name=account.name, **values))
        return account

    def add_user(self, account: Account) -> None:
        """Add a user who is no admin. Raises `Conflict` if there is one of this name."""
        with self._writing() as connection:
            connection.execute(insert(users).values(asdict(account)))

    def remove_user(self, name: str) -> str:
        """Remove a user with all tokens and memberships; returns who owns the user's projects now.

        That is another admin; the local user if no user is left. Raises `Conflict` for the only admin among others.
        """
        with self._writing() as connection:
            if _account(connection, name) is None:
                raise NotFound(f"There is no user {name!r}.")
            others = connection.scalar(select(func.count()).select_from(users).where(users.c.name != name))
            admins = [each for each in _admins(connection) if each != name]
            if others and not admins:
                raise Conflict(f"{name} is the only admin: add another one first.")
            heir = admins[0] if admins else LOCAL_USER
            _give_projects(connection, name, heir)
            for column in (api_tokens.c.user_name, memberships.c.user_name, users.c.name):
                connection.execute(delete(column.table).where(column == name))
            return heir

    def save_token(self, user: str, name: str, digest: str) -> None:
        """Let the token with this digest speak for the user, instead of an earlier one of this name."""
        with self._writing() as connection:
            if _account(connection, user) is None:
                raise NotFound(f"There is no user {user!r}.")
            connection.execute(_deleted_token(user, name))
            connection.execute(insert(api_tokens).values(digest=digest, user_name=user, name=name))

    def remove_token(self, user: str, name: str) -> None:
        """Let a token no longer speak for the user."""
        with self._writing() as connection:
            if connection.execute(_deleted_token(user, name)).rowcount == 0:
                raise NotFound(f"{user} has no token {name!r}.")

    def tokens(self, user: str) -> Sequence[tuple[str, date | None]]:
        """Names of the user's tokens, and on which day each was used last."""
        query = select(api_tokens.c.name, api_tokens.c.used_on).where(api_tokens.c.user_name == user)
        with self._reading() as connection:
            return [(row.name, row.used_on) for row in connection.execute(query.order_by(api_tokens.c.name))]

    def user_of_token(self, digest: str) -> Account | None:
        """The user for whom the token with this digest speaks. The day of its use is noted."""
        query = select(*_ACCOUNT, api_tokens.c.used_on).join_from(api_tokens, users)
        with self._reading() as connection:
            row = connection.execute(query.where(api_tokens.c.digest == digest)).one_or_none()
        if row is None:
            return None
        *fields, used_on = row
        today = datetime.now(UTC).date()
        if used_on != today:
            with self._writing() as connection:
                connection.execute(update(api_tokens).where(api_tokens.c.digest == digest).values(used_on=today))
        return Account(*fields)

    def members(self, project_id: int) -> list[Member]:
        """With whom the project is shared, by name."""
        query = select(memberships.c.user_name, memberships.c.role).where(memberships.c.project_id == project_id)
        with self._reading() as connection:
            return [Member(*row) for row in connection.execute(query.order_by(memberships.c.user_name))]

    def rights(self, name: str) -> dict[int, Right]:
        """What the user may do with the projects that are shared with the user."""
        query = select(memberships.c.project_id, memberships.c.role).where(memberships.c.user_name == name)
        with self._reading() as connection:
            return {row.project_id: RIGHTS[row.role] for row in connection.execute(query)}

    def save_member(self, project_id: int, name: str, role: Role) -> Member:
        """Share the project with a user, or change the user's role. Raises `Conflict` for its owner."""
        which = (memberships.c.project_id == project_id) & (memberships.c.user_name == name)
        with self._writing() as connection:
            if _account(connection, name) is None:
                raise NotFound(f"There is no user {name!r}.")
            if connection.scalar(select(projects.c.owner).where(projects.c.id == project_id)) == name:
                raise Conflict(f"{name} owns this project.")
            connection.execute(delete(memberships).where(which))
            connection.execute(insert(memberships).values(project_id=project_id, user_name=name, role=role))
            project_versions.advance(connection, project_id, project=True)
        return Member(name, role)

    def remove_member(self, project_id: int, name: str) -> None:
        """Share the project with a user no longer."""
        which = (memberships.c.project_id == project_id) & (memberships.c.user_name == name)
        with self._writing() as connection:
            if connection.execute(delete(memberships).where(which)).rowcount == 0:
                raise NotFound("This project has no such member.")
            here = select(images.c.id).where(images.c.project_id == project_id)
            connection.execute(delete(places).where(places.c.user_name == name, places.c.image_id.in_(here)))
            project_versions.advance(connection, project_id, project=True)


def _account(connection: Connection, name: str) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(users.c.name == name)).one_or_none()
    return None if row is None else Account(*row)


def _admins(connection: Connection) -> Sequence[str]:
    return connection.scalars(select(users.c.name).where(users.c.is_admin).order_by(users.c.created_at)).all()


def _give_projects(connection: Connection, owner: str, heir: str) -> None:
    """Make the heir the owner, and no longer a member, of the owner's projects."""
    theirs = select(projects.c.id).where(projects.c.owner == owner)
    connection.execute(delete(memberships).where(memberships.c.user_name == heir, memberships.c.project_id.in_(theirs)))
    connection.execute(update(projects).where(projects.c.owner == owner).values(owner=heir))


def _deleted_token(user: str, name: str) -> Any:
    return delete(api_tokens).where(api_tokens.c.user_name == user, api_tokens.c.name == name)

"""`annotator users`: who may log in, and tokens for scripts."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING, get_args

from annotator.cli.data import find_project, open_store
from annotator.cli.options import add_command
from annotator.errors import InvalidRequest
from annotator.settings import Settings
from annotator.types import Role

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers

_WHERE = ("data_dir", "database_url")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command with its actions."""
    text = "Say who may log in. Without users, the server is for this machine alone and has no login."
    actions = subparsers.add_parser("users", help=text, description=text).add_subparsers(
        required=True, metavar="ACTION"
    )
    add = add_command(actions, "add", _add, "Add a user, or give one another password: asked for, or stdin.", _WHERE)
    add.add_argument("name")
    add.add_argument("--admin", action="store_true", help="has every right to every project; the first user always is")
    add_command(actions, "list", _list, "List the users and their tokens.", _WHERE)
    remove = add_command(actions, "remove", _remove, "Remove a user. An admin gets the user's projects.", _WHERE)
    remove.add_argument("name")
    share = add_command(actions, "share", _share, "Share a project with a user, or change the user's role.", _WHERE)
    share.add_argument("project", metavar="PROJECT", help="name or id")
    share.add_argument("name")
    share.add_argument("--role", choices=get_args(Role), default="annotator", help="Default: annotator.")
    share.add_argument("--revoke", action="store_true", help="share it no longer instead")
    token = add_command(actions, "token", _token, "Print a new token that speaks for a user in scripts.", _WHERE)
    token.add_argument("name")
    token.add_argument("token_name", metavar="TOKEN", help="name of the token; an earlier one of this name ends")
    token.add_argument("--revoke", action="store_true", help="end the token instead")


def _add(options: argparse.Namespace, settings: Settings) -> None:
    from annotator.storage.local_files import make_data_folder
    from annotator.workspace.accounts import Accounts, clean_name

    name = clean_name(options.name)
    password = _read_password(name)
    make_data_folder(settings.data_dir)  # users may be there before the first start of the server
    with open_store(settings) as store:
        is_first = not store.users()
        account = Accounts(store).add(name, password, options.admin)
    print(f"{name} may log in{', as an admin' if account.is_admin else ''}.")
    if is_first:
        print("If the server is running, start it again: then it asks for logins.")


def _list(options: argparse.Namespace, settings: Settings) -> None:
    with open_store(settings) as store:
        for account in store.users():
            print(account.name + (" (admin)" if account.is_admin else ""))
            for name, used_on in store.tokens(account.name):
                print(f"  token {name}, " + (f"last used {used_on:%Y-%m-%d}" if used_on else "never used"))


def _remove(options: argparse.Namespace, settings: Settings) -> None:
    name = options.name.strip().lower()
    with open_store(settings) as store:
        heir = store.remove_user(name)
    print(f"{name} is removed; the projects are {heir}'s.")


def _share(options: argparse.Namespace, settings: Settings) -> None:
    name = options.name.strip().lower()
    with open_store(settings) as store:
        project = find_project(store, options.project)
        if options.revoke:
            store.remove_member(project.id, name)
            print(f"{project.name} is no longer shared with {name}.")
        else:
            store.save_member(project.id, name, options.role)
            print(f"{name} is {'an' if options.role == 'annotator' else 'a'} {options.role} of {project.name}.")


def _token(options: argparse.Namespace, settings: Settings) -> None:
    from annotator.workspace.accounts import Accounts

    with open_store(settings) as store:
        if options.revoke:
            store.remove_token(options.name.strip().lower(), options.token_name)
        else:
            print(Accounts(store).new_token(options.name, options.token_name))


def _read_password(name: str) -> str:
    """From the terminal, asked for twice, or the first line of standard input. Never an option: others could see it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Again: ") != password:
        raise InvalidRequest("The passwords differ; nothing was changed.")
    return password

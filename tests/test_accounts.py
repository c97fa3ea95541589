"""Adding users, logging in, guessing passwords, and the command for it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from annotator.cli.main import main
from annotator.errors import InvalidRequest, NotFound, NotLoggedIn, TooManyLogins
from annotator.storage.store import Store
from annotator.types import Account
from annotator.workspace.accounts import Accounts
from annotator.workspace.throttle import Throttle

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/annotator.db")
    yield store
    store.close()


def test_a_user_logs_in_with_the_name_in_any_letters_and_the_password(store: Store) -> None:
    accounts = Accounts(store, QUICK)
    ann = accounts.add("Ann@Example.org", PASSWORD)
    assert ann.name == "ann@example.org" and PASSWORD not in str(ann.password_hash) and "hash" not in repr(ann)
    assert accounts.log_in(" ANN@example.org ", PASSWORD, "1.2.3.4") == ann
    for name, password in (("ann@example.org", "wrong horse"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(NotLoggedIn, match=r"^The name or the password is wrong\.$"):
            accounts.log_in(name, password, "1.2.3.4")


def test_there_is_always_an_admin_and_a_new_password_changes_no_role(store: Store) -> None:
    accounts = Accounts(store, QUICK)
    assert accounts.add("ann", PASSWORD).is_admin and not accounts.add("bob", PASSWORD).is_admin
    assert accounts.add("bob", PASSWORD, is_admin=True).is_admin
    assert accounts.add("ann", "another horse").is_admin and accounts.add("bob", PASSWORD).is_admin
    assert accounts.log_in("ann", "another horse", "").name == "ann"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", PASSWORD),
        ("a b", PASSWORD),
        ("local", PASSWORD),
        ("a" * 101, PASSWORD),
        ("ann", "short"),
        ("ann", "ten \udcff signs"),
    ],
)
def test_bad_names_and_passwords_are_refused(store: Store, name: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        Accounts(store, QUICK).add(name, password)
    assert store.users() == []


def test_whom_a_proxy_vouches_for_is_a_user_who_cannot_log_in_by_password(store: Store) -> None:
    accounts = Accounts(store, QUICK)
    accounts.add("root", PASSWORD)
    assert accounts.vouched("Ann") == Account("ann") == accounts.vouched("ann") == store.user("ann")
    with pytest.raises(NotLoggedIn):
        accounts.log_in("ann", "", "")
    with pytest.raises(NotLoggedIn):
        accounts.vouched("local")


def test_a_hash_of_an_old_kind_is_renewed_at_the_next_login(store: Store) -> None:
    Accounts(store, QUICK).add("ann", PASSWORD)
    newer = Accounts(store, PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    account = newer.log_in("ann", PASSWORD, "")
    assert "t=2" in str(account.password_hash) and store.user("ann") == account


def test_guessing_takes_ever_longer(store: Store) -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    waits = []
    for _ in range(14):
        throttle.failed("ann", "1.2.3.4")
        try:
            throttle.check("ann", "5.6.7.8")
            waits.append(0)
        except TooManyLogins as error:
            waits.append(error.retry_after)
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    throttle.check("bob", "1.2.3.4")
    for number in range(6):
        throttle.failed(f"name {number}", "1.2.3.4")
    with pytest.raises(TooManyLogins):
        throttle.check("bob", "1.2.3.4")
    throttle.succeeded("ann")
    throttle.check("ann", "5.6.7.8")
    now[0] += 901
    throttle.check("bob", "1.2.3.4")


def test_the_right_password_does_not_count_while_there_is_a_delay(store: Store) -> None:
    accounts = Accounts(store, QUICK)
    accounts.add("ann", PASSWORD)
    for _ in range(5):
        with pytest.raises(NotLoggedIn):
            accounts.log_in("ann", "wrong horse", "1.2.3.4")
    with pytest.raises(TooManyLogins, match=r"try again in 1 s"):
        accounts.log_in("ann", PASSWORD, "1.2.3.4")


def test_a_token_is_kept_as_its_hash_only(store: Store, tmp_path: Path) -> None:
    accounts = Accounts(store, QUICK)
    ann = accounts.add("ann", PASSWORD)
    token = accounts.new_token("ann", "laptop")
    assert accounts.token_user(token) == ann
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(NotLoggedIn):
        accounts.token_user(token + "x")


def test_the_command_adds_lists_and_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def users(*words: str, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(["users", *words, "--data-dir", str(tmp_path / "new")])
        told = capsys.readouterr()
        return code, told.out + told.err

    assert users("list") == (2, f"annotator: There is no data folder {tmp_path / 'new'}.\n")
    assert users("add", "ann", typed="short\n") == (2, "annotator: A password has 8 to 1000 characters.\n")
    code, told = users("add", "Ann", typed=PASSWORD + "\n")
    assert code == 0 and told.startswith("ann may log in, as an admin.\nIf the server is running")
    assert users("add", "bob", typed=PASSWORD) == (0, "bob may log in.\n")
    code, token = users("token", "bob", "laptop")
    assert code == 0 and re.fullmatch(r"[\w-]{43}\n", token)
    assert users("list") == (0, "ann (admin)\nbob\n  token laptop, never used\n")
    assert users("token", "bob", "laptop", "--revoke") == (0, "")
    assert users("remove", "ann") == (2, "annotator: ann is the only admin: add another one first.\n")
    assert users("remove", "bob") == (0, "bob is removed; the projects are ann's.\n")
    assert users("remove", "bob")[0] == 2


def test_a_token_needs_a_user(store: Store) -> None:
    with pytest.raises(NotFound, match="no user 'nobody'"):
        Accounts(store, QUICK).new_token("nobody", "laptop")

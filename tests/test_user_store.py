"""Users, tokens and members in the store, and who may do what, on real SQLite and real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from journal_writer import keep

from annotator.errors import Conflict, Forbidden, NotFound
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, Account, ImageRecord, Member, Right

pytest_plugins = ["postgres"]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    for name in ("ann", "bob", "eve", "root"):
        store.save_user(Account(name, name == "root", "hash"))
    yield store
    store.close()


def test_a_project_is_its_owners_until_it_is_shared(store: Store) -> None:
    project = store.create_project("birds", "ann")
    store.add_image(ImageRecord("a", project.id, "a.jpg", "sha", "pixels", 40, 30))
    label = store.add_label(project.id, "cat")
    finds: list[Callable[[str, Right], object]] = [
        lambda user, right: store.project(project.id, user, right),
        lambda user, right: store.image("a", user, right),
        lambda user, right: store.label(label.id, user, right),
    ]

    def rights(user: str) -> list[str]:
        found = []
        for right in ("annotate", "review", "own"):
            answers = set()
            for find in finds:
                try:
                    find(user, right)  # type: ignore[arg-type]
                    answers.add("yes")
                except (NotFound, Forbidden) as error:
                    answers.add(type(error).__name__)
            (answer,) = answers
            found.append(answer)
        return found

    assert rights("ann") == ["yes", "yes", "yes"]
    assert rights("bob") == ["NotFound", "NotFound", "NotFound"]
    assert store.projects("bob") == [] and store.images_by_id(["a"], "bob") == []
    assert store.save_member(project.id, "bob", "annotator") == Member("bob", "annotator")
    assert rights("bob") == ["yes", "Forbidden", "Forbidden"] and rights("eve") == ["NotFound"] * 3
    assert store.projects("bob") == [project] and [each.id for each in store.images_by_id(["a"], "bob")] == ["a"]
    store.save_member(project.id, "bob", "reviewer")
    assert store.members(project.id) == [Member("bob", "reviewer")]
    assert rights("bob") == ["yes", "yes", "Forbidden"]
    store.remove_member(project.id, "bob")
    assert rights("bob") == ["NotFound", "NotFound", "NotFound"]
    assert store.projects() == [project] and store.project(project.id) == project


def test_a_shared_project_is_restored_only_by_its_owner_and_is_purged_with_its_members(store: Store) -> None:
    project = store.create_project("birds", "ann")
    store.save_member(project.id, "bob", "reviewer")
    store.remove_project(project.id)
    assert store.projects("bob", removed=True) == [] and store.projects("ann", removed=True) == [project]
    store.purge()
    assert store.members(project.id) == []


def test_only_users_other_than_the_owner_become_members(store: Store) -> None:
    project = store.create_project("birds", "ann")
    with pytest.raises(NotFound, match="no user 'nobody'"):
        store.save_member(project.id, "nobody", "annotator")
    with pytest.raises(Conflict, match="ann owns"):
        store.save_member(project.id, "ann", "annotator")
    with pytest.raises(NotFound, match="no such member"):
        store.remove_member(project.id, "bob")


def test_the_first_admin_owns_what_was_made_without_login_and_the_last_user_gives_it_back(store_url: str) -> None:
    store = Store(store_url)
    project = store.create_project("birds", LOCAL_USER)
    store.save_user(Account("ann", True, "hash"))
    assert store.projects("ann") and not store.projects(LOCAL_USER)
    store.save_user(Account("bob", False, "hash"))
    with pytest.raises(Conflict, match="only admin"):
        store.remove_user("ann")
    store.save_user(Account("bob", True, "hash"))
    store.save_member(project.id, "bob", "annotator")
    assert store.remove_user("ann") == "bob" and store.members(project.id) == []
    assert store.remove_user("bob") == LOCAL_USER
    assert [each.id for each in store.projects(LOCAL_USER)] == [project.id] and store.users() == []
    store.close()


def test_a_token_speaks_for_its_user_until_it_is_replaced_or_removed(store: Store) -> None:
    store.save_token("ann", "laptop", "one")
    assert store.tokens("ann") == [("laptop", None)]
    assert store.user_of_token("one") == store.user("ann") != None  # noqa: E711
    ((_, used),) = store.tokens("ann")
    assert used is not None
    store.save_token("ann", "laptop", "two")
    assert store.user_of_token("one") is None and store.user_of_token("two") == store.user("ann")
    store.remove_token("ann", "laptop")
    assert store.user_of_token("two") is None
    with pytest.raises(NotFound):
        store.remove_token("ann", "laptop")
    store.save_token("ann", "laptop", "three")
    store.remove_user("ann")
    assert store.user_of_token("three") is None and store.user("ann") is None


def test_the_history_says_who_made_the_changes(store: Store) -> None:
    project = store.create_project("birds", "ann")
    image = ImageRecord("a", project.id, "a.jpg", "sha", "pixels", 40, 30)
    store.add_image(image)
    label = store.add_label(project.id, "cat")
    store.commit("a", "keep object", [keep("a", "first", label.id)], author="bob")
    assert store.history("a").undo_author == "bob" and store.history("a").redo_author is None
    assert store.undo("a").redo_author == "bob"

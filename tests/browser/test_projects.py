"""Projects and labels in the page, and two tabs on one image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driver import EXECUTABLE, Annotator, new_project, next_name, with_photo

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

SOON_MS = 10_000


@pytest.fixture
def other(cat: Annotator) -> Iterator[Annotator]:
    """A second tab on the same image."""
    tab = Annotator(cat.page.context.new_page(), cat.url)
    tab.open()
    assert tab.state("image.id") == cat.state("image.id")
    yield tab
    assert not tab.problems, tab.problems


def choose_project(page: Annotator, name: str) -> None:
    page.page.click("#annotator .button.project")
    page.page.click(f'#annotator .project-list .item:has-text("{name}")')
    page.settled()


def test_projects_keep_their_images_labels_and_work_apart(cat: Annotator) -> None:
    image = cat.state("image.id")
    home = cat.page.locator("#annotator .button.project").inner_text()
    place = cat.page.locator('#annotator .bar [aria-label^="Upload images"]').bounding_box()
    cat.click(200, 150)
    name = new_project(cat)
    assert cat.page.locator('#annotator .bar [aria-label^="Upload images"]').bounding_box() == place
    assert cat.state("images.length") == 0 and cat.state("image") is None and cat.state("draft.now") is None
    with_photo(cat)
    cat.click(200, 150)
    cat.press("Enter")
    assert cat.state("annotations.length") == 1 and cat.state("labels.length") == 1
    second = cat.state("image.id")

    choose_project(cat, home)
    assert cat.state("image.id") == image and cat.state("annotations.length") == 0
    assert cat.state("draft.now.points.length") == 1
    cat.press("Escape")

    choose_project(cat, name)
    cat.reload()
    assert cat.page.locator("#annotator .button.project").inner_text() == name
    assert cat.state("image.id") == second and cat.state("annotations.length") == 1


def test_a_project_is_renamed_removed_and_restored(cat: Annotator) -> None:
    row = f'#annotator .project-row:has-text("{new_project(cat)}")'
    name, project = next_name("renamed"), cat.state("projectId")
    cat.page.click("#annotator .button.project")
    cat.page.hover(row)
    cat.page.click(f'{row} [aria-label^="Rename"]')
    cat.page.fill('#annotator .project-list [aria-label^="Name of"]', name)
    cat.page.keyboard.press("Enter")
    cat.says("#annotator .button.project", name)
    cat.page.click(f'#annotator [aria-label="Remove {name}"]')
    cat.toast(f"The project {name} was removed.")
    assert cat.state("projectId") != project
    cat.page.click("#annotator .removed summary")
    cat.page.click(f'#annotator [aria-label="Restore {name}"]')
    cat.says("#annotator .button.project", name)
    cat.until("booted")
    cat.page.click("#annotator .button.project")
    assert cat.page.locator(f'#annotator .project-list [aria-label="Restore {name}"]').count() == 0
    cat.page.click(f'#annotator [aria-label="Remove {name}"]')
    cat.page.click(f'#annotator .toast:has-text("{name}") .button:has-text("Undo")')
    cat.says("#annotator .button.project", name)


def test_a_project_made_in_another_tab_is_in_the_menu(cat: Annotator, other: Annotator) -> None:
    name = new_project(other)
    cat.page.click("#annotator .button.project")
    cat.says("#annotator .project-list .item", name)
    cat.page.keyboard.press("Escape")


def test_a_labels_details_are_changed_in_the_list(cat: Annotator) -> None:
    new_project(cat)
    for name in ("ear", "paw"):
        cat.page.fill('#annotator [aria-label="New label"]', name)
        cat.page.keyboard.press("Enter")
        cat.until(f"labels.some((label) => label.name === '{name}')")
    cat.page.dblclick('#annotator .label-row:has-text("paw") .name')
    cat.page.fill('#annotator .label-form [aria-label="Supercategory"]', "limb")
    cat.page.select_option('#annotator .label-form [aria-label="Key"]', "1")
    cat.page.keyboard.press("Enter")
    cat.toast("The key 1 belongs to the label ear.")
    cat.page.select_option('#annotator .label-form [aria-label="Key"]', "9")
    cat.page.keyboard.press("Enter")
    cat.page.wait_for_selector("#annotator .label-form", state="detached")
    assert cat.state("labels.map(({ name, supercategory, key }) => [name, supercategory, key])") == [
        ["ear", "", "1"],
        ["paw", "limb", "9"],
    ]
    cat.press("1", "9")
    assert cat.state("labelId") == cat.state("labels[1].id")


def test_a_label_renamed_to_another_ones_name_is_merged_with_it(cat: Annotator) -> None:
    new_project(cat)
    with_photo(cat)
    cat.click(200, 150)
    cat.press("Enter")
    cat.page.fill('#annotator [aria-label="New label"]', "paw")
    cat.page.keyboard.press("Enter")
    cat.until("labels.length === 2")
    cat.page.dblclick('#annotator .label-row:has-text("object") .name')
    cat.page.fill('#annotator .label-form [aria-label="Name"]', "paw")
    cat.page.keyboard.press("Enter")
    cat.page.click('#annotator .question:has-text("Merge object into paw? 1 object gets the label paw.") .primary')
    cat.toast("object was merged into paw.")
    cat.until("labels.length === 1")
    cat.page.wait_for_selector('#annotator .object .clip:text-is("paw")')
    cat.page.click('#annotator .toast .button:has-text("Undo")')
    cat.until("labels.length === 2")
    cat.page.wait_for_selector('#annotator .object .clip:text-is("object")')
    assert cat.state("labels.map(({ key }) => key)") == ["1", "2"]


def test_what_another_tab_does_appears_with_its_label(cat: Annotator, other: Annotator) -> None:
    name = next_name("label")
    other.page.bring_to_front()
    other.page.fill('#annotator [aria-label="New label"]', name)
    other.page.keyboard.press("Enter")
    other.until(f"labels.some((label) => label.name === '{name}')")
    other.click(200, 150)
    other.press("Enter")
    cat.page.bring_to_front()
    cat.until("annotations.length === 1", SOON_MS)
    assert cat.page.inner_text("#annotator .object .clip") == name


def test_a_correction_tells_of_a_change_that_this_tab_has_not_seen(cat: Annotator, other: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter", ".", "e")
    other.page.bring_to_front()
    other.until("annotations.length === 1", SOON_MS)
    cat.page.route("**/history", lambda route: route.abort())
    other.press(".", "b")
    other.click(420, 40)
    theirs = other.mask(other.state("annotations[0].id"))

    cat.page.bring_to_front()
    cat.press("b")
    cat.click(40, 40)
    cat.press("Enter")
    cat.toast("Another tab changed this object")
    cat.press("Escape", "Control+z")
    assert (cat.mask(cat.state("annotations[0].id")) == theirs).all()


def test_a_correction_tells_that_another_tab_changed_the_object(cat: Annotator, other: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter", ".", "e")
    cat.press("b")
    cat.click(40, 40)

    other.page.bring_to_front()
    other.until("annotations.length === 1", SOON_MS)
    other.press(".", "b")
    other.click(420, 40)
    theirs = other.mask(other.state("annotations[0].id"))

    cat.page.bring_to_front()
    cat.until("history.revision === 2", SOON_MS)
    mine = cat.mask()
    cat.press("Enter")
    cat.toast("Another tab changed this object")
    assert (cat.mask(cat.state("annotations[0].id")) == mine).all()
    cat.press("Escape", "Control+z")
    assert (cat.mask(cat.state("annotations[0].id")) == theirs).all()


def test_the_chosen_label_is_in_sight(page: Annotator) -> None:
    new_project(page)
    for number in range(20):
        page.page.fill('#annotator [aria-label="New label"]', f"label {number}")
        page.page.keyboard.press("Enter")
    page.says("#annotator .label-row.chosen", "label 19")
    page.page.wait_for_function(
        """() => {
          const [list, row] = ['.label-list', '.label-row.chosen'].map((each) =>
            document.querySelector(`#annotator ${each}`).getBoundingClientRect());
          return row.top >= list.top && row.bottom <= list.bottom && list.bottom <= innerHeight;
        }"""
    )

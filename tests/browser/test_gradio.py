"""What the page has of Gradio: its list of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driver import Annotator


def test_the_key_sheet_leads_to_the_list_of_endpoints(page: Annotator) -> None:
    page.page.click('#annotator [aria-label="Keys (?)"]')
    page.page.click('#annotator dialog .button:has-text("Use via API")')
    page.page.wait_for_selector('.api-docs:has-text("/segment_many")')

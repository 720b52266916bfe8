"""All pages, one literal table: each is shown by a GET, and its forms are posted to the same path."""

from __future__ import annotations

from registry_hooks.app.pages import inbox, proposal
from registry_hooks.app.pages.table import Page

PAGES = (
    Page("", inbox.show),
    Page("proposal", proposal.show, proposal.act, about=proposal.ABOUT, written=proposal.WRITTEN),
    Page("report", proposal.report),
)
"""All pages."""

"""All pages, one literal table: each is shown by a GET, and its forms are posted to the same path."""

from __future__ import annotations

from registry_hooks.app.pages import inbox, model, proposal, review, rollback
from registry_hooks.app.pages.records import audit, keys, policy
from registry_hooks.app.pages.table import Page

PAGES = (
    Page("", inbox.show),
    Page("proposal", proposal.show, proposal.act, about=proposal.ABOUT, written=proposal.WRITTEN),
    Page("model", model.show),
    Page("rollback", rollback.show, rollback.act, about=rollback.ABOUT, written=rollback.WRITTEN),
    Page("review", review.show, review.act, about=review.ABOUT, written=review.WRITTEN),
    Page("policy", policy.show),
    Page("audit", audit.show),
    Page("keys", keys.show, keys.act),
    Page("report", proposal.report),
)
"""All pages."""

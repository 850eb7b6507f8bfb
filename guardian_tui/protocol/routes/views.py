"""Routes of saved views: each person's own, and those that others share."""

from __future__ import annotations

from guardian_tui.protocol import views
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import SELF, Route

VIEWS: tuple[Route, ...] = (
    Route("views.list", "GET", "/v1/views", SELF, Nothing, views.ViewList, "My views, and those that others share."),
    Route("views.save", "PUT", "/v1/views/{name}", SELF, views.SaveView, views.View, "Keep a view of a list under a name.", "local"),
    Route("views.remove", "DELETE", "/v1/views/{name}", SELF, views.ViewRef, Done, "Forget one of my views.", "local"),
)  # fmt: skip

"""Saved views: how a list is looked at, under a name, one's own or shared."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.refusals import told
from guardian_tui.protocol.views import SaveView, View, ViewList, ViewRef
from screens.base import GuardianScreen
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog

_KEEP, _AS_IT_WAS = "+", "-"
"""Choices that are no view: no view has such a name."""


class ViewCommands(CommandPart):
    """Views are kept, opened and forgotten."""

    def command_view_open(self, arguments: tuple[str, ...]) -> None:
        """`'`, `:view [NAME]`."""
        if arguments:
            self._with_views(lambda views: self._open_named(arguments[0], views))
        else:
            self._with_views(self._choose)

    def _with_views(self, done: Callable[[tuple[View, ...]], None]) -> None:
        self._app.order("views.list", ViewList, None, lambda answer: done(answer.views))

    def _open_named(self, name: str, views: tuple[View, ...]) -> None:
        # one's own stand before those of others
        found = next((view for view in views if name in (view.name, _name_of(view))), None)
        if found is None:
            self._app.say(f"There is no view {name}; ' lists them.", severity="error")
        else:
            self.show_view(found)

    def _choose(self, views: tuple[View, ...]) -> None:
        choices = [(_name_of(view), _name_of(view), _words_of(view)) for view in views]
        choices.append(
            (_AS_IT_WAS, "as it was", "without filter, by trouble, with the columns that there is room for")
        )
        if not self._app.read_only:
            choices.append((_KEEP, "keep this one", "what is on screen now, under a name"))

        def picked(name: str | None) -> None:
            screen = self._app.screen
            if name == _KEEP:
                dialog = TextDialog(
                    "keep this view",
                    "A name for it; behind it the word shared, if others are to have it too.",
                )
                self._app.push_screen(
                    dialog, lambda given: self.command_view_save(tuple((given or "").split()))
                )
            elif name == _AS_IT_WAS and isinstance(screen, GuardianScreen):
                screen.show_view(View(name="", screen=screen.CONTEXT))
            elif name:
                self._open_named(name, views)

        self._app.push_screen(ChoiceDialog("views", choices), picked)

    def show_view(self, view: View) -> None:
        """Go where it is of, and look as it says."""
        go = self._app.registry.get(f"go.{view.screen}")
        if go not in self._app.offered(view.screen):
            self._app.say(f"{view.name} is a view of {view.screen}, which you may not see.", severity="error")
            return
        self._app.perform(go, ())
        self._app.call_after_refresh(self._show_here, view)

    def _show_here(self, view: View) -> None:
        screen = self._app.screen
        if isinstance(screen, GuardianScreen) and view.screen == screen.CONTEXT:
            screen.show_view(view)

    def command_view_save(self, arguments: tuple[str, ...]) -> None:
        """`:view-save NAME [shared]`."""
        app, screen = self._app, self._app.screen
        if not arguments:
            app.say(
                "Nothing was kept: write :view-save NAME, or :view-save NAME shared for others too.",
                severity="warning",
            )
            return
        kept = screen.kept_view if isinstance(screen, GuardianScreen) else None
        if kept is None:
            app.say("There is no list on this screen whose view could be kept.", severity="warning")
            return
        fields = {**kept, "name": arguments[0], "shared": "shared" in arguments[1:]}
        try:
            order = msgspec.convert(fields, SaveView)
        except msgspec.ValidationError as error:
            app.say(told(error), severity="error")
            return
        words = "kept, and offered to others" if order.shared else "kept"
        app.order(
            "views.save", View, order, f"The view {order.name} is {words}: :view {order.name} opens it."
        )

    def command_view_remove(self, arguments: tuple[str, ...]) -> None:
        """`:view-remove NAME`."""
        if not arguments:
            self._app.say("Write :view-remove NAME.", severity="warning")
            return
        self._app.order(
            "views.remove", Done, ViewRef(name=arguments[0]), f"The view {arguments[0]} is forgotten."
        )


def _name_of(view: View) -> str:
    return view.name if view.mine else f"{view.owner}/{view.name}"


def _words_of(view: View) -> str:
    parts = [view.screen]
    parts += [f"/{view.filter}"] if view.filter else []
    parts += ["problems only"] if view.problems else []
    parts += [f"by {view.sort}{' reversed' if view.reverse else ''}"] if view.sort else []
    parts += [" ".join(view.columns)] if view.columns else []
    parts += ["shared"] if view.mine and view.shared else []
    return " · ".join(parts)

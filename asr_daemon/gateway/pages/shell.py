"""What every page has: who looks, in which language, and how a template becomes an answer.

A page that is refused is a page, too: who has to log in is sent there, and comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.pages import shown
from asr_daemon.gateway.pages.assets import digest
from asr_daemon.gateway.pages.texts import asked_language, texts
from asr_daemon.gateway.problems import STATUS
from asr_daemon.gateway.who import daemon_of, secret_of
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asr_daemon.gateway.daemon_client import DaemonClient
    from asr_daemon.gateway.pages.texts import Texts


def _shown(value: Any) -> Any:
    """Return a value as a page shows it: no text from outside turns the reading direction, or hides."""
    return printable(value, lines=True) if type(value) is str else value


PAGES = ("overview", "recordings", "search", "upload", "live", "hotwords", "models")
ADDRESSES = {"overview": "/"} | {name: f"/{name}" for name in PAGES[1:]}


class Rendering:
    """Templates, and the language that is configured ("auto": the browser's)."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._environment = Environment(
            loader=PackageLoader("asr_daemon.gateway.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        self._environment.filters.update(shown.FILTERS)
        self._environment.globals["asset"] = lambda name: f"/static/{name}?v={digest(name)}"
        self._environment.globals["pages"] = [(name, ADDRESSES[name]) for name in PAGES]

    def texts(self, request: Request) -> Texts:
        """Return the texts in the language of a request."""
        if self._language in ("zh", "en"):
            return texts("zh" if self._language == "zh" else "en")
        return texts(asked_language(request.headers.get("accept-language", "")))

    def page(
        self, request: Request, template: str, view: object, person: m.Person | None, status: int = 200
    ) -> HTMLResponse:
        """Return a page: a template with what it shows."""
        text = self._environment.get_template(template).render(
            t=self.texts(request), view=view, person=person, here=template.partition(".")[0]
        )
        headers = {"Cache-Control": "private, no-store", "Vary": "Accept-Language, Cookie"}
        return HTMLResponse(text, status, headers)


@dataclass(frozen=True, slots=True)
class Looker:
    """Somebody who is logged in and looks at a page."""

    request: Request
    daemon: DaemonClient
    secret: str
    person: m.Person

    @property
    def texts(self) -> Texts:
        """The texts in their language."""
        return rendering_of(self.request).texts(self.request)

    def may(self, right: str) -> bool:
        """Whether they may do that (in their inboxes)."""
        return right in self.person.rights

    def page(self, template: str, view: object) -> Response:
        """Return a page for them."""
        return rendering_of(self.request).page(self.request, template, view, self.person)


def rendering_of(request: Request) -> Rendering:
    """Return how pages are made."""
    rendering: Rendering = request.app.state.rendering
    return rendering


def looker_of(request: Request) -> Looker:
    """Return who looks; raises :class:`AnsweredError` where nobody is logged in."""
    secret, daemon = secret_of(request), daemon_of(request)
    return Looker(request, daemon, secret, daemon.ask(m.Person, m.WhoAmI(), secret))


Looking = Annotated[Looker, Depends(looker_of)]


class PageRoute(APIRoute):
    """A route whose refusals are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, with that around it."""
        handle = super().get_route_handler()

        async def shown_anyway(request: Request) -> Response:
            try:
                return await handle(request)
            except AnsweredError as error:
                return refusal_page(request, error.refusal)
            except RequestValidationError:
                return refusal_page(request, m.Refusal("refused", "there is no such page", "没有这个页面。"))

        return shown_anyway


def refusal_page(request: Request, refusal: m.Refusal) -> Response:
    """Return the page that says no; the one to log in where that is what is missing."""
    status = STATUS[refusal.code]
    if status == HTTPStatus.UNAUTHORIZED:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(wanted)}", HTTPStatus.SEE_OTHER)
    return rendering_of(request).page(request, "problem.html", refusal, None, status)

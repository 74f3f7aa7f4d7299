"""Server of the page: answers of a model over HTTP, to this machine unless told otherwise."""

import json
import logging
import socket
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from dnabert_hf.app.answers import Answer
from dnabert_hf.app.explorer import Explorer
from dnabert_hf.app.page import render_page

__all__ = ["make_application", "serve"]

_MOST_BYTES = 1 << 20  # of a question; a page that asks for more is not ours
_SCRIPTS = ("app.js", "details.js", "parts.js", "tracks.js")
# Nothing but what this server gives is loaded, or sent to.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Ask = Callable[[Mapping[str, Any]], Answer]


def make_application(explorer: Explorer) -> Starlette:
    """Make the application: the page at `/`, its scripts, and questions under `/api/`.

    A question is a POST of a JSON object. Its answer is an object of `tables` (by name: columns and
    rows) and `notes`; of bad input, with status 400, an object of `error`, a sentence.

    Args:
        explorer: The model.
    """
    page = render_page(explorer)

    async def give_page(_: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    questions: dict[str, Ask] = {
        "predict": lambda given: explorer.predict(given["text"]),
        "bases": lambda given: explorer.score_bases(given["sequence"], given.get("label")),
        "mutations": lambda given: explorer.map_mutations(
            given["sequence"], given.get("label"), start=given["start"], end=given["end"]
        ),
        "motifs": lambda given: explorer.find_motifs(given["sequence"]),
    }
    return Starlette(
        routes=[
            Route("/", give_page),
            *(Route(f"/{name}", _giving(name)) for name in _SCRIPTS),
            *(
                Route(f"/api/{name}", _answering(ask), methods=["POST"])
                for name, ask in questions.items()
            ),
        ]
    )


def _giving(name: str) -> Callable[[Request], Any]:
    """Give a script of the page."""
    text = (files("dnabert_hf.app") / "templates" / name).read_text(encoding="utf-8")

    async def endpoint(_: Request) -> Response:
        return Response(text, media_type="text/javascript", headers=_HEADERS)

    return endpoint


def _answering(ask: Ask) -> Callable[[Request], Any]:
    """Answer a question in a thread, so that the page itself is given meanwhile."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await run_in_threadpool(ask, await _read(request))
        except ValueError as error:
            return JSONResponse({"error": _sentence(error)}, status_code=400, headers=_HEADERS)
        tables = {name: table._asdict() for name, table in answer.tables.items()}
        return JSONResponse({"tables": tables, "notes": answer.notes}, headers=_HEADERS)

    return endpoint


class _Question(dict[str, Any]):
    """A question, whose fields must be there."""

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"a question must have the field {name}, found none")


async def _read(request: Request) -> _Question:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError(f"a question must have at most {_MOST_BYTES:,} bytes, found more")
    try:
        given = json.loads(body)
    except ValueError as error:
        raise ValueError(f"a question must be JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"a question must be a JSON object, found {type(given).__name__}")
    kinds = {"text": str, "sequence": str, "label": str | None, "start": int, "end": int}
    for name, value in given.items():
        if not isinstance(value, kinds.get(name, object)):
            raise ValueError(f"{name} has a value of another kind: {value!r:.40}")
    return _Question(given)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{text[0].upper()}{text[1:]}." if text else type(error).__name__


def serve(explorer: Explorer, *, host: str, port: int, on_start: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        explorer: The model.
        host: Address to listen on; "127.0.0.1" is seen from this machine only.
        port: Port; 0 takes a free one.
        on_start: Called with the address of the page as soon as it can be opened.

    Raises:
        ValueError: If the address cannot be listened on.
        KeyboardInterrupt: When it is interrupted.
    """
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ValueError(
            f"{host}, port {port}: must be free to listen on, and is not ({error.strerror}); leave "
            "--port out to have a free one chosen"
        ) from error
    # What the package warns of stands on the page, beside the answer.
    logging.getLogger("dnabert_hf").propagate = False
    config = uvicorn.Config(
        make_application(explorer), log_level="warning", timeout_graceful_shutdown=3, lifespan="off"
    )
    with listening:
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host
        on_start(f"http://{shown}:{listening.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listening])

"""Routes of the engine itself."""

from __future__ import annotations

from guardian_tui.protocol import engine_figures, system
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import PUBLIC, Route

SYSTEM: tuple[Route, ...] = (
    Route("hello", "GET", "/v1/hello", PUBLIC, Nothing, system.Hello, "Who are you, and what do you speak?"),
    Route("livez", "GET", "/livez", PUBLIC, Nothing, Done, "The process runs.", raw=True),
    Route("readyz", "GET", "/readyz", PUBLIC, Nothing, Done, "The store can be written and hosts are polled.", raw=True),
    Route("metrics", "GET", "/metrics", PUBLIC, Nothing, Done, "The engine's own metrics, for Prometheus.", raw=True),
    Route("openapi", "GET", "/v1/openapi.json", PUBLIC, Nothing, Done, "This table as OpenAPI 3.1.", raw=True),
    Route("engine.status", "GET", "/v1/engine", "engine.see", Nothing, system.EngineStatus, "The engine's own health.",
          scoping="whole"),
    Route("engine.figures", "GET", "/v1/engine/figures", "engine.see", Nothing, engine_figures.EngineFigures,
          "The engine in full: waves, queues, store, sections, errors of our own.", scoping="whole"),
    Route("engine.linger", "POST", "/v1/engine/linger", "engine.stop", system.Linger, Done, "Go on after the last client, or not.",
          "local", scoping="whole"),
    Route("engine.stop", "POST", "/v1/engine/stop", "engine.stop", system.Shutdown, Done, "Stop the engine in good order.", "local", scoping="whole"),
    Route("events", "GET", "/v1/events", "hosts.see", system.EventsRequest, Done, "The live event stream.", scoping="rows", stream=True),
)  # fmt: skip

"""The route table as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from guardian_tui.protocol.base import PROTOCOL_VERSION
from guardian_tui.protocol.errors import Problem
from guardian_tui.protocol.routes import PUBLIC, ROUTES, Route

_REF = "#/components/schemas/{name}"


@cache
def openapi_document() -> bytes:
    """OpenAPI 3.1 as JSON: every route, its request, response, permission and how it is recorded."""
    types = {t for route in ROUTES.values() for t in (route.request, route.response)} | {Problem}
    schemas, components = msgspec.json.schema_components(
        sorted(types, key=lambda t: t.__name__), ref_template=_REF
    )
    del schemas  # each is a reference into the components
    paths: dict[str, dict[str, Any]] = {}  # Any: JSON
    for route in ROUTES.values():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Guardian engine",
            "version": f"{PROTOCOL_VERSION}",
            "license": {"name": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _operation(route: Route) -> dict[str, Any]:  # Any: JSON
    in_path = re.findall(r"{(\w+)}", route.path)
    fields = [field.name for field in msgspec.structs.fields(route.request)]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.help,
        "x-permission": route.permission,
        "x-recording": route.recording,
        "x-step-up": route.step_up,
        "parameters": [_parameter(name, "path") for name in in_path],
        "responses": {
            "200": {"description": "done", "content": {_media(route): _schema(route)}},
            "default": {
                "description": "refused or failed",
                "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}},
            },
        },
    }
    rest = [name for name in fields if name not in in_path]
    if route.method in ("GET", "DELETE"):
        operation["parameters"] += [_parameter(name, "query") for name in rest]
    elif rest:
        ref = {"$ref": _REF.format(name=route.request.__name__)}
        operation["requestBody"] = {"content": {"application/json": {"schema": ref}}}
    if route.permission != PUBLIC:
        operation["security"] = [{"session": []}]
    return operation


def _media(route: Route) -> str:
    if route.stream:
        return "text/event-stream"
    return "text/plain" if route.raw else "application/json"


def _schema(route: Route) -> dict[str, Any]:  # Any: JSON
    if route.stream or route.raw:
        return {"schema": {"type": "string"}}
    return {"schema": {"$ref": _REF.format(name=route.response.__name__)}}


def _parameter(name: str, place: str) -> dict[str, Any]:  # Any: JSON
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}

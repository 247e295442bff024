"""What spans and metrics share on their way to OpenTelemetry: whether they are asked for, by whom, and from where.

The SDK is the extra `pyagent[otel]`; nothing of it is imported before something is to be sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyagent.settings import OTEL_DISABLED, OTEL_ENDPOINT, Setting

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def exporter_wanted(exporter: Setting, endpoint: Setting) -> str:
    """The name of the exporter that the environment asks for; empty where it asks for none.

    `exporter` and `endpoint` are the variables of the one kind of signal.
    """
    if OTEL_DISABLED.text().lower() == "true":
        return ""
    given = exporter.text().split(",")[0].strip().lower()
    if given:
        return "" if given == "none" else given
    return "otlp" if OTEL_ENDPOINT.given() or endpoint.given() else ""


def resource() -> Resource:
    """Who sends. What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before this program's own name.

    Raises `ImportError` without the SDK.
    """
    from opentelemetry.sdk.resources import Resource

    from pyagent import __version__

    named = Resource.create({"service.name": "pyagent", "service.version": __version__})
    told = Resource.create({})
    if not str(told.attributes.get("service.name", "")).startswith("unknown_service"):
        named = named.merge(told)
    return named


def load_exporter(kind: str, name: str) -> Any:
    """The exporter of `traces` or `metrics` with this name. Raises `ImportError`, and `ValueError` for an unknown
    one."""
    from importlib.metadata import entry_points

    # OTLP over HTTP, which needs no compiled parts, unless somebody has asked for the other.
    wanted = {"otlp": "otlp_proto_http"}.get(name, name)
    found = entry_points(group=f"opentelemetry_{kind}_exporter", name=wanted)
    if not found:
        raise ValueError(f"no exporter of {kind} is named {name!r}")
    return next(iter(found)).load()()


__all__ = ["exporter_wanted", "load_exporter", "resource"]

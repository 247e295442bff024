"""`pipeline.environment`: a virtual environment in which the repository's own tests can run."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, node
from pyagent.sdk.fields import DurationOrSeconds
from pyagent_nodes.pipeline.shapes import Project, Source
from pyagent_nodes.pipeline.venv import make_environment
from pyagent_nodes.pipeline.workspace import open_tree


class EnvironmentParams(NodeParams):
    """For which repository, and with which Python."""

    source: Source = Field(description="The fetched repository")
    project: Project = Field(description="What is known of it: `project` of pipeline.understand's item")
    python: str | None = Field(None, description="Python version or path; left out: one that the repository allows")
    timeout: DurationOrSeconds = Field(
        timedelta(minutes=15), gt=timedelta(), description="How long an installation may take"
    )


@node("pipeline.environment", title="Prepare environment", icon="package", effects="idempotent")
async def environment(items: Items, params: EnvironmentParams, ctx: Context) -> Outputs:
    """Make a fresh virtual environment with the package, imported from the work tree, and what its tests need.

    What was resolved is kept by a hash of the requirements, so the second time needs no network. The package's build
    runs its code. Puts out one item: what came in, and `environment`.

    Fails with `pipeline.environment.failed`, `.no_python` or `.no_network`.
    """
    tree = await open_tree(ctx, params.source)
    found = await make_environment(
        ctx, params.source, params.project, tree, python=params.python or "", timeout=params.timeout.total_seconds()
    )
    ctx.log(
        f"Python {found.python} with {len(found.lock)} packages in {found.seconds:.1f} s"
        + (", as the last time" if found.reused else "")
    )
    return {"out": [Item({**(items[0].json if items else {}), "environment": found.as_json()})]}

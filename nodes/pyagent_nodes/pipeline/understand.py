"""`pipeline.understand`: what a repository is and how it is tested, without running any of it."""

from __future__ import annotations

import time

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, node
from pyagent.sdk.threads import in_thread
from pyagent_nodes.pipeline.project import read_project
from pyagent_nodes.pipeline.shapes import Source
from pyagent_nodes.pipeline.workspace import open_source


class UnderstandParams(NodeParams):
    """Which repository."""

    source: Source = Field(description="The fetched repository: `source` of pipeline.fetch's item")


@node("pipeline.understand", title="Understand repository", icon="search", effects="none")
async def understand(items: Items, params: UnderstandParams, ctx: Context) -> Outputs:
    """Read languages, size, dependencies, build backend and the test command from the repository's files.

    Puts out one item: what came in, and `project`.
    """
    started = time.monotonic()
    root = await open_source(ctx, params.source)
    source = params.source
    project = await in_thread(lambda check: read_project(root, source.name, source.version, check), ctx.cancel)
    ctx.log(f"{project.name} {project.version}: {project.lines} lines, {', '.join(list(project.languages)[:3])}")
    if project.runner == "none":
        ctx.log("no tests were found", level="warning")
    else:
        ctx.log(f"tests: {project.test_command} (by {project.evidence['test_command']}), {project.test_files} files")
    project = project.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
    return {"out": [Item({**(items[0].json if items else {}), "project": project.as_json()})]}

"""`pipeline.docs`: an API reference and a module map from the source, without importing it."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Mapping

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, node
from pyagent.sdk.threads import Check, in_thread
from pyagent_nodes.pipeline.apidoc import Api, read_api
from pyagent_nodes.pipeline.apidoc_html import Renderer
from pyagent_nodes.pipeline.shapes import Blob, Docs, Patch, Project, Source
from pyagent_nodes.pipeline.workspace import open_tree


class DocsParams(NodeParams):
    """What to document."""

    source: Source = Field(description="The fetched repository")
    project: Project = Field(description="What is known of it")
    patch: Patch | None = Field(None, description="Changes to document; without them the repository as fetched")


@node("pipeline.docs", title="Write documentation", icon="book", effects="idempotent")
async def docs(items: Items, params: DocsParams, ctx: Context) -> Outputs:
    """Write an API reference and a module map as static HTML, read from the source by its syntax alone.

    Puts out one item: the fields of all that came in, and `docs` (the pages as an archive).
    """
    started = time.monotonic()
    tree = await open_tree(ctx, params.source, params.patch)
    title = f"{params.project.name} {params.project.version}".strip()

    def work(check: Check) -> tuple[Api, bytes, int]:
        api = read_api(tree, params.project.packages, check)
        pages = Renderer(api, title).pages()
        return api, _pack(pages, check), len(pages)

    api, packed, pages = await in_thread(work, ctx.cancel)
    ref = await ctx.blobs.put(packed, name="docs.tar.gz", media_type="application/gzip")
    found = Docs(
        archive=Blob.of(ref), index="index.html", pages=pages, modules=len(api.modules), classes=api.class_count,
        functions=api.function_count, documented=round(api.documented(), 4), unparsed=api.unparsed,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip
    ctx.log(f"{found.pages} pages: {found.modules} modules, {found.classes} classes, {found.functions} functions")
    if api.unparsed:
        ctx.log(f"{len(api.unparsed)} files are no valid Python", level="warning", files=api.unparsed[:20])
    json = {name: value for item in items for name, value in item.json.items()}
    return {"out": [Item({**json, "docs": found.as_json()}, {"docs": ref})]}


def _pack(pages: Mapping[str, str], check: Check) -> bytes:
    """The pages as `.tar.gz`, the same bytes for the same pages."""
    target = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(pages):
            check()
            data = pages[name].encode("utf-8", errors="replace")
            info = tarfile.TarInfo(f"docs/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()

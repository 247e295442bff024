"""Nodes that say the credential `mail` wherever a node can say something."""

from __future__ import annotations

from pyagent.sdk import Context, Items, NoParams, node

SECRET = "correct-horse-battery"
"""The password of `mail`, where a test sets it so."""
LEAKY = """
pyagent: 1
id: leaky
nodes:
  - {id: leak, use: leaky.leak@1, on_error: continue}
  - {id: fail, use: leaky.fail@1}
edges: [leak -> fail]
outputs: {}
"""


@node("leaky.leak", title="Leak", effects="idempotent")
async def leak(items: Items, params: NoParams, ctx: Context) -> None:
    """Says its credential in every way it can, and fails with it."""
    password = (await ctx.credential("Mail"))["password"]
    ctx.log(f"it is {password}", also=password)
    ctx.progress(0.5, password)
    ctx.token(password)
    raise ValueError(f"could not log in with {password}")


@node("leaky.fail", title="Fail", effects="idempotent")
async def fail(items: Items, params: NoParams, ctx: Context) -> None:
    """Fails with what an earlier step read."""
    raise RuntimeError(f"still {(await ctx.credential('mail'))['password']}")

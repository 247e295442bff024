"""Typed parameters: a pydantic model is a node's whole interface."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class NodeParams(BaseModel):
    """Base of every node's parameters. A field's description is its documentation and its form label.

    A string that holds `{{ … }}` is evaluated before the model validates it, once for each item where the node
    works item by item.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NoParams(NodeParams):
    """For nodes without parameters."""

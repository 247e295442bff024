"""All that a node may import."""

from pyagent.errors import InputError, NodeCancelled, NodeError, NodeTimeout, NotFound, SetupError, Where
from pyagent.sdk.commands import Answer, Call, Command, LoopView, Map, Restart, Stop, Wait
from pyagent.sdk.context import Blobs, CancelToken, Context
from pyagent.sdk.credentials import CredentialField, CredentialKind
from pyagent.sdk.items import BlobRef, Item, Items, ItemSource, JsonObject, Outputs, Result
from pyagent.sdk.node import Effects, NodeType, node
from pyagent.sdk.params import NodeParams, NoParams
from pyagent.sdk.registry import Registry
from pyagent.sdk.sources import Endpoint, Occurrence, SourceContext

__all__ = [
    "Answer",
    "BlobRef",
    "Blobs",
    "Call",
    "CancelToken",
    "Command",
    "Context",
    "CredentialField",
    "CredentialKind",
    "Effects",
    "Endpoint",
    "InputError",
    "Item",
    "ItemSource",
    "Items",
    "JsonObject",
    "LoopView",
    "Map",
    "NoParams",
    "NodeCancelled",
    "NodeError",
    "NodeParams",
    "NodeTimeout",
    "NodeType",
    "NotFound",
    "Occurrence",
    "Outputs",
    "Registry",
    "Restart",
    "Result",
    "SetupError",
    "SourceContext",
    "Stop",
    "Wait",
    "Where",
    "node",
]

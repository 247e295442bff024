"""`flow.ask`: a person fills in a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, Wait, node
from pyagent.sdk.fields import Duration, FieldPath, with_field

FieldType = Literal[
    "text", "textarea", "number", "integer", "boolean", "choice", "choices", "date", "datetime", "email", "json"
]
_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "textarea": {"type": "string", "format": "textarea"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "choice": {},
    "choices": {"type": "array", "uniqueItems": True},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "json": {},
}


class FormField(NodeParams):
    """One field of a form."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The name that the answer has it under")
    type: FieldType = Field("text", description="What is filled in")
    label: str = Field("", description="What the person sees; the name if left out")
    description: str = Field("", description="A line of help")
    required: bool = Field(False, description="It must be given, a text not empty")
    options: list[Any] = Field(default_factory=list, description="For `choice` and `choices`: what may be chosen")
    default: Any = Field(None, description="What is filled in at first")

    @model_validator(mode="after")
    def _options(self) -> Self:
        if self.type in ("choice", "choices") and not self.options:
            raise ValueError(f"say the `options` of {self.name}")
        if self.options and self.type not in ("choice", "choices"):
            raise ValueError(f"`options` of {self.name} belong to the types choice and choices")
        return self

    def schema_(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        found = {"title": self.label or self.name, **_SCHEMAS[self.type]}
        if self.type == "choice":
            found["enum"] = self.options
        if self.type == "choices":
            found["items"] = {"enum": self.options}
        if self.required and self.type in ("text", "textarea", "email"):
            found["minLength"] = 1
        if self.required and self.type == "choices":
            found["minItems"] = 1
        if self.description:
            found["description"] = self.description
        if self.default is not None:
            found["default"] = self.default
        return found


class AskParams(NodeParams):
    """Parameters of `flow.ask`."""

    title: str = Field("Please fill in", min_length=1, description="What is asked for, one line")
    message: str = Field("", description="More about it; Markdown")
    fields: list[FormField] | dict[str, dict[str, Any]] = Field(
        description="The form: a list of fields, or JSON Schema properties by name",
        min_length=1,
        examples=[[{"name": "colour", "type": "choice", "options": ["red", "blue"]}]],
    )
    required: list[str] = Field(default_factory=list, description="With JSON Schema properties: which must be given")
    show: int = Field(20, ge=0, description="How many items the person is shown; what was shown is recorded")
    into: FieldPath = Field("answer", description="The field that gets what was filled in")
    by: FieldPath | None = Field(None, description="A field that gets who answered, and when: `{actor, at}`")
    timeout: Duration | None = Field(None, description="How long at most; then `timeout` delivers")

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = list(self.fields) if isinstance(self.fields, dict) else [field.name for field in self.fields]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two fields are named {min(twice)}")
        if self.required and not isinstance(self.fields, dict):
            raise ValueError("say `required: true` in the field itself")
        if unknown := set(self.required) - set(names):
            raise ValueError(f"`required` names {min(unknown)}, which is no field")
        return self

    def answer_schema(self) -> dict[str, Any]:
        """The whole form as JSON Schema."""
        if isinstance(self.fields, dict):
            properties, required = self.fields, self.required
        else:
            properties = {field.name: field.schema_() for field in self.fields}
            required = [field.name for field in self.fields if field.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def ports(params: AskParams) -> Sequence[str]:
    """`out`, and `timeout` where waiting can end without an answer."""
    return ("out", "timeout") if params.timeout is not None else ("out",)


# Asking only parks the step, which may be repeated without harm: no effects.
@node("flow.ask", title="Ask", icon="form-input", ports_out=ports, effects="none")
async def ask(items: Items, params: AskParams, ctx: Context) -> Wait | Outputs:
    """Ask a person to fill in a form, and put the answer into the field `into` of each item.

    An answer that does not fit the form is refused when it is given, with the field that is wrong. The form is on the
    page, in the terminal (`pyagent run`, `pyagent answer`) and in the API.
    """
    if ctx.answer is None:
        shown = [item.json for item in items[: params.show]]
        return Wait(
            kind="form",
            title=params.title,
            prompt={"message": params.message, "items": shown, "count": len(items)},
            until=ctx.now + params.timeout if params.timeout is not None else None,
            response_schema=params.answer_schema(),
        )
    if ctx.answer.kind == "timeout":
        return {"timeout": items}
    said = {"actor": ctx.answer.actor, "at": ctx.answer.at.isoformat() if ctx.answer.at else None}
    answered: list[Item] = []
    for item in items:
        json = with_field(item.json, params.into, ctx.answer.value)
        json = with_field(json, params.by, said) if params.by else json
        answered.append(Item(json, item.binary, item.sources))
    return {"out": answered}

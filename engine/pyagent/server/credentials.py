"""Routes about credentials: names, kinds and uses go out, values only come in."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, SecretStr

from pyagent.errors import InputError, NotFound
from pyagent.runtime.credentials import (
    names_in_environment,
    of_environment,
    put_credential,
    try_credential,
    try_fields,
    users_of_credentials,
)
from pyagent.sdk.credentials import SHORTEST, CredentialKind
from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import errors
from pyagent.vault import Secret, VaultFailed, make_vault, open_vault, require_vault

router = APIRouter(prefix="/api/v1", tags=["credentials"])
Server = Annotated[ServerContext, Depends(context_of)]
Name = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class CredentialView(BaseModel):
    """A credential, without its values."""

    name: str = Field(description="In lower case; graphs may say it in capitals, too")
    kind: str | None = Field(description="Its kind; null where it is not in the vault")
    fields: list[str] = Field(description="Names of the fields that have a value")
    version: int | None = Field(description="How often it was set")
    changed: datetime | None = Field(description="When it was set")
    used: datetime | None = Field(description="When a run or webhook read it last, to within ten minutes")
    in_environment: bool = Field(description="The server's environment has one of this name, which wins")
    graphs: list[str] = Field(description="Ids of graphs that ask for it, where no expression computes the name")


class CredentialList(BaseModel):
    """All credentials, and how the vault stands."""

    vault: Literal["open", "locked", "absent"] = Field(description="Whether credentials can be set and read")
    problem: str = Field(description="Why it is locked; else empty")
    credentials: list[CredentialView]


class FieldView(BaseModel):
    """A field of a kind."""

    name: str
    description: str
    secret: bool
    required: bool
    choices: list[str]


class KindView(BaseModel):
    """A kind of credential."""

    name: str
    title: str
    fields: list[FieldView] = Field(description="None: fields of any name")
    fields_schema: dict[str, Any] = Field(
        description="JSON Schema of the fields, for a form: `format: password` where one is secret"
    )
    can_be_tried: bool

    @classmethod
    def of(cls, kind: CredentialKind) -> KindView:
        """The view of a kind."""
        fields = [
            FieldView(
                name=field.name,
                description=field.description,
                secret=field.secret,
                required=field.required,
                choices=list(field.choices),
            )
            for field in kind.fields
        ]
        return cls(
            name=kind.name,
            title=kind.title,
            fields=fields,
            fields_schema=_fields_schema(kind),
            can_be_tried=kind.attempt is not None,
        )


def _fields_schema(kind: CredentialKind) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in kind.fields:
        found: dict[str, Any] = {"type": "string", "description": field.description}
        if field.choices:
            found["enum"] = list(field.choices)
        if field.secret:
            found |= {"format": "password", "writeOnly": True, "minLength": SHORTEST}
        properties[field.name] = found
    return {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in kind.fields if field.required],
        "additionalProperties": {"type": "string"} if kind.is_open else False,
    }


class PutCredential(BaseModel, extra="forbid"):
    """What a credential shall be."""

    kind: str = Field("generic", max_length=64)
    fields: dict[str, SecretStr | None] = Field(
        max_length=64, description="Values by field; null keeps the value that is there, a field left out goes"
    )
    new: bool = Field(False, description="Only if there is none of this name: else `credential.exists`")


class TryCredential(BaseModel, extra="forbid"):
    """A credential as a form has it, which is not set yet."""

    kind: str = Field("generic", max_length=64)
    fields: dict[str, SecretStr | None] = Field(
        max_length=64, description="Values by field; null is the value that is there"
    )


class CredentialSet(BaseModel):
    """What was set."""

    name: str
    version: int


class CredentialTried(BaseModel):
    """What came of trying a credential."""

    works: bool | None = Field(description="Null where only its use can tell")
    message: str


@router.get("/credentials")
async def list_credentials(server: Server) -> CredentialList:
    """All credentials that there are, or that graphs ask for, without a value of any."""
    problem, secrets = "", []
    try:
        vault = await asyncio.to_thread(open_vault)
        secrets = vault.secrets() if vault is not None else []
        state: Literal["open", "locked", "absent"] = "open" if vault is not None else "absent"
    except VaultFailed as error:
        problem, state = f"{error.message}. {error.hint}", "locked"
    users = await users_of_credentials(server.engine.library, server.engine.store)
    given = names_in_environment()
    by_name = {secret.name: secret for secret in secrets}
    names = sorted({*by_name, *given, *users})
    views = [_view(name, by_name.get(name), name in given, users.get(name, [])) for name in names]
    return CredentialList(vault=state, problem=problem, credentials=views)


@router.get("/credential-kinds")
async def list_credential_kinds(server: Server) -> list[KindView]:
    """The kinds of credentials, for forms."""
    kinds = await asyncio.to_thread(server.engine.registry.credential_kinds)
    return [KindView.of(kind) for kind in kinds]


@router.post("/vault", status_code=204, responses=errors(409))
async def create_vault() -> Response:
    """Make the vault, opened by a new key file beside it, or by PYAGENT_VAULT_PASSPHRASE of the server."""
    from pyagent.settings import VAULT_PASSPHRASE

    await asyncio.to_thread(make_vault, VAULT_PASSPHRASE.given())
    return Response(status_code=204)


@router.put("/credentials/{name}", responses=errors(409))
async def set_credential(name: Name, body: PutCredential, server: Server) -> CredentialSet:
    """Set a credential. The server never gives its values back."""
    fields = {field: None if value is None else value.get_secret_value() for field, value in body.fields.items()}

    def put() -> int:
        vault = require_vault()
        if body.new and (of_environment(name) is not None or name.lower() in {one.name for one in vault.secrets()}):
            raise InputError(
                f"there is a credential {name!r} already",
                code="credential.exists",
                hint="Choose another name, or change that one.",
            )
        return put_credential(vault, server.engine.registry.credential_kinds(), name, body.kind, fields)

    return CredentialSet(name=name.lower(), version=await asyncio.to_thread(put))


@router.delete("/credentials/{name}", status_code=204, responses=errors(404, 409))
async def delete_credential(name: Name) -> Response:
    """Take a credential out of the vault, with all values that it had."""
    if not await asyncio.to_thread(lambda: require_vault().remove(name)):
        raise NotFound(
            f"the vault has no credential {name!r}",
            code="credential.not_found",
            hint="GET /api/v1/credentials lists those there are.",
        )
    return Response(status_code=204)


@router.post("/credentials/{name}/test", responses=errors(404, 409))
async def test_credential(
    name: Name,
    server: Server,
    body: TryCredential | None = None,  # noqa: PT028  it is a route, not a test
) -> CredentialTried:
    """Try whether a credential works: log in, ask the database, call its `test_url`. With a body, as it would be if
    that were set; nothing is kept."""
    kinds = await asyncio.to_thread(server.engine.registry.credential_kinds)
    if body is None:
        tried = await try_credential(name, kinds)
    else:
        given = {field: None if value is None else value.get_secret_value() for field, value in body.fields.items()}
        tried = await try_fields(name, body.kind, given, kinds)
    return CredentialTried(works=tried.works, message=tried.message)


def _view(name: str, secret: Secret | None, in_environment: bool, graphs: list[str]) -> CredentialView:
    return CredentialView(
        name=name,
        kind=secret.kind if secret else None,
        fields=list(secret.fields) if secret else [],
        version=secret.version if secret else None,
        changed=secret.changed if secret else None,
        used=secret.used if secret else None,
        in_environment=in_environment,
        graphs=graphs,
    )

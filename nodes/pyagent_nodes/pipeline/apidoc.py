"""Reads the public interface of Python sources by their syntax alone: modules, classes, functions, docstrings."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pyagent.sdk.threads import Check


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function or a method."""

    name: str
    signature: str
    """`name(arguments) -> result`, without `def`."""
    doc: str
    line: int
    kind: str = "function"
    """function, method, class method, static method or property; with `async` before it."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """A constant, a class attribute or a field."""

    name: str
    annotation: str
    value: str
    """Its source, cut to a line; empty if there is none."""
    doc: str
    """A string literal right below it."""
    line: int


@dataclass(frozen=True, kw_only=True)
class Class:
    """A class."""

    name: str
    bases: tuple[str, ...]
    doc: str
    line: int
    methods: tuple[Function, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A name that the module takes from another one of the repository and offers as its own."""

    name: str
    target: str
    """Dotted, such as `humanize.time.naturaltime`."""


@dataclass(kw_only=True)
class Module:
    """A module."""

    name: str
    """Dotted."""
    path: str
    """From the repository's root."""
    lines: int
    doc: str
    classes: tuple[Class, ...] = ()
    functions: tuple[Function, ...] = ()
    values: tuple[Value, ...] = ()
    aliases: tuple[Alias, ...] = ()
    imports: list[str] = field(default_factory=list[str])
    """Modules of the repository that it imports."""


@dataclass(kw_only=True)
class Api:
    """The public interface of a repository."""

    modules: list[Module]
    unparsed: list[str]
    """Files that are no valid Python."""

    def documented(self) -> float:
        """The share of modules, classes, functions and methods that have a docstring; 1 if there are none."""
        docs = [doc for module in self.modules for doc in _docs_of(module)]
        return sum(bool(doc) for doc in docs) / len(docs) if docs else 1.0

    @property
    def class_count(self) -> int:
        """Classes in all modules."""
        return sum(len(module.classes) for module in self.modules)

    @property
    def function_count(self) -> int:
        """Functions and methods in all modules."""
        return sum(len(m.functions) + sum(len(cls.methods) for cls in m.classes) for m in self.modules)


def _docs_of(module: Module) -> Iterator[str]:
    yield module.doc
    for function in module.functions:
        yield function.doc
    for cls in module.classes:
        yield cls.doc
        for method in cls.methods:
            if not method.name.startswith("__"):
                yield method.doc


def module_name(package: str, path: PurePosixPath) -> str:
    """The dotted name of a file that lies in the package folder (or is the single module) `package`."""
    base = PurePosixPath(package).parent
    relative = path.relative_to(base).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    return ".".join(parts)


def read_api(root: Path, packages: Sequence[str], check: Check) -> Api:
    """Read all modules of these packages (paths from `root`). Nothing is imported."""
    api = Api(modules=[], unparsed=[])
    trees: list[tuple[Module, ast.Module]] = []
    for package in packages:
        top = root / package
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            check()
            relative = PurePosixPath(path.relative_to(root).as_posix())
            # A file whose name is no identifier cannot be imported: it is a script, not a part of the interface.
            if path.is_symlink() or not all(part.isidentifier() for part in module_name(package, relative).split(".")):
                continue
            try:
                data = path.read_bytes()
                tree = ast.parse(data)
                text = data.decode("utf-8", errors="replace")
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                api.unparsed.append(str(relative))
                continue
            module = Module(
                name=module_name(package, relative),
                path=str(relative),
                lines=text.count("\n") + (not text.endswith("\n") and bool(text)),
                doc=_doc(tree),
            )
            trees.append((module, tree))
    known = {module.name for module, _ in trees}
    for module, tree in trees:
        check()
        _fill(module, tree, known)
        api.modules.append(module)
    offered = {alias.target.rpartition(".")[0] for module in api.modules for alias in module.aliases}
    api.modules = [module for module in api.modules if not _is_private(module.name) or module.name in offered]
    kept = {module.name for module in api.modules}
    for module in api.modules:
        module.imports = [name for name in module.imports if name in kept]
    return api


def _is_private(module: str) -> bool:
    return any(part.startswith("_") and part != "__main__" for part in module.split("."))


def _doc(part: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return (ast.get_docstring(part) or "").replace("\r\n", "\n")


def _exported(tree: ast.Module) -> set[str] | None:
    """The names in `__all__` as far as they are literals; None without one."""
    found: set[str] | None = None
    for part in tree.body:
        targets: list[ast.expr] = []
        if isinstance(part, ast.Assign):
            targets = part.targets
        elif isinstance(part, ast.AnnAssign | ast.AugAssign):
            targets = [part.target]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = getattr(part, "value", None)
            for element in ast.walk(value) if value is not None else ():
                if isinstance(element, ast.Constant) and isinstance(element.value, str):
                    found = (found or set()) | {element.value}
    return found


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those in `if` and `try` too: that is where compatible definitions live."""
    for part in body:
        if isinstance(part, ast.If):
            yield from _top_level([*part.body, *part.orelse])
        elif isinstance(part, ast.Try):
            yield from _top_level([*part.body, *(inner for handler in part.handlers for inner in handler.body)])
        else:
            yield part


def _fill(module: Module, tree: ast.Module, known: set[str]) -> None:
    exported = _exported(tree)

    def public(name: str) -> bool:
        return name in exported if exported is not None else not name.startswith("_")

    classes: dict[str, Class] = {}
    functions: dict[str, Function] = {}
    aliases: dict[str, Alias] = {}
    is_package = module.path.endswith("__init__.py")
    statements = list(_top_level(tree.body))
    for part in statements:
        if isinstance(part, ast.ClassDef) and public(part.name):
            classes[part.name] = _class(part)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and public(part.name):
            functions.setdefault(part.name, _function(part, ""))
    for part in ast.walk(tree):
        if isinstance(part, ast.ImportFrom):
            origin = _origin(module.name, is_package, part)
            targets = {f"{origin}.{name.name}" for name in part.names} & known or {origin} & known
            module.imports += sorted(targets - {module.name})
        elif isinstance(part, ast.Import):
            module.imports += sorted({name.name for name in part.names} & known - {module.name})
    for part in statements:
        if isinstance(part, ast.ImportFrom):
            origin = _origin(module.name, is_package, part)
            if any(name == origin or name.startswith(origin + ".") for name in known):
                for name in part.names:
                    own = name.asname or name.name
                    if name.name != "*" and f"{origin}.{name.name}" not in known and public(own):
                        aliases[own] = Alias(name=own, target=f"{origin}.{name.name}")
    module.imports = sorted(set(module.imports))
    module.classes = tuple(classes.values())
    module.functions = tuple(functions.values())
    module.values = tuple(value for value in _values(statements) if public(value.name))
    shown = exported is not None or is_package
    module.aliases = tuple(aliases[name] for name in sorted(aliases)) if shown else ()


def _origin(module: str, is_package: bool, part: ast.ImportFrom) -> str:
    """The absolute name of the module that a `from … import` names."""
    if not part.level:
        return part.module or ""
    parts = module.split(".")
    drop = part.level - (1 if is_package else 0)
    base = parts[: len(parts) - drop] if drop else parts
    return ".".join([*base, *([part.module] if part.module else [])])


def _class(part: ast.ClassDef) -> Class:
    methods: dict[str, Function] = {}
    for inner in _top_level(part.body):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not inner.name.startswith("_") or inner.name in ("__init__", "__call__", "__enter__", "__iter__")
        ):
            method = _function(inner, "method")
            if "overload" not in (_name(decorator) for decorator in inner.decorator_list):
                methods.setdefault(inner.name, method)
    return Class(
        name=part.name,
        bases=tuple(ast.unparse(base) for base in part.bases),
        doc=_doc(part),
        line=part.lineno,
        methods=tuple(methods.values()),
        values=tuple(value for value in _values(part.body) if not value.name.startswith("_")),
    )


def _name(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _function(part: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> Function:
    decorators = {_name(decorator) for decorator in part.decorator_list}
    kinds = {"classmethod": "class method", "staticmethod": "static method", "property": "property",
             "cached_property": "property"}  # fmt: skip
    kind = next((kinds[name] for name in kinds if name in decorators), kind or "function")
    arguments = ast.unparse(part.args)
    if kind in ("method", "class method", "property"):
        first, _, rest = arguments.partition(", ")
        arguments = rest if first.split(":")[0] in ("self", "cls", "mcs") else arguments
    result = f" -> {ast.unparse(part.returns)}" if part.returns else ""
    signature = f"{part.name}{result}" if kind == "property" else f"{part.name}({arguments}){result}"
    prefix = "async " if isinstance(part, ast.AsyncFunctionDef) else ""
    return Function(name=part.name, signature=signature, doc=_doc(part), line=part.lineno, kind=prefix + kind)


def _values(body: Sequence[ast.stmt]) -> Iterator[Value]:
    for index, part in enumerate(body):
        after = body[index + 1] if index + 1 < len(body) else None
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
            name, annotation, value = part.targets[0].id, "", part.value
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            name, annotation, value = part.target.id, ast.unparse(part.annotation), part.value
        else:
            continue
        doc = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            doc = inspect.cleandoc(after.value.value)
        text = ast.unparse(value).replace("\n", " ") if value is not None else ""
        if len(text) > 120:
            text = text[:117] + "…"
        if annotation or doc or name.isupper():
            yield Value(name=name, annotation=annotation, value=text, doc=doc, line=part.lineno)

"""Renders an interface as static HTML: one page a module, an index with the module map; no scripts, no requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from pyagent_nodes.pipeline.apidoc import Api, Class, Function, Module, Value
from pyagent_nodes.pipeline.theme import page

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_CODE = re.compile(r"``(.+?)``|`([^`\n]+?)`|:(?:func|class|meth|mod|exc|attr|data|ref|obj):`~?([^`\n]+?)`")
_STYLE = """
nav.map td:first-child{white-space:nowrap}
.sig{font-family:var(--mono);font-size:.92rem;background:var(--soft);border-left:3px solid var(--accent);
padding:.5rem .75rem;border-radius:0 6px 6px 0;overflow-x:auto;white-space:pre-wrap;margin:1.6rem 0 .5rem}
.sig .kind{color:var(--muted);font-size:.8rem}.doc{margin-left:1rem}.methods{margin-left:1rem}
.doc pre{margin:.5rem 0}h3{margin-top:2rem}.where{color:var(--muted);font-size:.8rem;float:right}
"""


def page_name(module: str) -> str:
    """The file of a module's page."""
    return "index.module.html" if module == "index" else f"{module}.html"


class Renderer:
    """Renders the pages of one interface; names of it that occur in signatures and docstrings become links."""

    def __init__(self, api: Api, title: str) -> None:
        self.api = api
        self.title = title
        self._places = _places(api)

    def pages(self) -> Mapping[str, str]:
        """Every page, by file name."""
        found = {"index.html": self._index()}
        found |= {page_name(module.name): self._module(module) for module in self.api.modules}
        return found

    def _index(self) -> str:
        importers: dict[str, list[str]] = {}
        for module in self.api.modules:
            for name in module.imports:
                importers.setdefault(name, []).append(module.name)
        rows = "".join(
            f"<tr><td>{self._link(module.name, module.name)}</td><td>{escape(_first(module.doc))}</td>"
            f"<td class=n>{module.lines}</td><td class=n>{len(module.classes)}</td>"
            f"<td class=n>{len(module.functions)}</td><td>{self._list(module.imports)}</td>"
            f"<td>{self._list(importers.get(module.name, []))}</td></tr>"
            for module in self.api.modules
        )
        share = f"{self.api.documented():.0%}"
        body = (
            f"<h1>{escape(self.title)}</h1><p class=lead>{len(self.api.modules)} modules, {self.api.class_count} "
            "classes, "
            f"{self.api.function_count} functions and methods; {share} of them have a docstring.</p>"
            "<h2>Module map</h2><nav class=map><div class=scroll><table><thead><tr><th>Module</th><th></th>"
            "<th class=n>Lines</th><th class=n>Classes</th><th class=n>Functions</th><th>Imports</th>"
            f"<th>Imported by</th></tr></thead><tbody>{rows}</tbody></table></div></nav>"
        )
        if self.api.unparsed:
            files = "".join(f"<li><code>{escape(path)}</code></li>" for path in self.api.unparsed)
            body += f"<h2>Not read</h2><p>These files are no valid Python:</p><ul>{files}</ul>"
        return page(f"{self.title}: API reference", body, style=_STYLE)

    def _list(self, names: list[str]) -> str:
        return ", ".join(self._link(name, name.rpartition(".")[2] or name) for name in names)

    def _link(self, name: str, text: str) -> str:
        return f'<a href="{escape(self._places[name])}">{escape(text)}</a>'

    def _module(self, module: Module) -> str:
        parts = [
            f'<p><a href="index.html">{escape(self.title)}</a></p>',
            f"<h1>{escape(module.name)}</h1><p class=lead><code>{escape(module.path)}</code>, {module.lines} lines</p>",
            self._doc(module.doc, module),
        ]
        if module.aliases:
            rows = "".join(
                f'<li id="{escape(alias.name)}"><code>{escape(alias.name)}</code> is '
                f"<code>{self._words(alias.target, module)}</code></li>"
                for alias in module.aliases
            )
            parts.append(f"<h2>Names from other modules</h2><ul>{rows}</ul>")
        if module.values:
            parts.append("<h2>Values</h2>" + "".join(self._value(value, module, "") for value in module.values))
        if module.functions:
            parts.append("<h2>Functions</h2>" + "".join(self._function(f, module, "") for f in module.functions))
        if module.classes:
            parts.append("<h2>Classes</h2>" + "".join(self._class(cls, module) for cls in module.classes))
        return page(f"{module.name}: API reference", "".join(parts), style=_STYLE)

    def _class(self, cls: Class, module: Module) -> str:
        bases = f"({', '.join(self._words(base, module) for base in cls.bases)})" if cls.bases else ""
        inner = "".join(self._value(value, module, f"{cls.name}.") for value in cls.values)
        inner += "".join(self._function(method, module, f"{cls.name}.") for method in cls.methods)
        return (
            f'<h3 id="{escape(cls.name)}">{escape(cls.name)}</h3><div class=sig>{_where(module, cls.line)}'
            f"<span class=kind>class</span> {escape(cls.name)}{bases}</div>{self._doc(cls.doc, module)}"
            f"<div class=methods>{inner}</div>"
        )

    def _function(self, function: Function, module: Module, prefix: str) -> str:
        rest = function.signature.removeprefix(function.name)
        return (
            f'<div class=sig id="{escape(prefix + function.name)}">{_where(module, function.line)}'
            f"<span class=kind>{escape(function.kind)}</span> <b>{escape(function.name)}</b>"
            f"{self._words(rest, module)}</div>{self._doc(function.doc, module)}"
        )

    def _value(self, value: Value, module: Module, prefix: str) -> str:
        annotation = f": {self._words(value.annotation, module)}" if value.annotation else ""
        content = f" = {escape(value.value)}" if value.value else ""
        return (
            f'<div class=sig id="{escape(prefix + value.name)}">{_where(module, value.line)}'
            f"<b>{escape(value.name)}</b>{annotation}{content}</div>{self._doc(value.doc, module)}"
        )

    def _words(self, text: str, module: Module) -> str:
        """Code with links on the names that are known; names of the module itself come first."""
        found: list[str] = []
        end = 0
        for match in _WORD.finditer(text):
            found.append(escape(text[end : match.start()]))
            found.append(self._name(match[0], module))
            end = match.end()
        return "".join(found) + escape(text[end:])

    def _name(self, name: str, module: Module) -> str:
        for candidate in (f"{module.name}.{name}", name):
            if place := self._places.get(candidate):
                return f'<a href="{escape(place)}">{escape(name)}</a>'
        return escape(name)

    def _doc(self, doc: str, module: Module) -> str:
        """A docstring: paragraphs, code in backquotes, and examples and indented parts as they are."""
        if not doc:
            return ""
        found: list[str] = []
        for block in re.split(r"\n\s*\n", doc):
            lines = block.split("\n")
            if any(line.lstrip().startswith(">>>") for line in lines) or all(line[:1] in " \t" for line in lines):
                found.append(f"<pre>{escape(block)}</pre>")
            elif any(line[:1] in " \t" for line in lines[1:]):
                found.append(f"<pre class=text>{self._inline(block, module)}</pre>")
            else:
                found.append(f"<p>{self._inline(block, module)}</p>")
        return f"<div class=doc>{''.join(found)}</div>"

    def _inline(self, text: str, module: Module) -> str:
        found: list[str] = []
        end = 0
        for match in _CODE.finditer(text):
            found.append(escape(text[end : match.start()]))
            found.append(f"<code>{self._words(next(part for part in match.groups() if part), module)}</code>")
            end = match.end()
        return "".join(found) + escape(text[end:])


def _places(api: Api) -> dict[str, str]:
    """The address of every public name, by its dotted name."""
    found: dict[str, str] = {}
    for module in api.modules:
        file = page_name(module.name)
        found[module.name] = file
        for function in module.functions:
            found[f"{module.name}.{function.name}"] = f"{file}#{function.name}"
        for value in module.values:
            found[f"{module.name}.{value.name}"] = f"{file}#{value.name}"
        for cls in module.classes:
            found[f"{module.name}.{cls.name}"] = f"{file}#{cls.name}"
            for method in cls.methods:
                found[f"{module.name}.{cls.name}.{method.name}"] = f"{file}#{cls.name}.{method.name}"
    for module in api.modules:
        for alias in module.aliases:
            if place := found.get(alias.target):
                found.setdefault(f"{module.name}.{alias.name}", place)
    return found


def _first(doc: str) -> str:
    return doc.split("\n\n")[0].replace("\n", " ")


def _where(module: Module, line: int) -> str:
    return f"<span class=where>{escape(module.path.rpartition('/')[2])}:{line}</span>"

"""Mutations that break a graph file: at least one for each code of the checks and of the reader.

A mutation changes a valid graph's data and gives back what stands on the mutated line, or it changes the text and
gives back the line. What it adds is named `zzq…`, so that lines are found without the product's own idea of places.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

Data = dict[str, Any]


class NotHere(Exception):
    """The mutation does not fit this graph."""


# What a mutation gives back: strings that stand on the mutated line, any of them.
Marks = tuple[str, ...]
Mutation = Callable[[Data, random.Random], Marks]
TextMutation = Callable[[str, random.Random], tuple[str | bytes, int]]
MUTATIONS: list[tuple[str, Mutation]] = []
TEXT_MUTATIONS: list[tuple[str, TextMutation]] = []


def breaks(code: str) -> Callable[[Mutation], Mutation]:
    def register(mutation: Mutation) -> Mutation:
        MUTATIONS.append((code, mutation))
        return mutation

    return register


def breaks_text(code: str) -> Callable[[TextMutation], TextMutation]:
    def register(mutation: TextMutation) -> TextMutation:
        TEXT_MUTATIONS.append((code, mutation))
        return mutation

    return register


def pick(items: list[Any], chance: random.Random) -> Any:
    if not items:
        raise NotHere
    return chance.choice(items)


def node_of(data: Data, chance: random.Random, *, leaves: bool = True) -> Data:
    """A node of the top level that others may hang on: with `leaves`, one whose first port is there."""
    known = [node for node in data.get("nodes", []) if not leaves or node["use"] in _LEADING]
    return pick(known, chance)


_LEADING = {"flow.noop@1", "flow.manual@1", "data.set@1", "flow.switch@1", "flow.if@1", "data.split@1", "flow.map@1"}


def add(data: Data, *nodes: Data, edges: tuple[str, ...] = ()) -> None:
    data["nodes"] = [*data.get("nodes", []), *nodes]
    data["edges"] = [*data.get("edges", []), *edges]


def hang(data: Data, chance: random.Random, node: Data, edges: tuple[str, ...] = (), *more: Data) -> None:
    """Add nodes, the first behind some node."""
    above = node_of(data, chance)["id"]
    add(data, node, *more, edges=(f"{above} -> {node['id']}", *edges))


def template(data: Data, chance: random.Random, text: str) -> Marks:
    """Put a template somewhere that is checked."""
    way = chance.randrange(3)
    if way == 0:
        hang(data, chance, {"id": "zzq", "use": "data.set@1", "with": {"fields": {"field": text}}})
    elif way == 1:
        data.setdefault("state", {})["zzq_state"] = {"type": "any"}
        hang(data, chance, {"id": "zzq", "use": "flow.noop@1", "write": {"zzq_state": text}})
    else:
        hang(data, chance, {"id": "zzq", "use": "flow.switch@1", "with": {"rules": [{"when": text, "to": "a"}]}})
    return ("zzq_here",)


NOOP: Data = {"id": "zzq", "use": "flow.noop@1"}


@breaks("graph.version.unsupported")
def another_version(data: Data, chance: random.Random) -> Marks:
    data["pyagent"] = chance.choice([0, 2, "1", 1.5, True, None])
    return ("pyagent: ",)


@breaks("graph.id.invalid")
def an_id_that_is_none(data: Data, chance: random.Random) -> Marks:
    name = "zzq" + chance.choice(["-1", "X", " a", ".b", "é", "{"])
    if chance.random() < 0.3:
        data["id"] = name
    else:
        add(data, {**NOOP, "id": name})
    return (name,)


@breaks("graph.id.duplicate")
def an_id_that_stands_twice(data: Data, chance: random.Random) -> Marks:
    add(data, NOOP, {"id": "zzq", "use": "flow.noop@1", "notes": "second"})
    # the first of them is named in the message, the second is the mistake
    node = data["nodes"].pop(-2)
    node["id"] = data["nodes"][-1]["id"] = "zzq"
    data["nodes"].insert(0, {"id": "zzq", "use": "flow.noop@1"})
    return ("id: zzq",)


@breaks("graph.node.unknown_type")
def a_type_that_is_not_installed(data: Data, chance: random.Random) -> Marks:
    node_of(data, chance, leaves=False)["use"] = use = chance.choice(["zzq.none@1", "flow.zzq@1", "data.set_zzq@77"])
    return (use,)


@breaks("graph.param.missing")
def a_parameter_that_is_missing(data: Data, chance: random.Random) -> Marks:
    use = chance.choice(["data.split@1", "flow.if@1", "flow.switch@1", "io.http@1", "data.sort@1", "flow.ask@1"])
    hang(data, chance, {"id": "zzq", "use": use, **chance.choice([{}, {"with": {}}])})
    return ("id: zzq", "with: {}")


@breaks("graph.param.unknown")
def a_parameter_that_is_not_known(data: Data, chance: random.Random) -> Marks:
    node = node_of(data, chance, leaves=False)
    node["with"] = {**node.get("with", {}), "zzq": chance.choice([1, "a", [1], {"b": 2}, None])}
    return ("zzq:",)


@breaks("graph.param.invalid")
def a_parameter_that_does_not_fit(data: Data, chance: random.Random) -> Marks:
    use, params = chance.choice(
        [
            ("flow.loop@1", {"batch": "zzq"}),
            ("flow.map@1", {"graph": "other", "parallel": "zzq"}),
            ("data.set@1", {"fields": "zzq"}),
            ("flow.switch@1", {"rules": "zzq"}),
            ("flow.switch@1", {"rules": [{"when": True, "to": "a"}], "mode": "zzq"}),
            ("io.http@1", {"url": "http://a", "method": "zzq"}),
        ]
    )
    hang(data, chance, {"id": "below", "use": use, "with": params})
    return ("zzq",)


@breaks("graph.edge.syntax")
def an_edge_that_is_none(data: Data, chance: random.Random) -> Marks:
    edge = chance.choice(
        ["zzq => b", "zzq", "zzq ->", "-> zzq", "zzq -> b -> c", "zzq. -> b", "zzq -> B.c", "zzq->b.é"]
    )
    edges = data.setdefault("edges", [])
    edges.insert(chance.randrange(len(edges) + 1), edge)
    return ("zzq",)


@breaks("graph.edge.unknown_node")
def an_edge_to_nowhere(data: Data, chance: random.Random) -> Marks:
    name = node_of(data, chance)["id"]
    edges = data.setdefault("edges", [])
    edges.insert(
        chance.randrange(len(edges) + 1), chance.choice([f"{name} -> zzq", f"zzq -> {name}", "zzq.a -> zzqq.b"])
    )
    return ("zzq",)


@breaks("graph.port.unknown")
def a_port_that_is_not_there(data: Data, chance: random.Random) -> Marks:
    if chance.random() < 0.5:
        hang(data, chance, {"id": "below", "use": "flow.noop@1"}, ("below.zzq -> below2",), {**NOOP, "id": "below2"})
    else:
        add(data, {**NOOP, "id": "below"}, edges=(f"{node_of(data, chance)['id']} -> below.zzq",))
    return ("zzq",)


@breaks("graph.error_port.unconnected")
def routed_errors_that_go_nowhere(data: Data, chance: random.Random) -> Marks:
    hang(data, chance, {**NOOP, "id": "below", "on_error": "route", "notes": "zzq"})
    return ("on_error: route",)


@breaks("graph.expr.syntax")
def a_template_that_does_not_parse(data: Data, chance: random.Random) -> Marks:
    return template(data, chance, "{{ zzq_here" + chance.choice([" + ", "(", "[1", " = = 2", ".", " ? 1"]) + " }}")


@breaks("graph.expr.unknown_node")
def a_template_that_names_no_node(data: Data, chance: random.Random) -> Marks:
    return template(
        data, chance, chance.choice(["{{ $('zzq_here').first().json.a }}", "a {{ $node['zzq_here'].json }}"])
    )


@breaks("graph.expr.not_upstream")
def a_template_that_reads_what_comes_later(data: Data, chance: random.Random) -> Marks:
    read = {"id": "zzq", "use": "data.set@1", "with": {"fields": {"zzq_here": "{{ $('zzq_late').first().json.a }}"}}}
    hang(data, chance, read, ("zzq -> zzq_late",), {**NOOP, "id": "zzq_late"})
    return ("zzq_here",)


@breaks("graph.expr.unknown_input")
def a_template_that_reads_no_input(data: Data, chance: random.Random) -> Marks:
    return template(data, chance, "{{ $inputs.zzq_here }}")


@breaks("graph.expr.unknown_state")
def a_template_that_reads_no_channel(data: Data, chance: random.Random) -> Marks:
    return template(data, chance, "{{ $state.zzq_here }}")


@breaks("graph.output.unknown_node")
def an_output_that_names_no_node(data: Data, chance: random.Random) -> Marks:
    data.setdefault("outputs", {})["zzq"] = "{{ $('zzq none').first().json.a }}"
    return ("zzq none",)


@breaks("graph.loop.irreducible")
def a_cycle_with_two_entries(data: Data, chance: random.Random) -> Marks:
    above = node_of(data, chance)["id"]
    add(
        data,
        *({**NOOP, "id": f"zzq_{name}"} for name in "ab"),
        edges=(f"{above} -> zzq_a", f"{above} -> zzq_b", "zzq_a -> zzq_b", "zzq_b -> zzq_a"),
    )
    return (f"{above} -> zzq_b", f"{above} -> zzq_a")


@breaks("graph.loop.done_returns")
def a_loop_whose_end_leads_back(data: Data, chance: random.Random) -> Marks:
    edges = ("zzq_loop.loop -> zzq_work", "zzq_work -> zzq_loop", "zzq_loop.done -> zzq_work")
    hang(data, chance, {"id": "zzq_loop", "use": "flow.loop@1"}, edges, {**NOOP, "id": "zzq_work"})
    return ("zzq_loop.done -> zzq_work", "zzq_work -> zzq_loop")


@breaks("graph.loop.no_header")
def a_loop_that_is_none(data: Data, chance: random.Random) -> Marks:
    if chance.random() < 0.5:
        hang(data, chance, {**NOOP, "loop": {"max": 77}})
        return ("max: 77",)
    hang(data, chance, {"id": "zzq", "use": "flow.loop@1"})
    return ("id: zzq",)


@breaks("graph.join.count")
def a_join_of_edges_that_are_not_there(data: Data, chance: random.Random) -> Marks:
    hang(data, chance, {**NOOP, "join": chance.choice(["7 of 9", "2 of 1", "0 of 1", "1 of 0"])})
    return (" of ",)


@breaks("graph.join.never")
def a_join_of_success_and_failure(data: Data, chance: random.Random) -> Marks:
    edges = ("zzq -> below", "zzq.error -> below")
    hang(data, chance, {**NOOP, "on_error": "route"}, edges, {**NOOP, "id": "below", "join": "2 of 2"})
    return ("2 of 2",)


@breaks("graph.node.unreachable")
def a_node_that_nothing_leads_to(data: Data, chance: random.Random) -> Marks:
    if not any(node["use"] in ("flow.manual@1", "flow.webhook@1", "flow.schedule@1") for node in data["nodes"]):
        raise NotHere
    add(data, NOOP)
    return ("id: zzq",)


@breaks("graph.trigger.in_body")
def a_trigger_in_a_body(data: Data, chance: random.Random) -> Marks:
    inner = {"id": "zzq", "use": "flow.manual@1"}
    hang(data, chance, {"id": "below", "use": "flow.map@1", "body": {"nodes": [inner]}})
    return ("id: zzq",)


@breaks("graph.trigger.expression")
def a_trigger_with_an_expression(data: Data, chance: random.Random) -> Marks:
    use, params = chance.choice(
        [("flow.webhook@1", {"path": "zzq{{ 1 }}"}), ("io.watch_folder@1", {"folder": "{{ $vars.zzq }}"})]
    )
    add(data, {"id": "begun", "use": use, "with": params})
    return ("zzq",)


@breaks("graph.map.body")
def a_body_where_none_belongs_or_none_where_one_does(data: Data, chance: random.Random) -> Marks:
    way = chance.randrange(3)
    if way == 0:
        hang(data, chance, {"id": "zzq", "use": "flow.map@1"})
        return ("id: zzq",)
    body = {"nodes": [{"id": "zzq_inner", "use": "flow.noop@1"}]}
    if way == 1:
        hang(data, chance, {"id": "zzq", "use": "flow.noop@1", "body": body})
        return ("body:", "zzq_inner")
    hang(data, chance, {"id": "zzq", "use": "flow.map@1", "with": {"graph": "other"}, "body": body})
    return ("body:",)


@breaks("graph.map.edge_crosses")
def an_edge_into_a_body(data: Data, chance: random.Random) -> Marks:
    body = {"nodes": [{"id": "zzq_inner", "use": "flow.noop@1"}]}
    above = node_of(data, chance)["id"]
    edge = chance.choice([f"{above} -> zzq_inner", f"zzq_inner -> {above}"])
    hang(data, chance, {"id": "below", "use": "flow.map@1", "body": body}, (edge,))
    return (edge,)


@breaks("graph.call.recursion")
def a_graph_that_calls_itself(data: Data, chance: random.Random) -> Marks:
    data["id"] = "zzq_graph"
    hang(data, chance, {"id": "below", "use": "flow.graph@1", "with": {"graph": "zzq_graph"}})
    return ("graph: zzq_graph",)


@breaks("graph.state.unknown_channel")
def a_write_to_no_channel(data: Data, chance: random.Random) -> Marks:
    node = node_of(data, chance, leaves=False)
    node["write"] = {**node.get("write", {}), "zzq": 1}
    return ("zzq",)


@breaks("graph.state.reducer")
def a_reducer_that_does_not_fit(data: Data, chance: random.Random) -> Marks:
    kind, reducer = chance.choice([("string", "append"), ("array", "add"), ("number", "merge"), ("boolean", "max")])
    data.setdefault("state", {})["zzq"] = {"type": kind, "reduce": reducer}
    return (f"reduce: {reducer}",)


@breaks("graph.state.default")
def a_default_that_does_not_fit(data: Data, chance: random.Random) -> Marks:
    kind, value = chance.choice(
        [("array", "zzq"), ("string", 7777), ("integer", True), ("boolean", 7777), ("object", [1])]
    )
    data.setdefault("state", {})["zzq"] = {"type": kind, "default": value}
    return ("default: ", "zzq:")


@breaks("graph.state.migrate")
def a_migration_that_does_not_fit(data: Data, chance: random.Random) -> Marks:
    kind, value = chance.choice([("array", "zzq"), ("string", 7777), ("integer", True), ("object", [1])])
    data.setdefault("state", {})["zzq"] = {"type": kind, "migrate": value}
    return ("migrate: ", "zzq:")


@breaks("graph.state.concurrent_write")
def writes_that_meet(data: Data, chance: random.Random) -> Marks:
    data.setdefault("state", {})["zzq"] = {"type": "any"}
    above = node_of(data, chance)["id"]
    add(
        data,
        *({**NOOP, "id": name, "write": {"zzq": f"zzq_{name}"}} for name in ("one", "two")),
        edges=(f"{above} -> one", f"{above} -> two"),
    )
    return ("zzq_one", "zzq_two")


@breaks("graph.cache.effects")
def a_cached_effect(data: Data, chance: random.Random) -> Marks:
    hang(data, chance, {**NOOP, "effects": chance.choice(["once", "idempotent"]), "cache": {"ttl": "77h"}})
    return ("77h",)


@breaks("graph.setting.unsupported")
def a_setting_without_effect(data: Data, chance: random.Random) -> Marks:
    if chance.random() < 0.5:
        hang(data, chance, {**NOOP, "runs_on": {"labels": ["77"]}})
    else:
        hang(data, chance, {"id": "zzq", "use": "flow.map@1", "with": {"graph": "other"}, "retry": {"attempts": 77}})
    return ("77",)


@breaks("graph.pin.unknown_node")
def a_pin_of_no_node(data: Data, chance: random.Random) -> Marks:
    data["pins"] = {**data.get("pins", {}), "zzq": chance.choice([[], [{"a": 1}], {"out": [{"a": 1}]}])}
    return ("zzq",)


@breaks("graph.layout.unknown_node")
def something_drawn_for_no_node(data: Data, chance: random.Random) -> Marks:
    if chance.random() < 0.5:
        data["layout"] = {**data.get("layout", {}), "zzq": [0, 0]}
    else:
        data["canvas"] = {"colors": {"zzq": "red"}}
    return ("zzq",)


@breaks("graph.schema")
def a_key_that_is_none(data: Data, chance: random.Random) -> Marks:
    node = node_of(data, chance, leaves=False)
    where = chance.choice([data, node, data.setdefault("settings", {}), node.setdefault("retry", {"attempts": 1})])
    where["zzq"] = chance.choice([1, "a", [1], {"a": 1}])
    return ("zzq",)


@breaks("graph.schema")
def a_key_that_is_missing(data: Data, chance: random.Random) -> Marks:
    way = chance.randrange(3)
    if way == 0:
        add(data, {"id": "zzq"})
    elif way == 1:
        add(data, {"use": "flow.noop@1", "notes": "zzq"})
        return ("use: flow.noop@1", "zzq")
    else:
        data.setdefault("state", {})["zzq"] = {"description": "zzq"}
    return ("zzq",)


@breaks("graph.schema")
def a_value_of_the_wrong_kind(data: Data, chance: random.Random) -> Marks:
    key, value = chance.choice(
        [
            ("on_error", "zzq"), ("timeout", "zzq"), ("timeout", "-77s"), ("join", "zzq"), ("effects", "zzq"),
            ("retry", "zzq"), ("with", "zzq"), ("with", ["zzq"]), ("disabled", "zzq"), ("use", "zzq"), ("use", "a.b@0"),
            ("loop", {"max": "zzq"}), ("retry", {"attempts": 0}), ("cache", {"ttl": "zzq"}), ("name", 77),
            ("write", "zzq"),
        ]
    )  # fmt: skip
    add(data, {**NOOP, "id": "below", key: value})
    return (f"{key}: ", "zzq", "attempts: 0")


@breaks("graph.schema")
def a_section_of_the_wrong_kind(data: Data, chance: random.Random) -> Marks:
    key, value = chance.choice(
        [
            ("settings", "zzq"), ("state", ["zzq"]), ("inputs", "zzq"), ("outputs", ["zzq"]), ("layout", {"zzq": [1]}),
            ("layout", {"a": "zzq"}), ("pins", {"zzq": 1}), ("name", ["zzq"]), ("nodes", "zzq"), ("edges", "zzq"),
            ("settings", {"timezone": "zzq"}), ("settings", {"max_steps": "zzq"}), ("settings", {"mode": "zzq"}),
        ]
    )  # fmt: skip
    data[key] = value
    return ("zzq", f"{key}:")


# --- mistakes of the text --------------------------------------------------------------------------------------------


def lines_at(text: str, pattern: str, chance: random.Random) -> tuple[list[str], int]:
    """The lines, and the position of one that matches outside of long texts."""
    rows = text.split("\n")
    return rows, pick([at for at, row in enumerate(rows) if re.match(pattern, row)], chance)


@breaks_text("graph.conflict")
def marks_of_a_merge(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^  (- |\w+:)", chance)
    rows[at : at + 1] = ["<<<<<<< HEAD", rows[at], "=======", rows[at] + " ", ">>>>>>> main"]
    return "\n".join(rows), at + 1


@breaks_text("graph.yaml")
def a_tab(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^    (id|use|name|with):", chance)
    rows[at] = "\t" + rows[at].lstrip()
    return "\n".join(rows), at + 1


@breaks_text("graph.yaml")
def a_quote_that_is_not_closed(text: str, chance: random.Random) -> tuple[str, int]:
    if "'" in text or '"' in text:
        raise NotHere
    rows, at = lines_at(text, r"^id: ", chance)
    rows[at] = f"id: {chance.choice(chr(34) + chr(39))}zzq"
    return "\n".join(rows), at + 1


@breaks_text("graph.yaml")
def a_key_that_stands_twice(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^(  - id|    use|id|pyagent): \S+( +#.*)?$", chance)
    row = rows[at].replace("  - ", "    ")
    rows.insert(at + 1, row)
    return "\n".join(rows), at + 2


@breaks_text("graph.yaml")
def a_value_that_is_no_plain_one(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^id: ", chance)
    bad = [
        "!!python/object:os.system zzq",
        "*zzq",
        "@zzq",
        "`zzq`",
        "%zzq",
        "a: b",
        ".inf",
        ".NaN",
        "9" * 1001,
        "!zzq a",
    ]
    rows[at] = f"id: {chance.choice(bad)}"
    return "\n".join(rows), at + 1


@breaks_text("graph.yaml")
def a_template_without_quotes(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^id: ", chance)
    rows.insert(at + 1, "name: {{ $json.zzq }}")
    return "\n".join(rows), at + 2


@breaks_text("graph.yaml")
def a_second_document(text: str, chance: random.Random) -> tuple[str, int]:
    rows = text.rstrip("\n").split("\n")
    return "\n".join([*rows, "---", "a: 1", ""]), len(rows) + 1


@breaks_text("graph.yaml")
def a_character_that_is_not_allowed(text: str, chance: random.Random) -> tuple[str | bytes, int]:
    rows, at = lines_at(text, r"^(id|  - id|    use): ", chance)
    bad = chance.choice([b"\x00", b"\x07", b"\x7f", b"\xff", b"\xc3(", b"\xed\xa0\x80"])
    data = [row.encode() for row in rows]
    data[at] += b"zzq" + bad
    return b"\n".join(data), at + 1


@breaks_text("graph.yaml")
def too_deep(text: str, chance: random.Random) -> tuple[str, int]:
    rows, at = lines_at(text, r"^id: ", chance)
    rows.insert(at + 1, "inputs: {a: " + "[" * 100 + "]" * 100 + "}")
    if any(row.startswith("inputs:") for row in text.split("\n")):
        raise NotHere
    return "\n".join(rows), at + 2


@breaks_text("graph.yaml")
def no_mapping_at_all(text: str, chance: random.Random) -> tuple[str, int]:
    return chance.choice(["", "- a\n- b\n", "zzq\n", "42\n", "# only a comment\n", "null\n", "[]\n"]), 1


@breaks_text("graph.yaml")
def too_many_aliases(text: str, chance: random.Random) -> tuple[str, int]:
    rows = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 8)]
    return "\n".join([*rows, text]), next(n for n in range(1, 9) if sum(10 ** (k + 1) for k in range(n)) > 1_000_000)

"""The nodes that rename, convert, check and write out fields."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Item, NodeError
from pyagent.testing import run_node
from pyagent_nodes.data.rename import rename
from pyagent_nodes.data.set import set_
from pyagent_nodes.data.template import template
from pyagent_nodes.data.validate import validate

FILE = BlobRef("0" * 64, 3, "f")
NAN = float("nan")


class TestRename:
    async def one(self, given, **params):
        return (await run_node(rename, [given], params)).json()[0]

    async def test_fields_get_other_names_and_keep_their_place(self):
        made = await self.one({"a": 1, "ü": None, "c": [3]}, names={"ü": "b", "gone": "x"})
        assert list(made.items()) == [("a", 1), ("b", None), ("c", [3])]

    async def test_two_fields_may_swap_their_names(self):
        assert await self.one({"a": 1, "b": 2}, names={"a": "b", "b": "a"}) == {"b": 1, "a": 2}

    async def test_fields_move_between_objects_and_out_of_lists(self):
        given = {"o": {"x": 1, "y.z": 2}, "l": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}
        names = {"o.x": "top", r"o.y\.z": "p.q", "l.2": "two", "l.10": "ten"}
        assert await self.one(given, names=names) == {
            "o": {},
            "l": [1, 2, 4, 5, 6, 7, 8, 9, 10],
            "top": 1,
            "p": {"q": 2},
            "two": 3,
            "ten": 11,
        }

    async def test_patterns_change_names_in_order_and_deep_if_asked(self):
        given = {"old_a": {"old_b": [{"old_c": 1}]}}
        patterns = [{"match": "^old_(.)$", "to": r"\1"}, {"match": "A", "to": "z", "ignore_case": True}]
        assert await self.one(given, patterns=patterns) == {"z": {"old_b": [{"old_c": 1}]}}
        assert await self.one(given, patterns=patterns, deep=True) == {"z": {"b": [{"c": 1}]}}

    @pytest.mark.parametrize(
        ("style", "expected"),
        [
            ("snake", ["unit_price", "http_server2_url", "größe_in_m", "a", "€"]),
            ("camel", ["unitPrice", "httpServer2Url", "größeInM", "a", "€"]),
            ("pascal", ["UnitPrice", "HttpServer2Url", "GrößeInM", "A", "€"]),
            ("kebab", ["unit-price", "http-server2-url", "größe-in-m", "a", "€"]),
            ("upper", ["UNIT PRICE", "HTTPSERVER2URL", "GRÖSSE (IN M)", "_A", "€"]),
        ],
    )
    async def test_all_names_get_one_style(self, style, expected):
        given = dict.fromkeys(["Unit Price", "HTTPServer2Url", "Größe (in m)", "_a", "€"], 1)
        assert list(await self.one(given, style=style)) == expected

    async def test_two_fields_with_one_name_are_an_error_or_one_of_them_stays(self):
        given = {"a b": 1, "A-B": 2}
        with pytest.raises(NodeError) as caught:
            await self.one(given, style="snake")
        assert caught.value.code == "node.rename_clash"
        assert await self.one(given, style="snake", clash="first") == {"a_b": 1}
        assert await self.one(given, style="snake", clash="last") == {"a_b": 2}
        with pytest.raises(NodeError, match="'b'"):
            await self.one({"a": 1, "b": 2}, names={"a": "b"})
        with pytest.raises(NodeError, match="'b'"):
            await self.one({"o": {"a": 1}, "b": 2}, names={"o.a": "b"})

    async def test_a_missing_field_may_be_an_error(self):
        with pytest.raises(NodeError) as caught:
            await self.one({}, names={"a": "b"}, missing="fail")
        assert caught.value.code == "node.rename_missing"

    async def test_no_pattern_and_no_name_takes_long(self):
        name = "a" * 9_000 + "!"
        assert await self.one({name: 1}, patterns=[{"match": "^(a+)+$", "to": "x"}]) == {name: 1}
        with pytest.raises(NodeError) as caught:
            await self.one({"a" * 10_001: 1}, style="snake")
        assert caught.value.code == "node.rename_name"

    async def test_a_group_that_is_not_there_is_an_error(self):
        with pytest.raises(NodeError) as caught:
            await self.one({"a": 1}, patterns=[{"match": "a", "to": r"\1"}])
        assert caught.value.code == "node.rename_group"

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"names": {"a": "c", "b": "c"}},
            {"names": {"": "a"}},
            {"patterns": [{"match": "(", "to": ""}]},
            {"patterns": [{"match": "(?=a)", "to": ""}]},
        ],
    )
    async def test_parameters_that_do_not_fit_are_refused(self, params):
        with pytest.raises(ValidationError):
            await self.one({}, **params)


class TestConvert:
    @pytest.mark.parametrize(
        ("value", "wanted", "expected"),
        [
            (" 12 ", "number", 12),
            ("1.5", "number", 1.5),
            (True, "number", 1),
            ("2e3", "integer", 2000),
            (3.0, "integer", 3),
            (5, "text", "5"),
            ({"ü": [1, None]}, "text", '{"ü": [1, null]}'),
            ("Yes", "boolean", True),
            (0, "boolean", False),
            ("[1, 2]", "list", [1, 2]),
            ('{"a": 1}', "object", {"a": 1}),
            (None, "number", None),
        ],
    )
    async def test_values_become_another_type(self, value, wanted, expected):
        run = await run_node(set_, [{"o": {"v": value}}], {"convert": {"o.v": wanted, "gone": wanted}})
        found = run.json()[0]["o"]["v"]
        assert found == expected
        assert type(found) is type(expected)

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ("1,5", "number"),
            ("", "number"),
            ([1], "number"),
            (NAN, "number"),
            (1.5, "integer"),
            ("1e30", "integer"),
            ("perhaps", "boolean"),
            (2, "boolean"),
            ("{}", "list"),
            ("[", "list"),
            ([], "object"),
        ],
    )
    async def test_what_does_not_fit_is_an_error(self, value, wanted):
        with pytest.raises(NodeError) as caught:
            await run_node(set_, [{"v": value}], {"convert": {"v": wanted}})
        assert caught.value.code == "node.set_convert"


class TestValidate:
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "integer"}, "o": {"items": {"properties": {"x.y": {"format": "date"}}}}},
    }

    async def test_items_that_fit_go_on_unchanged_and_others_say_why(self):
        given = [Item({"id": 2**70}, {"f": FILE}), {"o": [{}, {"x.y": "2026-02-30"}]}]
        run = await run_node(validate, given, {"schema": self.schema, "into": "check.errors"})
        assert run.json("valid") == [{"id": 2**70}]
        assert run.outputs["valid"][0].binary == {"f": FILE}
        assert run.sources("invalid") == [[1]]
        errors = {error["path"]: error for error in run.json("invalid")[0]["check"]["errors"]}
        assert errors[""]["rule"] == "required"
        assert errors[r"o.1.x\.y"] == {
            "path": r"o.1.x\.y",
            "message": '"2026-02-30" is not a "date"',
            "rule": "format",
        }

    async def test_one_field_may_be_checked_and_must_be_there(self):
        run = await run_node(validate, [{"a": 1}, {"a": "x"}, {}], {"schema": {"type": "string"}, "field": "a"})
        assert run.sources("valid") == [[1]]
        assert [json["errors"][0]["rule"] for json in run.json("invalid")] == ["type", "required"]

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [
            ("email", "a.b@example.org", "nobody"),
            ("date-time", "2026-01-02T03:04:05Z", "2026-01-02"),
            ("uri", "https://x.org/a?b", "x y"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
            ("ipv4", "127.0.0.1", "127.0.0.256"),
        ],
    )
    async def test_formats_are_checked(self, name, good, bad):
        run = await run_node(validate, [{"v": good}, {"v": bad}], {"schema": {"properties": {"v": {"format": name}}}})
        assert run.sources("valid") == [[0]]

    @pytest.mark.parametrize("address", ["http://127.0.0.1:9/s.json", "https://example.org/s", "file:///etc/passwd"])
    async def test_schemas_are_not_fetched(self, address):
        with pytest.raises(ValidationError, match="not fetched"):
            await run_node(validate, [{}], {"schema": {"$ref": address}})

    @pytest.mark.parametrize("schema", [{"type": "x"}, {"pattern": "("}, {"minimum": NAN}, {"$ref": "#/$defs/a"}, "s"])
    async def test_what_is_no_schema_is_refused(self, schema):
        with pytest.raises(ValidationError):
            await run_node(validate, [{}], {"schema": schema})

    @pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=a)(a+)+$"])
    async def test_no_pattern_takes_long(self, pattern):
        given = [{"v": "a" * 5_000 + "!"}]
        run = await run_node(validate, given, {"schema": {"properties": {"v": {"pattern": pattern}}}})
        assert run.sources("invalid") == [[0]]

    async def test_nan_is_invalid_and_errors_are_limited(self):
        run = await run_node(validate, [{"a": [1, NAN]}], {"schema": True})
        assert run.json("invalid")[0]["errors"][0]["path"] == "a.1"
        schema = {"properties": {"a": {"items": {"type": "string"}}}}
        run = await run_node(validate, [{"a": [1] * 500}], {"schema": schema, "max_errors": 7})
        assert len(run.json("invalid")[0]["errors"]) == 7

    async def test_schemas_that_lead_into_themselves_are_followed(self):
        schema = {"$ref": "#/$defs/t", "$defs": {"t": {"required": ["v"], "properties": {"n": {"$ref": "#/$defs/t"}}}}}
        run = await run_node(validate, [{"v": 1, "n": {"v": 1, "n": {}}}], {"schema": schema})
        assert run.json("invalid")[0]["errors"][0]["path"] == "n.n"


class TestTemplate:
    async def text(self, source, given=({"name": "<Ö>", "l": [1, {"x": None}]},), **params):
        options = {name: params.pop(name) for name in ("inputs", "state", "now") if name in params}
        run = await run_node(template, list(given), {"template": source, **params}, **options)
        return [json["text"] for json in run.json()]

    async def test_each_item_becomes_a_text_of_its_fields(self):
        source = "{{ index }}/{{ count }} {{ name }} {{ inputs.a }} {{ state.b }} {{ l | json }}{{ no.thing }}"
        assert await self.text(source, inputs={"a": 1}, state={"b": "ß"}) == ['0/1 <Ö> 1 ß [1, {"x": null}]']

    async def test_all_items_become_one_text_that_comes_from_all(self):
        source = "{% for i in items %}{{ i.n | plus: 1 }};{% endfor %}{{ count }}"
        run = await run_node(template, [{"n": 1}, {"n": 2}], {"template": source, "mode": "all"})
        assert run.json() == [{"text": "2;3;2"}]
        assert run.sources() == [[0, 1]]
        assert (await run_node(template, [], {"template": source, "mode": "all"})).json() == [{"text": "0"}]

    async def test_data_cannot_be_markup_if_html_is_escaped(self):
        assert await self.text("<b>{{ name }}</b>{{ name | safe }}", escape="html") == ["<b>&lt;Ö&gt;</b><Ö>"]

    async def test_the_text_may_become_a_binary(self):
        params = {"template": "ä {{ n }}", "binary": "page", "file_name": "a.html", "escape": "html"}
        run = await run_node(template, [Item({"n": 1}, {"f": FILE})], params)
        [item] = run.outputs["out"]
        assert item.json == {"n": 1}
        assert item.binary is not None
        assert item.binary["f"] == FILE
        assert (item.binary["page"].name, item.binary["page"].media_type) == ("a.html", "text/html")
        assert await run.context.blobs.get(item.binary["page"]) == "ä 1".encode()

    async def test_the_clock_is_the_recorded_one(self):
        now = datetime(2020, 2, 3, 23, 30, tzinfo=UTC)
        source = (
            "{{ now | date: '%d' }} {{ 'now' | date: 'dd HH:mm' }} {{ 'today' | date: 'yyyy' }} {{ 'x' | date: 'd' }}"
        )
        assert await self.text(source, now=now, timezone="Europe/Berlin") == ["04 04 00:30 2020 x"]

    async def test_what_is_missing_may_be_an_error_but_may_be_asked_for(self):
        with pytest.raises(NodeError, match=r"'no' is undefined \(line 2, item 0\)"):
            await self.text("a\n{{ no.thing }}", missing="fail")
        assert await self.text("{% if no %}x{% else %}{{ no | default: 'd' }}{% endif %}", missing="fail") == ["d"]

    @pytest.mark.parametrize(
        ("source", "params", "message"),
        [
            ("{% for i in (1..1000000000) %}x{% endfor %}", {}, "loop iteration limit"),
            ("{% for i in (1..400) %}{% for j in (1..400) %}{% endfor %}{% endfor %}", {}, "loop iteration limit"),
            ("{% for i in (1..100) %}{{ i }}{% endfor %}", {"max_output": 50}, "output stream limit"),
            ("{% assign a = 'x' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}", {}, "namespace"),
            ("{% for %}", {}, "line 1"),
            ("{% include 'x' %}", {}, "unexpected tag"),
            ("{{ 1 | nothing }}", {}, "unknown filter"),
            ("a\n{{ 1 | divided_by: 0 }}", {}, r"line 2, item 0"),
        ],
    )
    async def test_limits_and_mistakes_are_errors_with_a_place(self, source, params, message):
        with pytest.raises(NodeError, match=message) as caught:
            await self.text(source, **params)
        assert caught.value.code == "node.template"

    async def test_objects_show_nothing_of_python(self):
        assert await self.text("{{ name.__class__ }}{{ item.items }}{{ now.__class__ }}") == [""]

    async def test_many_items_are_rendered_in_order(self):
        given = [{"n": number} for number in range(1_000)]
        assert await self.text("{{ n }}", given) == [str(number) for number in range(1_000)]

//! The engine as its users see it: values, errors with their places, limits, and what one run leaves for the next.

use std::sync::Arc;
use std::time::Duration;

use pyagent_expr::{Argument, Engine, ErrorKind, ExprError, Host, Limits, Run, Value};

type Outcome = Result<Value, ExprError>;

fn engine() -> Result<Engine, ExprError> {
    Engine::new("UTC", Limits::default())
}

fn evaluate(engine: &mut Engine, code: &str) -> Outcome {
    let program = engine.compile(code, &[])?;
    engine.run(program, Run::default())
}

fn once(code: &str) -> Outcome {
    evaluate(&mut engine()?, code)
}

fn kind(outcome: Outcome) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind)
}

#[test]
fn values_keep_their_types() -> Result<(), ExprError> {
    for (code, value) in [
        ("1 + 1", Value::Integer(2)),
        ("0.5", Value::Number(0.5)),
        ("'é' + '😀'", Value::Text("é😀".into())),
        ("1 > 0", Value::Bool(true)),
        ("undefined", Value::Null),
        ("0 / 0", Value::Null),
        ("({a: [1, null]})", Value::Json("{\"a\":[1,null]}".into())),
        ("({toJSON: () => ({a: 1}), b: 2})", Value::Json("{\"a\":1}".into())),
        ("JSON.stringify({a: {toJSON: () => 1}, b: 2}, ['b'], 1)", Value::Text("{\n \"b\": 2\n}".into())),
        ("'\\ud800'", Value::Json("\"\\ud800\"".into())),
        ("[...new Set([1, 1, 2])].length + new Set().size", Value::Integer(2)),
        ("2n ** 70n", Value::Text("1180591620717411303424".into())),
    ] {
        assert_eq!(once(code)?, value, "{code}");
    }
    Ok(())
}

#[test]
fn parameters_take_json_and_scalars() -> Result<(), ExprError> {
    let mut engine = engine()?;
    let program = engine.compile("$json.a + $itemIndex", &["$json", "$itemIndex"])?;
    let arguments = [Argument::Json(b"{\"a\":40}"), Argument::Number(2.0)];
    assert_eq!(engine.run(program, Run { arguments: &arguments, ..Run::default() })?, Value::Integer(42));
    Ok(())
}

#[test]
fn values_read_well_inside_text() -> Result<(), ExprError> {
    let mut engine = engine()?;
    for (code, text) in [
        ("null", ""),
        ("0/0", ""),
        ("false", "false"),
        ("1e21", "1e+21"),
        ("({a: 1})", "{\"a\":1}"),
        ("[1, 2]", "[1,2]"),
        ("new Map()", "[object Map]"),
    ] {
        let program = engine.compile(code, &[])?;
        let value = engine.run(program, Run { as_text: true, ..Run::default() })?;
        assert_eq!(value, Value::Text(text.into()), "{code}");
    }
    Ok(())
}

#[test]
fn only_one_whole_expression_compiles() {
    for code in
        ["1;2", "1)", "1]", "]; [", "); let x = 1; (1", "...[1]", "throw 1", "a b", "", "1 /*", "`", "let x = 1"]
    {
        assert_eq!(kind(once(code)), Some(ErrorKind::Syntax), "{code}");
    }
}

#[test]
fn errors_tell_their_place() {
    let place = |code: &str| once(code).err().and_then(|error| error.position);
    assert_eq!(place("\n\n  a +* b"), Some((3, 6)));
    assert_eq!(place("'é' + missing"), Some((1, 7)));
    assert_eq!(place("({})\n.a.b"), Some((2, 4)));
    assert_eq!(place("1 +\n  2 +  "), Some((2, 6)));
}

#[test]
fn code_cannot_be_made_from_text() {
    for code in [
        "eval('1')",
        "new Function('return 1')()",
        "({}).constructor.constructor('return 1')()",
        "(() => {}).constructor('return 1')()",
        "(async () => {}).constructor('return 1')()",
        "(function* () {}).constructor('yield 1')()",
        "[].map.constructor('return 1')()",
        "$if.constructor('return 1')()",
        "Reflect.construct(Function, ['return 1'])()",
        "import('fs')",
    ] {
        assert_eq!(kind(once(code)), Some(ErrorKind::Failed), "{code}");
    }
}

#[test]
fn nothing_of_the_machine_is_there() -> Result<(), ExprError> {
    let names = "['process','require','fetch','console','std','os','Promise','Proxy','WeakRef','performance']";
    assert_eq!(once(&format!("{names}.filter(name => name in globalThis)"))?, Value::Json("[]".into()));
    Ok(())
}

#[test]
fn one_run_changes_nothing_for_the_next() -> Result<(), ExprError> {
    let mut engine = engine()?;
    for code in [
        "Object.prototype.polluted = 1",
        "({}).__proto__.polluted = 1",
        "Array.prototype.map = 1",
        "globalThis.polluted = 1",
        "Object.defineProperty(Object.prototype, 'polluted', {value: 1})",
        "Object.setPrototypeOf(Array.prototype, {polluted: 1})",
        "JSON.parse = null",
        "$if.polluted = 1",
        "Object.getPrototypeOf(function* () {}).polluted = 1",
        "Object.getPrototypeOf([][Symbol.iterator]()).next = null",
        "Object.prototype.toString = null",
    ] {
        assert_eq!(kind(evaluate(&mut engine, code)), Some(ErrorKind::Failed), "{code}");
    }
    let clean = "({}).polluted === undefined && [1].map(x => x)[0] === 1 && typeof polluted === 'undefined'";
    assert_eq!(evaluate(&mut engine, clean)?, Value::Bool(true));
    Ok(())
}

#[test]
fn objects_may_have_properties_named_like_inherited_ones() -> Result<(), ExprError> {
    let code = "['toString', 'constructor', 'x'].reduce((all, key) => { all[key] = 1; return all; }, {})";
    assert_eq!(once(code)?, Value::Json("{\"toString\":1,\"constructor\":1,\"x\":1}".into()));
    Ok(())
}

#[test]
fn an_endless_loop_stops_in_time_and_the_engine_goes_on() -> Result<(), ExprError> {
    let limits = Limits { time: Duration::from_millis(100), ..Limits::default() };
    let mut engine = Engine::new("UTC", limits)?;
    for code in ["(() => { while (true) {} })()", "/(a+)+$/.test('a'.repeat(40) + 'b')"] {
        assert_eq!(kind(evaluate(&mut engine, code)), Some(ErrorKind::Timeout), "{code}");
        assert_eq!(evaluate(&mut engine, "1")?, Value::Integer(1));
    }
    Ok(())
}

#[test]
fn a_timeout_cannot_be_caught() -> Result<(), ExprError> {
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let mut engine = Engine::new("UTC", limits)?;
    let code = "(() => { for (;;) { try { for (;;) {} } catch {} finally { } } })()";
    assert_eq!(kind(evaluate(&mut engine, code)), Some(ErrorKind::Timeout));
    Ok(())
}

#[test]
fn memory_is_bounded_and_the_engine_goes_on() -> Result<(), ExprError> {
    let mut engine = Engine::new("UTC", Limits { time: Duration::from_secs(30), ..Limits::default() })?;
    for code in [
        "(() => { const a = []; for (;;) a.push('x'.repeat(1000) + a.length); })()",
        "(() => { let s = 'x'; for (;;) s = [s, s].join(''); })()",
    ] {
        assert!(matches!(kind(evaluate(&mut engine, code)), Some(ErrorKind::Memory | ErrorKind::Failed)), "{code}");
        assert_eq!(evaluate(&mut engine, "[1].length")?, Value::Integer(1));
    }
    Ok(())
}

#[test]
fn deep_recursion_fails_cleanly() -> Result<(), ExprError> {
    let mut engine = engine()?;
    assert_eq!(kind(evaluate(&mut engine, "(f => f(f))(f => f(f) + 1)")), Some(ErrorKind::Failed));
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(evaluate(&mut engine, &nested).is_err());
    let program = engine.compile("$json", &["$json"])?;
    let arguments = [Argument::Json(nested.as_bytes())];
    assert!(engine.run(program, Run { arguments: &arguments, ..Run::default() }).is_err());
    Ok(())
}

#[test]
fn native_functions_refuse_work_that_would_take_minutes() -> Result<(), ExprError> {
    let mut engine = engine()?;
    for code in [
        "'a'.repeat(1e9)",
        "'a'.padStart(1e9)",
        "'a'.repeat(4e6).indexOf('a'.repeat(2e6) + 'b')",
        "(a => { a.length = 4e9; return a.indexOf(1); })([])",
        "(a => { a.length = 4e9; return a.fill(0); })([])",
        "(a => { a.length = 4e9; return [].concat(a); })([])",
        "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
        "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return a.flat(Infinity); })()",
        "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return a; })()",
        "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return String(a); })()",
        "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return {toJSON: () => a}; })()",
        "JSON.stringify((a => { a.length = 4e9; return a; })([]))",
        "new Set((a => { a.length = 4e9; return a; })([]))",
    ] {
        assert!(evaluate(&mut engine, code).is_err(), "{code}");
    }
    Ok(())
}

#[test]
fn promises_are_refused_and_never_run() -> Result<(), ExprError> {
    let mut engine = engine()?;
    for code in [
        "(async () => 1)()",
        "(async () => { await 0; for (;;) {} })()",
        "((async () => { await 0; for (;;) {} })(), 1)",
    ] {
        let outcome = evaluate(&mut engine, code);
        assert!(matches!(outcome, Err(_) | Ok(Value::Integer(1))), "{code}");
    }
    assert_eq!(evaluate(&mut engine, "1")?, Value::Integer(1));
    Ok(())
}

#[test]
fn random_numbers_follow_from_the_seed() -> Result<(), ExprError> {
    let mut engine = engine()?;
    let program = engine.compile("[Math.random(), Math.random()]", &[])?;
    let mut draw = |seed| engine.run(program, Run { seed, ..Run::default() });
    assert_eq!(draw(7)?, draw(7)?);
    assert_ne!(draw(7)?, draw(8)?);
    Ok(())
}

struct OneItem;

impl Host for OneItem {
    fn read(&self, kind: &str, name: &str, which: &str, port: &str) -> Option<Option<Vec<u8>>> {
        match name {
            "refused" => None,
            "empty" => Some(None),
            _ => Some(Some(format!("{{\"json\":{{\"asked\":\"{kind} {name} {which} {port}\"}}}}").into_bytes())),
        }
    }
}

#[test]
fn items_are_read_from_the_host_when_they_are_asked_for() -> Result<(), ExprError> {
    let mut engine = engine()?;
    let mut ask = |code: &str| {
        let program = engine.compile(code, &[])?;
        engine.run(program, Run { host: Some(Arc::new(OneItem)), ..Run::default() })
    };
    assert_eq!(ask("$('A').first().json.asked")?, Value::Text("node A first ".into()));
    assert_eq!(ask("$input.last(1).json.asked")?, Value::Text("input  last 1".into()));
    assert_eq!(ask("$node['A'].json.asked")?, Value::Text("node A item ".into()));
    assert_eq!(ask("$('empty').first()")?, Value::Null);
    assert_eq!(kind(ask("$('refused').first()")), Some(ErrorKind::Host));
    Ok(())
}

#[test]
fn dates_follow_the_given_clock_and_zone() -> Result<(), ExprError> {
    let mut engine = Engine::new("Europe/Berlin", Limits::default())?;
    let mut at = |code: &str| {
        let program = engine.compile(code, &[])?;
        engine.run(program, Run { now: 1_767_395_045_000.0, ..Run::default() })
    };
    assert_eq!(at("Date.now()")?, Value::Integer(1_767_395_045_000));
    assert_eq!(at("new Date().getHours()")?, Value::Integer(0));
    assert_eq!(at("new Date(2026, 6, 1).toISOString()")?, Value::Text("2026-06-30T22:00:00.000Z".into()));
    assert_eq!(at("new Date(0).toLocaleString()")?, Value::Text("1/1/1970, 1:00:00 AM".into()));
    assert_eq!(kind(at("$now")), Some(ErrorKind::NeedsLuxon));
    Ok(())
}

#[test]
fn an_unknown_zone_is_refused() {
    assert!(Engine::new("Mars/Olympus", Limits::default()).is_err());
}

#[test]
fn an_engine_may_move_between_threads() -> Result<(), ExprError> {
    let mut engine = engine()?;
    evaluate(&mut engine, "1")?;
    let moved = std::thread::spawn(move || evaluate(&mut engine, "(f => f(f))(f => f(f) + 1)"));
    assert!(matches!(moved.join().map(kind), Ok(Some(ErrorKind::Failed))));
    Ok(())
}

#[test]
fn a_brief_run_is_stopped_by_its_work_and_the_engine_goes_on() -> Result<(), ExprError> {
    let mut engine = Engine::new("UTC", Limits::brief())?;
    for code in [
        "[1, 2].map(x => 'a'.repeat(500000).indexOf('a'.repeat(250000) + 'b'))",
        "[1, 2, 3].map(x => 'x'.repeat(1000000)).join('').length",
        "Array.from({length: 4e9})",
        "(() => { for (;;); })()",
        "(() => { try { return 'x'.repeat(8000000).split('').length } catch { return 0 } })()",
    ] {
        assert!(matches!(kind(evaluate(&mut engine, code)), Some(ErrorKind::Timeout | ErrorKind::Memory)), "{code}");
        assert_eq!(evaluate(&mut engine, "[1, 2].map(x => x * 2)[1]")?, Value::Integer(4));
    }
    Ok(())
}

#[test]
fn memory_may_run_out_anywhere_and_the_engine_goes_on() -> Result<(), ExprError> {
    let codes = [
        "[1, 2, 3].map(x => ({x, y: [x, 'a'.repeat(x * 1000)]}))",
        "JSON.parse(JSON.stringify(Array(2000).fill({a: 'b', c: [1, 2, 3]})))",
        "'a,b,c,'.repeat(3000).split(',').sort().join('-').replace(/a/g, 'xx').toUpperCase()",
        "Object.fromEntries(Array(500).fill(0).map((_, i) => ['k' + i, i]))",
        "[...new Set('abcdef'.repeat(500).split(''))].map(x => new Map([[x, x]])).length",
        "2n ** 3000n * 7n",
        "new Date(0).toLocaleString('en-US', {timeZone: 'Europe/Berlin', dateStyle: 'full'})",
        "(() => { const f = n => n ? [f(n - 1)] : []; return f(100) })()",
    ];
    for memory in (0..400).map(|step| step * 4096) {
        let mut engine = Engine::new("UTC", Limits { memory, ..Limits::default() })?;
        for code in codes {
            let _ = evaluate(&mut engine, code);
        }
        let outcome = evaluate(&mut engine, "1 + 1");
        assert!(outcome == Ok(Value::Integer(2)) || kind(outcome) == Some(ErrorKind::Memory), "{memory}");
    }
    Ok(())
}

//! What holds for all texts: nothing panics, nothing outlasts its limits, and the parts agree with each other.
//!
//! Texts are made of the language's own pieces, because bytes at random are refused by the first of them. The ignored
//! tests are the same ones for as many cases as `PYAGENT_FUZZ_CASES` says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use pyagent_expr::{Argument, Engine, ErrorKind, Limits, Part, Run, Value, analyse, is_calm, parse, plain_path};

const PIECES: [&str; 72] = [
    "$json",
    ".a",
    "?.b",
    "[0]",
    "['c d']",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "{{",
    "}}",
    "\\{{",
    "'",
    "\"",
    "`",
    "${",
    "/",
    "//",
    "/*",
    "*/",
    "\n",
    " ",
    ",",
    ";",
    ":",
    "?",
    "=>",
    "=",
    "==",
    "+",
    "-",
    "*",
    "**",
    "!",
    "&&",
    "??",
    "...",
    "x",
    "y",
    "1",
    "0",
    "1e9",
    "10n",
    "null",
    "undefined",
    "typeof ",
    "new ",
    "return ",
    "function ",
    "for (;;)",
    "while (x)",
    ".map(x => ",
    ".filter(",
    ".join(',')",
    ".repeat(9)",
    ".split('')",
    ".length",
    "Object.keys(",
    "Array(",
    "Math.max(",
    "JSON.parse(",
    "String(",
    "new Date(",
    "/a+/g",
    "$('A').first()",
    "$node['B']",
    "$input.all()",
    "\\u0061",
    "é",
    "😀",
];

fn soup() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![9 => proptest::sample::select(PIECES.as_slice()).prop_map(str::to_owned), 1 => any::<String>()];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Run a property; a failure names the smallest text that shows it.
fn holds(cases: u32, property: impl Fn(String) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    match runner.run(&soup(), property) {
        Ok(()) => {}
        Err(TestError::Fail(why, text)) => assert!(text.is_empty() && text.len() == 1, "{why} of {text:?}"),
        Err(TestError::Abort(why)) => assert!(why.message().is_empty(), "{why}"),
    }
}

fn many() -> u32 {
    std::env::var("PYAGENT_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

/// Templates and code are taken apart without a panic, and what is found in code is there.
fn taken_apart(text: String) -> Result<(), TestCaseError> {
    if let Ok(parts) = parse(&text) {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Code { code, position } => {
                    prop_assert!(text.contains(&code));
                    prop_assert!(position.line >= 1 && position.column >= 1);
                    prop_assert!(position.line <= text.split('\n').count());
                }
            }
        }
    }
    let found = analyse(&text);
    for node in &found.nodes {
        prop_assert!(text.contains(node.as_str()), "{node}");
    }
    for name in &found.names {
        prop_assert!(text.contains(name.as_str()), "{name}");
    }
    if plain_path(&text).is_some() {
        prop_assert!(is_calm(&text), "a path is calm");
    }
    Ok(())
}

/// Code that is calm ends within its share of native work and memory; any code ends, and the engine goes on.
fn ends(text: String) -> Result<(), TestCaseError> {
    let failed = |error: pyagent_expr::ExprError| TestCaseError::fail(error.to_string());
    let limits = Limits { time: Duration::from_millis(20), memory: 4 << 20, allocation: 1 << 20, ..Limits::brief() };
    let mut engine = Engine::new("UTC", limits).map_err(failed)?;
    let checked = engine.check(&text);
    let Ok(program) = engine.compile(&text, &["$json"]) else { return Ok(()) };
    prop_assert!(checked.is_ok(), "what compiles was checked");
    let arguments = [Argument::Json(br#"{"a":{"b":[1,"x"]},"c d":null}"#)];
    for as_text in [false, true] {
        let outcome = engine.run(program, Run { arguments: &arguments, as_text, ..Run::default() });
        let stopped = matches!(&outcome, Err(error) if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Memory));
        let loops = text.contains("for (;;)") || text.contains("while (x)") || text.contains("1e9");
        prop_assert!(!stopped || loops || !is_calm(&text), "calm code was stopped");
    }
    let after = engine.compile("[1, 2].map(x => x + 1)[1]", &[]).map_err(failed)?;
    prop_assert_eq!(engine.run(after, Run::default()).map_err(failed)?, Value::Integer(3));
    Ok(())
}

#[test]
fn any_text_is_taken_apart() {
    holds(2_000, taken_apart);
}

#[test]
fn any_code_ends_and_leaves_the_engine_whole() {
    holds(150, ends);
}

#[test]
#[ignore = "long; run by the integration tests"]
fn any_text_is_taken_apart_at_length() {
    holds(many() * 10, taken_apart);
}

#[test]
#[ignore = "long; run by the integration tests"]
fn any_code_ends_and_leaves_the_engine_whole_at_length() {
    holds(many() / 5, ends);
}

//! The engine: compiles expressions once and runs them with limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rquickjs::function::Args;
use rquickjs::{Context, Ctx, Error, Function, Persistent, Runtime, Type, context::intrinsic};

use crate::analysis::analyse;
use crate::error::{ErrorKind, ExprError};
use crate::meter::Metered;
use crate::place;
use crate::realm::{Bytecode, EXPRESSION, Kept, Realm, Shared, options};

/// Bounds on each run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a run may take.
    pub time: Duration,
    /// Whether the time counts only while the run has the processor; then it may take that long once more.
    pub fair: bool,
    /// Bytes that a run may add to what its engine holds.
    pub memory: usize,
    /// Bytes that one block of memory may have.
    pub allocation: usize,
    /// Steps of native functions, which cannot be interrupted: an element or a character looked at.
    pub steps: u64,
    /// Bytes of stack that a run may use.
    pub stack: usize,
}

impl Limits {
    /// What an expression may take where others wait for it.
    #[must_use]
    pub fn brief() -> Self {
        Self {
            time: Duration::from_millis(15),
            fair: true,
            memory: 8 << 20,
            allocation: 1 << 20,
            steps: 10_000_000,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(1),
            fair: false,
            memory: 64 << 20,
            allocation: usize::MAX,
            steps: 500_000_000,
            stack: 256 << 10,
        }
    }
}

/// Answers an expression's reads of items, as JSON.
pub trait Host: Send + Sync {
    /// The items of the `input` (by `port`, "" for the first) or of a `node`: `first`, `last`, `all` or `item`.
    ///
    /// `Some(None)` is JavaScript's undefined; `None` is a refusal, whose reason the host keeps.
    fn read(&self, kind: &str, name: &str, which: &str, port: &str) -> Option<Option<Vec<u8>>>;
}

/// A value handed in for a data root.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// JavaScript's undefined.
    Undefined,
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A number.
    Number(f64),
    /// Anything, as JSON.
    Json(&'a [u8]),
}

/// What an expression gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// null, undefined or NaN
    Null,
    /// true or false
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// A string.
    Text(String),
    /// Anything else, as JSON.
    Json(String),
}

/// A compiled expression; it belongs to the engine that compiled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(usize);

impl Program {
    /// Its number in its engine.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }

    /// The program with that number; one that does not exist fails when it is run.
    #[must_use]
    pub fn from_number(number: usize) -> Self {
        Self(number)
    }
}

/// What one run is given.
#[derive(Clone)]
pub struct Run<'a> {
    /// A value for each of the program's parameters, in their order.
    pub arguments: &'a [Argument<'a>],
    /// Give the value as it reads inside text.
    pub as_text: bool,
    /// What the clock says, in milliseconds since 1970.
    pub now: f64,
    /// Begins the random numbers.
    pub seed: u64,
    /// Answers reads of items.
    pub host: Option<Arc<dyn Host>>,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self { arguments: &[], as_text: false, now: 0.0, seed: 0, host: None }
    }
}

struct Source {
    code: String,
    /// The code as the body of a function.
    text: String,
    dated: bool,
}

/// Bytes that an engine may hold between runs.
const LEFT_BEHIND: usize = 64 << 20;

/// Runs expressions of one trust domain.
pub struct Engine {
    // Functions and contexts must go before the runtime does.
    plain: Option<Realm>,
    dated: Option<Realm>,
    checker: Option<Context>,
    runtime: Runtime,
    shared: Arc<Shared>,
    limits: Limits,
    luxon: Option<Bytecode>,
    sources: Vec<Source>,
    known: HashMap<String, Program>,
}

// SAFETY: all QuickJS values inside belong to the one runtime that this engine owns and never hands out, so they
// move between threads together; a run needs `&mut self`, and rquickjs (feature `parallel`) tells QuickJS the
// current thread's stack each time its context is entered.
#[allow(unsafe_code, reason = "rquickjs's handles hold raw pointers; see above")]
unsafe impl Send for Engine {}

impl Engine {
    /// An engine whose local time is that of `timezone` (an IANA name).
    ///
    /// # Errors
    /// An unknown time zone (`Failed`), or too little memory.
    pub fn new(timezone: &str, limits: Limits) -> Result<Self, ExprError> {
        let shared = Shared::new(timezone)
            .ok_or_else(|| ExprError::new(ErrorKind::Failed, format!("there is no time zone {timezone:?}")))?;
        let shared = Arc::new(shared);
        let runtime = runtime(&shared, limits)?;
        Ok(Self {
            plain: None,
            dated: None,
            checker: None,
            runtime,
            shared,
            limits,
            luxon: None,
            sources: Vec::new(),
            known: HashMap::new(),
        })
    }

    /// Give the source of luxon's ES module, for expressions that need dates.
    ///
    /// # Errors
    /// Source that does not compile.
    pub fn provide_luxon(&mut self, source: &str) -> Result<(), ExprError> {
        let compiled = Bytecode::compile(&self.runtime, source);
        self.luxon = Some(compiled.map_err(|error| ExprError::new(ErrorKind::Failed, format!("luxon: {error}")))?);
        self.dated = None;
        Ok(())
    }

    /// Whether `provide_luxon` was called.
    #[must_use]
    pub fn has_luxon(&self) -> bool {
        self.luxon.is_some()
    }

    /// Check that the code is one expression.
    ///
    /// # Errors
    /// `Syntax`, with the position.
    pub fn check(&mut self, code: &str) -> Result<(), ExprError> {
        let checker = match &self.checker {
            Some(checker) => checker,
            None => {
                let intrinsics = Context::custom::<(intrinsic::Eval, intrinsic::RegExpCompiler)>(&self.runtime);
                self.checker.insert(intrinsics.map_err(|_| out_of_memory())?)
            }
        };
        // Compiled but never run. Code that closes one bracket early cannot close the other, so what passes both
        // is one expression and stays inside the parentheses of `compile`.
        self.shared.begin(&self.limits, 0.0, 0, None);
        let outcome = [("[", "]"), ("(", ")")].into_iter().try_for_each(|(open, close)| {
            let wrapped = format!("throw 0;()=>{open}\n{code}\n{close}");
            checker.with(|ctx| match ctx.eval_with_options::<(), _>(wrapped, options(EXPRESSION)) {
                Ok(()) => Err(ExprError::new(ErrorKind::Syntax, "not an expression")),
                Err(_) => {
                    let thrown = ctx.catch();
                    if thrown.as_int() == Some(0) { Ok(()) } else { Err(describe(&self.shared, &thrown, code)) }
                }
            })
        });
        self.shared.end();
        outcome.map_err(|error| place::within(code, as_syntax(error)))
    }

    /// Compile an expression with parameters; the same one again costs a look-up.
    ///
    /// # Errors
    /// `Syntax`, or `NeedsLuxon` if it needs dates and `provide_luxon` was not called.
    pub fn compile(&mut self, code: &str, parameters: &[&str]) -> Result<Program, ExprError> {
        let text = format!("({})=>(\n{code}\n)", parameters.join(","));
        if let Some(program) = self.known.get(&text) {
            return Ok(*program);
        }
        let analysis = analyse(code);
        if analysis.luxon && self.luxon.is_none() {
            return Err(ExprError::new(ErrorKind::NeedsLuxon, "dates need luxon"));
        }
        self.check(code)?;
        let program = Program(self.sources.len());
        self.sources.push(Source { code: code.to_owned(), text: text.clone(), dated: analysis.dates });
        self.known.insert(text, program);
        Ok(program)
    }

    /// The realm with the compiled function, both made if need be, and the code.
    fn function(&mut self, program: Program) -> Result<(&Realm, &str), ExprError> {
        let Some(source) = self.sources.get(program.0) else {
            return Err(ExprError::new(ErrorKind::Failed, "the program belongs to another engine"));
        };
        let slot = if source.dated { &mut self.dated } else { &mut self.plain };
        let realm = match slot {
            Some(realm) => realm,
            None => {
                let made = if source.dated {
                    Realm::dated(&self.runtime, &self.shared, self.luxon.as_ref())
                } else {
                    Realm::plain(&self.runtime, &self.shared)
                };
                slot.insert(made.map_err(|error| ExprError::new(ErrorKind::Failed, format!("starting: {error}")))?)
            }
        };
        if !realm.programs.contains_key(&program.0) {
            let compiled = realm.context.with(|ctx| {
                ctx.eval_with_options::<Function, _>(source.text.as_str(), options(EXPRESSION))
                    .map(|function| Persistent::save(&ctx, function))
                    .map_err(|error| failure(&ctx, &self.shared, &error, &source.code))
            })?;
            realm.programs.insert(program.0, compiled);
        }
        Ok((realm, &source.code))
    }

    /// Run a compiled expression.
    ///
    /// # Errors
    /// Whatever stops it; after `Timeout` and `Memory` the engine begins afresh by itself.
    pub fn run(&mut self, program: Program, run: Run<'_>) -> Result<Value, ExprError> {
        let (shared, limits) = (Arc::clone(&self.shared), self.limits);
        // A realm may have to be made first; that is not the expression's time.
        let (realm, code) = self.function(program)?;
        let Some(function) = realm.programs.get(&program.0) else {
            return Err(ExprError::new(ErrorKind::Failed, "the program is gone"));
        };
        shared.begin(&limits, run.now, run.seed, run.host.clone());
        let outcome = realm.context.with(|ctx| {
            let value = call(&ctx, function, realm, &run, &limits);
            value.unwrap_or_else(|error| Err(failure(&ctx, &shared, &error, code)))
        });
        // An expression can catch the error of a refusal and give something else, but has nothing from it.
        let outcome = if outcome.is_ok() && shared.meter.has_refused() { Err(stopped(&shared)) } else { outcome };
        shared.end();
        let spoilt = matches!(&outcome, Err(error) if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Memory));
        if spoilt || self.runtime.is_job_pending() {
            self.reset()?;
        }
        outcome
    }

    /// Throw away everything that runs left behind. Jobs that wait would run code without a limit: they go too.
    fn reset(&mut self) -> Result<(), ExprError> {
        self.plain = None;
        self.dated = None;
        self.checker = None;
        self.runtime = runtime(&self.shared, self.limits)?;
        Ok(())
    }
}

fn runtime(shared: &Arc<Shared>, limits: Limits) -> Result<Runtime, ExprError> {
    let allocator = Metered::new(Arc::clone(&shared.meter));
    let runtime = Runtime::new_with_alloc(allocator).map_err(|_| out_of_memory())?;
    // Of what runs leave behind and of compiled code; each run has a limit of its own.
    runtime.set_memory_limit(limits.memory.saturating_add(LEFT_BEHIND));
    runtime.set_max_stack_size(limits.stack);
    let late = Arc::clone(shared);
    runtime.set_interrupt_handler(Some(Box::new(move || late.meter.is_over())));
    Ok(runtime)
}

/// Whatever kept code from compiling is its syntax, limits aside.
fn as_syntax(error: ExprError) -> ExprError {
    match error.kind {
        ErrorKind::Failed => ExprError { kind: ErrorKind::Syntax, ..error },
        _ => error,
    }
}

/// Why a run was stopped.
fn stopped(shared: &Shared) -> ExprError {
    if shared.meter.was_crowded() {
        return out_of_memory();
    }
    ExprError::new(ErrorKind::Timeout, "the time limit was reached")
}

fn out_of_memory() -> ExprError {
    ExprError::new(ErrorKind::Memory, "the memory limit was reached")
}

fn call<'js>(
    ctx: &Ctx<'js>,
    function: &Kept,
    realm: &Realm,
    run: &Run<'_>,
    limits: &Limits,
) -> rquickjs::Result<Result<Value, ExprError>> {
    let function = function.clone().restore(ctx)?;
    let mut arguments = Args::new(ctx.clone(), run.arguments.len());
    for argument in run.arguments {
        match argument {
            Argument::Undefined => arguments.push_arg(rquickjs::Undefined)?,
            Argument::Null => arguments.push_arg(rquickjs::Null)?,
            Argument::Bool(value) => arguments.push_arg(*value)?,
            Argument::Number(value) => arguments.push_arg(*value)?,
            Argument::Json(value) => {
                // A value takes several times its text, and reading it is not interrupted. Where others wait nothing is
                // begun that may not end in time; elsewhere the allocator looks after it.
                let several = if limits.fair { 8 } else { 1 };
                if value.len() > limits.memory / several {
                    return Ok(Err(out_of_memory()));
                }
                arguments.push_arg(ctx.json_parse(*value)?)?;
            }
        }
    }
    let mut value: rquickjs::Value = arguments.apply(&function)?;
    if value.is_function() {
        return Ok(Err(ExprError::new(ErrorKind::Failed, "this is a function, please add ()")));
    }
    if run.as_text && !value.is_string() {
        value = realm.as_text.clone().restore(ctx)?.call((value,))?;
    }
    give(ctx, &value, &realm.as_json)
}

/// The value as data.
fn give<'js>(
    ctx: &Ctx<'js>,
    value: &rquickjs::Value<'js>,
    as_json: &Kept,
) -> rquickjs::Result<Result<Value, ExprError>> {
    let refused = |what: &str| Ok(Err(ExprError::new(ErrorKind::Failed, what)));
    Ok(Ok(match value.type_of() {
        Type::Undefined | Type::Null | Type::Uninitialized => Value::Null,
        Type::Bool => Value::Bool(value.as_bool().unwrap_or_default()),
        Type::Int => Value::Integer(i64::from(value.as_int().unwrap_or_default())),
        Type::Float => number(value.as_float().unwrap_or(f64::NAN)),
        Type::String => {
            if let Some(Ok(text)) = value.as_string().map(rquickjs::String::to_string) {
                Value::Text(text)
            } else {
                // Half a surrogate pair is no UTF-8; JSON can escape it.
                json(ctx, value, as_json)?
            }
        }
        Type::BigInt => {
            let text = value.get::<rquickjs::Coerced<String>>()?.0;
            text.parse().map_or(Value::Text(text), Value::Integer)
        }
        Type::Symbol => return refused("a symbol is no data"),
        Type::Promise => return refused("an expression cannot wait for a promise"),
        _ => json(ctx, value, as_json)?,
    }))
}

fn json<'js>(ctx: &Ctx<'js>, value: &rquickjs::Value<'js>, as_json: &Kept) -> rquickjs::Result<Value> {
    let text: Option<rquickjs::String> = as_json.clone().restore(ctx)?.call((value.clone(),))?;
    text.map_or(Ok(Value::Null), |text| text.to_string().map(Value::Json))
}

fn number(value: f64) -> Value {
    if !value.is_finite() {
        Value::Null
    } else if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        #[allow(clippy::cast_possible_truncation, reason = "checked right above")]
        Value::Integer(value as i64)
    } else {
        Value::Number(value)
    }
}

/// What went wrong, for an error that QuickJS reported.
fn failure(ctx: &Ctx<'_>, shared: &Shared, error: &Error, code: &str) -> ExprError {
    match error {
        Error::Exception => describe(shared, &ctx.catch(), code),
        Error::Allocation => out_of_memory(),
        other => ExprError::new(ErrorKind::Failed, other.to_string()),
    }
}

fn describe(shared: &Shared, thrown: &rquickjs::Value<'_>, code: &str) -> ExprError {
    if shared.meter.was_late() || shared.meter.was_crowded() {
        return stopped(shared);
    }
    // When not even an error could be made, QuickJS throws null.
    if thrown.is_null() {
        return out_of_memory();
    }
    let Some(object) = thrown.as_object().filter(|_| thrown.is_error()) else {
        let text = thrown.as_string().and_then(|text| text.to_string().ok());
        let text = text.map_or_else(|| "something that is no error".to_owned(), |text| format!("{text:?}"));
        return ExprError::new(ErrorKind::Failed, format!("the expression threw {text}"));
    };
    // With no memory left, the error is there and its text cannot be copied out.
    let read = |name: &str| match object.get::<_, String>(name) {
        Err(Error::Exception | Error::Allocation) => None,
        other => Some(other.unwrap_or_default()),
    };
    let (Some(name), Some(message)) = (read("name"), read("message")) else {
        return out_of_memory();
    };
    let kind = match name.as_str() {
        _ if shared.host_failed.load(Ordering::Relaxed) => ErrorKind::Host,
        "InternalError" if message == "out of memory" => ErrorKind::Memory,
        _ => ErrorKind::Failed,
    };
    let message = if message.is_empty() { name } else { message };
    let stack = read("stack").unwrap_or_default();
    let position = place::of_property(code, &message).or_else(|| place::of_stack(code, &stack));
    ExprError { kind, message, position }
}

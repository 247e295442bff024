//! A realm: one QuickJS context with the language's names, made safe to share between expressions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::{Context, Ctx, Exception, Function, Module, Object, Persistent, Result, Runtime};

use crate::engine::{Host, Limits};
use crate::meter::Meter;
use crate::zones::Zones;

/// The name of expressions in stack traces.
pub(crate) const EXPRESSION: &str = "expression";

const PRELUDE: &str = include_str!("js/prelude.js");
const HARDEN: &str = include_str!("js/harden.js");
const DATES: &str = include_str!("js/dates.js");
const INTL: &str = include_str!("js/intl.js");
const NUMBERS: &str = include_str!("js/numbers.js");

/// What native functions inside the realms share with the engine.
pub(crate) struct Shared {
    pub meter: Arc<Meter>,
    /// Milliseconds since 1970, as the bits of a float.
    clock: AtomicU64,
    random: AtomicU64,
    pub host: Mutex<Option<Arc<dyn Host>>>,
    pub host_failed: AtomicBool,
    zones: Zones,
    timezone: String,
}

impl Shared {
    pub fn new(timezone: &str) -> Option<Self> {
        let zones = Zones::default();
        let timezone = zones.canonical(timezone)?;
        Some(Self {
            meter: Arc::default(),
            clock: AtomicU64::new(0),
            random: AtomicU64::new(0),
            host: Mutex::new(None),
            host_failed: AtomicBool::new(false),
            zones,
            timezone,
        })
    }

    /// Begin a run.
    pub fn begin(&self, limits: &Limits, clock: f64, seed: u64, host: Option<Arc<dyn Host>>) {
        self.host_failed.store(false, Ordering::Relaxed);
        self.clock.store(clock.to_bits(), Ordering::Relaxed);
        self.random.store(seed, Ordering::Relaxed);
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = host;
        self.meter.begin(limits);
    }

    /// End a run: no limit holds, and the host is let go.
    pub fn end(&self) {
        self.meter.end();
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn now(&self) -> f64 {
        f64::from_bits(self.clock.load(Ordering::Relaxed))
    }

    /// The next number of SplitMix64 (Steele et al. 2014), in [0, 1).
    fn next_random(&self) -> f64 {
        let mut state = self.random.load(Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.store(state, Ordering::Relaxed);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
        let mantissa = (state >> 11) as f64;
        mantissa / 9_007_199_254_740_992.0
    }

    /// Items that an expression asked for.
    fn read<'js>(&self, ctx: &Ctx<'js>, asked: [&str; 4]) -> Result<rquickjs::Value<'js>> {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [kind, name, which, port] = asked;
        match host.map(|host| host.read(kind, name, which, port)) {
            Some(Some(Some(json))) => ctx.json_parse(json),
            Some(Some(None)) => Ok(rquickjs::Value::new_undefined(ctx.clone())),
            Some(None) => {
                self.host_failed.store(true, Ordering::Relaxed);
                Err(Exception::throw_message(ctx, "the items cannot be read"))
            }
            None => Err(Exception::throw_message(ctx, "there are no items to read here")),
        }
    }
}

/// Options under which code of ours or of a user is evaluated.
pub(crate) fn options(filename: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.filename = Some(filename.to_owned());
    options
}

/// A context and the functions compiled in it. The functions must go before the context does.
pub(crate) struct Realm {
    pub programs: HashMap<usize, Kept>,
    pub as_text: Kept,
    pub as_json: Kept,
    pub context: Context,
}

type Plain = (
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::Proxy,
    intrinsic::Promise,
);

impl Realm {
    /// A realm without dates.
    pub fn plain(runtime: &Runtime, shared: &Arc<Shared>) -> Result<Self> {
        let context = Context::custom::<Plain>(runtime)?;
        let (as_text, as_json) = context.with(|ctx| {
            let own = prelude(&ctx, shared)?;
            harden(&ctx, shared)?;
            keep(&ctx, own)
        })?;
        Ok(Self { programs: HashMap::new(), as_text, as_json, context })
    }

    /// A realm with `Date`, `Intl` and, if its bytecode is given, luxon.
    pub fn dated(runtime: &Runtime, shared: &Arc<Shared>, luxon: Option<&Bytecode>) -> Result<Self> {
        let context = Context::custom::<(Plain, intrinsic::Date)>(runtime)?;
        let (as_text, as_json) = context.with(|ctx| {
            let zone = zone_functions(&ctx, shared)?;
            let intl: Function = ctx.eval_with_options(INTL, options("intl"))?;
            let numbers: Function = ctx.eval_with_options(NUMBERS, options("numbers"))?;
            intl.call::<_, ()>((zone.clone(), numbers))?;
            let dates: Function = ctx.eval_with_options(DATES, options("dates"))?;
            let exports = luxon.map(|bytecode| bytecode.load(&ctx)).transpose()?;
            dates.call::<_, ()>((zone, exports))?;
            let own = prelude(&ctx, shared)?;
            harden(&ctx, shared)?;
            keep(&ctx, own)
        })?;
        Ok(Self { programs: HashMap::new(), as_text, as_json, context })
    }
}

/// A function that outlives the visit to its context.
pub(crate) type Kept = Persistent<Function<'static>>;

fn keep<'js>(ctx: &Ctx<'js>, [as_text, as_json]: [Function<'js>; 2]) -> Result<(Kept, Kept)> {
    Ok((Persistent::save(ctx, as_text), Persistent::save(ctx, as_json)))
}

fn harden(ctx: &Ctx<'_>, shared: &Arc<Shared>) -> Result<()> {
    let meter = Arc::clone(&shared.meter);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates, and NaN is 0")]
    let charge = Function::new(ctx.clone(), move |steps: f64| meter.charge(steps as u64))?;
    ctx.eval_with_options::<Function, _>(HARDEN, options("harden"))?.call((charge,))
}

// Closures that give values back need the lifetimes spelt out, which only a bound on a function can do.
fn reading<F>(function: F) -> F
where
    F: for<'js> Fn(Ctx<'js>, String, String, String, String) -> Result<rquickjs::Value<'js>>,
{
    function
}

fn prelude<'js>(ctx: &Ctx<'js>, shared: &Arc<Shared>) -> Result<[Function<'js>; 2]> {
    let items = Arc::clone(shared);
    let read = Function::new(
        ctx.clone(),
        reading(move |ctx, kind, name, which, port| items.read(&ctx, [&kind, &name, &which, &port])),
    )?;
    let chance = Arc::clone(shared);
    let random = Function::new(ctx.clone(), move || chance.next_random())?;
    let own: rquickjs::Array =
        ctx.eval_with_options::<Function, _>(PRELUDE, options("prelude"))?.call((read, random))?;
    Ok([own.get(0)?, own.get(1)?])
}

fn zone_functions<'js>(ctx: &Ctx<'js>, shared: &Arc<Shared>) -> Result<Object<'js>> {
    let zone = Object::new(ctx.clone())?;
    zone.set("name", shared.timezone.as_str())?;
    let own = Arc::clone(shared);
    zone.set("now", Function::new(ctx.clone(), move || own.now())?)?;
    let own = Arc::clone(shared);
    zone.set("canonical", Function::new(ctx.clone(), move |name: String| own.zones.canonical(&name))?)?;
    let own = Arc::clone(shared);
    zone.set(
        "offset",
        Function::new(ctx.clone(), move |name: String, at: f64| own.zones.offset(&name, at).unwrap_or(f64::NAN))?,
    )?;
    let own = Arc::clone(shared);
    zone.set(
        "abbreviation",
        Function::new(ctx.clone(), move |name: String, at: f64| {
            own.zones.abbreviation(&name, at).map(|(text, summer)| vec![text, if summer { "1" } else { "" }.to_owned()])
        })?,
    )?;
    let own = Arc::clone(shared);
    zone.set(
        "fromLocal",
        Function::new(ctx.clone(), move |name: String, at: f64| {
            own.zones.local_to_instant(&name, at).unwrap_or(f64::NAN)
        })?,
    )?;
    Ok(zone)
}

/// luxon, compiled by this very process.
#[derive(Clone)]
pub(crate) struct Bytecode(Arc<[u8]>);

impl Bytecode {
    /// Compile the source of a module.
    pub fn compile(runtime: &Runtime, source: &str) -> Result<Self> {
        let context = Context::custom::<(Plain, intrinsic::Date)>(runtime)?;
        let bytes = context.with(|ctx| {
            Module::declare(ctx, "luxon", source)?
                .write(rquickjs::module::WriteOptions { strip_source: true, ..Default::default() })
        })?;
        Ok(Self(bytes.into()))
    }

    #[allow(unsafe_code, reason = "rquickjs cannot know where the bytes come from")]
    fn load<'js>(&self, ctx: &Ctx<'js>) -> Result<Object<'js>> {
        // SAFETY: the bytes were written by `compile`, in this process, by the same QuickJS; they are never
        // read from a file.
        let module = unsafe { Module::load(ctx.clone(), &self.0) }?;
        let (module, done) = module.eval()?;
        done.finish::<()>()?;
        module.namespace()
    }
}

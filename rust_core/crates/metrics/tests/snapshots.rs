//! Rules that hold for all snapshots: merging, reading bytes, quantiles.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pyagent_metrics::{
    BOUNDS, Distribution, Exemplar, Families, FamilyKey, Format, Kind, Part, Registry, Snapshot, Table, Value,
    from_bytes, place, to_bytes,
};

fn distribution() -> impl Strategy<Value = Distribution> {
    let buckets = prop::collection::btree_map(0_u32..6000, 1_u64..1_000_000, 0..6);
    let exemplar = (any::<u64>(), any::<u64>(), any::<u128>());
    let exemplars = prop::collection::btree_map(0_u8..18, exemplar, 0..3);
    (buckets, any::<u64>(), any::<u64>(), exemplars).prop_map(|(buckets, sum, max, exemplars)| Distribution {
        buckets,
        sum,
        max,
        exemplars: exemplars
            .into_iter()
            .map(|(bound, (at, value, trace))| (bound, Exemplar { at, value, trace }))
            .collect(),
    })
}

fn value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Counter | Kind::CounterSeconds => any::<u64>().prop_map(Value::Count).boxed(),
        Kind::Amount => any::<i64>().prop_map(Value::Amount).boxed(),
        Kind::Level => prop::num::f64::ANY.prop_map(Value::Level).boxed(),
        Kind::Histogram => distribution().prop_map(Value::Distribution).boxed(),
    }
}

fn family() -> impl Strategy<Value = (FamilyKey, (String, Table))> {
    let kinds = prop::sample::select(vec![
        (Kind::Counter, "_total"),
        (Kind::CounterSeconds, "_seconds_total"),
        (Kind::Amount, ""),
        (Kind::Level, ""),
        (Kind::Histogram, "_seconds"),
    ]);
    // Few names and values, so that what is merged meets.
    (kinds, "[ab]", 0_usize..3).prop_flat_map(|((kind, end), name, labels)| {
        let values = prop::collection::vec("[xy\"\\\\\n]{0,2}", labels);
        let table = prop::collection::btree_map(values, value(kind), 0..4);
        let key = FamilyKey {
            name: format!("{name}{end}"),
            kind,
            labels: ["one", "two"].iter().take(labels).map(|name| (*name).to_owned()).collect(),
        };
        (Just(key), ("[a-c]{0,3}", table))
    })
}

fn families() -> impl Strategy<Value = Families> {
    prop::collection::vec(family(), 0..4).prop_map(|all| Families(all.into_iter().collect()))
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let part =
        (0_u64..3, 0_u64..2, families()).prop_map(|(stamp, started, families)| Part { stamp, started, families });
    prop::collection::btree_map("[pq]", part, 0..3).prop_map(|peers| Snapshot { peers })
}

fn merged(mut first: Snapshot, second: Snapshot) -> Snapshot {
    first.merge(second);
    first
}

fn added(mut first: Families, second: &Families) -> Families {
    first.add(second);
    first
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_associative_commutative_and_idempotent(a in snapshot(), b in snapshot(), c in snapshot()) {
        let both = merged(a.clone(), b.clone());
        prop_assert_eq!(&both, &merged(b.clone(), a.clone()));
        prop_assert_eq!(merged(both.clone(), c.clone()), merged(a.clone(), merged(b.clone(), c)));
        prop_assert_eq!(&merged(both.clone(), a), &both);
        prop_assert_eq!(merged(both.clone(), b), both);
    }

    #[test]
    fn adding_up_peers_is_associative_and_commutative(a in families(), b in families(), c in families()) {
        prop_assert_eq!(added(a.clone(), &b), added(b.clone(), &a));
        prop_assert_eq!(added(added(a.clone(), &b), &c), added(a, &added(b, &c)));
    }

    #[test]
    fn what_is_read_from_bytes_is_what_was_written(a in snapshot()) {
        prop_assert_eq!(from_bytes(&to_bytes(&a)), Ok(a));
    }

    #[test]
    fn any_bytes_are_a_snapshot_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = from_bytes(&bytes);
        bytes.splice(0..0, *b"PAMS\x01");
        if let Ok(found) = from_bytes(&bytes) {
            prop_assert_eq!(to_bytes(&found), bytes);
        }
    }

    #[test]
    fn mutated_bytes_are_a_snapshot_that_can_be_shown_or_an_error(
        a in snapshot(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index
    ) {
        let mut bytes = to_bytes(&a);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(found) = from_bytes(bytes) {
                prop_assert_eq!(&to_bytes(&found), bytes);
                let total = merged(found, a.clone()).total();
                for format in [Format::Prometheus, Format::OpenMetrics] {
                    prop_assert!(!format.render(&total).contains("\n\n"));
                }
            }
        }
    }

    #[test]
    fn a_quantile_is_within_a_hundredth_of_the_true_one(
        mut values in prop::collection::vec((1_u64..1_000_000_000_000).prop_flat_map(|high| 1..=high), 1..200),
        share in 0.0_f64..=1.0,
    ) {
        let registry = Registry::new("a");
        let family = registry.histogram("a_seconds", "Any", &[]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let histogram = family.with::<&str>(&[]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for value in &values {
            histogram.record(*value);
        }
        values.sort_unstable();
        let rank = ((share * values.len() as f64).ceil() as usize).max(1);
        let found = registry.snapshot().total().grouped("a_seconds", None);
        let Some(Value::Distribution(found)) = found.get("") else { return Err(TestCaseError::fail("it is there")) };
        prop_assert!(found.quantile(share).abs_diff(values[rank - 1]) as f64 <= (values[rank - 1] as f64 * 0.01).max(1.0));
        for (bound, count) in BOUNDS.iter().zip(found.cumulative()) {
            prop_assert_eq!(count as usize, values.iter().filter(|value| *value <= bound).count());
        }
    }

    #[test]
    fn what_was_before_and_what_came_since_is_all(
        before in prop::collection::vec(1_u64..1_000_000, 0..50), after in prop::collection::vec(1_u64..1_000_000, 0..50)
    ) {
        let of = |values: &[u64]| {
            let mut buckets = BTreeMap::new();
            for value in values {
                *buckets.entry(place(*value)).or_default() += 1;
            }
            let sum = values.iter().sum();
            Distribution { buckets, sum, max: 1_000_000, exemplars: BTreeMap::new() }
        };
        let shot = |found: Distribution, stamp| {
            let key = FamilyKey { name: "a_seconds".to_owned(), kind: Kind::Histogram, labels: Vec::new() };
            let table = Table::from([(Vec::new(), Value::Distribution(found))]);
            let families = Families(BTreeMap::from([(key, (String::new(), table))]));
            Snapshot::of("p".to_owned(), Part { stamp, started: 0, families })
        };
        let all = of(&[before.clone(), after.clone()].concat());
        let since = shot(all, 2).since(&shot(of(&before), 1)).total();
        prop_assert_eq!(since, shot(of(&after), 2).total());
    }
}

#[test]
fn a_page_is_as_the_formats_have_it() {
    let registry = Registry::new("a");
    let made = || -> Result<(), pyagent_metrics::Mistake> {
        let labels = ["node".to_owned()];
        registry.counter("a_total", "How \"many\"\\", &labels)?.with(&["x \"y\"\n\\"])?.add(3);
        registry.counter_seconds("cpu_seconds_total", "Time", &[])?.with::<&str>(&[])?.add(1_500_000_000);
        registry.amount("memory_bytes", "Bytes", &[])?.with::<&str>(&[])?.set(-5);
        registry.level("load", "Load", &[])?.with::<&str>(&[])?.set(0.25);
        registry.histogram("took_seconds", "Took", &[])?.with::<&str>(&[])?.record_traced(30_000_000, 0xabc);
        Ok(())
    };
    assert_eq!(made(), Ok(()));
    let total = registry.snapshot().total();
    let page = Format::OpenMetrics.render(&total);
    assert!(page.starts_with(
        "# HELP a How \\\"many\\\"\\\\\n# TYPE a counter\na_total{node=\"x \\\"y\\\"\\n\\\\\"} 3\n# HELP cpu_seconds Time\n"
    ));
    assert!(page.contains("# UNIT cpu_seconds seconds\ncpu_seconds_total 1.5\n"));
    assert!(page.contains("# UNIT memory_bytes bytes\nmemory_bytes -5\n"));
    assert!(page.contains("took_seconds_bucket{le=\"0.025\"} 0\ntook_seconds_bucket{le=\"0.05\"} 1 # {trace_id=\"00000000000000000000000000000abc\"} 0.03 "));
    assert!(page.ends_with("took_seconds_sum 0.03\ntook_seconds_count 1\n# EOF\n"));
    let page = Format::Prometheus.render(&total);
    assert!(page.starts_with("# HELP a_total How \"many\"\\\\\n# TYPE a_total counter\n"));
    assert!(!page.contains("trace_id") && !page.contains("EOF") && !page.contains("UNIT"));
}

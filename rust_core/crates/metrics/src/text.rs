//! Metrics as text: Prometheus' own format, and OpenMetrics 1.0 with exemplars.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fmt::Write;

use crate::buckets::BOUNDS;
use crate::registry::Kind;
use crate::snapshot::{Distribution, Families, FamilyKey, Value};

/// How metrics are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0: with exemplars.
    OpenMetrics,
}

impl Format {
    /// What an answer in the format says of itself.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The families in this format; of two with one name, which peers of different versions may tell, the first.
    #[must_use]
    pub fn render(self, families: &Families) -> String {
        let mut out = String::new();
        let mut last = "";
        for (key, (help, table)) in &families.0 {
            if key.base() == last {
                continue;
            }
            last = key.base();
            self.head(&mut out, key, help);
            for (values, value) in table {
                self.sample(&mut out, key, values, value);
            }
        }
        if self == Self::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }

    fn head(self, out: &mut String, key: &FamilyKey, help: &str) {
        let name = if self == Self::OpenMetrics { key.base() } else { &key.name };
        let help = escaped(help, self == Self::OpenMetrics);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", key.kind.name());
        if self == Self::OpenMetrics
            && let Some(unit) = ["seconds", "bytes"].iter().find(|unit| name.ends_with(&format!("_{unit}")))
        {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
    }

    fn sample(self, out: &mut String, key: &FamilyKey, values: &[String], value: &Value) {
        let labels = labelled(&key.labels, values);
        let own = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let name = &key.name;
        let _ = match value {
            Value::Count(count) if key.kind == Kind::CounterSeconds => {
                writeln!(out, "{name}{own} {}", number(seconds(*count)))
            }
            Value::Count(count) => writeln!(out, "{name}{own} {count}"),
            Value::Amount(amount) => writeln!(out, "{name}{own} {amount}"),
            Value::Level(level) => writeln!(out, "{name}{own} {}", number(*level)),
            Value::Distribution(found) => {
                self.buckets(out, name, &labels, found);
                writeln!(out, "{name}_sum{own} {}\n{name}_count{own} {}", number(seconds(found.sum)), found.count())
            }
        };
    }

    fn buckets(self, out: &mut String, name: &str, labels: &str, found: &Distribution) {
        let comma = if labels.is_empty() { "" } else { "," };
        let bounds = BOUNDS.iter().map(|bound| number(seconds(*bound))).chain(["+Inf".to_owned()]);
        let counts = found.cumulative().into_iter().chain([found.count()]);
        for (index, (bound, count)) in bounds.zip(counts).enumerate() {
            let _ = write!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
            let exemplar = u8::try_from(index).ok().and_then(|index| found.exemplars.get(&index));
            if self == Self::OpenMetrics
                && let Some(exemplar) = exemplar
            {
                let value = number(seconds(exemplar.value));
                let (whole, part) = (exemplar.at / 1000, exemplar.at % 1000);
                let _ = write!(out, " # {{trace_id=\"{:032x}\"}} {value} {whole}.{part:03}", exemplar.trace);
            }
            out.push('\n');
        }
    }
}

/// Which format whoever sends this `Accept` would rather have; Prometheus' own where it says nothing of either.
#[must_use]
pub fn accepted(accept: &str) -> Format {
    let mut best = (Format::Prometheus, 0.0);
    for part in accept.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let format = match pieces.next().unwrap_or("").to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => Format::OpenMetrics,
            "text/plain" | "text/*" | "*/*" => Format::Prometheus,
            _ => continue,
        };
        let mut weight = 1.0;
        let mut version = "1.0.0";
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => weight = value.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0),
                "version" if format == Format::OpenMetrics => version = value.trim(),
                _ => {}
            }
        }
        // A later version may have other rules; the first draft has the same as far as we go.
        if weight > best.1 && ["1.0.0", "0.0.1"].contains(&version) {
            best = (format, weight);
        }
    }
    best.0
}

fn labelled(names: &[String], values: &[String]) -> String {
    let pairs = names.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)));
    pairs.collect::<Vec<_>>().join(",")
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

/// A duration in seconds.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// A number as both formats write it: with a point, so that the names of buckets are the same in both.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_which_is_asked_for_most() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        assert_eq!(accepted(prometheus), Format::OpenMetrics);
        assert_eq!(accepted("application/openmetrics-text; version=1.0.0"), Format::OpenMetrics);
        assert_eq!(accepted("application/openmetrics-text;q=0.1, text/plain"), Format::Prometheus);
        assert_eq!(accepted("application/openmetrics-text;q=0"), Format::Prometheus);
        assert_eq!(accepted("application/openmetrics-text;version=9.0.0"), Format::Prometheus);
        for other in ["", "*/*", "application/json", ";;,=,q", "application/openmetrics-text;q=NaN"] {
            assert_eq!(accepted(other), Format::Prometheus, "{other}");
        }
    }
}

//! What can be known of an expression without running it: plain paths, the names it reads, the nodes it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::{Kind, Lexer, Token, in_name};

/// The names that hold data, handed in with each evaluation.
pub const DATA_ROOTS: [&str; 12] = [
    "$json",
    "$binary",
    "$itemIndex",
    "$runIndex",
    "$execution",
    "$workflow",
    "$vars",
    "$inputs",
    "$state",
    "$run",
    "$scope",
    "$prevNode",
];

/// Own names of `Object.prototype`: reading one of them may find the prototype's value.
pub const INHERITED: [&str; 12] = [
    "constructor",
    "__proto__",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

/// One step of a plain path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// `.name` or `["name"]`
    Name(String),
    /// `[0]`
    Index(u32),
}

/// Which items of a node or of the input are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// `.first()`
    First,
    /// `.last()`
    Last,
    /// `.all()`
    All,
    /// `.item`, or the short forms of `$node`
    Item,
}

impl Pick {
    /// Its name in the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::All => "all",
            Self::Item => "item",
        }
    }
}

/// Where a plain path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// One of `DATA_ROOTS`.
    Data(&'static str),
    /// `$input.…`
    Input(Pick),
    /// `$('Name').…` or `$node["Name"]`
    Node(String, Pick),
}

/// An expression that only reads: a root and the keys from there. Each key says whether it was optional (`?.`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins.
    pub root: Root,
    /// The keys, and whether each was written with `?.`.
    pub keys: Vec<(Key, bool)>,
}

/// What of a root an expression can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Any of it.
    Whole,
    /// Only these keys of it.
    Keys(BTreeSet<String>),
}

/// What an expression reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// The data roots it may mention, and what it needs of each.
    pub roots: BTreeMap<&'static str, Needs>,
    /// All names with a leading `$` that its code mentions.
    pub names: BTreeSet<String>,
    /// The nodes it names by literals.
    pub nodes: BTreeSet<String>,
    /// Whether it names a node by something else than a literal.
    pub computed_node: bool,
    /// Whether it may need dates or languages.
    pub dates: bool,
    /// Whether it may need luxon.
    pub luxon: bool,
    /// Whether it may draw random numbers.
    pub random: bool,
}

fn data_root(name: &str) -> Option<&'static str> {
    DATA_ROOTS.into_iter().find(|root| *root == name)
}

struct Tokens<'a> {
    list: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.list.get(self.at).copied()
    }

    fn take(&mut self, accept: impl Fn(&Token<'a>) -> bool) -> Option<Token<'a>> {
        let token = self.peek().filter(|token| accept(token))?;
        self.at += 1;
        Some(token)
    }

    fn mark(&mut self, mark: &str) -> Option<()> {
        self.take(|token| token.is(mark)).map(drop)
    }

    fn name(&mut self) -> Option<&'a str> {
        self.take(|token| token.kind == Kind::Name).map(|token| token.text)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.take(|token| token.kind == Kind::Text)?.plain_text()
    }

    /// `.first()`, `.last()`, `.all()` or `.item`
    fn pick(&mut self) -> Option<Pick> {
        self.mark(".")?;
        let pick = match self.name()? {
            "first" => Pick::First,
            "last" => Pick::Last,
            "all" => Pick::All,
            "item" => return Some(Pick::Item),
            _ => return None,
        };
        self.mark("(")?;
        self.mark(")")?;
        Some(pick)
    }

    fn root(&mut self) -> Option<Root> {
        match self.name()? {
            "$input" => Some(Root::Input(self.pick()?)),
            "$" => {
                self.mark("(")?;
                let node = self.text()?.to_owned();
                self.mark(")")?;
                Some(Root::Node(node, self.pick()?))
            }
            "$node" => {
                let node = if self.mark(".").is_some() {
                    self.name()?
                } else {
                    self.mark("[")?;
                    let node = self.text()?;
                    self.mark("]")?;
                    node
                };
                Some(Root::Node(node.to_owned(), Pick::Item))
            }
            name => data_root(name).map(Root::Data),
        }
    }

    fn key(&mut self) -> Option<(Key, bool)> {
        let optional = self.mark("?.").is_some();
        if self.mark("[").is_some() {
            let token = self.take(|token| matches!(token.kind, Kind::Text | Kind::Number))?;
            let key = match token.plain_text() {
                Some(text) => Key::Name(text.to_owned()),
                None if token.text == "0" || !token.text.starts_with('0') => Key::Index(token.text.parse().ok()?),
                None => return None,
            };
            self.mark("]")?;
            return Some((key, optional));
        }
        if !optional {
            self.mark(".")?;
        }
        Some((Key::Name(self.name()?.to_owned()), optional))
    }
}

/// The path, if the expression is nothing but one.
#[must_use]
pub fn plain_path(code: &str) -> Option<Path> {
    // Comments are rare and the lexer drops them; a path with one may as well be run.
    if code.contains("//") || code.contains("/*") {
        return None;
    }
    let mut tokens = Tokens { list: Lexer::new(code, 0).collect(), at: 0 };
    let root = tokens.root()?;
    let mut keys = Vec::new();
    while tokens.peek().is_some() {
        keys.push(tokens.key()?);
    }
    Some(Path { root, keys })
}

/// The key that is read from a root whose name ends right before `rest`, if only that key can be meant.
fn key_after(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let (rest, optional) = rest.strip_prefix("?.").map_or((rest, false), |after| (after, true));
    let key = if let Some(inner) = rest.trim_start().strip_prefix('[') {
        let inner = inner.trim_start();
        let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (key, after) = inner.get(1..)?.split_once(quote)?;
        (after.trim_start().starts_with(']') && !key.contains(['\\', '\n'])).then_some(key)?
    } else {
        let rest = if optional { rest } else { rest.strip_prefix('.')? }.trim_start();
        let length = rest.find(|c: char| !(c.is_ascii() && in_name(c))).unwrap_or(rest.len());
        // An escape or a letter beyond ASCII would go on with the name.
        let ends = rest.get(length..)?.chars().next().is_none_or(|c| c.is_ascii() && c != '\\');
        (ends && length > 0).then(|| rest.get(..length))??
    };
    (!INHERITED.contains(&key)).then_some(key)
}

/// What the code may read of a data root. It looks at the bare text, strings and comments too, so it can
/// only say too much.
fn needs(code: &str, root: &str) -> Option<Needs> {
    let mut keys = BTreeSet::new();
    let mut found = false;
    for (index, _) in code.match_indices(root) {
        let after = code.get(index + root.len()..).unwrap_or_default();
        let inside_name = code.get(..index).and_then(|before| before.chars().next_back()).is_some_and(in_name);
        if inside_name || after.chars().next().is_some_and(in_name) {
            continue;
        }
        found = true;
        match key_after(after) {
            Some(key) => keys.insert(key.to_owned()),
            None => return Some(Needs::Whole),
        };
    }
    found.then_some(Needs::Keys(keys))
}

const LUXON_WORDS: [&str; 6] = ["DateTime", "$now", "$today", "Duration", "Interval", "Info"];
const DATE_WORDS: [&str; 4] = ["Date", "Intl", "toLocale", "localeCompare"];

/// What an expression reads.
#[must_use]
pub fn analyse(code: &str) -> Analysis {
    let luxon = LUXON_WORDS.into_iter().any(|word| code.contains(word));
    let mut found = Analysis {
        roots: DATA_ROOTS.into_iter().filter_map(|root| Some((root, needs(code, root)?))).collect(),
        dates: luxon || DATE_WORDS.into_iter().any(|word| code.contains(word)),
        luxon,
        random: code.contains("random"),
        ..Analysis::default()
    };
    let mut tokens = Tokens { list: Lexer::new(code, 0).collect(), at: 0 };
    let mut after_dot = false;
    let mut dots = 0;
    while let Some(token) = tokens.peek() {
        tokens.at += 1;
        if token.kind == Kind::Name && token.text.starts_with('$') && !after_dot {
            found.names.insert(token.text.to_owned());
            if token.text == "$" || token.text == "$node" {
                name_node(&mut tokens, token.text, &mut found);
            }
        }
        // Three dots spread what follows, they are no way into it.
        dots = if token.is(".") { dots + 1 } else { 0 };
        after_dot = dots == 1 || token.is("?.");
    }
    found
}

/// Notes the node that is named after `$` or `$node`.
fn name_node(tokens: &mut Tokens<'_>, name: &str, found: &mut Analysis) {
    let start = tokens.at;
    let (open, close) = if name == "$" { ("(", ")") } else { ("[", "]") };
    let node = if tokens.mark(open).is_some() {
        tokens.text().filter(|_| tokens.peek().is_some_and(|token| token.is(close)))
    } else if name == "$node" && tokens.mark(".").is_some() {
        tokens.name()
    } else {
        None
    };
    tokens.at = start;
    match node {
        Some(node) => drop(found.nodes.insert(node.to_owned())),
        None => found.computed_node = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &Path) -> String {
        let step = |(key, optional): &(Key, bool)| {
            let mark = if *optional { "?" } else { "" };
            match key {
                Key::Name(name) => format!("{mark}.{name}"),
                Key::Index(index) => format!("{mark}[{index}]"),
            }
        };
        path.keys.iter().map(step).collect()
    }

    #[test]
    fn plain_paths_are_recognised() {
        for (code, root, steps) in [
            (" $json.a.b ", Root::Data("$json"), ".a.b"),
            ("$json[\"a b\"][0]?.c", Root::Data("$json"), ".a b[0]?.c"),
            ("$json", Root::Data("$json"), ""),
            ("$inputs.x", Root::Data("$inputs"), ".x"),
            ("$('My node').first().json.x", Root::Node("My node".into(), Pick::First), ".json.x"),
            ("$node[\"A\"].json.x", Root::Node("A".into(), Pick::Item), ".json.x"),
            ("$input.all()", Root::Input(Pick::All), ""),
        ] {
            let path = plain_path(code).unwrap_or(Path { root: Root::Data("none"), keys: vec![] });
            assert_eq!((path.root.clone(), keys(&path).as_str()), (root, steps), "{code}");
        }
    }

    #[test]
    fn anything_more_than_a_path_is_none() {
        for code in
            ["$json.a + 1", "$json.a()", "a.b", "$json[a]", "$json[01]", "$json.a /* */", "$('a')", "$json.", ""]
        {
            assert_eq!(plain_path(code), None, "{code}");
        }
    }

    #[test]
    fn only_the_keys_that_are_read_are_needed() {
        let found = analyse("$json.a.b > 1 && $json?.['c d'] + \"$json.e\"");
        let keys = ["a", "c d", "e"].map(str::to_owned).into();
        assert_eq!(found.roots.get("$json"), Some(&Needs::Keys(keys)));
    }

    #[test]
    fn a_root_that_is_used_by_itself_is_needed_whole() {
        for code in
            ["f($json)", "$json[x]", "({...$json})", "$json.\\u0061", "$json.toString()", "$json /**/ .a", "$json.é"]
        {
            assert_eq!(analyse(code).roots.get("$json"), Some(&Needs::Whole), "{code}");
        }
    }

    #[test]
    fn names_inside_other_names_are_not_roots() {
        assert!(analyse("a$json + $jsonx").roots.is_empty());
    }

    #[test]
    fn nodes_are_found_in_code_and_not_in_strings() {
        let found = analyse("$('A').first().json.x + `${$node.B.json.y}` + \"$('C')\" + $node['D']");
        assert_eq!(found.nodes, ["A", "B", "D"].map(str::to_owned).into());
        assert!(!found.computed_node);
        assert_eq!(analyse("[...$('E').all(), ...$inputs.x]").nodes, ["E".to_owned()].into());
        assert!(!analyse("a.$node.B").names.contains("$node"));
        assert!(analyse("$(name)").computed_node);
        assert!(analyse("$('a' + b)").computed_node);
    }
}

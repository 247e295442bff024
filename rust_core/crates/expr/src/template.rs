//! A template string taken apart: literal text and the code between `{{` and `}}`.

use crate::lexer::Lexer;

/// A position in a template, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal text, its escapes resolved.
    Text(String),
    /// Code, and where its first character (blanks included) stands.
    Code {
        /// What stands between the braces, blanks included.
        code: String,
        /// Where it begins.
        position: Position,
    },
}

/// Why a template cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where it is wrong.
    pub position: Position,
}

/// The position of a byte offset.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// Where the code that starts at `start` ends: at the first `}}` outside strings, comments and braces, else,
/// in code that the compiler will reject, at the first `}}` at all.
fn end_of_code(text: &str, start: usize) -> Option<usize> {
    let mut lexer = Lexer::new(text, start);
    loop {
        let outside = lexer.outside_braces();
        let Some(token) = lexer.next() else { break };
        if outside && token.is("}") && text.get(token.start..).is_some_and(|rest| rest.starts_with("}}")) {
            return Some(token.start);
        }
    }
    text.get(start..)?.find("}}").map(|index| start + index)
}

/// Take a template apart. `\{{` stands for a literal `{{`.
///
/// # Errors
/// A `{{` that is never closed, or that holds no code.
pub fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let (mut parts, mut literal, mut at) = (Vec::new(), String::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(index) = rest.find("{{") else {
            literal.push_str(rest);
            break;
        };
        let before = rest.get(..index).unwrap_or_default();
        if let Some(before) = before.strip_suffix('\\') {
            literal.push_str(before);
            literal.push_str("{{");
            at += index + 2;
            continue;
        }
        literal.push_str(before);
        let start = at + index + 2;
        let fail = |message: &str| TemplateError { message: message.into(), position: position(text, start - 2) };
        let end = end_of_code(text, start).ok_or_else(|| fail("`{{` is never closed by `}}`"))?;
        let code = text.get(start..end).unwrap_or_default();
        if code.trim().is_empty() {
            return Err(fail("there is no expression between `{{` and `}}`"));
        }
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Code { code: code.into(), position: position(text, start) });
        at = end + 2;
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<String> {
        let parts = parse(text).unwrap_or_default();
        parts
            .into_iter()
            .filter_map(|part| match part {
                Part::Code { code, .. } => Some(code),
                Part::Text(_) => None,
            })
            .collect()
    }

    #[test]
    fn text_and_code_alternate() {
        assert_eq!(
            parse("a {{ b }}\n{{c}}!"),
            Ok(vec![
                Part::Text("a ".into()),
                Part::Code { code: " b ".into(), position: Position { line: 1, column: 5 } },
                Part::Text("\n".into()),
                Part::Code { code: "c".into(), position: Position { line: 2, column: 3 } },
                Part::Text("!".into()),
            ])
        );
    }

    #[test]
    fn closing_braces_inside_strings_objects_and_literals_do_not_end_the_code() {
        for code in ["{a: {b: 1}}.a", "'}}'", "`}}${ {a: {}} }`", "x.replace(/}}/g, '') /* }} */", "(() => {{}})()"] {
            assert_eq!(codes(&format!("{{{{ {code} }}}}")), [format!(" {code} ")]);
        }
    }

    #[test]
    fn broken_code_ends_at_the_first_closing_braces() {
        assert_eq!(codes("{{ it's }} and"), [" it's "]);
    }

    #[test]
    fn an_escaped_opening_is_text() {
        assert_eq!(parse("\\{{ a }}"), Ok(vec![Part::Text("{{ a }}".into())]));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(
            parse("é {{ $json"),
            Err(TemplateError {
                message: "`{{` is never closed by `}}`".into(),
                position: Position { line: 1, column: 3 }
            })
        );
    }

    #[test]
    fn empty_code_is_an_error() {
        assert!(parse("a {{  }}").is_err());
    }
}

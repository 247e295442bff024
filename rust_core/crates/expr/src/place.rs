//! Where in the code an error happened.

use crate::error::ExprError;
use crate::lexer::{Kind, Lexer};
use crate::realm::EXPRESSION;
use crate::template;

/// The first place in a stack trace that is in the expression itself.
///
/// Our wrapper is its first line, and QuickJS counts a line's bytes where people count characters.
pub(crate) fn of_stack(code: &str, stack: &str) -> Option<(usize, usize)> {
    let (line, column) = stack.match_indices(EXPRESSION).find_map(|(index, _)| {
        let rest = stack.get(index + EXPRESSION.len()..)?.strip_prefix(':')?;
        let mut numbers = rest.splitn(3, |c: char| !c.is_ascii_digit());
        let line: usize = numbers.next()?.parse().ok()?;
        let column: usize = numbers.next()?.parse().ok()?;
        (line > 1).then(|| (line - 1, column))
    })?;
    let text = code.split('\n').nth(line - 1).unwrap_or_default();
    let characters = text.char_indices().take_while(|(index, _)| index + 1 < column).count();
    Some((line, characters + 1))
}

/// The one place where a property is read that an error message says cannot be; QuickJS notes none for it.
pub(crate) fn of_property(code: &str, message: &str) -> Option<(usize, usize)> {
    let name = message.strip_prefix("cannot read property '")?.split_once('\'')?.0;
    let mut found = None;
    let mut after_dot = false;
    for token in Lexer::new(code, 0) {
        if token.plain_text() == Some(name) || (after_dot && token.kind == Kind::Name && token.text == name) {
            if found.is_some() {
                return None;
            }
            found = Some(token.start);
        }
        after_dot = token.is(".") || token.is("?.");
    }
    let position = template::position(code, found?);
    Some((position.line, position.column))
}

/// An error found only after the code's last line is about its end; what stands there is our wrapper.
pub(crate) fn within(code: &str, error: ExprError) -> ExprError {
    match error.position {
        Some((line, _)) if line > code.split('\n').count() => {
            let end = template::position(code, code.trim_end().len());
            let message = "the expression is not complete".to_owned();
            ExprError { message, position: Some((end.line, end.column)), ..error }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_characters() {
        assert_eq!(of_stack(" 'é' + }", "    at expression:2:9\n"), Some((1, 8)));
        assert_eq!(of_stack("a", "    at prelude:2:9\n"), None);
    }

    #[test]
    fn a_property_that_is_read_once_is_found() {
        let message = "cannot read property 'y' of undefined";
        assert_eq!(of_property("$json.x\n  .y.z", message), Some((2, 4)));
        assert_eq!(of_property("$json['y'].z", message), Some((1, 7)));
        assert_eq!(of_property("$json.y.z + $json.y", message), None);
    }
}

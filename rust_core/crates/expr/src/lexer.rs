//! Tokens of JavaScript, as far as templates need them.
//!
//! It tells strings, regular expressions, comments and template literals from code, so that a `}}` inside
//! one of them does not end an expression. It never rejects anything: that is the compiler's part.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword.
    Name,
    /// A number.
    Number,
    /// A quoted string; the text holds the quotes.
    Text,
    /// A literal piece of a template literal, with its delimiters.
    Chunk,
    /// A regular expression.
    Pattern,
    /// `?.` or one character of punctuation.
    Mark,
}

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Byte offset in the text.
    pub start: usize,
}

impl<'a> Token<'a> {
    /// Whether this is the given punctuation.
    pub fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// The value of a quoted string without escapes.
    pub fn plain_text(&self) -> Option<&'a str> {
        let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
        let closed = self.text.len() >= 2 && self.text.as_bytes().last() == self.text.as_bytes().first();
        (self.kind == Kind::Text && closed && !inner.contains('\\')).then_some(inner)
    }
}

#[derive(PartialEq)]
enum Open {
    Brace,
    Substitution,
}

/// Iterates over the tokens of `text` from a byte offset on.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open>,
    after_value: bool,
}

/// Whether a character may stand inside a name.
pub(crate) fn in_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '\u{200c}' | '\u{200d}')
}

// After these words a slash begins a regular expression.
const OPERATOR_WORDS: [&str; 13] =
    ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "instanceof", "else", "do", "yield"];

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, start: usize) -> Self {
        Self { text, at: start, open: Vec::new(), after_value: false }
    }

    /// Whether no brace is open before the next token.
    pub fn outside_braces(&self) -> bool {
        self.open.is_empty()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.at += trimmed.find("*/").map_or(trimmed.len(), |end| end + 2);
            } else {
                return;
            }
        }
    }

    /// Length of the quoted string that `rest` begins with; a line end ends it too.
    fn quoted(rest: &str, quote: char) -> usize {
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' => return index,
                _ if character == quote => return index + 1,
                _ => {}
            }
        }
        rest.len()
    }

    /// Length of the regular expression that `rest` begins with, or None if the line ends before it does.
    fn pattern(rest: &str) -> Option<usize> {
        let (mut escaped, mut in_class) = (false, false);
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                '\n' => return None,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    let flags = rest.get(index + 1..)?.chars().take_while(|c| c.is_ascii_alphabetic()).count();
                    return Some(index + 1 + flags);
                }
                _ => {}
            }
        }
        None
    }

    /// Length of a template literal's piece: from its delimiter to the next `${` or the end of the literal.
    fn chunk(&mut self, rest: &str) -> usize {
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => {
                    self.after_value = true;
                    return index + 1;
                }
                '$' if rest.get(index + 1..).is_some_and(|after| after.starts_with('{')) => {
                    self.open.push(Open::Substitution);
                    self.after_value = false;
                    return index + 2;
                }
                _ => {}
            }
        }
        rest.len()
    }

    fn mark(&mut self, character: char, rest: &str) -> (Kind, usize) {
        match character {
            '`' => return (Kind::Chunk, self.chunk(rest)),
            '}' => {
                if self.open.pop() == Some(Open::Substitution) {
                    return (Kind::Chunk, self.chunk(rest));
                }
                self.after_value = true;
            }
            '{' => {
                self.open.push(Open::Brace);
                self.after_value = false;
            }
            '/' if !self.after_value => {
                if let Some(length) = Self::pattern(rest) {
                    self.after_value = true;
                    return (Kind::Pattern, length);
                }
            }
            ')' | ']' => self.after_value = true,
            '?' if rest.starts_with("?.") && !rest.chars().nth(2).is_some_and(|c| c.is_ascii_digit()) => {
                self.after_value = false;
                return (Kind::Mark, 2);
            }
            _ => self.after_value = false,
        }
        (Kind::Mark, character.len_utf8())
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let (rest, start) = (self.rest(), self.at);
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '"' | '\'' => {
                self.after_value = true;
                (Kind::Text, Self::quoted(rest, first))
            }
            _ if first.is_ascii_digit() => {
                self.after_value = true;
                (Kind::Number, rest.find(|c: char| !in_name(c) && c != '.').unwrap_or(rest.len()))
            }
            _ if in_name(first) => {
                let length = rest.find(|c: char| !in_name(c)).unwrap_or(rest.len());
                self.after_value = !OPERATOR_WORDS.contains(&rest.get(..length).unwrap_or_default());
                (Kind::Name, length)
            }
            _ => self.mark(first, rest),
        };
        self.at = start + length;
        Some(Token { kind, text: rest.get(..length).unwrap_or_default(), start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str) -> Vec<&str> {
        Lexer::new(code, 0).map(|token| token.text).collect()
    }

    #[test]
    fn a_slash_after_a_value_divides_and_elsewhere_begins_a_pattern() {
        assert_eq!(texts("a / b / c"), ["a", "/", "b", "/", "c"]);
        assert_eq!(texts("f(/a[/]}/g)"), ["f", "(", "/a[/]}/g", ")"]);
        assert_eq!(texts("typeof /x/"), ["typeof", "/x/"]);
    }

    #[test]
    fn template_literals_hold_code_that_holds_literals() {
        assert_eq!(texts("`a${ `b${c}` }d` + e"), ["`a${", "`b${", "c", "}`", "}d`", "+", "e"]);
    }

    #[test]
    fn comments_are_skipped_and_strings_keep_their_quotes() {
        assert_eq!(texts("'a\\'b' /* '' */ // c\n\"d\""), ["'a\\'b'", "\"d\""]);
    }

    #[test]
    fn text_that_never_closes_ends_with_the_text() {
        for code in ["'abc", "`abc", "/* abc", "`a${b", "/abc", "\\", "é"] {
            assert!(Lexer::new(code, 0).count() <= 4, "{code}");
        }
    }
}

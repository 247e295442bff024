//! How text becomes terms, and what a term is worth: Okapi BM25.
//!
//! The formula is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with
//! the idf that cannot become negative: `ln(1 + (N - n + 0.5) / (n + 0.5))`. A term that a query holds twice counts twice.

/// How fast more of the same term stops to count.
pub const K1: f64 = 1.2;
/// How much a document's length counts.
pub const B: f64 = 0.75;
/// Characters of a term; the rest of a longer one is not looked at.
const LONGEST: usize = 64;

/// Call `each` with every term of a text, in order: runs of letters and digits, in lower case. Scripts that are
/// written without spaces (Chinese, Japanese) give a term for each character.
pub fn terms(text: &str, mut each: impl FnMut(&str)) {
    let mut term = String::new();
    let mut length = 0;
    for character in text.chars() {
        if is_written_without_spaces(character) {
            if !term.is_empty() {
                each(&term);
            }
            term.clear();
            length = 0;
            each(character.encode_utf8(&mut [0; 4]));
        } else if character.is_alphanumeric() {
            if length < LONGEST {
                if character.is_ascii() {
                    term.push(character.to_ascii_lowercase());
                } else {
                    term.extend(character.to_lowercase());
                }
                length += 1;
            }
        } else if !term.is_empty() {
            each(&term);
            term.clear();
            length = 0;
        }
    }
    if !term.is_empty() {
        each(&term);
    }
}

fn is_written_without_spaces(character: char) -> bool {
    matches!(u32::from(character), 0x3041..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
        && character.is_alphanumeric()
}

/// The terms of a query with how often each occurs, in order of first occurrence.
pub fn query_terms(text: &str) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = Vec::new();
    terms(text, |term| match found.iter_mut().find(|(known, _)| known == term) {
        Some((_, count)) => *count += 1,
        None => found.push((term.to_owned(), 1)),
    });
    found
}

/// What a term is worth that `holding` of `documents` documents hold.
pub fn inverse_frequency(documents: u64, holding: u64) -> f64 {
    let (documents, holding) = (documents as f64, holding as f64);
    ((documents - holding + 0.5) / (holding + 0.5)).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        terms(text, |term| found.push(term.to_owned()));
        found
    }

    #[test]
    fn terms_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(all("Don't PANIC, x2=3!"), ["don", "t", "panic", "x2", "3"]);
        assert_eq!(all("Ärger ΣΑΣ"), ["ärger", "σασ"]);
        assert_eq!(all(" \n.,"), Vec::<String>::new());
        assert_eq!(all(&"a".repeat(100)), ["a".repeat(64)]);
    }

    #[test]
    fn each_character_of_chinese_is_a_term() {
        assert_eq!(all("abc東京、dé"), ["abc", "東", "京", "dé"]);
    }

    #[test]
    fn a_query_counts_its_terms() {
        assert_eq!(
            query_terms("To be or not to be"),
            [("to", 2), ("be", 2), ("or", 1), ("not", 1)].map(|(t, n)| (t.to_owned(), n))
        );
    }
}

//! Reversible escapes for names that may not hold every byte: what may not stand is written `_x` and two lower-case hex digits.

/// The mark of an escaped byte; alone it stands for an empty text.
const ESCAPE: &str = "_x";

/// Writes the bytes that aren't kept as escapes. `is_kept` is asked with the whole text and an index, and keeps all bytes of a
/// character or none; underscores are looked after here. Simple names stay as they are, and no two texts become the same.
pub fn escape(text: &str, is_kept: impl Fn(&[u8], usize) -> bool) -> String {
    match text {
        "" => return ESCAPE.to_owned(),
        ESCAPE => return escaped(b'_') + "x",
        _ => {}
    }
    let bytes = text.as_bytes();
    let is_kept = |at: usize| match bytes[at] {
        b'_' => escaped_byte(&bytes[at..]).is_none(),
        _ => is_kept(bytes, at),
    };
    let written = |at: usize| if is_kept(at) { vec![bytes[at]] } else { escaped(bytes[at]).into_bytes() };
    let written: Vec<u8> = (0..bytes.len()).flat_map(written).collect();
    String::from_utf8_lossy(&written).into_owned()
}

/// The escape of a byte.
pub fn escaped(byte: u8) -> String {
    format!("{ESCAPE}{byte:02x}")
}

/// Reads a text back; `None` for escapes that are no text.
pub fn unescape(text: &str) -> Option<String> {
    if text == ESCAPE {
        return Some(String::new());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = escaped_byte(rest);
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &rest[4..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

/// The byte that an escape at the beginning of `text` stands for.
fn escaped_byte(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(ESCAPE.as_bytes())?.first_chunk::<2>()?;
    let digit = |b: u8| char::from(b).to_digit(16).filter(|_| !b.is_ascii_uppercase());
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> String {
        escape(text, |bytes, at| bytes[at].is_ascii_alphanumeric())
    }

    #[test]
    fn simple_texts_stay_and_no_two_become_one() {
        for (text, written) in [
            ("a_b1", "a_b1"),
            ("a.b", "a_x2eb"),
            ("a_x2eb", "a_x5fx2eb"),
            ("", "_x"),
            ("_x", "_x5fx"),
            ("空", "_xe7_xa9_xba"),
        ] {
            assert_eq!(plain(text), written);
            assert_eq!(unescape(written).as_deref(), Some(text));
        }
        assert_eq!(unescape("_xff"), None, "no text");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "(_x|[_x0-9a-f]|\\PC){0,12}") {
            prop_assert_eq!(unescape(&plain(&text)), Some(text));
        }
    }
}

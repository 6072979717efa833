//! Durations as the configuration writes them: whole numbers with units, `1m30s`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration.
///
/// # Errors
/// What is wrong with the text, without quoting it.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let word = &unit[..unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len())];
        if !number.is_empty() && word.is_empty() {
            return Err("has no unit (ms, s, m, h or d)");
        }
        let (Ok(number), Some((_, scale))) =
            (number.parse::<u64>(), UNITS.iter().find(|(name, _)| *name == word))
        else {
            return Err("is no duration, such as `30s`, `500ms` or `1m30s`");
        };
        let part = number.checked_mul(*scale).ok_or("is too long")?;
        millis = millis.checked_add(part).ok_or("is too long")?;
        rest = &unit[word.len()..];
    }
    Ok(Duration::from_millis(millis))
}

/// Reads a duration that must not be zero.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_positive(text: &str) -> Result<Duration, &'static str> {
    parse(text).and_then(|length| if length.is_zero() { Err("must not be zero") } else { Ok(length) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, parse_positive};

    #[test]
    fn whole_numbers_with_units_add_up() {
        for (text, millis) in [
            ("500ms", 500),
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_says_what_is_wrong() {
        assert_eq!(parse("60"), Err("has no unit (ms, s, m, h or d)"));
        assert_eq!(parse("1m30"), Err("has no unit (ms, s, m, h or d)"));
        for text in ["", "s", "1.5s", "-1s", "1 s", "1w", "1s ", "٣s"] {
            assert_eq!(parse(text), Err("is no duration, such as `30s`, `500ms` or `1m30s`"), "{text}");
        }
        assert_eq!(parse("99999999999999999d"), Err("is too long"));
        assert_eq!(parse_positive("0ms"), Err("must not be zero"));
    }
}

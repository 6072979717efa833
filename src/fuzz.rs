//! Fuzzing for parsers of foreign bytes: real answers, changed in many ways, must never make one panic or hang.
//!
//! A parser joins with one test of its own, whose name begins with `fuzz_`:
//!
//! ```text
//! #[test]
//! fn fuzz_discover() {
//!     crate::fuzz::fuzz(&[br#"{ "code": 200000 }"#], |bytes| drop(services(bytes)));
//! }
//! ```
//!
//! With every run of the tests it takes a moment; `tests/run --fuzz` gives each a minute.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;
use tokio::time::Instant;

/// How long each parser is tried, in seconds, in place of a moment: then with other inputs in each run.
const SECONDS: &str = "CAUSEWAY_FUZZ_SECONDS";
const MOMENT: Duration = Duration::from_millis(200);
/// A parser that takes longer over an input of this size hangs.
const HANGS: Duration = Duration::from_secs(20);
/// Of the moment that every run of the tests has, so that it finds the same in each.
const SEED: [u8; 32] = *b"foreign bytes are read with care";
const LONGEST: usize = 64 * 1024;
/// At most so many changes are made to an input.
const CHANGES: usize = 6;

/// What parsers stumble over.
const PIECES: &[&[u8]] = &[
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"0",
    b"-1",
    b"65536",
    b"4294967296",
    b"18446744073709551616",
    b"1e400",
    b"-0.0",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"@@",
    b"__",
    b"%",
    b"%2",
    b"%ff",
    b"::",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b",",
    b":",
    b"?",
    b"&",
    b"=",
    b"/",
    b"://",
    b"\n",
    b"\0",
];

/// Changes the seeds until the time is over. A panic is told with the input that led to it.
pub(crate) fn fuzz(seeds: &[&[u8]], parse: impl Fn(&[u8])) {
    let time = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    let seed = time.map_or(SEED, |_| seed_of_now());
    let time = time.map_or(MOMENT, Duration::from_secs);
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let begun = Instant::now();
    while begun.elapsed() < time {
        let input = changed(seeds, &mut rng);
        let asked = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| parse(&input)));
        assert!(outcome.is_ok(), "the parser panics over {:?}", String::from_utf8_lossy(&input));
        assert!(asked.elapsed() < HANGS, "the parser hangs over {:?}", String::from_utf8_lossy(&input));
    }
}

/// Another one for each run; the input that fails is told, so that it needs no repetition.
fn seed_of_now() -> [u8; 32] {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&now.as_nanos().to_le_bytes());
    seed
}

fn changed(seeds: &[&[u8]], rng: &mut TestRng) -> Vec<u8> {
    let seed = pick(seeds, rng).copied().unwrap_or_default();
    let mut input = seed.to_vec();
    if rng.random_bool(0.5)
        && let Ok(mut value) = serde_json::from_slice::<Value>(seed)
    {
        for _ in 0..=rng.random_range(0..CHANGES) {
            change_value(&mut value, rng);
        }
        input = value.to_string().into_bytes();
    }
    for _ in 0..rng.random_range(0..CHANGES) {
        change_bytes(&mut input, seeds, rng);
    }
    input.truncate(LONGEST);
    input
}

/// Changes one place in a document: what stands there becomes something else, twice itself, or nothing.
fn change_value(value: &mut Value, rng: &mut TestRng) {
    let deeper = rng.random_bool(0.8);
    match value {
        Value::Object(members) if deeper && !members.is_empty() => {
            let at = rng.random_range(0..members.len());
            let Some(name) = members.keys().nth(at).cloned() else { return };
            match rng.random_range(0..8) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(other_text(rng), other_value(rng))),
                _ => members.get_mut(&name).into_iter().for_each(|member| change_value(member, rng)),
            }
        }
        Value::Array(elements) if deeper && !elements.is_empty() => {
            let at = rng.random_range(0..elements.len());
            match rng.random_range(0..8) {
                0 => drop(elements.remove(at)),
                1 => elements.push(elements[at].clone()),
                2 => elements.insert(at, other_value(rng)),
                _ => change_value(&mut elements[at], rng),
            }
        }
        Value::String(text) if deeper => text.push_str(&other_text(rng)),
        other => *other = other_value(rng),
    }
}

fn other_value(rng: &mut TestRng) -> Value {
    match rng.random_range(0..9) {
        0 => Value::Null,
        1 => Value::Bool(rng.random_bool(0.5)),
        2 => Value::from(rng.random::<u64>()),
        3 => Value::from(i64::from(rng.random::<u32>()) - i64::from(u32::MAX / 2)),
        4 => Value::from(f64::from(rng.random::<u32>()) / 7.0),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(serde_json::Map::new()),
        7 => Value::from(rng.random_range(0..70_000)),
        _ => Value::from(other_text(rng)),
    }
}

fn other_text(rng: &mut TestRng) -> String {
    String::from_utf8_lossy(pick(PIECES, rng).copied().unwrap_or_default()).into_owned()
}

/// Changes a few bytes: one of them, a piece that is put in or taken out, or the end of another seed in place of this one's.
fn change_bytes(input: &mut Vec<u8>, seeds: &[&[u8]], rng: &mut TestRng) {
    let at = rng.random_range(0..=input.len());
    let length = rng.random_range(0..=(input.len() - at).min(32));
    match rng.random_range(0..6) {
        0 => input.get_mut(at).into_iter().for_each(|byte| *byte = rng.random::<u8>()),
        1 => {
            drop(input.splice(at..at, pick(PIECES, rng).into_iter().flat_map(|piece| piece.iter().copied())))
        }
        2 => drop(input.drain(at..at + length)),
        3 => input.extend_from_within(at..at + length),
        4 => input.truncate(at),
        _ => {
            let other = pick(seeds, rng).copied().unwrap_or_default();
            let from = rng.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

fn pick<'a, T>(items: &'a [T], rng: &mut TestRng) -> Option<&'a T> {
    if items.is_empty() { None } else { items.get(rng.random_range(0..items.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_is_found_with_its_input() {
        let careless = |bytes: &[u8]| {
            if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
                assert!(!value["port"].is_null(), "no port");
            }
        };
        let found = catch_unwind(|| fuzz(&[br#"{ "host": "h", "port": 80 }"#], careless));
        let told = found.unwrap_err().downcast::<String>().unwrap();
        assert!(told.starts_with("the parser panics over "), "{told}");
    }
}

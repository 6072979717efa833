//! What a request with several items answers: each item by itself.

use serde::Deserialize;

use super::answer::{OK, Odd};

/// Nothing had to be changed.
pub(super) const NO_CHANGE: u32 = 200_002;
/// There is one already.
pub(super) const EXISTS: u32 = 400_201;
/// There is no such instance.
pub(super) const NO_INSTANCE: u32 = 400_303;

/// What came of one item.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Outcome {
    /// Polaris' code.
    pub(super) code: u32,
    /// Its words.
    #[serde(default)]
    pub(super) info: String,
}

impl Outcome {
    /// It was done, or needed not be.
    pub(super) fn is_fine(&self) -> bool {
        matches!(self.code, OK | NO_CHANGE)
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    whole: Outcome,
    #[serde(default)]
    responses: Vec<Outcome>,
}

/// The outcomes of so many items, in their order. One bad item makes the whole answer a bad one, and the others are done all the
/// same; what is refused as a whole names no items.
pub(super) fn outcomes(bytes: &[u8], items: usize) -> Result<Vec<Outcome>, Odd> {
    let body = read(bytes)?;
    match body.responses.len() {
        told if told == items => Ok(body.responses),
        told if body.whole.is_fine() => {
            Err(Odd::Unreadable(format!("it is about {told} items, and {items} were sent")))
        }
        _ => Err(Odd::Code(body.whole.code, body.whole.info)),
    }
}

/// Why a request was refused as a whole.
pub(super) fn refusal(bytes: &[u8]) -> Odd {
    read(bytes).map_or_else(|odd| odd, |body| Odd::Code(body.whole.code, body.whole.info))
}

fn read(bytes: &[u8]) -> Result<Body, Odd> {
    serde_json::from_slice(bytes).map_err(|error| Odd::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(body: &serde_json::Value, items: usize) -> Result<Vec<u32>, Odd> {
        let read = outcomes(body.to_string().as_bytes(), items)?;
        Ok(read.into_iter().map(|outcome| outcome.code).collect())
    }

    #[test]
    fn each_item_is_read_and_a_refused_whole_is_told() {
        let mixed = serde_json::json!({ "code": 400_000, "info": "bad request", "size": 2, "responses": [
            { "code": 200_000, "info": "execute success", "instance": { "id": "a" } },
            { "code": 400_150, "info": "the length of metadata is too long" } ] });
        assert_eq!(codes(&mixed, 2), Ok(vec![200_000, 400_150]));
        let whole = serde_json::json!({ "code": 400_003, "info": "batch size over the limit", "size": 0, "responses": [] });
        assert_eq!(codes(&whole, 101), Err(Odd::Code(400_003, "batch size over the limit".to_owned())));
        let short = serde_json::json!({ "code": 200_000, "info": "", "responses": [{ "code": 200_000, "info": "" }] });
        assert!(matches!(codes(&short, 2), Err(Odd::Unreadable(_))));
        assert!(matches!(outcomes(b"<html>", 1), Err(Odd::Unreadable(_))));
        assert_eq!(refusal(whole.to_string().as_bytes()), codes(&whole, 101).unwrap_err());
    }

    #[test]
    fn fuzz_polaris_batches() {
        let one = br#"{"code":200000,"info":"execute success","size":1,"responses":[{"code":200000,"info":"x","instance":null}]}"#;
        crate::fuzz::fuzz(&[one], |bytes| {
            let _ = outcomes(bytes, 1);
        });
    }
}

//! Query parameters of lists.

use url::form_urlencoded;

use super::super::answers::{Answer, Outcome, list};
use super::super::codes::BAD_PARAMETER;
use crate::stand_in::Asked;

/// The most that one page holds, and how many it holds where nothing is said.
const PAGE: usize = 100;

/// The parameters of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters of a list that takes any, and ignores what it doesn't know.
    pub(super) fn lenient(asked: &Asked) -> Self {
        let query = asked.target.split_once('?').map_or("", |(_, query)| query);
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The parameters of a list that takes these and no others, each with a value.
    pub(super) fn strict(asked: &Asked, known: &[&str]) -> Result<Self, Answer> {
        let query = Self::lenient(asked);
        for (name, value) in &query.0 {
            let wrong = match value.as_str() {
                _ if !known.contains(&name.as_str()) => format!("{name} is not allowed"),
                "" => format!("the value for {name} is empty"),
                _ => continue,
            };
            return Err(list(Outcome::with(BAD_PARAMETER, &wrong), None, 0));
        }
        Ok(query)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether nothing is asked but for a page.
    pub(super) fn names_nothing(&self) -> bool {
        self.0.iter().all(|(name, _)| matches!(name.as_str(), "offset" | "limit"))
    }

    /// Whether a value fits a parameter: it is not given, equal, or ends in `*` and the value begins so.
    pub(super) fn fits(&self, name: &str, value: &str) -> bool {
        self.get(name).is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => value.starts_with(beginning),
            None => value == wanted,
        })
    }

    /// Cuts the page out that is asked for.
    pub(super) fn page<T>(&self, items: Vec<T>) -> Result<Vec<T>, Answer> {
        let number = |name: &str, otherwise: usize| {
            let parsed = self.get(name).map_or(Ok(otherwise), str::parse::<usize>);
            parsed.map_err(|_| list(BAD_PARAMETER, None, 0))
        };
        let (offset, limit) = (number("offset", 0)?, number("limit", PAGE)?);
        Ok(items.into_iter().skip(offset).take(limit.min(PAGE)).collect())
    }
}

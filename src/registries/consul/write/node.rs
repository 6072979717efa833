//! The node that a task's copies stand on. It has no agent: an agent would take away what it didn't register itself.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::Metadata;
use crate::model::marks::{OWNER, TASK};
use crate::sync::Mark;

/// Names what is derived from a task's marks.
const NAMES: uuid::Uuid = uuid::uuid!("6a0e8f14-93c5-5b7c-8f0a-2d54f1f0c7a3");
/// The longest label of DNS.
const LONGEST: usize = 63;
const PREFIX: &str = "causeway";
/// So many hex digits tell names apart that read alike.
const DIGITS: usize = 8;
/// Each copy has an address of its own, and a node has to have one.
const ADDRESS: &str = "127.0.0.1";

/// The same in every process and never changed, since a change of it would wake everybody who watches a service on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) name: String,
    owner: String,
    task: String,
}

impl Node {
    /// The node of a mark's task, by a name that DNS can hold.
    pub(super) fn of(mark: &Mark) -> Self {
        let Mark { owner, task, .. } = mark;
        let exact = format!("{}:{owner}{task}", owner.len());
        let digits = uuid::Uuid::new_v5(&NAMES, exact.as_bytes()).simple().to_string();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let readable: String = format!("{PREFIX}-{owner}-{task}").chars().map(plain).collect();
        let readable = &readable[..readable.len().min(LONGEST - DIGITS - 1)];
        let name = format!("{}-{}", readable.trim_end_matches('-'), &digits[..DIGITS]);
        Self { name, owner: owner.clone(), task: task.clone() }
    }

    /// The operation that makes it, or does nothing where it is there.
    pub(super) fn set(&self) -> Value {
        json!({ "Node": { "Verb": "set", "Node": { "Node": self.name, "Address": ADDRESS, "Meta": self.meta() } } })
    }

    /// The operation that removes it, unless it has changed since `index`.
    pub(super) fn delete(&self, index: u64) -> Value {
        json!({ "Node": { "Verb": "delete-cas", "Node": { "Node": self.name, "ModifyIndex": index } } })
    }

    /// `external-node` is what Consul's own tools call a node without an agent. Nobody is to ping it.
    fn meta(&self) -> Metadata {
        let pairs = [
            ("external-node", "true"),
            ("external-probe", "false"),
            (OWNER, &self.owner),
            (TASK, &self.task),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// Whether a node of its name is this one, and not somebody else's.
    pub(super) fn is(&self, standing: &StandingNode) -> bool {
        let says = |key: &str, value: &str| {
            standing.meta.as_ref().is_some_and(|meta| meta.get(key).is_some_and(|v| v == value))
        };
        standing.id.is_empty() && says(OWNER, &self.owner) && says(TASK, &self.task)
    }
}

/// A node as the catalogue shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StandingNode {
    /// Agents have one.
    #[serde(rename = "ID", default)]
    id: String,
    meta: Option<Metadata>,
    #[serde(default)]
    pub(super) modify_index: u64,
}

/// A node and how many services it has.
#[derive(Debug)]
pub(super) struct Populated {
    pub(super) node: StandingNode,
    pub(super) services: usize,
}

/// What `/v1/catalog/node-services/…` answers; `None` for a node that isn't there.
///
/// # Errors
/// What is unreadable in it.
pub(super) fn parse(body: &[u8]) -> Result<Option<Populated>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        node: Option<StandingNode>,
        services: Option<Vec<serde::de::IgnoredAny>>,
    }
    let answer: Option<Answer> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(answer.and_then(|answer| {
        Some(Populated { node: answer.node?, services: answer.services.map_or(0, |services| services.len()) })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(owner: &str, task: &str) -> Node {
        Node::of(&Mark { origin: "nacos".to_owned(), owner: owner.to_owned(), task: task.to_owned() })
    }

    #[test]
    fn names_are_for_good_and_told_apart() {
        assert_eq!(node("prod", "move").name, "causeway-prod-move-293f1c06");
        let mut names: Vec<String> =
            [("a-b", "c"), ("a", "b-c"), ("a", "b c"), ("a", "b/c")].map(|(o, t)| node(o, t).name).into();
        assert!(names.iter().all(|name| name.starts_with("causeway-a-b-c-")), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4);
        let long = node("o", &"任".repeat(200)).name;
        assert!(long.len() <= LONGEST && long.starts_with("causeway-o-") && !long.contains("--"), "{long}");
    }

    #[test]
    fn another_s_node_is_known_by_its_meta_and_an_agent_s_by_its_id() {
        let ours = node("prod", "move");
        let standing =
            |id: &str, meta: Value| serde_json::from_value(json!({ "ID": id, "Meta": meta })).unwrap();
        let meta = serde_json::to_value(ours.meta()).unwrap();
        assert!(ours.is(&standing("", meta.clone())));
        assert!(!ours.is(&standing("af0d9b6a-1f3e-4b52-9d6f-0c9a4a2e7b11", meta.clone())));
        assert!(!ours.is(&standing("", Value::Null)));
        assert!(!node("prod", "other").is(&standing("", meta)));
    }

    #[test]
    fn what_the_catalogue_says() {
        assert!(parse(b"null").unwrap().is_none());
        assert!(parse(br#"{"Node":null,"Services":[]}"#).unwrap().is_none());
        let two =
            parse(br#"{"Node":{"ID":"","Meta":{},"ModifyIndex":7},"Services":[{},{}]}"#).unwrap().unwrap();
        assert_eq!((two.services, two.node.modify_index), (2, 7));
        assert!(parse(b"[]").is_err());
    }
}

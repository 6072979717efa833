//! The marks that bound what Causeway may change, as tags: the convention Kong's users know from select-tags.
//!
//! ```text
//! causeway                      everything of ours
//! causeway.owner:OWNER          this deployment          ┐ together: what may be changed or deleted
//! causeway.task:TASK            the task that wrote it   ┘
//! causeway.registry:REGISTRY    ┐
//! causeway.namespace:NAMESPACE  │ together: what it was made for, so that it is found again when nothing names it
//! causeway.service:SERVICE      ┘
//! causeway.group:GROUP          the instance group
//! causeway.port:PORT            the port under which a target is registered, where it stands at another one
//! ```
//!
//! Golden: an upgrade must change nothing by itself, so neither the words nor the escape may change.

use std::fmt::Write as _;

use crate::Tags;

/// The tag on everything that Causeway writes.
pub const CAUSEWAY: &str = "causeway";
const OWNER: &str = "causeway.owner:";
const TASK: &str = "causeway.task:";
const REGISTRY: &str = "causeway.registry:";
const NAMESPACE: &str = "causeway.namespace:";
pub(crate) const SERVICE: &str = "causeway.service:";
const GROUP: &str = "causeway.group:";
const PORT: &str = "causeway.port:";

/// A deployment and one of its tasks: what bears both of its tags is ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    owner: String,
    task: String,
    tags: Tags,
}

impl Mark {
    /// The mark of a deployment's task.
    pub fn new(owner: &str, task: &str) -> Self {
        let tags = Tags::from([CAUSEWAY.to_owned(), owner_tag(owner), task_tag(task)]);
        Self { owner: owner.to_owned(), task: task.to_owned(), tags }
    }

    /// The deployment's name.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The task's name.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// `causeway`, the owner's tag and the task's.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Whether an object with these tags is ours. The bare `causeway` isn't asked for: a person may have
    /// removed it.
    pub fn owns(&self, tags: &Tags) -> bool {
        self.tags.iter().all(|tag| tag == CAUSEWAY || tags.contains(tag))
    }
}

/// The tag of everything that a deployment wrote.
pub fn owner_tag(owner: &str) -> String {
    format!("{OWNER}{}", escape(owner))
}

/// The tag of everything that tasks of this name wrote.
pub fn task_tag(task: &str) -> String {
    format!("{TASK}{}", escape(task))
}

/// The tag of an instance group.
pub fn group_tag(group: &str) -> String {
    format!("{GROUP}{}", escape(group))
}

/// The tag of a target that stands at another port than its instance is registered with.
pub fn port_tag(registered: u16) -> String {
    format!("{PORT}{registered}")
}

/// The three tags that say which registered service an object was made for.
pub fn selector(registry: &str, namespace: &str, service: &str) -> Tags {
    [(REGISTRY, registry), (NAMESPACE, namespace), (SERVICE, service)]
        .into_iter()
        .map(|(prefix, value)| format!("{prefix}{}", escape(value)))
        .collect()
}

/// Whether `tags` name another registered service than `selector` does. Objects without such tags name none.
pub fn names_another(tags: &Tags, selector: &Tags) -> bool {
    [REGISTRY, NAMESPACE, SERVICE].iter().any(|prefix| {
        let mut found = tags.iter().filter(|tag| tag.starts_with(prefix)).peekable();
        found.peek().is_some() && !found.any(|tag| selector.contains(tag))
    })
}

/// These tags without any mark of Causeway.
pub fn without_marks(tags: &Tags) -> Tags {
    tags.iter().filter(|tag| !is_mark(tag)).cloned().collect()
}

/// The marks of Causeway among these tags.
pub(crate) fn only_marks(tags: &Tags) -> Tags {
    tags.iter().filter(|tag| is_mark(tag)).cloned().collect()
}

fn is_mark(tag: &str) -> bool {
    let prefixes = [OWNER, TASK, REGISTRY, NAMESPACE, SERVICE, GROUP, PORT];
    tag == CAUSEWAY || prefixes.iter().any(|prefix| tag.starts_with(prefix))
}

/// Whether a tag names a deployment.
pub(crate) fn is_owner(tag: &str) -> bool {
    tag.starts_with(OWNER)
}

/// Whether a tag says something of an object that may change while the object stays.
pub(crate) fn is_detail(tag: &str) -> bool {
    tag.starts_with(GROUP) || tag.starts_with(PORT)
}

/// What an object's tags say about who made it and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marks {
    /// The deployment.
    pub owner: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// The registry's name.
    pub registry: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The instance group.
    pub group: Option<String>,
    /// The port under which a target is registered, where it stands at another one.
    pub port: Option<u16>,
}

impl Marks {
    /// Reads the marks among `tags`. Of several tags of one kind the first counts.
    pub fn read(tags: &Tags) -> Self {
        let value = |prefix| tags.iter().find_map(|tag| tag.strip_prefix(prefix)).map(unescape);
        Self {
            owner: value(OWNER),
            task: value(TASK),
            registry: value(REGISTRY),
            namespace: value(NAMESPACE),
            service: value(SERVICE),
            group: value(GROUP),
            port: value(PORT).and_then(|port| port.parse().ok()),
        }
    }
}

/// Kong takes printable ASCII but `,` and `/`, and every other UTF-8 character; the escape is `%` and two hex
/// digits.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ',' | '/' | '%') || c.is_ascii_control() {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden() {
        let mark = Mark::new("causeway", "nacos-to-kong");
        let mut tags = mark.tags().clone();
        tags.extend(selector("nacos,a", "a/b%", "DEFAULT_GROUP@@订单\t1"));
        tags.insert(group_tag("version-1"));
        tags.insert(port_tag(8080));
        assert_eq!(Marks::read(&tags).port, Some(8080));
        assert_eq!(without_marks(&tags), Tags::new(), "each of them comes off when it is handed over");
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        assert_eq!(
            tags,
            [
                "causeway",
                "causeway.group:version-1",
                "causeway.namespace:a%2Fb%25",
                "causeway.owner:causeway",
                "causeway.port:8080",
                "causeway.registry:nacos%2Ca",
                "causeway.service:DEFAULT_GROUP@@订单%091",
                "causeway.task:nacos-to-kong",
            ]
        );
    }

    #[test]
    fn ours_needs_owner_and_task_but_not_the_bare_word() {
        let mark = Mark::new("o", "t");
        let with = |tags: &[String]| mark.owns(&tags.iter().cloned().collect());
        assert!(with(&[owner_tag("o"), task_tag("t"), "edge".into()]));
        assert!(!with(&[owner_tag("o"), task_tag("other")]));
        assert!(!with(&[owner_tag("other"), task_tag("t")]));
        assert!(!with(&[CAUSEWAY.into()]));
    }

    #[test]
    fn another_service_is_told_from_none() {
        let mine = selector("r", "n", "s");
        assert!(!names_another(&mine, &mine));
        assert!(!names_another(&Tags::from(["edge".to_owned()]), &mine));
        assert!(names_another(&selector("r", "n", "other"), &mine));
    }

    proptest! {
        #[test]
        fn reversible_and_accepted_by_kong(texts in proptest::array::uniform6("\\PC*|.{0,20}|[,/%\\x00-\\x1f]{0,6}")) {
            let [owner, task, registry, namespace, service, group] = texts.clone();
            let mut tags = Mark::new(&owner, &task).tags().clone();
            tags.extend(selector(&registry, &namespace, &service));
            tags.insert(group_tag(&group));
            for tag in &tags {
                prop_assert!(tag.chars().all(|c| !matches!(c, ',' | '/') && !c.is_ascii_control()), "{tag}");
            }
            let marks = Marks::read(&tags);
            let read = [marks.owner, marks.task, marks.registry, marks.namespace, marks.service, marks.group];
            prop_assert_eq!(read.map(Option::unwrap), texts);
        }
    }
}

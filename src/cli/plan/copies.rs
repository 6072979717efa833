//! What a direction of a task between two registries would do, for people and as data.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::pass::Selection;
use crate::cli::why::copies::differences;
use crate::model::ServiceKey;
use crate::reconcile::{CopyFlow, CopyState, CopyView, LeftCopies, Operation, ServiceView};

/// What stays as it is and is told, with the signs of it.
const SIGNS: [(CopyState, char); 4] = [
    (CopyState::Held, 'h'),
    (CopyState::HandedOver, '>'),
    (CopyState::Conflict, '!'),
    (CopyState::Disputed, '='),
];

/// One direction's plan: each service for which there is something to say.
pub(in crate::cli) struct CopyPlan {
    pub(in crate::cli) task: String,
    /// The registry that is read.
    pub(in crate::cli) from: String,
    /// The registry that is written.
    pub(in crate::cli) to: String,
    /// By their names in the registry that is written.
    pub(in crate::cli) services: BTreeMap<ServiceKey, ServiceView>,
    /// How many services were looked at.
    pub(in crate::cli) looked_at: usize,
    /// Services of the registry that is read without a name in the other one, each with the reason.
    pub(in crate::cli) unnamed: BTreeMap<ServiceKey, String>,
}

/// What a direction would do now for the selected services.
pub(in crate::cli) fn look(flow: &CopyFlow, selection: &Selection) -> CopyPlan {
    let keys = selection.copied_keys(flow);
    let looked_at = keys.len();
    let views = keys.into_iter().map(|key| (key.clone(), flow.explain(&key)));
    let mut unnamed = flow.unnamed();
    unnamed.retain(|key, _| selection.wants(key));
    CopyPlan {
        task: flow.way.task().name.clone(),
        from: flow.way.read().to_owned(),
        to: flow.way.written().to_owned(),
        services: views.filter(|(_, view)| says_something(view)).collect(),
        looked_at,
        unnamed,
    }
}

fn says_something(view: &ServiceView) -> bool {
    let told =
        |copy: &CopyView| copy.operation().is_some() || SIGNS.iter().any(|(state, _)| *state == copy.state);
    view.unread || view.waiting.is_some() || view.copies.iter().any(told)
}

impl CopyPlan {
    /// Of what one task has left in one registry.
    pub(in crate::cli) fn of_leaving(left: &LeftCopies) -> Self {
        Self {
            task: left.mark.task.clone(),
            from: left.mark.origin.clone(),
            to: left.registry.clone(),
            services: left.views(),
            looked_at: left.services.len(),
            unnamed: BTreeMap::new(),
        }
    }

    /// Whether anything would change.
    pub(in crate::cli) fn differs(&self) -> bool {
        self.services.values().any(|view| view.changes().next().is_some())
    }

    pub(super) fn render(&self, text: &mut String) {
        let Self { task, from, to, looked_at, .. } = self;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "task {task}: {from} → {to}, {looked_at} services");
        for (key, view) in &self.services {
            let source = view.source.as_ref().filter(|source| **source != key.to_string());
            let source = source.map(|source| format!(" ({source} in {from})")).unwrap_or_default();
            let _ = writeln!(text, "  {key}{source}");
            for line in lines(view) {
                let _ = writeln!(text, "    {line}");
            }
        }
        for (key, reason) in &self.unnamed {
            let _ = writeln!(text, "  ! {key} is not carried, because {reason}");
        }
    }

    pub(super) fn json(&self) -> Value {
        let services = self.services.iter().map(|(key, view)| service_json(key, view, &self.to));
        let unnamed = self.unnamed.iter();
        json!({
            "task": self.task,
            "from": self.from,
            "to": self.to,
            "services": services.collect::<Vec<_>>(),
            "unnamed": unnamed
                .map(|(key, reason)| json!({ "namespace": key.namespace, "service": key.service, "reason": reason }))
                .collect::<Vec<_>>(),
        })
    }
}

/// One service's plan, a line a thing: removals first.
fn lines(view: &ServiceView) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        view.unread.then(|| "? not read completely: nothing can be said, and nothing is touched".to_owned()),
    );
    let waits = view.waiting.iter();
    lines.extend(waits.map(|reason| format!("… what would be written waits: {reason}")));
    let is_removal = |copy: &&CopyView| copy.operation() == Some(Operation::Delete);
    let (removals, others): (Vec<&CopyView>, Vec<&CopyView>) = view.copies.iter().partition(is_removal);
    let before = if view.waiting.is_some() { "… " } else { "" };
    for copy in removals.into_iter().chain(others) {
        let Some(line) = change_line(copy) else { continue };
        lines.push(match &copy.withheld_by {
            Some(setting) => format!("x {line} (withheld by `{setting}`)"),
            None => format!("{before}{line}"),
        });
    }
    for (state, sign) in SIGNS {
        lines.extend(view.those(state).map(|copy| format!("{sign} copy {}: {}", copy.address, copy.reason)));
    }
    lines
}

fn change_line(copy: &CopyView) -> Option<String> {
    let CopyView { address, reason, stands, wanted, .. } = copy;
    Some(match copy.operation()? {
        Operation::Delete => format!("- copy {address}: {reason}"),
        Operation::Patch => format!("~ copy {address}: {}: {reason}", differences(stands, wanted)),
        Operation::Create => {
            let weight = wanted.get("weight").map(|weight| format!(" (weight {weight})")).unwrap_or_default();
            format!("+ copy {address}{weight}: {reason}")
        }
    })
}

fn service_json(key: &ServiceKey, view: &ServiceView, to: &str) -> Value {
    let told = |state: CopyState| {
        let those = view.those(state).map(|copy| json!({ "object": copy.address, "reason": copy.reason }));
        those.collect::<Vec<_>>()
    };
    let changes = view.changes().map(|(operation, copy)| change_json(operation, copy));
    let withheld = view.copies.iter().filter_map(|copy| {
        let mut change = change_json(copy.operation()?, copy);
        change["by"] = copy.withheld_by.clone()?.into();
        Some(change)
    });
    json!({
        "namespace": key.namespace,
        "service": key.service,
        "source": view.source,
        "unread": view.unread,
        "changes": changes.collect::<Vec<_>>(),
        "withheld": withheld.collect::<Vec<_>>(),
        "held": told(CopyState::Held),
        "handed_over": told(CopyState::HandedOver),
        "conflicts": told(CopyState::Conflict),
        "kept": told(CopyState::Disputed),
        "waiting": view.waiting.iter().map(|reason| json!({ "object": to, "reason": reason })).collect::<Vec<_>>(),
    })
}

fn change_json(operation: Operation, copy: &CopyView) -> Value {
    let word = match operation {
        Operation::Create => "create",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
    };
    let fields = |it: &BTreeMap<String, Value>| (!it.is_empty()).then(|| json!(it));
    json!({
        "operation": word,
        "kind": "copy",
        "object": copy.address,
        "reason": copy.reason,
        "before": fields(&copy.stands),
        "after": fields(&copy.wanted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Outcome;

    fn copy(last: u8, outcome: Outcome, state: CopyState, reason: &str) -> CopyView {
        CopyView {
            address: format!("10.0.0.{last}:80"),
            outcome,
            state,
            reason: reason.to_owned(),
            stands: BTreeMap::new(),
            wanted: BTreeMap::new(),
            withheld_by: None,
            for_seconds: None,
            until_seconds: None,
        }
    }

    fn copies() -> Vec<CopyView> {
        let mut created = copy(1, Outcome::Carry, CopyState::Missing, "native in a, and no copy stands in b");
        created.wanted.insert("weight".to_owned(), 2.into());
        let mut changed = copy(2, Outcome::Maintain, CopyState::Differs, "its copy stands otherwise");
        changed.stands.insert("weight".to_owned(), 1.into());
        changed.wanted.insert("weight".to_owned(), 2.into());
        changed.wanted.insert("metadata.version".to_owned(), "2".into());
        vec![
            created,
            changed,
            copy(3, Outcome::Maintain, CopyState::Present, "its copy stands as it should"),
            copy(4, Outcome::Retire, CopyState::Unwanted, "a does not show it any more"),
            copy(
                5,
                Outcome::Retire,
                CopyState::Held,
                "a does not show it any more; it is held, because of doubt",
            ),
            copy(6, Outcome::LeftToOther, CopyState::Conflict, "a copy of task t stands where ours would"),
        ]
    }

    fn plan(view: ServiceView) -> CopyPlan {
        CopyPlan {
            task: "move".to_owned(),
            from: "a".to_owned(),
            to: "b".to_owned(),
            services: [(ServiceKey::new("default", "orders"), view)].into(),
            looked_at: 7,
            unnamed: [(ServiceKey::new("prod", "pay"), "it is too long".to_owned())].into(),
        }
    }

    fn view() -> ServiceView {
        ServiceView {
            source: Some("empty_ns/orders".to_owned()),
            unread: false,
            waiting: None,
            copies: copies(),
        }
    }

    #[test]
    fn a_plan_tells_removals_first_and_each_change_with_its_fields() {
        let plan = plan(view());
        let text = super::super::text::render(&[], std::slice::from_ref(&plan), &[]);
        assert_eq!(text, include_str!("../../../tests/data/copies/plan.txt"));
        assert!(plan.differs());
        assert!(
            include_str!("../../../docs/registry-to-registry.md").contains(&text),
            "the page shows what it says"
        );
    }

    #[test]
    fn the_same_as_data() {
        let json = plan(view()).json();
        let service = &json["services"][0];
        assert_eq!(
            service["changes"],
            json!([
                { "operation": "create", "kind": "copy", "object": "10.0.0.1:80", "before": null,
                  "after": { "weight": 2 }, "reason": "native in a, and no copy stands in b" },
                { "operation": "patch", "kind": "copy", "object": "10.0.0.2:80", "before": { "weight": 1 },
                  "after": { "metadata.version": "2", "weight": 2 }, "reason": "its copy stands otherwise" },
                { "operation": "delete", "kind": "copy", "object": "10.0.0.4:80", "before": null, "after": null,
                  "reason": "a does not show it any more" },
            ])
        );
        assert_eq!(service["held"][0]["object"], "10.0.0.5:80");
        assert_eq!(service["conflicts"][0]["object"], "10.0.0.6:80");
        assert_eq!(
            json["unnamed"][0],
            json!({ "namespace": "prod", "service": "pay", "reason": "it is too long" })
        );
    }

    #[test]
    fn what_waits_or_is_withheld_is_no_difference() {
        let waiting = ServiceView { waiting: Some("b is down".to_owned()), ..view() };
        let told = lines(&waiting);
        assert_eq!(told[0], "… what would be written waits: b is down");
        assert!(told[1].starts_with("… - copy 10.0.0.4:80"), "{told:?}");
        assert!(!plan(waiting).differs());
        let mut withheld = view();
        withheld.copies.iter_mut().for_each(|copy| copy.withheld_by = Some("policy: observe".to_owned()));
        assert_eq!(
            lines(&withheld)[0],
            "x - copy 10.0.0.4:80: a does not show it any more (withheld by `policy: observe`)"
        );
        let plan = plan(withheld);
        assert!(!plan.differs());
        let json = plan.json();
        assert_eq!(
            (
                json["services"][0]["changes"].as_array().map(Vec::len),
                &json["services"][0]["withheld"][0]["by"]
            ),
            (Some(0), &json!("policy: observe"))
        );
    }
}

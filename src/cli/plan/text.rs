//! A plan for people: removals first, each change with its reason.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use causeway_gateways::{Change, Fields, Withheld, Write};
use serde_json::{Value, json};

use super::TaskPlan;
use super::copies::CopyPlan;
use crate::reconcile::{CopyState, Operation, ServiceView, Turn};

/// Numbers of what a plan holds.
#[derive(Default)]
struct Sums {
    create: usize,
    change: usize,
    remove: usize,
    held: usize,
    conflicts: usize,
    unread: usize,
    withheld: usize,
}

pub(in crate::cli) fn render(tasks: &[TaskPlan<'_>], copies: &[CopyPlan], problems: &[String]) -> String {
    let mut text = String::new();
    let mut sums = Sums::default();
    for task in tasks {
        let (source, destination) = (&task.flow.task.source, task.flow.task.destination.name());
        let _ = writeln!(
            text,
            "task {}: {source} → {destination}, {} services",
            task.flow.task.name, task.services
        );
        for (key, turn) in &task.turns {
            let _ = writeln!(text, "  {key}");
            for line in lines(turn) {
                let _ = writeln!(text, "    {line}");
            }
            for note in turn.notes() {
                let _ = writeln!(text, "    i {note}");
            }
            sums.add(turn);
        }
    }
    for plan in copies {
        plan.render(&mut text);
        plan.services.values().for_each(|view| sums.add_copies(view));
    }
    for problem in problems {
        let _ = writeln!(text, "problem: {problem}");
    }
    let withheld = if sums.withheld == 0 { String::new() } else { format!(", {} withheld", sums.withheld) };
    let _ = writeln!(
        text,
        "plan: {} to create, {} to change, {} to remove; {} held, {} conflicts, {} services not read{withheld}",
        sums.create, sums.change, sums.remove, sums.held, sums.conflicts, sums.unread
    );
    text
}

impl Sums {
    fn add(&mut self, turn: &Turn) {
        for change in &turn.plan.changes {
            match change.write {
                Write::Create(_) => self.create += 1,
                Write::Patch { .. } => self.change += 1,
                Write::Delete { .. } => self.remove += 1,
            }
        }
        self.remove += turn.plan.retiring.len();
        self.held += turn.held.len();
        self.conflicts += turn.plan.conflicts.len();
        self.unread += usize::from(turn.unread);
        self.withheld += turn.plan.withheld.len();
    }

    fn add_copies(&mut self, view: &ServiceView) {
        for (operation, _) in view.changes() {
            match operation {
                Operation::Create => self.create += 1,
                Operation::Patch => self.change += 1,
                Operation::Delete => self.remove += 1,
            }
        }
        self.held += view.those(CopyState::Held).count();
        self.conflicts += view.those(CopyState::Conflict).count();
        self.unread += usize::from(view.unread);
        self.withheld += view.copies.iter().filter(|copy| copy.withheld_by.is_some()).count();
    }
}

/// One service's plan, a line a thing.
pub(in crate::cli) fn lines(turn: &Turn) -> Vec<String> {
    let plan = &turn.plan;
    let (removals, others): (Vec<&Change>, Vec<&Change>) =
        plan.changes.iter().partition(|change| matches!(change.write, Write::Delete { .. }));
    let mut lines = Vec::new();
    lines.extend(
        turn.unread.then(|| "? not read completely: nothing can be said, and nothing is touched".to_owned()),
    );
    lines.extend(removals.into_iter().map(change_line));
    lines.extend(plan.retiring.iter().map(|r| format!("- {}: {}, once nothing uses it", r.key, r.reason)));
    lines.extend(others.into_iter().map(change_line));
    lines.extend(
        plan.withheld.iter().map(|w| format!("x {} (withheld by `{}`)", change_line(&w.change), w.by)),
    );
    lines.extend(turn.held.iter().map(|h| {
        format!("h target {} of upstream {} is held, because {}", h.target, h.upstream, h.held.reason)
    }));
    lines.extend(plan.conflicts.iter().map(|c| format!("! {}: {}", c.key, c.reason)));
    lines.extend(plan.waiting.iter().map(|w| format!("… {}: {}", w.key, w.reason)));
    lines.extend(plan.kept.iter().map(|k| format!("= {}: {}", k.key, k.reason)));
    lines
}

fn change_line(change: &Change) -> String {
    match &change.write {
        Write::Create(fields) => {
            let weight = fields.get("weight").map(|weight| format!(" (weight {weight})")).unwrap_or_default();
            format!("+ {}{weight}: {}", change.key, change.reason)
        }
        Write::Patch { fields, before, .. } => {
            format!("~ {}: {}: {}", change.key, differences(before, fields), change.reason)
        }
        Write::Delete { .. } => format!("- {}: {}", change.key, change.reason),
    }
}

fn differences(before: &Fields, after: &Fields) -> String {
    let each = after.iter().map(|(name, value)| {
        let old = before.get(name).unwrap_or(&Value::Null);
        if name == "tags" { tags(old, value) } else { format!("{name} {old} → {value}") }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The tags that come and go, since most of them stay.
fn tags(before: &Value, after: &Value) -> String {
    let words = |list: &Value| {
        let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let (before, after) = (words(before), words(after));
    let come = after.difference(&before).map(|tag| format!(" +{tag}"));
    let go = before.difference(&after).map(|tag| format!(" -{tag}"));
    format!("tags{}", come.chain(go).collect::<String>())
}

/// A change that is kept back, as the JSON output has it.
pub(super) fn withheld_json(withheld: &Withheld) -> Value {
    let mut value = change_json(&withheld.change);
    value["by"] = withheld.by.into();
    value
}

/// A change as the JSON output has it.
pub(in crate::cli) fn change_json(change: &Change) -> Value {
    let (operation, before, after) = match &change.write {
        Write::Create(fields) => ("create", None, Some(fields)),
        Write::Patch { fields, before, .. } => ("patch", Some(before), Some(fields)),
        Write::Delete { .. } => ("delete", None, None),
    };
    json!({
        "operation": operation,
        "kind": change.key.kind().as_str(),
        "object": change.key.to_string(),
        "reason": change.reason,
        "before": before,
        "after": after,
    })
}

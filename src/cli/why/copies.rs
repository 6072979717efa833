//! A chain between two registries for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::text::{Page, matched, plain, registered};
use crate::reconcile::why::CopyChain;
use crate::reconcile::{CopyState, CopyView};

pub(super) fn render(page: &mut Page, chain: &CopyChain) {
    let CopyChain { task, destination: to, policy, .. } = chain;
    let from = &chain.registered.registry;
    // Writing to a String cannot fail.
    let _ = writeln!(
        page.0,
        "{}, task {task}: {from} → {to}, policy {policy}{}",
        chain.service.as_ref().or(chain.name.as_ref()).map_or("", String::as_str),
        if chain.delete { "" } else { ", delete: false" }
    );
    match &chain.service {
        Some(_) => {
            registered(page, &chain.registered);
            matched(page, &chain.matched);
        }
        None => page
            .line("registered", format_args!("{from} can have no service that would be called so in {to}")),
    }
    name(page, chain);
    if let Some(reason) = &chain.unknown {
        page.line("unknown", format_args!("{to} cannot be read: {reason}; what follows is its last state"));
    }
    if chain.stands.unread {
        page.line("unread", "one of the two has not shown it completely yet: nothing is written");
    }
    chain.stands.copies.iter().for_each(|copy| page.line(word(copy.state), sentence(copy)));
    if let Some(reason) = &chain.stands.waiting {
        page.line("waiting", reason);
    }
    if let Some(failing) = &chain.failing {
        page.line("failing", format_args!("{failing}; it is tried again"));
    }
}

fn name(page: &mut Page, chain: &CopyChain) {
    let to = &chain.destination;
    match (&chain.name, &chain.unnamed) {
        (Some(name), _) => page.line("name", format_args!("{name} in {to}")),
        (None, Some(reason)) => {
            page.line("name", format_args!("none in {to}, because {reason}: it is not carried"))
        }
        (None, None) => {}
    }
}

fn word(state: CopyState) -> &'static str {
    match state {
        CopyState::Present => "present",
        CopyState::Missing => "missing",
        CopyState::Differs => "differs",
        CopyState::Disputed => "disputed",
        CopyState::Unwanted => "to go",
        CopyState::Held => "held",
        CopyState::HandedOver => "handed on",
        CopyState::Conflict => "conflict",
        CopyState::Native | CopyState::NativeThere => "native",
        CopyState::Foreign => "foreign",
        CopyState::NoTransit => "no transit",
        CopyState::LeftOut => "left out",
    }
}

fn sentence(copy: &CopyView) -> String {
    let mut text = format!("{}: {}", copy.address, copy.reason);
    if copy.state != CopyState::Missing && !(copy.stands.is_empty() && copy.wanted.is_empty()) {
        let _ = write!(text, ": {}", differences(&copy.stands, &copy.wanted));
    }
    if let Some(setting) = &copy.withheld_by {
        let _ = write!(text, " (withheld by `{setting}`)");
    }
    match (copy.for_seconds, copy.until_seconds) {
        (Some(past), Some(left)) => {
            let _ = write!(text, "; missing for {past} s, goes in {left} s unless it comes back");
        }
        (Some(past), None) => {
            let _ = write!(text, "; missing for {past} s, goes only when that has changed");
        }
        (None, _) => {}
    }
    text
}

/// The fields that differ: `weight 1 → 2`.
pub(in crate::cli) fn differences(
    stands: &BTreeMap<String, Value>,
    wanted: &BTreeMap<String, Value>,
) -> String {
    let mut names: Vec<&String> = stands.keys().chain(wanted.keys()).collect();
    names.sort();
    names.dedup();
    let told = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), plain);
    let each =
        names.iter().map(|name| format!("{name} {} → {}", told(stands.get(*name)), told(wanted.get(*name))));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> CopyChain {
        serde_json::from_str(include_str!("../../../tests/data/copies/why.json")).unwrap()
    }

    fn told(chain: &CopyChain) -> String {
        let mut page = Page::default();
        render(&mut page, chain);
        page.0
    }

    #[test]
    fn a_chain_is_told_from_its_registration_to_each_address() {
        let text = told(&chain());
        assert_eq!(text, include_str!("../../../tests/data/copies/why.txt"));
        assert!(
            include_str!("../../../docs/registry-to-registry.md").contains(&text),
            "the page shows what it says"
        );
    }

    #[test]
    fn what_hinders_is_told() {
        let mut chain = chain();
        chain.stands.copies.retain(|copy| copy.state == CopyState::Differs);
        chain.stands.copies[0].withheld_by = Some("policy: observe".to_owned());
        chain.stands.waiting = Some("polaris is down".to_owned());
        chain.unknown = Some("connection refused".to_owned());
        chain.failing = Some("PUT: 500".to_owned());
        let text = told(&chain);
        let lines = [
            "  unknown     polaris cannot be read: connection refused; what follows is its last state\n",
            "metadata.version 1 → 2, weight 1 → 2 (withheld by `policy: observe`)\n",
            "  waiting     polaris is down\n",
            "  failing     PUT: 500; it is tried again\n",
        ];
        for line in lines {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
        (chain.name, chain.unnamed) = (None, Some("it is too long".to_owned()));
        let line = "  name        none in polaris, because it is too long: it is not carried\n";
        assert!(told(&chain).contains(line));
        chain.service = None;
        let text = told(&chain);
        assert!(
            text.contains("  registered  nacos can have no service that would be called so in polaris\n"),
            "{text}"
        );
    }
}

//! A chain for people: a line a link, in the order in which things come about.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Answer, Teller, copies};
use crate::project::split::Percent;
use crate::reconcile::why::{
    Chain, GroupView, InstanceView, LeftOut, Matched, NodeView, ObjectView, Registered, Rule, ShareView,
    SplitView, State, TargetHealth, UpstreamHealth,
};

/// The width of a line's first word.
const MARGIN: usize = 12;

/// Lines with a word in the margin.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    pub(super) fn line(&mut self, margin: &str, text: impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {margin:MARGIN$}{text}");
    }
}

pub(super) fn render(answer: &Answer, asked: &str) -> String {
    let told_by = match answer.told_by {
        Teller::Running => "told by",
        Teller::Reading => "told from",
    };
    let mut page = Page(format!("{told_by} {}\n", answer.note));
    for chain in &answer.why.services {
        render_chain(&mut page, chain);
    }
    for chain in &answer.why.copies {
        copies::render(&mut page, chain);
    }
    for problem in &answer.why.problems {
        let _ = writeln!(page.0, "problem: {problem}");
    }
    if answer.why.is_nobodys() {
        let _ = writeln!(
            page.0,
            "{asked}: no registry of an enabled task shows a service of this name, and nothing stands for one"
        );
    }
    page.0
}

fn render_chain(page: &mut Page, chain: &Chain) {
    let gateway = &chain.gateway;
    let _ = writeln!(
        page.0,
        "{}/{}, task {}: {} → {}, policy {}{}",
        chain.namespace,
        chain.service,
        chain.task,
        chain.registered.registry,
        gateway.name,
        chain.policy,
        if chain.delete { "" } else { ", delete: false" }
    );
    registered(page, &chain.registered);
    matched(page, &chain.matched);
    chain.groups.iter().for_each(|group| render_group(page, group));
    chain.split.iter().for_each(|split| render_split(page, split));
    for note in &chain.notes {
        page.line("note", note);
    }
    if chain.all_unhealthy {
        page.line("health", "no instance is healthy, so all count as healthy");
    }
    for LeftOut { address, reason } in &chain.left_out {
        page.line("left out", format_args!("{address}: {reason}"));
    }
    if let Some(error) = &gateway.error {
        page.line("gateway", format_args!("{} cannot be read: {error}", gateway.name));
    }
    gateway.objects.iter().for_each(|object| render_object(page, object));
    gateway.nodes.iter().for_each(|node| render_node(page, node));
    if let Some(failing) = &chain.failing {
        page.line("failing", format_args!("{failing}; it is tried again"));
    }
}

pub(super) fn registered(page: &mut Page, registered: &Registered) {
    let registry = &registered.registry;
    match registered.state.as_str() {
        "unread" => page.line("registered", format_args!("{registry} has not shown it completely yet")),
        "absent" => page.line("registered", format_args!("{registry} does not list it")),
        _ if registered.instances.is_empty() => {
            page.line("registered", format_args!("{registry} lists it without instances"));
        }
        _ => {}
    }
    for instance in &registered.instances {
        page.line("registered", format_args!("{} in {registry}{}", instance.address, condition(instance)));
    }
    if let Some(unknown) = &registered.unknown {
        page.line("unknown", format_args!("{unknown}; the above is its last state"));
    }
}

fn condition(instance: &InstanceView) -> String {
    let mut text = format!(", weight {}", instance.weight);
    let flags =
        [(!instance.healthy, "unhealthy"), (!instance.enabled, "disabled"), (instance.isolated, "isolated")];
    for (_, word) in flags.iter().filter(|(set, _)| *set) {
        let _ = write!(text, ", {word}");
    }
    for (name, value) in &instance.metadata {
        let _ = write!(text, ", {name}={value}");
    }
    text
}

pub(super) fn matched(page: &mut Page, matched: &Matched) {
    let says =
        |rule: &Rule| format!("{} (namespace `{}`, service `{}`)", rule.place, rule.namespace, rule.service);
    match &matched.entry {
        Some(entry) => page.line("matched", format_args!("by {}", says(entry))),
        None if matched.kept_out_by.is_empty() => page.line("matched", "no: no entry of `match` fits"),
        None => {
            let rules: Vec<String> = matched.kept_out_by.iter().map(says).collect();
            page.line("matched", format_args!("no: kept out by {}", rules.join(" and ")));
        }
    }
}

fn render_group(page: &mut Page, group: &GroupView) {
    let asks: Vec<String> = group.asks.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let asks = if asks.is_empty() { String::new() } else { format!(" ({})", asks.join(", ")) };
    let members = if group.members.is_empty() { "no target".to_owned() } else { group.members.join(", ") };
    let (name, upstream) = (&group.name, &group.upstream);
    if group.name_taken {
        return page.line(
            "group",
            format_args!("{name}{asks} → left out: an earlier group has the upstream {upstream}"),
        );
    }
    page.line("group", format_args!("{name}{asks} → upstream {upstream}: {members}"));
    for (reason, addresses) in by_reason(&group.others) {
        page.line("", format_args!("  not {}: {reason}", addresses.join(", ")));
    }
}

/// The addresses for each reason, in the order in which the reasons come up.
fn by_reason(left_out: &[LeftOut]) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for LeftOut { address, reason } in left_out {
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, addresses)) => addresses.push(address),
            None => reasons.push((reason, vec![address])),
        }
    }
    reasons
}

fn render_split(page: &mut Page, split: &SplitView) {
    page.line("split", format_args!("→ upstream {}: a wheel of {} slots", split.upstream, split.wheel));
    for ShareView { group, configured, given, targets, weights } in &split.shares {
        let weights: Vec<String> = weights.iter().map(u32::to_string).collect();
        let weights =
            if weights.is_empty() { String::new() } else { format!(", weight {}", weights.join(" or ")) };
        let (given, configured) = (Percent(*given), Percent(*configured));
        page.line(
            "",
            format_args!("  {group} gets {given}, configured {configured}: {targets} targets{weights}"),
        );
    }
}

fn render_object(page: &mut Page, object: &ObjectView) {
    let of = match &object.upstream {
        Some(upstream) => format!(" of upstream {upstream}"),
        None => String::new(),
    };
    let mut text = format!("{} {}{of}{}", object.kind, object.name, fields(object));
    if let Some(reason) = &object.reason {
        let because = if object.state == State::Held { "because " } else { "" };
        let _ = write!(text, ": {because}{reason}");
    }
    if let Some(setting) = &object.withheld_by {
        let _ = write!(text, " (withheld by `{setting}`)");
    }
    text.push_str(&times(object));
    page.line(word(object.state), text);
}

fn word(state: State) -> &'static str {
    match state {
        State::Present => "present",
        State::Missing => "missing",
        State::Differs => "differs",
        State::Held => "held",
        State::Conflict => "conflict",
        State::Waiting => "waiting",
        State::Blocked => "blocked",
        State::Retiring => "retiring",
        State::Kept => "kept",
        State::Unwanted => "to go",
        State::Foreign => "foreign",
        State::Unread => "unread",
    }
}

/// What stands of it, or is wanted where nothing does. What differs is in the reason.
fn fields(object: &ObjectView) -> String {
    let shown = match object.state {
        State::Differs => return String::new(),
        State::Missing => &object.wanted,
        _ => &object.stands,
    };
    shown.iter().map(|(name, value)| format!(", {name} {}", plain(value))).collect()
}

/// Text without its quotes.
pub(in crate::cli) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn times(object: &ObjectView) -> String {
    let held = object.state == State::Held;
    let since = if held { "missing for" } else { "unused for" };
    match (object.for_seconds, object.until_seconds) {
        (Some(past), Some(left)) if held => {
            format!("; {since} {past} s, goes in {left} s unless it comes back")
        }
        (Some(past), Some(left)) => format!("; {since} {past} s, goes in {left} s if nobody uses it then"),
        (Some(past), None) => format!("; {since} {past} s, goes only when that has changed"),
        _ => String::new(),
    }
}

fn render_node(page: &mut Page, node: &NodeView) {
    let id = node.node_id.as_ref().map(|id| format!(" (node {id})")).unwrap_or_default();
    let address = &node.address;
    if let Some(error) = &node.error {
        return page.line("node", format_args!("{address} cannot be asked: {error}"));
    }
    page.line("node", format_args!("{address}{id}"));
    for UpstreamHealth { upstream, known, targets } in &node.upstreams {
        let targets: Vec<String> = targets.iter().map(target_health).collect();
        let seen = match (known, targets.is_empty()) {
            (false, _) => "it does not know this upstream".to_owned(),
            (true, true) => "no targets".to_owned(),
            (true, false) => targets.join(", "),
        };
        page.line("", format_args!("  {upstream}: {seen}"));
    }
}

fn target_health(target: &TargetHealth) -> String {
    let dns = target.dns.as_ref().map(|dns| format!(" ({dns})")).unwrap_or_default();
    format!("{} {}{dns}", target.target, target.health)
}

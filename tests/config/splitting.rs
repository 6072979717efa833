//! Groups by the values of a key, and splits: which of them an entry has, and what is wrong with them.

use std::collections::BTreeMap;

use causeway::config::{GroupBy, MatchEntry};

use crate::{data, good, told, warned};

/// A document with one task, whose only entry has two groups.
fn document(defaults: &str, task: &str, entry: &str) -> String {
    format!(
        "version: 1\nregistries: [{{ name: a, type: file, path: p }}]\n\
         gateways: [{{ name: k, type: kong, addresses: [h] }}]\ndefaults: {{ {defaults} }}\n\
         tasks:\n  - {{ name: t, source: a, destination: k, {task} match: [\n\
         {{ service: x, groups: [{{ name: v1 }}, {{ name: v2 }}], {entry} }}] }}\n"
    )
}

fn entry_of(defaults: &str, task: &str, entry: &str) -> MatchEntry {
    good(&document(defaults, task, entry)).tasks[0].matches[0].clone()
}

fn by(key: &str, max_groups: usize) -> Option<GroupBy> {
    Some(GroupBy { key: key.to_owned(), max_groups })
}

fn shares<const N: usize>(shares: [(&str, f64); N]) -> Option<BTreeMap<String, f64>> {
    Some(shares.map(|(group, share)| (group.to_owned(), share)).into())
}

#[test]
fn the_nearest_wins_and_an_empty_one_is_none() {
    let both = "group_by: zone, split: { v1: 1 },";
    assert_eq!(entry_of("", "", "").group_by, None);
    assert_eq!(entry_of("", "", "").split, None);
    assert_eq!(entry_of("max_groups: 3", "", "").group_by, None, "without a key there are no groups of it");
    assert_eq!(entry_of("group_by: version", "", "").group_by, by("version", 16));
    assert_eq!(entry_of("group_by: version", both, "").group_by, by("zone", 16));
    assert_eq!(entry_of("group_by: version, max_groups: 3", both, "").group_by, by("zone", 3));
    assert_eq!(entry_of("max_groups: 3", both, "group_by: env, max_groups: 7").group_by, by("env", 7));
    assert_eq!(entry_of("", both, "group_by: ''").group_by, None);
    assert_eq!(entry_of("split: { v2: 5 }", "", "").split, shares([("v2", 5.0)]));
    assert_eq!(
        entry_of("split: { v2: 5 }", both, "").split,
        shares([("v1", 1.0)]),
        "whole, not share by share"
    );
    assert_eq!(entry_of("", both, "split: { v1: 90.5, v2: 0 }").split, shares([("v1", 90.5), ("v2", 0.0)]));
    assert_eq!(entry_of("", both, "split: {}").split, None);
}

#[test]
fn those_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    let task = config.task("nacos-to-kong").unwrap();
    assert_eq!((&task.matches[0].group_by, &task.matches[1].group_by), (&None, &by("version", 4)));
    let task = config.task("shares").unwrap();
    assert_eq!(task.matches[0].split, shares([("v1", 90.0), ("v2", 9.5)]));
    assert_eq!(task.matches[1].split, shares([("1.10", 1.0)]), "a key is a word, whatever it looks like");
}

#[test]
fn shares_are_of_groups_that_the_entry_has() {
    let of = "shares are of its `groups`, or of values of `group_by`";
    assert_eq!(
        told(&document("", "", "split: { v1: 90, v3: 5, orders: 5 }")),
        [
            format!(
                "c.yaml:7:70: tasks[0].match[0].split.v3: no group of this entry is named `v3` (did you mean `v1`?): {of}"
            ),
            format!(
                "c.yaml:7:77: tasks[0].match[0].split.orders: no group of this entry is named `orders`: {of}"
            ),
        ]
    );
    for (defaults, task) in [("split: { v9x: 1 }", ""), ("", "split: { v9x: 1 },")] {
        let inherited = format!("c.yaml:7:1: tasks[0].match[0]: no group of this entry is named `v9x`: {of}");
        assert_eq!(told(&document(defaults, task, "")), [inherited]);
        assert_eq!(warned(&document(defaults, task, "split: {}")), [""; 0]);
        assert_eq!(warned(&document(defaults, task, "group_by: version")), [""; 0], "it may be a value");
    }
}

#[test]
fn a_split_is_between_groups_and_comes_to_something() {
    assert_eq!(
        told(&document("", "", "group_by: version, split: { default: 50, split: 50 }")),
        [
            "c.yaml:7:81: tasks[0].match[0].split.default: `default` holds every instance: only other groups can share \
             the traffic",
            "c.yaml:7:94: tasks[0].match[0].split.split: `split` is the split itself, and no group",
        ]
    );
    let nobody = "the shares are 0 together: nobody would be sent anything";
    assert_eq!(
        told(&document("split: { v1: 0 }", "split: { v1: 0, v2: 0.0 },", "split: { v2: 0 }")),
        [
            format!("c.yaml:4:20: defaults.split: {nobody}"),
            format!("c.yaml:6:50: tasks[0].split: {nobody}"),
            format!("c.yaml:7:60: tasks[0].match[0].split: {nobody}"),
        ]
    );
}

#[test]
fn weights_of_a_split_are_not_left_to_people_wherever_the_split_is_said() {
    let theirs = "a `split` of this task keeps its shares by the weights, so they cannot be left to people";
    let fields = "fields: { weight: create-only },";
    for (defaults, task, entry) in
        [("split: { v1: 1 }", "", ""), ("", "split: { v1: 1 },", ""), ("", "", "split: { v1: 1 }")]
    {
        let told = told(&document(defaults, &format!("{fields} {task}"), entry));
        assert_eq!(told, [format!("c.yaml:6:61: tasks[0].fields.weight: {theirs}")]);
    }
    good(&document("split: { v1: 1 }", fields, "split: {}"));
}

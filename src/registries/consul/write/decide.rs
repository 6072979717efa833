//! What a change asks of the catalogue, seen what stands there. Pure.

use serde_json::Value;

use super::form::{self, Form};
use super::node::Node;
use crate::registries::consul::entry::Standing;
use crate::registries::{Change, InstanceCopy};

/// What has to be done for a change.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Nothing: somebody else is there.
    Taken,
    /// Nothing: it is gone already.
    Gone,
    /// This.
    Work(Work),
}

/// Operations that are carried out together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Work {
    /// The change's index.
    pub(super) change: usize,
    /// The node of the change's task.
    pub(super) node: Node,
    /// The node has to be there.
    pub(super) needs_node: bool,
    pub(super) operations: Vec<Value>,
    /// So many entries leave the node.
    pub(super) leave: usize,
}

/// Several entries may stand at one address, each with its id on its node. A copy stands beside nobody, but it can be removed from
/// beside anybody.
pub(super) fn decide(change: usize, wanted: &Change, standing: &[Standing]) -> Decision {
    match wanted {
        Change::Put(copy) => put(change, copy, standing),
        Change::Remove(copy) => remove(change, copy, standing),
    }
}

fn put(change: usize, copy: &InstanceCopy, standing: &[Standing]) -> Decision {
    let form = Form::of(copy);
    let in_place = |entry: &&Standing| entry.id == form.id && entry.node == form.node.name;
    let mut there = standing.iter().filter(|entry| is_at(entry, copy) || in_place(entry));
    if there.any(|entry| copy.is_hindered_by(&entry.instance)) {
        return Decision::Taken;
    }
    let is_double = |entry: &&Standing| is_at(entry, copy) && is_ours(entry, copy) && !in_place(entry);
    let doubles: Vec<&Standing> = standing.iter().filter(is_double).collect();
    let set = form.set(standing.iter().find(in_place));
    Decision::Work(Work { needs_node: true, ..work(change, form.node, copy, &doubles, set) })
}

fn remove(change: usize, copy: &InstanceCopy, standing: &[Standing]) -> Decision {
    let node = Node::of(&copy.mark);
    let there = || standing.iter().filter(|entry| is_at(entry, copy));
    let ours: Vec<&Standing> = there().filter(|entry| is_ours(entry, copy)).collect();
    if ours.is_empty() {
        let id = copy.mark.id(&copy.key, &copy.instance.address);
        let taken = there().any(|entry| entry.id == id && entry.node == node.name);
        return if taken { Decision::Taken } else { Decision::Gone };
    }
    Decision::Work(work(change, node, copy, &ours, Vec::new()))
}

fn work(change: usize, node: Node, copy: &InstanceCopy, leaving: &[&Standing], set: Vec<Value>) -> Work {
    let leave = leaving.iter().filter(|entry| entry.node == node.name).count();
    let removals = leaving.iter().map(|entry| form::remove(&copy.key.service, entry));
    Work { change, node, needs_node: false, operations: set.into_iter().chain(removals).collect(), leave }
}

fn is_at(entry: &Standing, copy: &InstanceCopy) -> bool {
    entry.instance.address == copy.instance.address
}

fn is_ours(entry: &Standing, copy: &InstanceCopy) -> bool {
    copy.mark.owns(&copy.key, &entry.instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::marks::OWNER;
    use crate::model::{Address, Instance};

    fn copy(task: &str, host: &str) -> InstanceCopy {
        let copy = InstanceCopy::example_of(task, "default", "orders");
        copy.with(|instance| instance.address.host = host.to_owned())
    }

    fn standing(copy: &InstanceCopy) -> Standing {
        let form = Form::of(copy);
        Standing { instance: form.shown(copy), node: form.node.name, id: form.id, checks: Vec::new() }
    }

    fn native(host: &str) -> Standing {
        let instance = Instance::new(Address::new(host, 80));
        Standing { instance, node: "n".to_owned(), id: "a-1".to_owned(), checks: Vec::new() }
    }

    /// `taken`, `gone`, or the verbs of the work.
    fn decided(change: &Change, all: &[Standing]) -> String {
        match decide(0, change, all) {
            Decision::Taken => "taken".to_owned(),
            Decision::Gone => "gone".to_owned(),
            Decision::Work(work) => {
                let verbs =
                    work.operations.iter().map(|operation| operation["Service"]["Verb"].as_str().unwrap());
                verbs.collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn each_neighbour() {
        let ours = copy("move", "10.0.0.1");
        let (put, remove) = (Change::put(ours.clone()), Change::remove(ours.clone()));
        let mut unmarked = standing(&ours);
        unmarked.instance.metadata.clear();
        let mut taken = standing(&ours);
        taken.instance.metadata.insert(OWNER.to_owned(), "other".to_owned());
        let mut elsewhere = standing(&ours);
        elsewhere.node = "n".to_owned();
        let cases = [
            (vec![], "set", "gone"),
            (vec![standing(&ours)], "set", "delete"),
            (vec![native("10.0.0.1")], "taken", "gone"),
            (vec![native("10.0.0.2")], "set", "gone"),
            (vec![standing(&ours), native("10.0.0.1")], "taken", "delete"),
            (vec![standing(&copy("other", "10.0.0.1"))], "taken", "gone"),
            (vec![unmarked], "set", "delete"),
            (vec![taken], "taken", "taken"),
            (vec![standing(&ours), elsewhere], "set delete", "delete delete"),
        ];
        for (all, when_put, when_removed) in cases {
            assert_eq!(decided(&put, &all), when_put, "{all:?}");
            assert_eq!(decided(&remove, &all), when_removed, "{all:?}");
        }
    }

    #[test]
    fn a_copy_is_put_beside_one_that_is_given_up() {
        let given_up = standing(&copy("other", "10.0.0.1"));
        let put = |task: &str| Change::put(copy("move", "10.0.0.1").in_place_of(task));
        assert_eq!(decided(&put("other"), std::slice::from_ref(&given_up)), "set", "its own task removes it");
        assert_eq!(decided(&put("a-third"), std::slice::from_ref(&given_up)), "taken");
        assert_eq!(decided(&put("other"), &[given_up, native("10.0.0.1")]), "taken");
    }
}

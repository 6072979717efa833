//! What has to be done for one change, by what stands at its address. Pure.

use super::answer::Described;
use super::form::{are_of_one_kind, stand_in};
use super::instance::Entry;
use crate::model::Metadata;
use crate::registries::{Change, InstanceCopy};

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Registers an instance, after its version of the service where that isn't there yet.
    Register(Described),
    /// Gives an instance these properties and no others.
    SetProperties(Registered, Metadata),
    /// Gives an instance this status.
    SetStatus(Registered, String),
    /// Removes an instance.
    Deregister(Registered),
}

/// Which instance is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Registered {
    pub(super) service_id: String,
    pub(super) instance_id: String,
}

impl Registered {
    fn of(described: &Described) -> Self {
        Self { service_id: described.service_id.clone(), instance_id: described.instance_id.clone() }
    }
}

/// The requests that a change needs, where `form` is its copy's and `standing` all of its service. `None`: somebody else's entry is
/// where the copy would stand.
pub(super) fn steps(change: &Change, form: &Described, standing: &[Described]) -> Option<Vec<Step>> {
    let (ours, others) = at_address(change.copy(), standing);
    match change {
        Change::Remove(_) => Some(ours.into_iter().map(deregister).collect()),
        Change::Put(_) if others => None,
        Change::Put(copy) => Some(put(copy, form, &ours)),
    }
}

/// Where the copy is registered, if it is.
pub(super) fn registered(
    copy: &InstanceCopy,
    form: &Described,
    standing: &[Described],
) -> Option<Registered> {
    let (ours, _) = at_address(copy, standing);
    ours.into_iter().find(|entry| are_of_one_kind(entry, form)).map(Registered::of)
}

/// The copy's own entries, and whether others stand in its way.
fn at_address<'a>(copy: &InstanceCopy, standing: &'a [Described]) -> (Vec<&'a Described>, bool) {
    let (mut ours, mut others) = (Vec::new(), false);
    for described in standing {
        let Some(shown) = Entry::of(described.clone()).map(|entry| entry.within(None)) else { continue };
        if shown.address != copy.instance.address {
            continue;
        }
        if copy.mark.owns(&copy.key, &shown) {
            ours.push(described);
        }
        others |= copy.is_hindered_by(&shown);
    }
    (ours, others)
}

/// What fits is changed in place; whatever else of ours stands there goes after it has come.
fn put(copy: &InstanceCopy, form: &Described, ours: &[&Described]) -> Vec<Step> {
    let has_id = |entry: &Described| entry.instance_id == form.instance_id && entry.version == form.version;
    let Some(at) = ours.iter().position(|entry| has_id(entry)) else {
        let mut steps = vec![Step::Register(form.clone())];
        steps.extend(ours.iter().map(|entry| deregister(entry)));
        return steps;
    };
    let own = ours[at];
    let mut steps = if are_of_one_kind(own, form) { changes(form, own) } else { exchange(copy, form, own) };
    let rest = ours.iter().enumerate().filter(|(other, _)| *other != at);
    steps.extend(rest.map(|(_, entry)| deregister(entry)));
    steps
}

/// One of another kind takes the place of what has the copy's id: meanwhile another one stands in for both.
fn exchange(copy: &InstanceCopy, form: &Described, own: &Described) -> Vec<Step> {
    let beside = stand_in(copy, form);
    let passing = Registered { instance_id: beside.instance_id.clone(), ..Registered::of(own) };
    vec![Step::Register(beside), deregister(own), Step::Register(form.clone()), Step::Deregister(passing)]
}

fn changes(form: &Described, standing: &Described) -> Vec<Step> {
    let mut steps = Vec::new();
    if standing.properties != form.properties {
        steps.push(Step::SetProperties(Registered::of(standing), form.properties.clone()));
    }
    if standing.status != form.status {
        steps.push(Step::SetStatus(Registered::of(standing), form.status.clone()));
    }
    steps
}

fn deregister(described: &Described) -> Step {
    Step::Deregister(Registered::of(described))
}

#[cfg(test)]
mod tests {
    use super::super::form::form;
    use super::*;

    fn copy_of(task: &str, pairs: &[(&str, &str)]) -> InstanceCopy {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        InstanceCopy::example_of(task, "shop", "cart")
            .with(|instance| instance.metadata.extend(pairs.iter().map(owned)))
    }

    fn copy(pairs: &[(&str, &str)]) -> InstanceCopy {
        copy_of("move", pairs)
    }

    /// As the server shows it.
    fn standing(copy: &InstanceCopy) -> Described {
        let form = form(copy).unwrap();
        Described { service_id: format!("service-{}", form.version), ..form }
    }

    fn native(host: &str) -> Described {
        let endpoints = vec![format!("rest://{host}:80")];
        Described { instance_id: "own".into(), endpoints, status: "UP".into(), ..Described::default() }
    }

    fn put(copy: &InstanceCopy, standing: &[Described]) -> Option<Vec<Step>> {
        steps(&Change::put(copy.clone()), &form(copy).unwrap(), standing)
    }

    fn remove(copy: &InstanceCopy, standing: &[Described]) -> Option<Vec<Step>> {
        steps(&Change::remove(copy.clone()), &form(copy).unwrap(), standing)
    }

    #[test]
    fn a_copy_is_registered_changed_in_place_and_removed() {
        let (plain, mut changed) = (copy(&[]), copy(&[("k", "v")]));
        let there = standing(&plain);
        let it = || Registered::of(&there);
        assert_eq!(put(&plain, &[native("10.0.0.2")]), Some(vec![Step::Register(form(&plain).unwrap())]));
        assert_eq!(
            put(&plain, std::slice::from_ref(&there)),
            Some(vec![]),
            "nothing is written that is equal"
        );
        changed.instance.healthy = false;
        let form = form(&changed).unwrap();
        assert_eq!(
            put(&changed, std::slice::from_ref(&there)),
            Some(vec![
                Step::SetProperties(it(), form.properties.clone()),
                Step::SetStatus(it(), "DOWN".to_owned())
            ])
        );
        assert_eq!(remove(&changed, std::slice::from_ref(&there)), Some(vec![Step::Deregister(it())]));
        assert_eq!(remove(&changed, &[]), Some(vec![]));
        assert_eq!(registered(&plain, &form, std::slice::from_ref(&there)), Some(it()));
    }

    #[test]
    fn another_version_comes_before_the_old_one_goes() {
        let (one, two) = (copy(&[("version", "1")]), copy(&[("version", "2")]));
        let there = standing(&one);
        let steps = put(&two, std::slice::from_ref(&there)).unwrap();
        assert_eq!(steps, [Step::Register(form(&two).unwrap()), Step::Deregister(Registered::of(&there))]);
        let both = [there.clone(), standing(&two)];
        assert_eq!(put(&two, &both), Some(vec![Step::Deregister(Registered::of(&there))]));
        assert_eq!(remove(&two, &both).map(|steps| steps.len()), Some(2));
    }

    #[test]
    fn another_endpoint_comes_while_a_stand_in_is_there() {
        let (plain, mut other) = (copy(&[]), copy(&[]));
        other.instance.attributes.insert("protocol".to_owned(), "grpc".to_owned());
        let (there, form) = (standing(&plain), form(&other).unwrap());
        let beside = stand_in(&other, &form);
        let passing = Described { service_id: there.service_id.clone(), ..beside.clone() };
        let gone = |it: &Described| Step::Deregister(Registered::of(it));
        let whole = [Step::Register(beside), gone(&there), Step::Register(form.clone()), gone(&passing)];
        assert_eq!(put(&other, std::slice::from_ref(&there)).unwrap(), whole);
        let half_done = put(&other, std::slice::from_ref(&passing)).unwrap();
        assert_eq!(half_done, [Step::Register(form), gone(&passing)]);
    }

    #[test]
    fn whoever_else_is_there_is_left_alone() {
        let ours = copy(&[]);
        let there = standing(&ours);
        let bare = Described { properties: Metadata::new(), ..there.clone() };
        for other in [native("10.0.0.1"), standing(&copy_of("another", &[]))] {
            assert_eq!(put(&ours, std::slice::from_ref(&other)), None);
            assert_eq!(put(&ours, &[there.clone(), other.clone()]), None, "it came later");
            assert_eq!(remove(&ours, std::slice::from_ref(&other)), Some(vec![]));
            let own = Step::Deregister(Registered::of(&there));
            assert_eq!(remove(&ours, &[other, there.clone()]), Some(vec![own]));
        }
        let successor = ours.clone().in_place_of("another");
        let given_up = standing(&copy_of("another", &[]));
        assert_eq!(
            put(&successor, std::slice::from_ref(&given_up)),
            Some(vec![Step::Register(form(&ours).unwrap())])
        );
        assert_eq!(put(&successor, &[given_up, native("10.0.0.1")]), None);
        let restored = Step::SetProperties(Registered::of(&bare), there.properties);
        assert_eq!(put(&ours, &[bare]), Some(vec![restored]), "known by its id");
    }
}

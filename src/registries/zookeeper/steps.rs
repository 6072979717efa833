//! What has to be done for one change, by what stands in its folder. Pure.

use super::form::{Folder, Node};
use crate::model::Instance;
use crate::registries::{Change, InstanceCopy};

/// A child of a folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) name: String,
    /// Empty where instances are in the names.
    pub(super) data: Vec<u8>,
    /// `None`: it is no instance of the service, or none that can be understood.
    pub(super) instance: Option<Instance>,
    /// How often its data were changed.
    pub(super) version: i32,
    /// The session that it lives with; 0 where it is persistent.
    pub(super) session: i64,
}

/// A node as it was looked at. Whatever is done to it is refused when it was changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) version: i32,
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The node comes, and all of these go, at one moment.
    Replace(Vec<Seen>, Node),
    /// The node's data become these.
    SetData(Seen, Vec<u8>),
    /// All of these go.
    Delete(Vec<Seen>),
}

/// The requests that a change needs, where `node` is its copy's and has to live with `session`. `None`: somebody else's entry is where
/// the copy would stand.
pub(super) fn steps(change: &Change, node: &Node, standing: &[Standing], session: i64) -> Option<Vec<Step>> {
    let (ours, others) = at_address(change.copy(), node, standing);
    match change {
        Change::Put(_) if others => None,
        Change::Put(_) => Some(put(node, &ours, session)),
        Change::Remove(_) => Some(delete(ours.into_iter().map(|it| seen(&node.folder, it)).collect())),
    }
}

/// The copy's own nodes, and whether others stand in its way.
fn at_address<'a>(copy: &InstanceCopy, node: &Node, standing: &'a [Standing]) -> (Vec<&'a Standing>, bool) {
    let stands_there = |it: &&Standing| {
        it.name == node.name
            || it.instance.as_ref().is_some_and(|instance| instance.address == copy.instance.address)
    };
    // What can't be understood is ours by its name, which is the copy's id.
    let is_ours =
        |it: &&Standing| it.instance.as_ref().is_none_or(|instance| copy.mark.owns(&copy.key, instance));
    let (ours, others): (Vec<_>, Vec<_>) = standing.iter().filter(stands_there).partition(is_ours);
    let hinder = |it: &&Standing| it.instance.as_ref().is_some_and(|instance| copy.is_hindered_by(instance));
    (ours, others.iter().any(hinder))
}

fn put(node: &Node, ours: &[&Standing], session: i64) -> Vec<Step> {
    let lives = |it: &&&Standing| it.name == node.name && it.session == session;
    let Some(own) = ours.iter().find(lives) else {
        // What an older session left goes with that session, so it is made anew.
        return vec![Step::Replace(ours.iter().map(|it| seen(&node.folder, it)).collect(), node.clone())];
    };
    let mut steps = Vec::new();
    if node.folder.holds_data() && own.data != node.data {
        steps.push(Step::SetData(seen(&node.folder, own), node.data.clone()));
    }
    let rest = ours.iter().filter(|it| it.name != node.name);
    steps.extend(delete(rest.map(|it| seen(&node.folder, it)).collect()));
    steps
}

fn delete(gone: Vec<Seen>) -> Vec<Step> {
    if gone.is_empty() { Vec::new() } else { vec![Step::Delete(gone)] }
}

fn seen(folder: &Folder, standing: &Standing) -> Seen {
    Seen { path: folder.path_of(&standing.name), version: standing.version }
}

#[cfg(test)]
mod tests {
    use super::super::ZookeeperSettings;
    use super::super::form::Forms;
    use super::*;
    use crate::config::ZookeeperLayout;

    const OURS: i64 = 7;

    fn forms(layout: ZookeeperLayout) -> Forms {
        let addresses = vec!["h".to_owned()];
        let settings = ZookeeperSettings { addresses, layout, ..ZookeeperSettings::default() };
        Forms::new(&settings.check().unwrap()).unwrap()
    }

    fn copy_of(task: &str, service: &str, pairs: &[(&str, &str)]) -> InstanceCopy {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        InstanceCopy::example_of(task, "default", service)
            .with(|instance| instance.metadata.extend(pairs.iter().map(owned)))
    }

    fn standing(node: &Node, session: i64) -> Standing {
        Standing {
            name: node.name.clone(),
            data: node.data.clone(),
            instance: node.folder.read(&node.name, &node.data),
            version: 3,
            session,
        }
    }

    fn put(copy: &InstanceCopy, node: &Node, standing: &[Standing]) -> Option<Vec<Step>> {
        steps(&Change::put(copy.clone()), node, standing, OURS)
    }

    fn of(node: &Node) -> Seen {
        Seen { path: node.path(), version: 3 }
    }

    #[test]
    fn an_entry_is_made_changed_in_place_and_removed() {
        let forms = forms(ZookeeperLayout::Curator);
        let (plain, changed) = (copy_of("move", "orders", &[]), copy_of("move", "orders", &[("k", "v")]));
        let (node, other) = (forms.node(&plain).unwrap(), forms.node(&changed).unwrap());
        let there = standing(&node, OURS);
        assert_eq!(put(&plain, &node, &[]), Some(vec![Step::Replace(vec![], node.clone())]));
        assert_eq!(put(&plain, &node, std::slice::from_ref(&there)), Some(vec![]));
        let in_place = Step::SetData(of(&node), other.data.clone());
        assert_eq!(put(&changed, &other, std::slice::from_ref(&there)), Some(vec![in_place]));
        let left = standing(&node, OURS + 1);
        assert_eq!(put(&plain, &node, &[left]), Some(vec![Step::Replace(vec![of(&node)], node.clone())]));
        let remove = |standing: &[Standing]| steps(&Change::remove(changed.clone()), &other, standing, OURS);
        assert_eq!(remove(&[there]), Some(vec![Step::Delete(vec![of(&node)])]));
        assert_eq!(remove(&[]), Some(vec![]));
    }

    #[test]
    fn a_provider_changes_its_name_in_one_step() {
        let forms = forms(ZookeeperLayout::Dubbo);
        let service = "providers:a.B::";
        let (plain, changed) = (copy_of("move", service, &[]), copy_of("move", service, &[("k", "v")]));
        let (node, other) = (forms.node(&plain).unwrap(), forms.node(&changed).unwrap());
        let there = standing(&node, OURS);
        assert_eq!(put(&plain, &node, std::slice::from_ref(&there)), Some(vec![]));
        let both = Step::Replace(vec![of(&node)], other.clone());
        assert_eq!(put(&changed, &other, std::slice::from_ref(&there)), Some(vec![both]));
        let half_done = [there, standing(&other, OURS)];
        assert_eq!(put(&changed, &other, &half_done), Some(vec![Step::Delete(vec![of(&node)])]));
    }

    #[test]
    fn whoever_else_is_there_is_left_alone() {
        for (layout, service) in
            [(ZookeeperLayout::Curator, "orders"), (ZookeeperLayout::Dubbo, "providers:a.B::")]
        {
            let forms = forms(layout);
            let ours = copy_of("move", service, &[]);
            let node = forms.node(&ours).unwrap();
            let there = standing(&node, OURS);
            let theirs = standing(&forms.node(&copy_of("another", service, &[])).unwrap(), 1);
            let mut native = theirs.clone();
            native.name = "own".to_owned();
            native.instance.as_mut().unwrap().metadata.clear();
            for other in [theirs, native] {
                assert_eq!(put(&ours, &node, std::slice::from_ref(&other)), None);
                assert_eq!(put(&ours, &node, &[there.clone(), other.clone()]), None, "it came later");
                let removed = steps(&Change::remove(ours.clone()), &node, &[other, there.clone()], OURS);
                assert_eq!(removed, Some(vec![Step::Delete(vec![of(&node)])]));
            }
        }
    }

    #[test]
    fn a_copy_is_put_beside_one_that_is_given_up() {
        let forms = forms(ZookeeperLayout::Curator);
        let ours = copy_of("move", "orders", &[]).in_place_of("another");
        let node = forms.node(&ours).unwrap();
        let given_up = standing(&forms.node(&copy_of("another", "orders", &[])).unwrap(), 1);
        assert_eq!(
            put(&ours, &node, std::slice::from_ref(&given_up)),
            Some(vec![Step::Replace(vec![], node.clone())])
        );
        let third = standing(&forms.node(&copy_of("a-third", "orders", &[])).unwrap(), 1);
        assert_eq!(put(&ours, &node, &[given_up, third]), None);
    }

    #[test]
    fn a_copy_with_senseless_data_is_known_by_its_id() {
        let copy = copy_of("move", "orders", &[]);
        let node = forms(ZookeeperLayout::Curator).node(&copy).unwrap();
        let garbled = Standing { data: b"{".to_vec(), instance: None, ..standing(&node, OURS) };
        let restored = Step::SetData(of(&node), node.data.clone());
        assert_eq!(put(&copy, &node, std::slice::from_ref(&garbled)), Some(vec![restored]));
        let elsewhere = Standing { name: "lock".to_owned(), ..garbled };
        assert_eq!(put(&copy, &node, &[elsewhere]), Some(vec![Step::Replace(vec![], node.clone())]));
    }
}

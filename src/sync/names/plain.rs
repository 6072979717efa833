//! A service's plain name on its way: it may be renamed, and where one end is a Nacos it may be given a group or lose it.
//!
//! No two names become one: of two that would, the renamed one has the name, and then the one that is given its group. The other is
//! not carried.

use super::Unnamed;
use crate::config::Rename;
use crate::model::group;

/// What is done to plain names between two registries.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) rename: Vec<Rename>,
    pub(super) group: Group,
}

/// The group of what has none, at the end that has groups.
#[derive(Clone, Debug)]
pub(super) enum Group {
    /// Neither end has groups, or none was named.
    Any,
    /// Names without a group there lose it on their way.
    AtSource(String),
    /// Names without a group are given it on their way.
    AtDestination(String),
}

impl Plain {
    /// The name at the destination.
    pub(super) fn there(&self, name: &str) -> Result<String, Unnamed> {
        let there = self.image(name)?;
        match self.origin(&there) {
            Some(of) if of != name => Err(Unnamed::TakenName { name: there, of }),
            _ => Ok(there),
        }
    }

    /// The name at the source.
    pub(super) fn back(&self, name: &str) -> Result<String, Unnamed> {
        self.origin(name).ok_or(Unnamed::NoWayBack)
    }

    /// What a name becomes, whatever others become.
    fn image(&self, name: &str) -> Result<String, Unnamed> {
        let renamed = self.rename.iter().find_map(|rule| replaced(&rule.from, &rule.to, name));
        match (&self.group, renamed) {
            (Group::AtDestination(group), renamed) => Ok(grouped(renamed.as_deref().unwrap_or(name), group)),
            (_, Some(renamed)) => Ok(renamed),
            (Group::AtSource(group), None) => ungrouped(name, group)
                .ok_or_else(|| Unnamed::TakenName { name: name.to_owned(), of: grouped(name, group) }),
            (Group::Any, None) => Ok(name.to_owned()),
        }
    }

    /// Whose name this is at the destination: of all that become it, the first.
    fn origin(&self, there: &str) -> Option<String> {
        let bare = match &self.group {
            Group::AtDestination(group) => ungrouped(there, group).filter(|bare| bare != there),
            Group::AtSource(_) | Group::Any => None,
        };
        let before_group: Vec<&str> = bare.as_deref().into_iter().chain([there]).collect();
        let before_renaming = self.rename.iter().flat_map(|rule| {
            before_group.iter().filter_map(|renamed| replaced(&rule.to, &rule.from, renamed))
        });
        let as_it_was = before_group.iter().map(|name| match &self.group {
            Group::AtSource(group) => grouped(name, group),
            Group::AtDestination(_) | Group::Any => (*name).to_owned(),
        });
        before_renaming.chain(as_it_was).find(|name| self.image(name).is_ok_and(|image| image == there))
    }
}

/// The name by `to` of one that `pattern` fits; the star of either stands for the same characters.
fn replaced(pattern: &str, to: &str, name: &str) -> Option<String> {
    match pattern.split_once('*') {
        None => (pattern == name).then(|| to.to_owned()),
        Some((before, after)) => {
            let run = name.strip_prefix(before)?.strip_suffix(after)?;
            Some(to.replacen('*', run, 1))
        }
    }
}

/// A name without a group in this one.
fn grouped(name: &str, group: &str) -> String {
    match group::split(name) {
        Some(_) => name.to_owned(),
        None => format!("{group}{}{name}", group::SEPARATOR),
    }
}

/// The inverse: what has another group keeps it, and a name without any is none that [`grouped`] gives.
fn ungrouped(name: &str, group: &str) -> Option<String> {
    let (prefix, rest) = group::split(name)?;
    let is_it = prefix == group && group::split(rest).is_none();
    Some(if is_it { rest.to_owned() } else { name.to_owned() })
}

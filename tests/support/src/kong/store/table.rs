//! The rows of one kind with the indexes that keep each request from reading them all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::Value;

use super::{Kind, Row, id_of, tags_of};

type Children = BTreeMap<(&'static str, String), BTreeSet<(i64, String)>>;

/// The rows of one kind.
#[derive(Default)]
pub(in crate::kong) struct Table {
    rows: BTreeMap<String, Row>,
    unique: BTreeMap<String, String>,
    tags: BTreeMap<String, BTreeSet<String>>,
    children: Children,
}

/// One page of a list, and the cursor of the next.
pub(in crate::kong) struct Page {
    pub(in crate::kong) rows: Vec<Value>,
    pub(in crate::kong) next: Option<String>,
}

/// `?tags=`: all of them (`a,b`) or any of them (`a/b`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kong) enum TagFilter {
    All(Vec<String>),
    Any(Vec<String>),
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            unique: BTreeMap::new(),
            tags: BTreeMap::new(),
            children: BTreeMap::new(),
        }
    }

    pub(in crate::kong) fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    pub(in crate::kong) fn by_unique(&self, key: &str) -> Option<&Row> {
        self.rows.get(self.unique.get(key)?)
    }

    pub(in crate::kong) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub(super) fn rows_from(&self, id: Option<&str>) -> impl Iterator<Item = (&String, &Row)> {
        let start = id.map_or(Bound::Unbounded, Bound::Included);
        self.rows.range::<str, _>((start, Bound::Unbounded))
    }

    /// The ids of the rows whose `field` names `parent`, in the order of their kind.
    pub(in crate::kong) fn children(
        &self,
        field: &'static str,
        parent: &str,
    ) -> impl DoubleEndedIterator<Item = &String> {
        self.children.get(&(field, parent.to_owned())).into_iter().flatten().map(|(_, id)| id)
    }

    /// How many rows name `parent` in `field`.
    pub(in crate::kong) fn count_children(&self, field: &'static str, parent: &str) -> usize {
        self.children.get(&(field, parent.to_owned())).map_or(0, BTreeSet::len)
    }

    pub(super) fn tagged_after(&self, tag: &str, after: Option<&str>) -> impl Iterator<Item = &String> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.tags.get(tag).into_iter().flat_map(move |ids| ids.range::<str, _>((start, Bound::Unbounded)))
    }

    /// The rows after `after` that pass `filter`, in the order of their ids.
    pub(in crate::kong) fn page(&self, filter: Option<&TagFilter>, after: Option<&str>, size: usize) -> Page {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        match filter.map(|filter| self.candidates(filter)) {
            None => page_of(self.rows.range::<str, _>((start, Bound::Unbounded)), size),
            Some(ids) => {
                let later = ids.range::<str, _>((start, Bound::Unbounded));
                page_of(later.filter_map(|id| self.rows.get_key_value(id)), size)
            }
        }
    }

    /// The children of `parent` after `after`, in the order of their ids.
    pub(in crate::kong) fn page_of_children(
        &self,
        field: &'static str,
        parent: &str,
        after: Option<&str>,
        size: usize,
    ) -> Page {
        let ids: BTreeSet<&String> = self.children(field, parent).collect();
        let later = ids.into_iter().filter(|id| after.is_none_or(|after| id.as_str() > after));
        page_of(later.filter_map(|id| self.rows.get_key_value(id)), size)
    }

    fn candidates(&self, filter: &TagFilter) -> BTreeSet<String> {
        let ids = |tag: &String| self.tags.get(tag).cloned().unwrap_or_default();
        match filter {
            TagFilter::Any(tags) => tags.iter().flat_map(ids).collect(),
            TagFilter::All(tags) => {
                let mut sets = tags.iter().map(ids);
                let first = sets.next().unwrap_or_default();
                sets.fold(first, |left, right| left.intersection(&right).cloned().collect())
            }
        }
    }

    pub(super) fn put(&mut self, kind: Kind, row: Row) {
        let id = id_of(&row);
        self.remove(kind, &id);
        if let Some(key) = kind.unique_key(&row) {
            self.unique.insert(key, id.clone());
        }
        for tag in tags_of(&row) {
            self.tags.entry(tag.to_owned()).or_default().insert(id.clone());
        }
        for (field, parent) in parents_of(kind, &row) {
            self.children.entry((field, parent)).or_default().insert(kind.order(&row));
        }
        self.rows.insert(id, row);
    }

    pub(super) fn remove(&mut self, kind: Kind, id: &str) -> Option<Row> {
        let row = self.rows.remove(id)?;
        if let Some(key) = kind.unique_key(&row) {
            self.unique.remove(&key);
        }
        for tag in tags_of(&row) {
            forget(&mut self.tags, &tag.to_owned(), id);
        }
        for key in parents_of(kind, &row) {
            forget(&mut self.children, &key, &kind.order(&row));
        }
        Some(row)
    }
}

/// Takes one member out of an index, and the entry with its last member.
fn forget<K: Ord, M: Ord + std::borrow::Borrow<Q>, Q: Ord + ?Sized>(
    index: &mut BTreeMap<K, BTreeSet<M>>,
    key: &K,
    member: &Q,
) {
    if let Some(members) = index.get_mut(key) {
        members.remove(member);
        if members.is_empty() {
            index.remove(key);
        }
    }
}

fn parents_of(kind: Kind, row: &Row) -> Vec<(&'static str, String)> {
    let id = |field: &str| row.get(field).and_then(|parent| parent["id"].as_str()).map(str::to_owned);
    kind.parents().iter().filter_map(|(field, _)| Some((*field, id(field)?))).collect()
}

fn page_of<'a>(rows: impl Iterator<Item = (&'a String, &'a Row)>, size: usize) -> Page {
    let mut rows = rows.peekable();
    let mut page = Page { rows: Vec::new(), next: None };
    while let Some((id, row)) = rows.next() {
        page.rows.push(Value::Object(row.clone()));
        if page.rows.len() == size {
            page.next = rows.peek().map(|_| id.clone());
            break;
        }
    }
    page
}

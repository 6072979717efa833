//! The rows that the Admin API reads and writes, and what must stay true between them.
//!
//! ```text
//!  Store ── one Table a kind ── rows by id, and indexes: unique key, tag, parent
//!    └───── commits: every change in the order in which it took effect, told to observers
//! ```

mod commit;
mod kind;
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

pub use commit::{Commit, Operation};
pub use kind::Kind;
pub(super) use kind::plugin_key;
pub(super) use table::{Page, Table, TagFilter};

/// One entity: its fields by name.
pub(super) type Row = Map<String, Value>;

/// Why a row was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The id is taken.
    PrimaryKey(Value),
    /// A unique key is taken: the fields of it.
    Unique(Value),
    /// A parent is absent: the field, the parent's kind and its id.
    Parent(&'static str, Kind, String),
    /// Rows of a kind still refer to it.
    Referenced(Kind),
}

/// All entities of one workspace.
#[derive(Default)]
pub(super) struct Store {
    tables: BTreeMap<Kind, Table>,
    commits: commit::Journal,
    next_ids: VecDeque<String>,
    last_created: f64,
    config_hash: Option<String>,
    enabled_plugins: BTreeSet<String>,
}

impl Store {
    /// An empty store, which keeps no commits when `counts_only`.
    pub(super) fn new(counts_only: bool) -> Self {
        Self { commits: commit::Journal::new(counts_only), ..Self::default() }
    }

    pub(super) fn table(&self, kind: Kind) -> &Table {
        static EMPTY: Table = Table::new();
        self.tables.get(&kind).unwrap_or(&EMPTY)
    }

    pub(super) fn journal(&mut self) -> &mut commit::Journal {
        &mut self.commits
    }

    pub(super) fn enabled_plugins(&self) -> &BTreeSet<String> {
        &self.enabled_plugins
    }

    pub(super) fn enable_plugin(&mut self, name: &str) {
        self.enabled_plugins.insert(name.to_owned());
    }

    /// The hash of the document in force, on a node without a database.
    pub(super) fn config_hash(&self) -> &str {
        self.config_hash.as_deref().unwrap_or(super::declarative::EMPTY_HASH)
    }

    /// Puts these rows in the place of all. To observers what comes and changes is before what goes; rows that
    /// differ in their times alone are told as no change.
    pub(super) fn swap(&mut self, rows: Vec<(Kind, Row)>, hash: String) {
        let mut before = std::mem::take(&mut self.tables);
        for (kind, row) in rows {
            let known = before.get_mut(&kind).and_then(|table| table.remove(kind, &id_of(&row)));
            self.tables.entry(kind).or_default().put(kind, row.clone());
            if known.as_ref().is_none_or(|known| !same_but_for_times(known, &row)) {
                self.commits.add(kind, known, Some(row));
            }
        }
        for (kind, table) in before {
            for row in table.rows() {
                self.commits.add(kind, Some(row.clone()), None);
            }
        }
        self.config_hash = Some(hash);
    }

    /// The id of a new entity: what a test ordered, else a random one.
    pub(super) fn new_id(&mut self) -> String {
        self.next_ids.pop_front().unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
    }

    pub(super) fn set_next_ids(&mut self, ids: impl IntoIterator<Item = String>) {
        self.next_ids = ids.into_iter().collect();
    }

    /// The creation time of a new target in seconds, to the millisecond. Lists go by it, so no two are equal:
    /// on a real Kong no two requests end within a millisecond.
    pub(super) fn new_target_time(&mut self, now: f64) -> f64 {
        self.last_created = now.max(((self.last_created * 1000.0).round() + 1.0) / 1000.0);
        self.last_created
    }

    /// The row that a path segment names: what looks like a UUID is an id, all else a name.
    pub(super) fn find(&self, kind: Kind, key: &str) -> Option<&Row> {
        if is_uuid(key) {
            self.table(kind).get(&key.to_ascii_lowercase())
        } else {
            self.table(kind).by_unique(key)
        }
    }

    /// The target of an upstream by its id or its stored address.
    pub(super) fn find_target(&self, upstream: &str, key: &str) -> Option<&Row> {
        let targets = self.table(Kind::Targets);
        if is_uuid(key) {
            let row = targets.get(&key.to_ascii_lowercase())?;
            (row["upstream"]["id"] == upstream).then_some(row)
        } else {
            targets.by_unique(&kind::target_key(upstream, key))
        }
    }

    /// Adds a row.
    pub(super) fn insert(&mut self, kind: Kind, row: Row) -> Result<(), Refusal> {
        let id = id_of(&row);
        if self.table(kind).get(&id).is_some() {
            return Err(Refusal::PrimaryKey(Value::from(id)));
        }
        self.check(kind, &id, &row)?;
        self.put(kind, None, row);
        Ok(())
    }

    /// Puts `row` in the place of the one that has its id.
    pub(super) fn replace(&mut self, kind: Kind, row: Row) -> Result<(), Refusal> {
        let id = id_of(&row);
        self.check(kind, &id, &row)?;
        let before = self.table(kind).get(&id).cloned();
        self.put(kind, before, row);
        Ok(())
    }

    /// Removes a row, and with it the rows that cannot be without it. Says whether there was one.
    pub(super) fn remove(&mut self, kind: Kind, id: &str) -> Result<bool, Refusal> {
        if let Some(blocking) = kind.blocked_by() {
            let field = blocking.parent_field(kind);
            if field.is_some_and(|field| self.table(blocking).children(field, id).next().is_some()) {
                return Err(Refusal::Referenced(blocking));
            }
        }
        for &dependent in kind.cascades() {
            let Some(field) = dependent.parent_field(kind) else { continue };
            let ids: Vec<String> = self.table(dependent).children(field, id).cloned().collect();
            for child in ids {
                self.remove(dependent, &child)?;
            }
        }
        let Some(before) = self.tables.entry(kind).or_default().remove(kind, id) else { return Ok(false) };
        self.commits.add(kind, Some(before), None);
        Ok(true)
    }

    fn put(&mut self, kind: Kind, before: Option<Row>, row: Row) {
        self.tables.entry(kind).or_default().put(kind, row.clone());
        self.commits.add(kind, before, Some(row));
    }

    fn check(&self, kind: Kind, id: &str, row: &Row) -> Result<(), Refusal> {
        if let Some(key) = kind.unique_key(row)
            && let Some(holder) = self.table(kind).by_unique(&key)
            && id_of(holder) != id
        {
            return Err(Refusal::Unique(kind.unique_fields(row)));
        }
        for &(field, parent) in kind.parents() {
            if let Some(parent_id) = row.get(field).and_then(|value| value["id"].as_str())
                && self.table(parent).get(parent_id).is_none()
            {
                return Err(Refusal::Parent(field, parent, parent_id.to_owned()));
            }
        }
        Ok(())
    }

    /// `{tag, entity_name, entity_id}` of every tag of every entity after `cursor`, in the order of (id, place
    /// of the tag in its list), `size` + 1 of them at most so that the caller sees whether more follow.
    pub(super) fn all_tags(&self, cursor: Option<&(String, usize)>, size: usize) -> Vec<(usize, Value)> {
        let mut found: BTreeMap<(String, usize), (usize, Value)> = BTreeMap::new();
        for kind in Kind::ALL {
            let mut of_kind = 0;
            let start = cursor.map(|(id, _)| id.as_str());
            for (id, row) in self.table(kind).rows_from(start) {
                for (place, tag) in tags_of(row).enumerate() {
                    let place = place + 1;
                    if cursor.is_some_and(|(at, last)| at == id && place <= *last) {
                        continue;
                    }
                    found.insert((id.clone(), place), (place, tag_entry(tag, kind, id)));
                    of_kind += 1;
                }
                if of_kind > size {
                    break;
                }
            }
        }
        found.into_values().take(size + 1).collect()
    }

    /// The entities of every kind that bear `tag`, by id, after `cursor`; `size` + 1 at most.
    pub(super) fn with_tag(&self, tag: &str, cursor: Option<&str>, size: usize) -> Vec<Value> {
        let mut found: Vec<(&String, Kind)> = Vec::new();
        for kind in Kind::ALL {
            found.extend(self.table(kind).tagged_after(tag, cursor).take(size + 1).map(|id| (id, kind)));
        }
        found.sort();
        found.into_iter().take(size + 1).map(|(id, kind)| tag_entry(tag, kind, id)).collect()
    }
}

fn same_but_for_times(a: &Row, b: &Row) -> bool {
    let fields = |row: &Row| {
        let mut row = row.clone();
        row.remove("created_at");
        row.remove("updated_at");
        row
    };
    fields(a) == fields(b)
}

fn tag_entry(tag: &str, kind: Kind, id: &str) -> Value {
    json!({ "tag": tag, "entity_name": kind.name(), "entity_id": id })
}

/// The tags of a row, in their order.
pub(super) fn tags_of(row: &Row) -> impl Iterator<Item = &str> {
    row.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The id of a row.
pub(super) fn id_of(row: &Row) -> String {
    row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether Kong reads a path segment as an id rather than a name.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

//! What a task between two registries goes by, beside what every task does.

use std::collections::BTreeMap;

/// How services and instances are carried from registry to registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copying {
    /// The Nacos group of what has none, at the destination.
    pub group: Option<String>,
    /// Namespaces of the source by those of the destination, one to one; all others keep their names.
    pub namespace_map: BTreeMap<String, String>,
    /// New names of services, in the source's words; the first that fits is taken.
    pub rename: Vec<Rename>,
    /// What becomes of the copies when Causeway ends.
    pub on_stop: OnStop,
    /// Which of the task's directions run; the way back only where the task is bidirectional.
    pub directions: Directions,
}

/// The directions of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directions {
    /// From source to destination.
    pub there: bool,
    /// From destination to source.
    pub back: bool,
}

/// Another name for services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Whole names of the source, with at most one `*`, which stands for any run of characters.
    pub from: String,
    /// The name at the destination, with a `*` where `from` has one: it stands for the same characters.
    pub to: String,
}

/// What becomes of copies when Causeway ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnStop {
    /// They stay for as long as their registry keeps them: another start goes on with them.
    #[default]
    Keep,
    /// They are removed.
    Withdraw,
}

impl Default for Copying {
    fn default() -> Self {
        Self {
            group: None,
            namespace_map: BTreeMap::new(),
            rename: Vec::new(),
            on_stop: OnStop::default(),
            directions: Directions { there: true, back: true },
        }
    }
}

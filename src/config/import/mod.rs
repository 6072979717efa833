//! Documents of other tools, each by its own tool's rules.

pub(super) mod mse_sync;
mod mse_written;
pub(super) mod polaris_sync;
mod polaris_written;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{
    check::{Manners, check},
    mistakes::Findings,
    tree::{self, Node},
};

/// Walks a foreign document along the schema of its types, and fills them when nothing is wrong.
fn read_as<T: JsonSchema + DeserializeOwned>(root: &mut Node, findings: &mut Findings) -> Option<T> {
    tree::tell_unsubstituted(root, findings);
    let schema = schemars::schema_for!(T).to_value();
    let no_files = |_: &str| Err("other tools' documents have no such files".to_owned());
    let checked = check(root, &schema, Manners::Lenient, &no_files, findings);
    serde_json::from_value(checked).ok()
}

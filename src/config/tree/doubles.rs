//! Keys that stand twice in one table.

use super::{Entry, Node, Value};
use crate::config::mistakes::{Findings, Path};

/// Settles double keys. In a native document each is a mistake and the first one stays; other tools' readers
/// take the last one in silence, so there the last stays and a warning is given.
pub(crate) fn settle_doubles(root: &mut Node, native: bool, findings: &mut Findings) {
    settle(root, native, &Path::default(), findings);
}

fn settle(node: &mut Node, native: bool, path: &Path, findings: &mut Findings) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                settle(item, native, &path.index(index), findings);
            }
        }
        Value::Table(entries) => {
            settle_table(entries, native, path, findings);
            for entry in entries {
                settle(&mut entry.value, native, &path.key(&entry.key), findings);
            }
        }
    }
}

fn settle_table(entries: &mut Vec<Entry>, native: bool, path: &Path, findings: &mut Findings) {
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        let Some(earlier) = kept.iter_mut().find(|earlier| earlier.key == entry.key) else {
            kept.push(entry);
            continue;
        };
        let path = path.key(&entry.key);
        if native {
            findings.mistake(entry.key_at, &path, format!("the key `{}` stands here twice", entry.key));
        } else {
            let message = format!("the key `{}` stands here twice; the last one counts", entry.key);
            findings.warning(entry.key_at, &path, message);
            *earlier = entry;
        }
    }
    *entries = kept;
}

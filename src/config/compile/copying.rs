//! What a task between two registries goes by.

use crate::config::{
    model::{Copying, Directions, OnStop, RegistryKind, Rename},
    written,
};

/// `from` and `to` are the types of the task's ends, as far as these are registries.
pub(super) fn copying(
    written: written::Copying,
    from: Option<RegistryKind>,
    to: Option<RegistryKind>,
) -> Copying {
    let pairs = written.namespace_map.into_iter();
    let renames = written.rename.into_iter();
    let directions = written.directions;
    Copying {
        group: written.group.map(|text| text.0),
        namespace_map: pairs.map(|(one, other)| (namespace(from, one), namespace(to, other))).collect(),
        rename: renames.map(|rename| Rename { from: rename.from.0, to: rename.to.0 }).collect(),
        on_stop: written.on_stop.map_or_else(OnStop::default, on_stop),
        directions: Directions {
            there: directions.and_then(|directions| directions.there).unwrap_or(true),
            back: directions.and_then(|directions| directions.back).unwrap_or(true),
        },
    }
}

/// A namespace in the words of its registry.
fn namespace(kind: Option<RegistryKind>, written: String) -> String {
    kind.map_or(written.clone(), |kind| kind.namespace(&written).to_owned())
}

fn on_stop(written: written::OnStop) -> OnStop {
    match written {
        written::OnStop::Keep => OnStop::Keep,
        written::OnStop::Withdraw => OnStop::Withdraw,
    }
}

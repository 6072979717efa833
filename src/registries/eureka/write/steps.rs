//! What has to be sent so that a copy stands as it is to, seen what stands under its id. Pure.

use super::form::{DOWN, Form};
use crate::registries::eureka::answer::InstanceInfo;
use crate::registries::eureka::instance::{OUT_OF_SERVICE, UP};

const NO_OVERRIDE: [&str; 2] = ["", "UNKNOWN"];

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take back an operator's word, and be of this status.
    ClearOverride { status: &'static str },
    /// Register, with this status.
    Register { status: &'static str, dirty: u64 },
}

/// The requests, the last of which registers the copy.
///
/// A server ignores a registration that is older than what it holds. What it holds as up or out of service stays so, whichever of
/// the two is registered, unless it was down in between: both take no traffic at that moment, or soon won't.
pub(super) fn steps(form: &Form, standing: Option<&InstanceInfo>, now: u64) -> Vec<Step> {
    let status = form.status;
    let Some(standing) = standing else { return vec![Step::Register { status, dirty: now }] };
    let dirty = now.max(standing.last_dirty_timestamp + 1);
    let holds = |statuses: [&str; 2], status: &str| statuses.contains(&status);
    let stuck = [UP, OUT_OF_SERVICE];
    if !holds(NO_OVERRIDE, &standing.overridden_status) {
        return vec![Step::ClearOverride { status }, Step::Register { status, dirty }];
    }
    if holds(stuck, status) && holds(stuck, &standing.status) && status != standing.status {
        return vec![Step::Register { status: DOWN, dirty }, Step::Register { status, dirty: dirty + 1 }];
    }
    vec![Step::Register { status, dirty }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Instance;
    use crate::registries::InstanceCopy;

    fn form(change: impl FnOnce(&mut Instance)) -> Form {
        Form::of(&InstanceCopy::example("default", "orders").with(change))
    }

    fn standing(status: &str, overridden: &str, dirty: u64) -> InstanceInfo {
        let (status, overridden_status) = (status.to_owned(), overridden.to_owned());
        InstanceInfo { status, overridden_status, last_dirty_timestamp: dirty, ..InstanceInfo::default() }
    }

    #[test]
    fn each_status_over_each() {
        let register = |status, dirty| Step::Register { status, dirty };
        let (up, out) = (form(|_| {}), form(|instance| instance.isolated = true));
        let down = form(|instance| instance.healthy = false);
        let cases = [
            (&up, None, vec![register(UP, 100)]),
            (&out, None, vec![register(OUT_OF_SERVICE, 100)]),
            (&up, Some(standing(UP, "UNKNOWN", 7)), vec![register(UP, 100)]),
            (&up, Some(standing(UP, "", 200)), vec![register(UP, 201)]),
            (&up, Some(standing(DOWN, "UNKNOWN", 7)), vec![register(UP, 100)]),
            (&down, Some(standing(UP, "UNKNOWN", 7)), vec![register(DOWN, 100)]),
            (
                &out,
                Some(standing(UP, "UNKNOWN", 7)),
                vec![register(DOWN, 100), register(OUT_OF_SERVICE, 101)],
            ),
            (
                &up,
                Some(standing(OUT_OF_SERVICE, "UNKNOWN", 200)),
                vec![register(DOWN, 201), register(UP, 202)],
            ),
            (
                &up,
                Some(standing(OUT_OF_SERVICE, OUT_OF_SERVICE, 7)),
                vec![Step::ClearOverride { status: UP }, register(UP, 100)],
            ),
        ];
        for (form, standing, wanted) in cases {
            assert_eq!(steps(form, standing.as_ref(), 100), wanted, "{} over {standing:?}", form.status);
        }
    }
}

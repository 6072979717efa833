//! Registries in which copies stand as they were put, with ids of their own. Nothing is written through them.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Instance, ServiceKey};
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, MetadataKeys, Renewed, Weights, WriteError,
    Written,
};

/// Within this time whatever was written is shown.
pub(in crate::sync) const SHOWN: Duration = Duration::from_secs(5);

/// What holds several entries at an address.
pub(in crate::sync) const WIDE: Form = Form { holds_one: false };
/// What holds one.
pub(in crate::sync) const NARROW: Form = Form { holds_one: true };

pub(in crate::sync) struct Form {
    holds_one: bool,
}

#[async_trait]
impl Destination for Form {
    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities {
            kind: "model",
            push: true,
            weight: Weights::Any,
            unhealthy: true,
            isolation: true,
            metadata: MetadataKeys::Any,
            empty_services: true,
            absence_is_intent: false,
        }
    }

    fn life(&self) -> Life {
        Life::Permanent
    }

    fn shows_within(&self, _services: usize) -> Duration {
        SHOWN
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        let mut shown = copy.instance.clone();
        shown.attributes.insert("id".to_owned(), copy.mark.id(&copy.key, &shown.address));
        shown
    }

    fn holds_one(&self) -> bool {
        self.holds_one
    }

    fn width(&self) -> usize {
        1
    }

    async fn write(&self, _: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        vec![Ok(Written::Done); changes.len()]
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        vec![Ok(Renewed::Alive); copies.len()]
    }

    async fn tend(&self, _: CancellationToken) {}
}

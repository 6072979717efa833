//! What the tests against the stand-in for Kong share.

use causeway_gateways::{KongGateway, KongSettings};
use causeway_test_support::kong::KongStandIn;
use serde_json::Value;

pub(crate) fn settings(kong: &KongStandIn) -> KongSettings {
    KongSettings { addresses: vec![kong.admin_url()], ..KongSettings::default() }
}

pub(crate) fn gateway(kong: &KongStandIn) -> KongGateway {
    KongGateway::new(settings(kong)).unwrap()
}

/// Everything that stands there, without what changes by itself.
pub(crate) fn everything_in(kong: &KongStandIn) -> Vec<Value> {
    [kong.services(), kong.routes(), kong.upstreams(), kong.all_targets()].concat()
}

/// How many services, upstreams and targets stand there.
pub(crate) fn counts(kong: &KongStandIn) -> (usize, usize, usize) {
    (kong.services().len(), kong.upstreams().len(), kong.all_targets().len())
}

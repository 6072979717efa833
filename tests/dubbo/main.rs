//! Real applications of Dubbo's on real servers: a provider that is registered in one registry only, and consumers that know the other
//! one only.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
mod registries;

use std::time::Duration;

use causeway_test_support::dubbo::{Call, Caller, Provider, SERVICES};
use registries::{Registries, Side, Stands};
use tokio::join;

use crate::causeway::Causeway;

/// Longer than anything takes that is waited for, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// Waits until a consumer gets the right answer of every service, and gives the number of its calls until then.
async fn gets_answers(caller: &mut Caller) -> usize {
    caller.until_each("every service answers", LIMIT, Call::is_answered).await.unwrap();
    caller.calls().unwrap().len()
}

/// No call since then has failed, and there have been some of each service.
fn was_never_let_down(caller: &mut Caller, since: usize, what: &str) {
    let calls = caller.calls().unwrap().split_off(since);
    let failed: Vec<&Call> = calls.iter().filter(|call| !call.is_answered()).collect();
    assert!(failed.is_empty(), "{what}: {} of {} calls failed: {failed:#?}", failed.len(), calls.len());
    for service in SERVICES {
        assert!(calls.iter().any(|call| call.service == service), "{what}: nobody called {service}");
    }
}

/// The application registers at the other side, where its copies give way to it, and then leaves this one.
async fn moves(provider: &mut Provider, registries: &Registries, from: Side, to: Side) {
    provider.register(&registries.address(to)).await.unwrap();
    registries.until(to, Stands::Native).await;
    provider.unregister(&registries.address(from)).await.unwrap();
    registries.until(from, Stands::Copied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_at_either_side_calls_a_provider_at_the_other_while_it_moves() {
    let registries = Registries::start().await;
    let causeway = Causeway::with(&registries.document());
    let _running = causeway.run();
    let [zookeeper, nacos] = [Side::Zookeeper, Side::Nacos];

    let mut provider = Provider::start(&registries.address(zookeeper)).await.unwrap();
    registries.until(nacos, Stands::Copied).await;
    let mut at_nacos = Caller::start(&registries.address(nacos)).await.unwrap();
    let since = gets_answers(&mut at_nacos).await;

    moves(&mut provider, &registries, zookeeper, nacos).await;
    gets_answers(&mut at_nacos).await;
    was_never_let_down(&mut at_nacos, since, "the provider has come to the consumer's own registry");
    drop(at_nacos);

    // One that keeps its last providers when its registry shows it none for a moment.
    let protected = format!("{}?enable-empty-protection=true", registries.address(nacos));
    let plain = registries.address(zookeeper);
    let (at_zookeeper, at_nacos) = join!(Caller::start(&plain), Caller::start(&protected));
    let (mut at_zookeeper, mut at_nacos) = (at_zookeeper.unwrap(), at_nacos.unwrap());
    let since = [gets_answers(&mut at_zookeeper).await, gets_answers(&mut at_nacos).await];

    moves(&mut provider, &registries, nacos, zookeeper).await;
    for (caller, since) in [(&mut at_zookeeper, since[0]), (&mut at_nacos, since[1])] {
        gets_answers(caller).await;
        was_never_let_down(caller, since, "the provider has moved back");
    }

    moves(&mut provider, &registries, zookeeper, nacos).await;
    gets_answers(&mut at_zookeeper).await;
    provider.unregister(&registries.address(nacos)).await.unwrap();
    let has_none =
        |call: &Call| call.outcome.as_ref().is_err_and(|told| told.contains("No provider available"));
    at_zookeeper.until_each("the copies of what has left everywhere go", LIMIT, has_none).await.unwrap();
}

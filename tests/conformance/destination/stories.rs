//! What every registry that is written to is put through.

use std::convert::Infallible;
use std::time::Duration;

use causeway::model::{Address, Instance, Metadata, Weight};
use causeway::registries::{Change, InstanceCopy, Life, Renewed, Written};
use causeway::sync::Mark;
use causeway_gateways::Retry;
use causeway_test_support::proxy::Mode;
use tokio::time::{Instant, sleep};

use super::{DestinationHarness, Reader, Writer, mark};
use crate::conformance::Inst;

/// A copy is made, changed in place in everything that it can show, and removed.
pub async fn a_copy_s_life(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let plain = writer.copy("10.0.0.1");
    let address = plain.instance.address.clone();
    assert_eq!(writer.put(&plain).await, Written::Done);
    reader.shows(&writer, &plain).await;
    reader
        .never_absent(std::slice::from_ref(&address), async {
            for changed in forms(&plain) {
                assert_eq!(writer.put(&changed).await, Written::Done);
                reader.shows(&writer, &changed).await;
                assert_eq!(writer.put(&changed).await, Written::Done, "put again, it is the same");
            }
        })
        .await;
    assert_eq!(writer.remove(&plain).await, Written::Done);
    reader.shows_none(&address).await;
    assert_eq!(writer.remove(&plain).await, Written::Done, "removed again, it is gone");
    assert_eq!(writer.put(&plain).await, Written::Done);
    reader.shows(&writer, &plain).await;
    writer.remove(&plain).await;
    reader.end().await;
    writer.end().await;
}

/// What instances of other registries look like.
fn forms(plain: &InstanceCopy) -> Vec<InstanceCopy> {
    let with = |change: &dyn Fn(&mut Instance)| {
        let mut copy = plain.clone();
        change(&mut copy.instance);
        copy
    };
    let metadata = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Metadata>()
    };
    let plainly = metadata(&[("version", "1.0.0"), ("zone-a_1", "")]);
    let awkward = metadata(&[
        ("dubbo.metadata", "{\"a\":[1,2]}"),
        ("a:b/c", "x=y&z=%20"),
        ("空", "值 with spaces, and = signs"),
        ("_x2e", "looks escaped"),
    ]);
    let attributes = metadata(&[("protocol", "http"), ("version", "2"), ("zone", "z1"), ("cluster", "C1")]);
    vec![
        with(&|instance| instance.weight = Weight::from_ratio(2.5)),
        with(&|instance| instance.weight = Weight::from_ratio(4.0)),
        with(&|instance| instance.weight = Weight::ZERO),
        with(&|instance| instance.metadata.extend(plainly.clone())),
        with(&|instance| instance.metadata.extend(awkward.clone())),
        with(&|instance| instance.attributes = attributes.clone()),
        with(&|instance| instance.isolated = true),
        with(&|_| {}),
    ]
}

/// An unhealthy instance is carried as the registry can, and gets well again.
pub async fn health(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let (well, mut ill) = (writer.copy("10.0.0.1"), writer.copy("10.0.0.1"));
    ill.instance.healthy = false;
    for copy in [&ill, &well, &ill, &well] {
        assert_eq!(writer.put(copy).await, Written::Done);
        reader.shows(&writer, copy).await;
    }
    writer.remove(&well).await;
    reader.end().await;
    writer.end().await;
}

/// A native entry is never overwritten and never removed, whether it was there first or came later.
pub async fn the_native_one_stays(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let native = Inst::new(harness.service(), "10.0.0.1", 8080).with("version", "native");
    let copy = writer.copy("10.0.0.1");
    let address = &copy.instance.address;
    harness.put(&namespace, &native).await;
    reader.until("the native one is there", |reader| reader.native(address).is_some()).await;
    harness.settled().await;
    let before = reader.native(address);
    assert_eq!(writer.put(&copy).await, Written::Taken, "the native one was there first");
    // Done: there is no copy any more; Taken: somebody else is there.
    writer.remove(&copy).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.native(address), before);
    assert!(reader.copies(address).is_empty());

    harness.remove(&namespace, &native).await;
    reader.until("the native one has left", |reader| reader.native(address).is_none()).await;
    harness.settled().await;
    assert_eq!(writer.put(&copy).await, Written::Done);
    reader.shows(&writer, &copy).await;
    harness.put(&namespace, &native).await;
    reader.until("the native one has come", |reader| reader.native(address).is_some()).await;
    harness.settled().await;
    writer.remove(&copy).await;
    reader.shows_none(address).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.native(address), before, "it outlives its copy");
    harness.remove(&namespace, &native).await;
    reader.end().await;
    writer.end().await;
}

/// A copy of another owner, or of another task, is not touched.
pub async fn the_copies_of_others_stay(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let stranger = Mark { owner: "somebody-else".to_owned(), ..mark("move") };
    for other in [stranger, mark("another-task")] {
        let theirs = writer.copy_of(&other, "10.0.0.1");
        let ours = writer.copy("10.0.0.1");
        let address = &ours.instance.address;
        assert_eq!(writer.put(&theirs).await, Written::Done);
        reader.shows(&writer, &theirs).await;
        harness.settled().await;
        let standing = reader.copies(address);
        assert_eq!(writer.put(&ours).await, Written::Taken, "{other:?}");
        writer.remove(&ours).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(reader.copies(address), standing, "{other:?}");
        assert_eq!(writer.remove(&theirs).await, Written::Done);
        reader.shows_none(address).await;
        harness.settled().await;
    }
    reader.end().await;
    writer.end().await;
}

/// A task gives an instance up, and another one takes it: a copy stands all the time, and in the end the other one's alone.
pub async fn a_copy_changes_hands(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let given_up = writer.copy_of(&mark("another-task"), "10.0.0.1");
    let mut ours = writer.copy("10.0.0.1");
    ours.instance.metadata.insert("version".to_owned(), "2".to_owned());
    ours.in_place_of.insert("another-task".to_owned());
    let address = &ours.instance.address;
    assert_eq!(writer.put(&given_up).await, Written::Done);
    reader.shows(&writer, &given_up).await;
    harness.settled().await;
    let changes_hands = async {
        assert_eq!(writer.put(&ours).await, Written::Done);
        let is_ours = |copy: &Instance| ours.mark.owns(&ours.key, copy);
        reader.until("ours is there", |reader| reader.copies(address).iter().any(is_ours)).await;
        // Done: it stood beside ours; Taken: ours stands in its place.
        writer.remove(&given_up).await;
        reader.shows(&writer, &ours).await;
        sleep(Duration::from_secs(1)).await;
    };
    reader.never_absent(std::slice::from_ref(address), changes_hands).await;
    reader.shows(&writer, &ours).await;
    writer.remove(&ours).await;
    reader.shows_none(address).await;
    reader.end().await;
    writer.end().await;
}

/// One process is killed, another renews and changes what it left: nothing is ever absent.
pub async fn another_process_goes_on(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (first, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let copies: Vec<InstanceCopy> = (1..=3).map(|n| first.copy(&format!("10.0.0.{n}"))).collect();
    let addresses: Vec<Address> = copies.iter().map(|copy| copy.instance.address.clone()).collect();
    let puts: Vec<Change> = copies.iter().cloned().map(Change::put).collect();
    assert_eq!(first.write(&puts).await, [Written::Done; 3]);
    for copy in &copies {
        reader.shows(&first, copy).await;
    }
    let standing: Vec<InstanceCopy> = copies.iter().map(|copy| reader.standing(copy)).collect();
    let second = reader
        .never_absent(&addresses, async {
            first.kill();
            let second = Writer::start(harness, &namespace).await;
            renew_for_a_while(&second, &standing).await;
            let mut changed = copies[1].clone();
            changed.instance.metadata.insert("version".to_owned(), "2".to_owned());
            assert_eq!(second.put(&changed).await, Written::Done);
            reader.shows(&second, &changed).await;
            second
        })
        .await;
    let removals: Vec<Change> = copies.into_iter().map(Change::remove).collect();
    assert_eq!(second.write(&removals).await, [Written::Done; 3]);
    for address in &addresses {
        reader.shows_none(address).await;
    }
    reader.end().await;
    second.end().await;
}

/// Longer than copies live without it, where that isn't too long for a test.
async fn renew_for_a_while(writer: &Writer, standing: &[InstanceCopy]) {
    let (every, so_long) = match writer.destination.life() {
        Life::Lease { renew_every, expires_after } => (renew_every, expires_after * 2),
        Life::Permanent => (Duration::from_secs(1), Duration::from_secs(2)),
    };
    let until = Instant::now() + so_long.min(Duration::from_secs(40));
    while Instant::now() < until {
        assert!(writer.renew(standing).await.iter().all(|renewed| *renewed == Renewed::Alive));
        sleep(every).await;
    }
}

/// A copy that the registry has lost is told by its renewal, and is put again.
pub async fn a_lost_copy_is_told(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let (kept, lost) = (writer.copy("10.0.0.1"), writer.copy("10.0.0.2"));
    writer.write(&[Change::put(kept.clone()), Change::put(lost.clone())]).await;
    reader.shows(&writer, &kept).await;
    reader.shows(&writer, &lost).await;
    let standing = [&kept, &lost].map(|copy| reader.standing(copy));
    assert_eq!(writer.renew(&standing).await, [Renewed::Alive; 2]);
    let other = Writer::start(harness, &namespace).await;
    assert_eq!(other.remove(&lost).await, Written::Done);
    reader.shows_none(&lost.instance.address).await;
    harness.settled().await;
    if writer.destination.life() != Life::Permanent {
        assert_eq!(writer.renew(&standing).await, [Renewed::Alive, Renewed::Lost]);
    }
    assert_eq!(writer.put(&lost).await, Written::Done);
    reader.shows(&writer, &lost).await;
    writer.write(&[Change::remove(kept), Change::remove(lost)]).await;
    reader.end().await;
    other.end().await;
    writer.end().await;
}

/// Renews for as long as it is polled.
async fn keep_alive(writer: &Writer, copies: &[InstanceCopy]) -> Infallible {
    let Life::Lease { renew_every, .. } = writer.destination.life() else {
        return std::future::pending().await;
    };
    loop {
        sleep(renew_every).await;
        writer.renew(copies).await;
    }
}

/// So many in one call as a large service has.
pub async fn many_at_once(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let copies: Vec<InstanceCopy> = (0..250).map(|n| writer.copy(&format!("10.0.1.{n}"))).collect();
    let count = |reader: &Reader<'_>| {
        let reading = reader.running.view.reading(&reader.running.key(harness.service()));
        reading.map_or(0, |reading| reading.snapshot.copies.len())
    };
    let puts: Vec<Change> = copies.iter().cloned().map(Change::put).collect();
    assert!(writer.write(&puts).await.iter().all(|written| *written == Written::Done));
    tokio::select! {
        () = reader.until("all copies are there", |reader| count(reader) == copies.len()) => {}
        never = keep_alive(&writer, &copies) => match never {},
    }
    harness.settled().await;
    assert!(writer.renew(&copies).await.iter().all(|renewed| *renewed == Renewed::Alive));
    let removals: Vec<Change> = copies.iter().cloned().map(Change::remove).collect();
    assert!(writer.write(&removals).await.iter().all(|written| *written == Written::Done));
    reader.until("all copies are gone", |reader| count(reader) == 0).await;
    reader.end().await;
    writer.end().await;
}

/// While the way is closed, a write fails with words for people and is to be tried again; then it succeeds.
pub async fn the_way_is_closed(harness: &dyn DestinationHarness) {
    let namespace = harness.namespace().await;
    let (writer, reader) =
        (Writer::start(harness, &namespace).await, Reader::start(harness, &namespace).await);
    let copy = writer.copy("10.0.0.1");
    for proxy in &writer.proxies {
        proxy.set(Mode::Refuse);
        proxy.cut();
    }
    let outcome = writer.destination.write(&copy.key, &[Change::put(copy.clone())]).await.remove(0);
    let error = outcome.expect_err("nobody answers");
    assert!(matches!(error.retry, Retry::Backoff(_)), "{error:?}");
    assert!(error.message.contains(&writer.proxies[0].address()), "which server: {error}");
    writer.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
    let until = Instant::now() + harness.limit();
    while writer.destination.write(&copy.key, &[Change::put(copy.clone())]).await != [Ok(Written::Done)] {
        assert!(Instant::now() < until, "the way is open again");
        sleep(Duration::from_millis(200)).await;
    }
    tokio::select! {
        () = reader.shows(&writer, &copy) => {}
        never = keep_alive(&writer, std::slice::from_ref(&copy)) => match never {},
    }
    writer.remove(&copy).await;
    reader.end().await;
    writer.end().await;
}

/// Every scenario above, one after the other, each in a namespace of its own where the registry has them.
pub async fn the_suite(harness: &dyn DestinationHarness) {
    a_copy_s_life(harness).await;
    health(harness).await;
    the_native_one_stays(harness).await;
    the_copies_of_others_stay(harness).await;
    a_copy_changes_hands(harness).await;
    another_process_goes_on(harness).await;
    a_lost_copy_is_told(harness).await;
    many_at_once(harness).await;
    the_way_is_closed(harness).await;
}

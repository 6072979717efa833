//! HTTP for registries that are asked again and again.
//!
//! A server that was started anew between two questions, or another one in its place, answers the next one as if nothing had happened,
//! though it may have lost what it knew. What shows it is the connection: it was kept alive for the next question, and is gone.
//!
//! Of questions that follow each other closely, or overlap, only the first can tell: who takes which connection is up to the client
//! library. Where they always do, a question is under way whenever the server goes, and fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONNECTION;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Version};
use tokio::time::Instant;
use tower::{Layer, Service};

use super::tls::Trust;

/// So long after an answer its connection is surely at rest, and the next question finds it.
const AT_REST: Duration = Duration::from_millis(50);
/// So many questions in a row must have found a connection before it is a surprise that one doesn't: what stands before a server may end
/// connections after some rest, or after each answer.
const HABIT: u32 = 10;

/// A client that asks on connections that are kept alive, and notices when the server has ended one of its own accord.
pub(super) struct Polling {
    client: reqwest::Client,
    /// Connections that were begun.
    opened: Arc<AtomicU64>,
    habit: Mutex<Habit>,
    renewed: AtomicBool,
}

impl Polling {
    /// # Errors
    /// What the system lacks, for people.
    pub(super) fn new(trust: &Trust, builder: reqwest::ClientBuilder) -> Result<Self, String> {
        let opened = Arc::new(AtomicU64::new(0));
        // Version 2 carries everything on one connection, and servers end those whenever they like.
        let builder = builder.http1_only().connector_layer(Counted(Arc::clone(&opened)));
        let client = trust.http(builder)?;
        Ok(Self { client, opened, habit: Mutex::default(), renewed: AtomicBool::new(false) })
    }

    pub(super) fn request(&self, method: Method, url: String) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Errors
    /// No whole answer came.
    pub(super) async fn exchange(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Bytes), reqwest::Error> {
        let asking = self.ask();
        let answer = request.send().await?;
        let (status, keeps) = (answer.status(), keeps_connection(&answer));
        let body = answer.bytes().await?;
        asking.answered(keeps);
        Ok((status, body))
    }

    /// Whether the server has ended a connection, since this was asked last, that it had no reason to end: whatever it said before may be
    /// void. It is told from the first answer on the new connection on.
    pub(super) fn was_renewed(&self) -> bool {
        self.renewed.swap(false, Ordering::SeqCst)
    }

    fn habit(&self) -> MutexGuard<'_, Habit> {
        self.habit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self) -> Asking<'_> {
        let question = self.habit().ask(self.opened.load(Ordering::SeqCst), Instant::now());
        Asking { polling: self, question: Some(question) }
    }
}

/// The server says so when a connection isn't kept for the next question.
fn keeps_connection(answer: &Response) -> bool {
    let says = |word: &str| {
        let values = answer.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|told| told.trim().eq_ignore_ascii_case(word))
    };
    !says("close") && (answer.version() >= Version::HTTP_11 || says("keep-alive"))
}

/// A question under way; dropped without an answer it has failed.
struct Asking<'a> {
    polling: &'a Polling,
    question: Option<u64>,
}

impl Asking<'_> {
    fn answered(mut self, keeps: bool) {
        let Some(question) = self.question.take() else { return };
        let opened = self.polling.opened.load(Ordering::SeqCst);
        if self.polling.habit().answered(question, opened, keeps, Instant::now()) {
            self.polling.renewed.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(question) = self.question {
            self.polling.habit().failed(question);
        }
    }
}

/// What became of the connections so far. Pure.
#[derive(Debug, Default)]
struct Habit {
    under_way: usize,
    /// Questions that were begun.
    begun: u64,
    /// When an answer last left a connection behind for the next question.
    left: Option<Instant>,
    /// The question that began while no other was under way, and so should find that connection.
    alone: Option<Alone>,
    /// So many of those in a row did.
    found: u32,
    /// The longest rest after which one did.
    stood: Duration,
}

#[derive(Debug)]
struct Alone {
    number: u64,
    /// How long the connection has rested.
    rested: Duration,
    /// Connections that were begun before it,
    before: u64,
    /// and until the next question began.
    until_next: Option<u64>,
}

impl Habit {
    /// A question begins; its number.
    fn ask(&mut self, opened: u64, now: Instant) -> u64 {
        if let Some(alone) = &mut self.alone {
            alone.until_next.get_or_insert(opened);
        }
        let number = self.begun + 1;
        let rested = self.left.map(|left| now - left).filter(|rested| *rested >= AT_REST);
        if let Some(rested) = rested.filter(|_| self.under_way == 0) {
            self.alone = Some(Alone { number, rested, before: opened, until_next: None });
        }
        self.under_way += 1;
        self.begun = number;
        number
    }

    /// A whole answer came; whether the connection was gone that this question, or one that still waits, should have found.
    fn answered(&mut self, number: u64, opened: u64, keeps: bool, now: Instant) -> bool {
        self.under_way -= 1;
        self.left = keeps.then_some(now);
        let judged = |alone: &mut Alone| {
            alone.number == number || alone.until_next.is_some_and(|opened| opened > alone.before)
        };
        let Some(alone) = self.alone.take_if(judged) else { return false };
        if alone.until_next.unwrap_or(opened) == alone.before {
            self.found = self.found.saturating_add(1);
            self.stood = self.stood.max(alone.rested);
            return false;
        }
        let surprise = self.found >= HABIT && alone.rested <= self.stood * 2;
        (self.found, self.stood) = (0, Duration::ZERO);
        surprise
    }

    fn failed(&mut self, number: u64) {
        self.under_way -= 1;
        self.left = None;
        self.alone.take_if(|alone| alone.number == number);
    }
}

/// Counts the connections that are begun.
#[derive(Clone)]
struct Counted<S>(S);

#[derive(Clone)]
struct CountedConnector<S> {
    opened: Arc<AtomicU64>,
    inner: S,
}

impl<S> Layer<S> for Counted<Arc<AtomicU64>> {
    type Service = CountedConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountedConnector { opened: Arc::clone(&self.0), inner }
    }
}

impl<R, S: Service<R>> Service<R> for CountedConnector<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.inner.call(target)
    }
}

#[cfg(test)]
mod tests {
    use causeway_gateways::http::client_builder;
    use causeway_test_support::polaris::PolarisStandIn;
    use causeway_test_support::proxy::Proxy;
    use tokio::time::sleep;

    use super::*;

    const REST: Duration = Duration::from_millis(250);

    /// One question after the other: `.` finds its connection, `o` opens one; then `x` if the answer says that it ends, `-` if none comes.
    /// A number before it is for how many times the usual it rested. What was surprising.
    fn play(story: &str) -> Vec<usize> {
        let (mut habit, mut now, mut opened) = (Habit::default(), Instant::now(), 0);
        let (mut surprises, mut rest) = (Vec::new(), REST);
        for (place, step) in story.bytes().enumerate() {
            if step.is_ascii_digit() {
                rest = REST * u32::from(step - b'0');
                continue;
            }
            now += rest;
            rest = REST;
            let question = habit.ask(opened, now);
            opened += u64::from(step == b'o');
            if step == b'-' {
                habit.failed(question);
            } else if habit.answered(question, opened, step != b'x', now) {
                surprises.push(place);
            }
        }
        surprises
    }

    #[test]
    fn a_connection_that_was_always_there_is_missed() {
        let cases: [(&str, &str, &[usize]); 9] = [
            ("a restart", "o..........o", &[11]),
            ("each one", "o..........o..........o", &[11, 22]),
            ("too early to tell", "o.........o", &[]),
            ("an answer that ends the connection", "o..........xo", &[]),
            ("an outage, which is told as such", "o..........-o", &[]),
            ("a rest that it never stood before", "o..........3o", &[]),
            ("a rest that it did stand", "o..........3.3o", &[14]),
            ("each answer is the connection's last", "oooooooooooooooooo", &[]),
            ("connections that end now and then", "o.....o....o.......o", &[]),
        ];
        for (name, story, surprises) in cases {
            assert_eq!(play(story), surprises, "{name}");
        }
    }

    /// One that was always there, and when it rests again.
    fn used_to_one() -> (Habit, Instant) {
        let (mut habit, mut now) = (Habit::default(), Instant::now());
        for _ in 0..=HABIT {
            now += REST;
            let question = habit.ask(1, now);
            habit.answered(question, 1, true, now);
        }
        (habit, now + REST)
    }

    #[test]
    fn of_several_at_once_the_first_is_judged_by_what_it_began_itself() {
        let (mut habit, now) = used_to_one();
        let first = habit.ask(1, now);
        let second = habit.ask(1, now);
        assert!(!habit.answered(first, 2, true, now), "the second began it");
        assert!(!habit.answered(second, 2, true, now), "the first has taken the one that was there");

        let (mut habit, now) = used_to_one();
        let first = habit.ask(1, now);
        let second = habit.ask(2, now);
        assert!(
            habit.answered(second, 3, true, now),
            "none was there for the first, whose answer comes later"
        );
        assert!(!habit.answered(first, 3, true, now), "once");
    }

    #[test]
    fn a_connection_that_may_not_be_at_rest_yet_is_not_missed() {
        for (rest, missed) in [(AT_REST / 2, false), (AT_REST, true)] {
            let (mut habit, now) = used_to_one();
            let before = habit.ask(1, now);
            habit.answered(before, 1, true, now);
            let soon = habit.ask(1, now + rest);
            assert_eq!(habit.answered(soon, 2, true, now + rest), missed, "{rest:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_between_two_questions_is_noticed_and_one_that_is_announced_is_none() {
        let server = PolarisStandIn::start().await;
        let proxy = Proxy::start(&server.address()).await.unwrap();
        let polling = Polling::new(&Trust::Public, client_builder()).unwrap();
        let url = format!("http://{}/", proxy.address());
        let ask_after = async |rest: Duration| {
            sleep(rest).await;
            polling.exchange(polling.request(Method::GET, url.clone())).await.unwrap();
            polling.was_renewed()
        };
        let ask = async || ask_after(AT_REST * 2).await;
        for _ in 0..HABIT {
            assert!(!ask().await);
        }
        // A rest of twice this length is still one that it stood, also on a machine that stands still for a moment.
        assert!(!ask_after(Duration::from_secs(3)).await);
        proxy.cut();
        assert!(ask().await);
        for _ in 0..HABIT {
            assert!(!ask().await);
        }
        let last = polling.request(Method::GET, url.clone()).header(CONNECTION, "close");
        polling.exchange(last).await.unwrap();
        assert!(!ask().await);
    }
}

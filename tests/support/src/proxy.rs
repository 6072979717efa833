//! A TCP proxy in front of a real server, to cut, refuse and pause connections, and to end TLS.
//!
//! ```text
//!  client ──(TLS?)──▶ Proxy ──plain──▶ server
//!                      └ mode: pass · refuse · pause; cut(): drops all that is open
//! ```

mod counts;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

pub use self::counts::Rests;
use self::counts::{Answers, Open};
use crate::process::Failure;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Carried.
    Pass,
    /// New ones are closed as soon as they are there.
    Refuse,
    /// Bytes wait, new connections too, as when packets are dropped on the way.
    Pause,
}

#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections of an earlier generation end.
    generation: u64,
}

/// A TCP proxy on a loopback port. Dropping it ends every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    open: Arc<Open>,
    answers: Arc<Answers>,
    accepting: JoinHandle<()>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} #{}", self.mode, self.generation)
    }
}

impl Proxy {
    /// Carries what comes to a free loopback port on to `server` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(server: &str) -> Result<Self, Failure> {
        Self::start_on(0, server, None).await
    }

    /// As [`Proxy::start`], on a port of one's choice and ending TLS when there is a configuration for it.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start_on(port: u16, server: &str, tls: Option<ServerConfig>) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(State { mode: Mode::Pass, generation: 0 }));
        let (open, answers) = (Arc::new(Open::default()), Arc::new(Answers::default()));
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let carrier = Carrier {
            server: server.to_owned(),
            acceptor,
            state: state.clone(),
            open: open.clone(),
            answers: answers.clone(),
        };
        let accepting = tokio::spawn(carrier.accept(listener));
        Ok(Self { address, state, open, answers, accepting })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `host:port` for a client.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What happens to bytes and new connections from now on.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Ends every open connection.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Waits until nothing has been carried for so long.
    pub async fn rests(&self, rest: Duration) {
        loop {
            let carried = self.open.rests().at;
            match carried.map(|at| at + rest).filter(|rested| *rested > Instant::now()) {
                Some(rested) => sleep_until(rested).await,
                None => return,
            }
        }
    }

    /// How long nothing has been carried by now.
    pub fn rest(&self) -> Duration {
        self.open.rests().rest()
    }

    /// The longest time that nothing was carried, since a connection was opened.
    pub fn longest_rest(&self) -> Duration {
        self.open.rests().longest_rest
    }

    /// How the last connection was opened.
    pub fn last_opened(&self) -> Rests {
        self.open.rests().last
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.now.load(Ordering::SeqCst)
    }

    /// How many were opened in all.
    pub fn ever_open(&self) -> usize {
        self.open.ever.load(Ordering::SeqCst)
    }

    /// How many were open at the same time at most.
    pub fn most_open(&self) -> usize {
        self.open.most.load(Ordering::SeqCst)
    }

    /// How many answers an HTTP/1.1 server has given.
    pub fn answered(&self) -> usize {
        self.answers.all()
    }

    /// How many answers of this status an HTTP/1.1 server has given.
    pub fn answers(&self, status: u16) -> usize {
        self.answers.of(status)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

#[derive(Clone)]
struct Carrier {
    server: String,
    acceptor: Option<TlsAcceptor>,
    state: Arc<watch::Sender<State>>,
    open: Arc<Open>,
    answers: Arc<Answers>,
}

impl Carrier {
    async fn accept(self, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            let state = self.state.subscribe();
            if state.borrow().mode == Mode::Refuse {
                continue;
            }
            let carrier = self.clone();
            tokio::spawn(async move {
                carrier.open.add();
                let mut until = state.clone();
                let generation = state.borrow().generation;
                tokio::select! {
                    // Both ends see a connection that fails end, which is all there is to tell.
                    _ = carrier.carry(client, state) => {}
                    _ = until.wait_for(|now| now.generation != generation) => {}
                }
                carrier.open.remove();
            });
        }
    }

    async fn carry(&self, client: TcpStream, state: watch::Receiver<State>) -> io::Result<()> {
        client.set_nodelay(true)?;
        passing(&state).await;
        let server = TcpStream::connect(&self.server).await?;
        server.set_nodelay(true)?;
        match &self.acceptor {
            Some(acceptor) => self.both_ways(acceptor.accept(client).await?, server, state).await,
            None => self.both_ways(client, server, state).await,
        }
    }

    async fn both_ways<C, S>(&self, client: C, server: S, state: watch::Receiver<State>) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite,
        S: AsyncRead + AsyncWrite,
    {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let mut up = pin!(self.one_way(from_client, to_server, state.clone(), |_| {}));
        let down = self.one_way(from_server, to_client, state, |read| self.answers.note(read));
        tokio::select! {
            // No client here closes one direction only, so its end is the connection's. Servers may see it later: Consul answers first.
            ended = &mut up => ended,
            ended = down => {
                ended?;
                up.await
            }
        }
    }

    async fn one_way<R, W>(
        &self,
        mut from: R,
        mut to: W,
        state: watch::Receiver<State>,
        note: impl Fn(&[u8]),
    ) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            passing(&state).await;
            note(&buffer[..read]);
            if read == 0 {
                return to.shutdown().await;
            }
            to.write_all(&buffer[..read]).await?;
            to.flush().await?;
            self.open.carries();
        }
    }
}

async fn passing(state: &watch::Receiver<State>) {
    // The sender outlives every connection that it ends.
    let _ = state.clone().wait_for(|now| now.mode != Mode::Pause).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn say(socket: &mut TcpStream) -> io::Result<u8> {
        socket.write_all(b"x").await?;
        socket.read_u8().await
    }

    #[tokio::test]
    async fn carries_pauses_cuts_and_refuses() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(say(&mut socket).await.unwrap(), b'x');
        assert_eq!((proxy.open(), proxy.most_open(), proxy.ever_open()), (1, 1, 1));

        let begun = Instant::now();
        say(&mut socket).await.unwrap();
        let rest = Duration::from_millis(30);
        proxy.rests(rest).await;
        assert!(begun.elapsed() >= rest);
        say(&mut socket).await.unwrap();
        say(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
        assert!(proxy.last_opened().before >= rest, "{:?}", proxy.last_opened());
        proxy.rests(rest).await;
        assert!(proxy.rest() >= rest);
        say(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
        assert!(proxy.last_opened().now >= rest, "{:?}", proxy.last_opened());

        proxy.set(Mode::Pause);
        assert!(timeout(Duration::from_millis(100), say(&mut socket)).await.is_err());
        proxy.set(Mode::Pass);
        assert_eq!(socket.read_u8().await.unwrap(), b'x');

        proxy.set(Mode::Refuse);
        assert_eq!(say(&mut socket).await.unwrap(), b'x');
        proxy.cut();
        assert!(say(&mut socket).await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(say(&mut refused).await.is_err());
    }

    #[tokio::test]
    async fn counts_answers_by_their_status() {
        let proxy = Proxy::start(&echo().await).await.unwrap();
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        for said in ["HTTP/1.1 429 Too Many Requests\r\n", "HTTP/1.1 200 OK\r\n", "says HTTP/1.1 429 "] {
            socket.write_all(said.as_bytes()).await.unwrap();
            socket.read_exact(&mut vec![0; said.len()]).await.unwrap();
        }
        assert_eq!([429, 200, 500].map(|status| proxy.answers(status)), [1, 1, 0]);
        assert_eq!(proxy.answered(), 2);
    }
}

//! Why an ensemble gives no session, in the words of its servers and of the network. The client library keeps these to itself.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For each step. A server that is just starting takes the question and never answers.
const LIMIT: Duration = Duration::from_secs(1);
/// The four letters that every server answers, whatever else it may be asked.
const QUESTION: &[u8] = b"srvr";
const LONGEST_ANSWER: u64 = 4096;

/// What keeps each of these servers from serving us.
pub(super) async fn reasons(servers: &[String]) -> String {
    let told = servers.iter().map(|server| async move { format!("{server} {}", reason(server).await) });
    join_all(told).await.join("; ")
}

async fn reason(server: &str) -> String {
    let mut stream = match timeout(LIMIT, TcpStream::connect(server)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return format!("can't be reached: {error}"),
        Err(_) => return "can't be reached: it doesn't answer".to_owned(),
    };
    let mut answer = Vec::new();
    let asked = async {
        stream.write_all(QUESTION).await?;
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await
    };
    match timeout(LIMIT, asked).await {
        Ok(Ok(_)) => explained(&String::from_utf8_lossy(&answer)),
        Ok(Err(error)) => format!("ends the connection: {error}"),
        Err(_) => "takes connections but doesn't answer; it may be starting".to_owned(),
    }
}

/// What an answer means for someone who was given no session.
fn explained(answer: &str) -> String {
    if answer.contains("not currently serving requests") {
        return "is up but not serving requests; its ensemble has no quorum, or it is starting".to_owned();
    }
    match answer.lines().find_map(|line| line.strip_prefix("Mode: ")) {
        Some(mode) => format!("serves as {mode} but gave us no session"),
        None if answer.is_empty() => "ends the connection without a word".to_owned(),
        None => "answers, but not as a ZooKeeper does".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn answers_are_told_in_words() {
        for (answer, told) in [
            ("This ZooKeeper instance is not currently serving requests\n", "no quorum"),
            ("Zookeeper version: 3.9.3\nMode: follower\nNode count: 5\n", "serves as follower"),
            ("", "without a word"),
            ("HTTP/1.1 400 Bad Request\r\n", "not as a ZooKeeper"),
        ] {
            assert!(explained(answer).contains(told), "{answer}");
        }
    }

    #[tokio::test]
    async fn each_server_has_its_own_reason() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = "127.0.0.1:1".to_owned();
        let told = reasons(&[gone, silent.local_addr().unwrap().to_string()]).await;
        assert!(told.contains("refused") && told.contains("may be starting"), "{told}");
    }
}

//! The listener to which the provider sends the browser back.
//!
//! Any program on the machine can connect to it, and any page can make the browser do so. What has another state than
//! this sign-in's is answered and forgotten, and the listener goes on to wait.

use crate::provider::LoginError;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::form_urlencoded;
use zeroize::Zeroizing;

const PATH: &str = "/callback";
const LONGEST_HEAD: usize = 16 << 10;
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Browsers open some before they need them.
const MOST_CONNECTIONS: usize = 32;

pub(crate) struct Listener {
    socket: TcpListener,
    redirect: String,
}

type Came = Result<Zeroizing<String>, LoginError>;

impl Listener {
    pub(crate) async fn open() -> io::Result<Self> {
        let socket = TcpListener::bind("127.0.0.1:0").await?;
        let redirect = format!("http://{}{PATH}", socket.local_addr()?);
        Ok(Self { socket, redirect })
    }

    /// Where the browser is sent to.
    pub(crate) fn redirect(&self) -> &str {
        &self.redirect
    }

    /// The code with which the browser came back.
    pub(crate) async fn code(&self, state: &str, issuer: &str) -> Came {
        let mut connections: JoinSet<Option<Came>> = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if connections.len() < MOST_CONNECTIONS => {
                    let (stream, _) = accepted.map_err(LoginError::Listen)?;
                    let (state, issuer) = (state.to_owned(), issuer.to_owned());
                    connections.spawn(async move { answered(stream, &state, &issuer).await });
                }
                // Not as a pattern of the branch: one that is not of this sign-in would end the waiting for the others.
                answered = connections.join_next(), if !connections.is_empty() => {
                    if let Some(Ok(Some(came))) = answered {
                        return came;
                    }
                }
            }
        }
    }
}

/// Answers one request; what it brought, if it is of this sign-in.
async fn answered(mut stream: TcpStream, state: &str, issuer: &str) -> Option<Came> {
    let head = tokio::time::timeout(HEAD_WITHIN, head(&mut stream)).await.ok()??;
    let came = judged(&head, state, issuer);
    let (status, text) = match &came {
        Some(Ok(_)) => ("200 OK", "You are signed in. This page can be closed."),
        Some(Err(_)) => ("400 Bad Request", "You are not signed in. The terminal says why."),
        None => ("404 Not Found", "This is nothing that a sign-in waits for."),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
    // A browser that is gone by now was signed in all the same.
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
    came
}

/// A request up to the empty line.
async fn head(stream: &mut TcpStream) -> Option<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(Vec::with_capacity(LONGEST_HEAD));
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return None;
        }
        if stream.take(1024).read_buf(&mut *head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn judged(head: &[u8], state: &str, issuer: &str) -> Option<Came> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let target = str::from_utf8(line).ok()?.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
    let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    // Twice is not once: whoever added the second wants it to be taken for the first.
    let only = |wanted: &str| {
        let mut values = pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    };
    if only("state")?.as_ref() != state {
        return None;
    }
    // RFC 9207: by which provider it was sent.
    if let Some(found) = only("iss").filter(|found| found.as_ref() != issuer) {
        return Some(Err(LoginError::OtherIssuer { found: found.to_string() }));
    }
    if let Some(error) = only("error") {
        let words = only("error_description").map(AsRef::as_ref);
        return Some(Err(LoginError::refused(error, words)));
    }
    Some(Ok(Zeroizing::new(only("code")?.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Result<String, String>> {
        let head = format!("{line}\r\nHost: 127.0.0.1\r\n\r\n");
        let came = judged(head.as_bytes(), "right", "https://id.example")?;
        Some(came.map(|code| code.to_string()).map_err(|error| error.to_string()))
    }

    #[test]
    fn only_what_has_this_sign_ins_state_counts() {
        let code = Some(Ok("x".to_owned()));
        assert_eq!(of("GET /callback?code=x&state=right HTTP/1.1"), code);
        assert_eq!(
            of("GET /callback?state=right&iss=https%3A%2F%2Fid.example&code=x HTTP/1.1"),
            code
        );
        for other in [
            "GET /callback?code=x HTTP/1.1",
            "GET /callback?code=x&state=wrong HTTP/1.1",
            "GET /callback?code=x&state=right&state=right HTTP/1.1",
            "GET /callback?code=x&code=y&state=right HTTP/1.1",
            "GET /callback?state=right HTTP/1.1",
            "GET /callback?error=access_denied&state=wrong HTTP/1.1",
            "GET /callback/?code=x&state=right HTTP/1.1",
            "GET /?code=x&state=right HTTP/1.1",
            "POST /callback?code=x&state=right HTTP/1.1",
            "GET /favicon.ico HTTP/1.1",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_told_and_another_provider_is_none() {
        let refused =
            of("GET /callback?error=access_denied&error_description=no&state=right HTTP/1.1");
        assert_eq!(refused, Some(Err("the issuer refused: access_denied: no".to_owned())));
        let other = of("GET /callback?code=x&state=right&iss=https%3A%2F%2Fother HTTP/1.1");
        let expected = "the server at the issuer's address says that it is https://other";
        assert_eq!(other, Some(Err(expected.to_owned())));
    }

    /// Something on the machine that connects and says nothing, too much or the wrong thing does not keep the person out.
    #[tokio::test]
    async fn others_that_connect_change_nothing() {
        let listener = Listener::open().await.unwrap();
        let address = listener.socket.local_addr().unwrap();
        let silent = TcpStream::connect(address).await.unwrap();
        let ask = |text: String| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be answered before all of it was read.
            drop(stream.write_all(text.as_bytes()).await);
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
        };
        let browser = async {
            let wrong = ask("GET /callback?code=x&state=w HTTP/1.1\r\n\r\n".to_owned()).await;
            let long = ask(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(LONGEST_HEAD))).await;
            let right = ask("GET /callback?code=c&state=s HTTP/1.1\r\n\r\n".to_owned()).await;
            [wrong, long, right]
        };
        let (code, told) = tokio::join!(listener.code("s", "https://id.example"), browser);
        assert_eq!(code.unwrap().as_str(), "c");
        assert_eq!(told, ["HTTP/1.1 404 Not Found", "", "HTTP/1.1 200 OK"]);
        drop(silent);
    }

    /// A page that the browser asks for while it comes back is answered meanwhile, and the code is still awaited.
    #[tokio::test]
    async fn an_answer_to_something_else_in_between_keeps_nobody_out() {
        let listener = Listener::open().await.unwrap();
        let address = listener.socket.local_addr().unwrap();
        let browser = async {
            let mut back = TcpStream::connect(address).await.unwrap();
            back.write_all(b"GET /callback?code=c&state=s HTTP/1.1\r\n").await.unwrap();
            let mut other = TcpStream::connect(address).await.unwrap();
            other.write_all(b"GET /favicon.ico HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            other.read_to_string(&mut answer).await.unwrap();
            back.write_all(b"\r\n").await.unwrap();
            back.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let code = listener.code("s", "https://id.example");
        let both = async { tokio::join!(code, browser) };
        let (code, answer) = tokio::time::timeout(HEAD_WITHIN, both).await.unwrap();
        assert_eq!(code.unwrap().as_str(), "c");
        assert!(answer.ends_with("You are signed in. This page can be closed."), "{answer}");
    }
}

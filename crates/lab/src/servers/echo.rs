//! Servers that say who they are: each line and each datagram is answered with `namespace/pod port`. An
//! HTTP request gets the same as a response, so that every client works.

use super::Life;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A client that says nothing is let go.
const PATIENCE: Duration = Duration::from_secs(600);
/// Of a line; the rest of a longer one counts as another.
const MOST_BYTES: u64 = 8 * 1024;
/// After an `accept` that failed: the process is out of descriptors, and some come back.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn serve_tcp(life: &Life, name: String, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let name: Rc<str> = name.into();
    let connections = life.clone();
    life.spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => connections.spawn(answer(stream, Rc::clone(&name))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    Ok(())
}

/// A connection that breaks is the client's business.
async fn answer(stream: TcpStream, name: Rc<str>) {
    let talk = async {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while read_line(&mut stream, &mut line).await? > 0 {
            if is_http(&line) {
                while read_line(&mut stream, &mut line).await? > 0 && !is_blank(&line) {}
                stream.write_all(http_answer(&name).as_bytes()).await?;
                return stream.shutdown().await;
            }
            stream.write_all(format!("{name}\n").as_bytes()).await?;
        }
        Ok::<(), io::Error>(())
    };
    drop(tokio::time::timeout(PATIENCE, talk).await);
}

async fn read_line(stream: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    stream.take(MOST_BYTES).read_until(b'\n', line).await
}

fn is_http(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b" HTTP/1.1") || line.trim_ascii_end().ends_with(b" HTTP/1.0")
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn http_answer(name: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{name}\n",
        name.len() + 1
    )
}

pub(super) fn serve_udp(life: &Life, name: &str, socket: UdpSocket) -> io::Result<()> {
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    let answer = format!("{name}\n");
    life.spawn(async move {
        let mut datagram = [0; 2048];
        loop {
            // An error here is an answer to one that was sent before; the socket is fine.
            if let Ok((_, from)) = socket.recv_from(&mut datagram).await {
                drop(socket.send_to(answer.as_bytes(), from).await);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_lines() {
        assert!(is_http(b"GET / HTTP/1.1\r\n"));
        assert!(is_http(b"POST /x HTTP/1.0\n"));
        assert!(!is_http(b"who\n"));
        assert!(is_blank(b"\r\n") && !is_blank(b"Host: api\r\n"));
    }
}

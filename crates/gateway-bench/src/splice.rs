//! What any process in between costs: bytes from one connection to another, unread.

use anyhow::Result;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn serve(listen: SocketAddr, upstream: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(upstream).await else { return };
            if client.set_nodelay(true).is_ok() && server.set_nodelay(true).is_ok() {
                drop(
                    tokio::io::copy_bidirectional_with_sizes(
                        &mut client,
                        &mut server,
                        64 << 10,
                        64 << 10,
                    )
                    .await,
                );
            }
        });
    }
}

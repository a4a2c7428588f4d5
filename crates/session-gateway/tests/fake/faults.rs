//! What breaks in the middle of a session: the disk, the cluster's side, the client, or the rules of the protocol.

use crate::person::{SPDY, V5, exited};
use crate::world::{ALICE, Wish, World};
use session_record::Stream;
use session_store::{Disk, DiskFile, RealDisk};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tungstenite::Message;

/// A disk that is full from some moment on.
#[derive(Debug, Default)]
struct Breaking {
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct BreakingFile {
    file: Box<dyn DiskFile>,
    is_full: Arc<AtomicBool>,
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl Breaking {
    fn wrapped(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(BreakingFile { file, is_full: Arc::clone(&self.is_full) })
    }
}

impl Disk for Breaking {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path).map(|file| self.wrapped(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.append(path).map(|file| self.wrapped(file))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.make_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(folder)
    }
}

impl DiskFile for BreakingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full.load(Ordering::SeqCst) { Err(full()) } else { self.file.write(bytes) }
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) { Err(full()) } else { self.file.reserve(length) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) { Err(full()) } else { self.file.sync() }
    }
}

async fn breaking(durability: &'static str) -> (World, Arc<AtomicBool>) {
    let disk = Breaking::default();
    let is_full = Arc::clone(&disk.is_full);
    let wish = Wish { durability, disk: Arc::new(disk), ..Wish::default() };
    (World::with(wish).await, is_full)
}

/// Nothing that is typed after the disk is full is executed.
#[tokio::test]
async fn a_full_disk_ends_the_session_before_the_line_is_run() {
    let (world, is_full) = breaking("intent").await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    person.type_in("id\r").await;
    person.until("ran id").await;
    is_full.store(true, Ordering::SeqCst);
    person.type_in("rm -r /\r").await;
    let outcome = person.wait().await;
    assert!(outcome.stdout.contains("can no longer be recorded"), "{outcome:?}");
    assert_eq!(outcome.status, exited(125));
    assert_eq!(world.api.lines(), ["id"]);
    let refused = world.client(ALICE).exec(V5, "stdout", &["echo", "a"]).await.wait().await;
    assert!(refused.status.contains("cannot be recorded, so it is refused"), "{refused:?}");
    assert_eq!(world.api.executed().len(), 1);
}

#[tokio::test]
async fn a_session_that_nobody_types_into_ends_as_well_when_its_recording_fails() {
    let (world, is_full) = breaking("group").await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    is_full.store(true, Ordering::SeqCst);
    // What was shown already is written within the commit interval, and fails.
    person.type_in("a").await;
    let outcome = person.wait().await;
    assert!(outcome.stdout.contains("can no longer be recorded"), "{outcome:?}");
    world.api.until(|executed| executed[0].over).await;
}

#[tokio::test]
async fn a_runtime_that_vanishes_is_told_and_recorded() {
    for web_sockets in [true, false] {
        let world = World::start().await;
        if !web_sockets {
            world.api.refuse_web_sockets();
        }
        let outcome = world.client(ALICE).exec(V5, "stdout stderr", &["vanish"]).await.wait().await;
        assert_eq!(outcome.stdout, "half a line");
        assert!(outcome.stderr.contains("weir: the cluster ended the session"), "{outcome:?}");
        assert_eq!(outcome.status, exited(125));
        world.gateway.stop().await;
        let session = world.evidence.only_session();
        assert_eq!(session.stream(Stream::Stdout), b"half a line");
        assert!(session.ending().starts_with("sealed UpstreamLeft"), "{}", session.ending());
    }
}

#[tokio::test]
async fn a_client_that_dies_takes_its_session_along() {
    for protocol in [V5, SPDY] {
        let world = World::start().await;
        let mut person = world.client(ALICE).exec(protocol, "stdin stdout tty", &["shell"]).await;
        person.until("$ ").await;
        drop(person);
        world.api.until(|executed| executed[0].over).await;
        world.gateway.stop().await;
        assert_eq!(world.evidence.only_session().ending(), "sealed ClientLeft");
    }
}

/// A client that does not read slows the runtime down, and loses nothing when it reads on.
#[tokio::test]
async fn a_slow_client_is_waited_for() {
    const ALL: usize = 32 << 20;
    for (protocol, web_sockets) in [(V5, true), (SPDY, true), (V5, false)] {
        let world = World::start().await;
        if !web_sockets {
            world.api.refuse_web_sockets();
        }
        let mut person =
            world.client(ALICE).exec(protocol, "stdout", &["count", &ALL.to_string()]).await;
        let begun = world
            .api
            .until(|executed| executed.first().is_some_and(|one| !one.written.is_empty()))
            .await;
        assert!(begun[0].written.len() < ALL / 2, "the runtime was not slowed down");
        while person.step().await {}
        let stdout = std::mem::take(&mut person.stdout);
        drop(person);
        assert_eq!(stdout.len(), ALL);
        assert!(
            stdout.chunks(251).all(|piece| piece.iter().copied().eq((0..251).take(piece.len())))
        );
        world.gateway.stop().await;
        assert!(world.evidence.only_session().stream(Stream::Stdout) == stdout);
    }
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_ended() {
    for message in [Message::binary(vec![255, 0, 0]), Message::binary(vec![4, b'{'])] {
        let world = World::start().await;
        let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
        person.until("$ ").await;
        person.spoken.say_raw(message.clone()).await;
        let outcome = person.wait().await;
        assert!(
            outcome.stdout.contains("the session ended: the client"),
            "{message:?}: {outcome:?}"
        );
        world.api.until(|executed| executed[0].over).await;
        world.gateway.stop().await;
        assert!(
            world.evidence.only_session().ending().starts_with("sealed Protocol"),
            "{message:?}"
        );
    }
}

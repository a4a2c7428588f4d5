//! A real S3 server: what is cut short on either side goes on, and digests are the server's too.

use crate::fixture::{People, config, data, events, opening, start};
use crate::random::Random;
use cluster_testbed::Part;
use session_record::{Durability, Ending, Event, SessionId, Stream};
use session_store::{
    Archive, ArchiveError, Disk, RealDisk, RecorderConfig, Recordings, S3Access, S3Config,
};
use std::future::poll_fn;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use test_folder::TestFolder;

const SESSION: SessionId = SessionId(7);
const BUCKET: &str = "recordings";
/// The server takes no smaller ones.
const PART_BYTES: usize = 5 << 20;

/// A server over a folder; it ends with the test.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    fn start(folder: PathBuf) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).expect("a bucket");
        // Nobody else takes a port in the moment between; ports are given in turn.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let child = Self::spawn(&folder, port);
        Self { child, port, folder }
    }

    fn spawn(folder: &PathBuf, port: u16) -> Child {
        let program = Part::Versitygw.program("versitygw").expect("an S3 server");
        let child = Command::new(program)
            .args([
                "--access",
                "tester",
                "--secret",
                "not-secret",
                "--port",
                &format!("127.0.0.1:{port}"),
                "posix",
            ])
            .arg(folder)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it ends");
    }

    fn archive(&self) -> Archive {
        let config = S3Config {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            access: S3Access::Key { id: "tester".to_owned(), secret: "not-secret".to_owned() },
        };
        Archive::s3(config, "weir").expect("an archive").with_part_bytes(PART_BYTES)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ended = self.child.kill().and_then(|()| self.child.wait()).is_ok();
    }
}

fn shown() -> Vec<Event> {
    let mut random = Random(5);
    let mut block =
        move || (0..32_000).flat_map(|_| random.next().to_le_bytes()).collect::<Vec<u8>>();
    (0..60).map(|_| data(Stream::Stdout, &block())).collect()
}

async fn recorded(folder: &TestFolder, people: &People) -> Recordings {
    let config = RecorderConfig { pack_level: None, ..config(folder, people) };
    let (recorder, _) = start(config).await;
    let recording =
        recorder.open(opening(SESSION.0, Durability::Group)).await.expect("a recording");
    for event in shown() {
        recording.record(event).await.expect("recorded");
    }
    let sealed = recording.seal(Ending::ClientLeft).await.expect("sealed");
    recorder.settle(SESSION, sealed.opened_at_ms).await.expect("settled");
    Recordings::new(folder.path())
}

async fn is_whole(archive: &Archive, people: &People) {
    assert_eq!(archive.sessions().await.expect("a list"), [SESSION]);
    let keys = people.unwrap_all(&archive.keys_file(SESSION).await.expect("wrapped keys"));
    let read =
        archive.read(SESSION, keys, |reader| events(reader.map(|step| step.expect("a step"))));
    assert!(read.await.expect("it is read") == shown(), "something else is in the archive");
}

/// Polls an upload so often, and then forgets it.
async fn upload_some(
    archive: &Archive,
    recordings: &Recordings,
    disk: &Arc<dyn Disk>,
    polls: u64,
) -> bool {
    let mut upload = pin!(archive.upload(recordings, disk, SESSION));
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        upload.as_mut().poll(context).map(|ended| ended.map(|_| true).expect("copied"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_after_either_side_was_killed() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut server = Server::start(folder.path().join("server"));
    let mut polls = 3;
    while !upload_some(&server.archive(), &recordings, &disk, polls).await {
        polls += 3;
        if polls % 4 == 0 {
            server.kill();
            server.child = Server::spawn(&server.folder, server.port);
        }
    }
    assert!(polls > 20, "it was cut short only at {polls}");
    let archive = server.archive();
    is_whole(&archive, &people).await;
    archive.release(&recordings, disk.as_ref(), SESSION).await.expect("released");
    is_whole(&server.archive(), &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_an_upload_gets_it_again() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let server = Server::start(folder.path().join("server"));
    let state = || {
        let day = folder.path().join("sealed/2026-09-21");
        std::fs::read_to_string(day.join(format!("{SESSION}.upload"))).unwrap_or_default()
    };
    let mut polls = 1;
    while !state().contains("\"id\"") {
        assert!(
            !upload_some(&server.archive(), &recordings, &disk, polls).await,
            "it was copied at once"
        );
        polls += 1;
    }
    drop(server);
    let emptied = Server::start(folder.path().join("another"));
    emptied.archive().upload(&recordings, &disk, SESSION).await.expect("copied");
    is_whole(&emptied.archive(), &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_an_error_and_nothing_is_released() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut server = Server::start(folder.path().join("server"));
    assert!(!upload_some(&server.archive(), &recordings, &disk, 30).await, "it was copied at once");
    server.kill();
    std::fs::rename(folder.path().join("server"), folder.path().join("elsewhere"))
        .expect("it is moved");
    let again = Server::start(folder.path().join("server"));
    std::fs::remove_dir_all(again.folder.join(BUCKET)).expect("the bucket is gone");
    let failed = again.archive().upload(&recordings, &disk, SESSION).await;
    assert!(matches!(failed, Err(ArchiveError::Objects { .. })), "{failed:?}");
    let kept = again.archive().release(&recordings, disk.as_ref(), SESSION).await;
    assert!(matches!(kept, Err(ArchiveError::NotAsPut { .. })), "{kept:?}");
    assert_eq!(recordings.sessions().expect("a list"), [SESSION]);
}

//! Witnesses over HTTP: what grew is signed, what did not is refused, over restarts of both sides.

use crate::support::{copy, key, options, viewed};
use ledger_model::{Algorithm, SignerKey};
use ledger_store::{
    Clock, CosignOptions, Cosigner, Disk, Ledger, Place, VerifyOptions, Witness, WitnessAddress,
    WitnessListener, WitnessOptions, verify,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use test_folder::TestFolder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

fn witness_key(number: u8) -> SignerKey {
    let name = format!("witness.example/{number}");
    SignerKey::from_seed(&name, Algorithm::Ed25519Cosignature, [number; 32]).unwrap()
}

fn witness_options(folder: &Path, number: u8) -> WitnessOptions {
    WitnessOptions {
        folder: folder.to_owned(),
        key: witness_key(number),
        ledgers: vec![key().public().clone()],
        disk: Disk::default(),
        clock: Clock(Arc::new(|| 1_790_000_000_123)),
    }
}

/// A witness that serves until this is dropped.
struct Serving {
    address: SocketAddr,
    events: Arc<Mutex<Vec<String>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    async fn start(folder: &Path, number: u8, tls: Option<(&[u8], &[u8])>) -> Self {
        let witness = Arc::new(Witness::open(witness_options(folder, number)).unwrap());
        let listener = WitnessListener::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
        let address = listener.address().unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let told = Arc::new(move |event: &str| heard.lock().unwrap().push(event.to_owned()));
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        Self { address, events, stop, task: tokio::spawn(listener.serve(witness, told, stopped)) }
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }

    fn address(&self, number: u8) -> WitnessAddress {
        let url = format!("http://{}/", self.address).parse().unwrap();
        WitnessAddress { url, key: witness_key(number).public().clone() }
    }
}

fn cosigner(folder: &Path, witnesses: Vec<WitnessAddress>, quorum: usize) -> Cosigner {
    let options = CosignOptions { folder: folder.to_owned(), witnesses, quorum, authority: None };
    Cosigner::new(options).unwrap()
}

/// Has one witness sign a ledger; the witness's public key.
pub(crate) async fn cosign_once(folder: &Path, state: &Path) -> String {
    let serving = Serving::start(state, 1, None).await;
    let mut cosigner = cosigner(folder, vec![serving.address(1)], 1);
    cosigner.round().await;
    assert_eq!(troubles(&cosigner), [None]);
    serving.stop().await;
    witness_key(1).public().to_string()
}

async fn grow(folder: &Path, entries: u64) {
    let ledger = Ledger::open(options(folder)).unwrap();
    ledger.append_all((0..entries).map(viewed).collect()).await.unwrap();
    ledger.close().await.unwrap();
}

fn troubles(cosigner: &Cosigner) -> Vec<Option<String>> {
    cosigner.state().witnesses.iter().map(|witness| witness.trouble.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn enough_witnesses_sign_what_grows() {
    let folder = TestFolder::new();
    let states: Vec<TestFolder> = (1..=3).map(|_number| TestFolder::new()).collect();
    let mut serving = Vec::new();
    for (number, state) in (1..).zip(&states) {
        serving.push(Serving::start(state.path(), number, None).await);
    }
    let addresses: Vec<_> = (1..).zip(&serving).map(|(number, one)| one.address(number)).collect();
    let mut cosigner = cosigner(folder.path(), addresses.clone(), 2);
    cosigner.round().await;
    assert_eq!((cosigner.state().cosigned, cosigner.state().trouble.clone()), (0, None));
    for (entries, size) in [(1, 3), (300, 305), (0, 307)] {
        if entries > 0 {
            grow(folder.path(), entries).await;
        } else {
            Ledger::open(options(folder.path())).unwrap().close().await.unwrap();
            // One that is away is no trouble for the others.
            serving.remove(0).stop().await;
        }
        cosigner.round().await;
        assert_eq!(cosigner.state().cosigned, size);
    }
    let troubles = troubles(&cosigner);
    assert!(troubles[0].as_ref().unwrap().starts_with("it could not be asked"), "{troubles:?}");
    assert_eq!(troubles[1..], [None, None]);
    let signed: Vec<_> = cosigner.state().witnesses.iter().map(|witness| witness.signed).collect();
    let at = 1_790_000_000;
    assert_eq!(signed, [Some((305, at)), Some((307, at)), Some((307, at))]);

    let witnesses = addresses.iter().map(|address| address.key.clone()).collect();
    let mut options = VerifyOptions {
        keys: vec![key().public().clone()],
        witnesses,
        quorum: 2,
        ..VerifyOptions::default()
    };
    let place = Place::Folder(folder.path().to_owned());
    let report = verify(&place, &options).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.cosigned_size), ([].as_slice(), Some(307)));
    assert!(report.proven.iter().any(|line| line.starts_with("2 of 3 witnesses")));
    options.quorum = 3;
    let report = verify(&place, &options).await.unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.0).collect();
    assert_eq!(codes, ["ledger-cosignatures-missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_remembers_over_restarts_and_refuses_an_older_state() {
    let (folder, older) = (TestFolder::new(), TestFolder::new());
    let state = TestFolder::new();
    grow(folder.path(), 10).await;
    copy(folder.path(), older.path());
    grow(folder.path(), 10).await;
    let serving = Serving::start(state.path(), 1, None).await;
    cosigner(folder.path(), vec![serving.address(1)], 1).round().await;
    serving.stop().await;

    let serving = Serving::start(state.path(), 1, None).await;
    let mut asks = cosigner(older.path(), vec![serving.address(1)], 1);
    asks.round().await;
    let trouble = troubles(&asks).remove(0).unwrap();
    assert!(trouble.contains("has signed 24 entries, and the ledger has 12"), "{trouble}");
    // An older state that was gone on with is another history.
    grow(older.path(), 30).await;
    asks.round().await;
    let trouble = troubles(&asks).remove(0).unwrap();
    assert!(trouble.contains("422"), "{trouble}");
    assert_eq!(asks.state().cosigned, 0);
    // The newer one is still signed.
    grow(folder.path(), 1).await;
    let mut asks = cosigner(folder.path(), vec![serving.address(1)], 1);
    asks.round().await;
    assert_eq!((asks.state().cosigned, troubles(&asks)), (27, vec![None]));
    let events = serving.events.lock().unwrap().join("\n");
    assert!(events.contains("refused") && events.contains("signed 27 entries"), "{events}");
}

#[tokio::test]
async fn a_copy_of_a_ledger_can_be_signed_too() {
    let (folder, state) = (TestFolder::new(), TestFolder::new());
    grow(folder.path(), 1).await;
    std::fs::remove_dir_all(folder.path().join(".weir")).unwrap();
    let serving = Serving::start(state.path(), 1, None).await;
    let mut asks = cosigner(folder.path(), vec![serving.address(1)], 1);
    asks.round().await;
    assert_eq!((asks.state().cosigned, asks.state().trouble.clone()), (3, None));
}

#[tokio::test]
async fn a_witness_whose_state_was_altered_does_not_start() {
    let (folder, state) = (TestFolder::new(), TestFolder::new());
    grow(folder.path(), 1).await;
    {
        let serving = Serving::start(state.path(), 1, None).await;
        cosigner(folder.path(), vec![serving.address(1)], 1).round().await;
        let second = Witness::open(witness_options(state.path(), 1)).unwrap_err().to_string();
        assert!(second.contains("in use"), "{second}");
        serving.stop().await;
    }
    let file = std::fs::read_dir(state.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.file_name().unwrap() != "lock")
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[25] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = Witness::open(witness_options(state.path(), 1)).unwrap_err().to_string();
    assert!(error.contains("is not what this witness signed last"), "{error}");
}

#[tokio::test]
async fn a_witness_is_asked_over_tls() {
    let (folder, state) = (TestFolder::new(), TestFolder::new());
    grow(folder.path(), 1).await;
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, secret) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = Some((chain.as_bytes(), secret.as_bytes()));
    let serving = Serving::start(state.path(), 1, tls).await;
    let url = format!("https://localhost:{}", serving.address.port()).parse().unwrap();
    let witness = WitnessAddress { url, key: witness_key(1).public().clone() };
    let ask = |authority: Option<Vec<u8>>| CosignOptions {
        folder: folder.path().to_owned(),
        witnesses: vec![witness.clone()],
        quorum: 1,
        authority,
    };
    let mut trusting = Cosigner::new(ask(Some(chain.into_bytes()))).unwrap();
    trusting.round().await;
    assert_eq!((trusting.state().cosigned, troubles(&trusting)), (3, vec![None]));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut doubting = Cosigner::new(ask(Some(other.cert.pem().into_bytes()))).unwrap();
    doubting.round().await;
    assert!(troubles(&doubting)[0].is_some());
}

/// Speaks HTTP as far as anybody could.
#[tokio::test]
async fn what_is_no_request_is_answered_and_signed_by_nobody() {
    let state = TestFolder::new();
    let serving = Serving::start(state.path(), 1, None).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("http://{}{path}", serving.address);
    let post = |path: &str, body: Vec<u8>| client.post(url(path)).body(body).send();
    let status = |answer: reqwest::Response| answer.status().as_u16();
    let answers = [
        status(post("/add-checkpoint", b"old 0\n\nnothing\n".to_vec()).await.unwrap()),
        status(post("/add-checkpoint", vec![b'x'; 300 << 10]).await.unwrap()),
        status(post("/", Vec::new()).await.unwrap()),
        status(client.get(url("/add-checkpoint")).send().await.unwrap()),
    ];
    assert_eq!(answers, [400, 413, 404, 405]);
}

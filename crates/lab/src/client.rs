//! How a command asks a lab.

use crate::agent;
use crate::error::LabError;
use crate::folder::Folder;
use crate::picture::Picture;
use crate::probe::Cell;
use crate::state::Change;
use crate::wire::{
    Answer, Attempt, Changed, Effects, Envelope, ProbeRequest, Request, Status, TrafficRequest,
    VERSION, read_line, write_line,
};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::io::{self, BufReader, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long a lab may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// A lab that answers.
#[derive(Debug)]
pub struct Client {
    folder: Folder,
}

/// A way into a host of the lab.
#[derive(Debug)]
pub struct Entry {
    /// `shop/web-0`, a node's name or an address.
    pub host: String,
    pub namespace: OwnedFd,
    pub resolv_conf: Option<String>,
    pub hosts: String,
    connection: UnixStream,
}

/// While it is there, so is the lab.
#[derive(Debug)]
pub struct Bond {
    /// The lab waits for the end of what comes out of it.
    _held: OwnedFd,
}

impl Bond {
    pub(crate) fn new(held: impl Into<OwnedFd>) -> Self {
        Self { _held: held.into() }
    }
}

impl Entry {
    /// Returns when the lab has ended.
    pub fn wait_for_end(&self) {
        let mut rest = Vec::new();
        // However the reading ends, the lab is not there any more.
        drop((&self.connection).read_to_end(&mut rest));
    }
}

impl Client {
    /// Removes what dead labs left, whichever they were.
    pub fn new(folder: Folder) -> Result<Self, LabError> {
        if !Folder::sweep(folder.parent())?.contains(&folder) {
            let others = Folder::sweep(folder.parent())?;
            let others = others.iter().map(|other| other.name().to_owned()).collect();
            return Err(LabError::NoLab { name: folder.name().to_owned(), others });
        }
        Ok(Self { folder })
    }

    pub fn status(&self) -> Result<Status, LabError> {
        let answer = self.ask(Request::Status)?;
        if let Answer::Status(status) = answer {
            return Ok(status);
        }
        Err(self.unexpected(&answer))
    }

    /// What the lab is now. It reads all manifests, so it takes as long as a change.
    pub fn picture(&self) -> Result<Picture, LabError> {
        let answer = self.ask(Request::State)?;
        if let Answer::State(state) = answer {
            return Picture::new(&state);
        }
        Err(self.unexpected(&answer))
    }

    /// Hands each source's cells to `each` when they are there.
    pub fn probe(
        &self,
        request: ProbeRequest,
        mut each: impl FnMut(Vec<Cell>),
    ) -> Result<(), LabError> {
        let mut stream = BufReader::new(self.send(Request::Probe(request))?);
        loop {
            match read_line(&mut stream).map_err(|e| self.failed(e))? {
                Some(Answer::Cells(cells)) => each(cells),
                Some(Answer::Probed) => return Ok(()),
                Some(other) => return Err(self.unexpected(&other)),
                None => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }

    pub fn enter(&self, peer: &str) -> Result<Entry, LabError> {
        let stream = self.send(Request::Enter { peer: peer.to_owned() })?;
        let (answer, namespace) = receive_with(&stream).map_err(|e| self.failed(e))?;
        match (answer, namespace) {
            (Answer::Entered { host, resolv_conf, hosts }, Some(namespace)) => {
                Ok(Entry { host, namespace, resolv_conf, hosts, connection: stream })
            }
            (other, _) => Err(self.unexpected(&other)),
        }
    }

    /// Hands flows to `each` when they are there: lines of our JSON, and how many were missed before them.
    /// Returns when there are no more, or when `each` says `Break`: the nodes of which flows are missing,
    /// because their agents do not answer.
    pub fn flows(
        &self,
        follow: bool,
        new_only: bool,
        mut each: impl FnMut(Vec<String>, u64) -> ControlFlow<()>,
    ) -> Result<Vec<String>, LabError> {
        let mut stream = BufReader::new(self.send(Request::Flows { follow, new_only })?);
        loop {
            match read_line(&mut stream).map_err(|e| self.failed(e))? {
                Some(Answer::Flows { lines, missed }) => {
                    if each(lines, missed).is_break() {
                        return Ok(Vec::new());
                    }
                }
                Some(Answer::FlowsEnd { missing }) => return Ok(missing),
                Some(other) => return Err(self.unexpected(&other)),
                None => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }

    /// Makes the change.
    pub fn change(&self, change: Change) -> Result<Changed, LabError> {
        self.changed(Request::Change(change))
    }

    /// `namespace/name` of pods.
    pub fn stop_pods(&self, pods: Vec<String>) -> Result<Changed, LabError> {
        self.changed(Request::StopPods(pods))
    }

    pub fn start_pods(&self, pods: Vec<String>) -> Result<Changed, LabError> {
        self.changed(Request::StartPods(pods))
    }

    /// `namespace/name` of workloads, or with the kind in front. Returns when all pods are new; the notes say
    /// what came for what.
    pub fn roll(&self, workloads: Vec<String>) -> Result<Changed, LabError> {
        self.changed(Request::Roll(workloads))
    }

    fn changed(&self, request: Request) -> Result<Changed, LabError> {
        let answer = self.ask(request)?;
        if let Answer::Changed { epoch: _, changed } = answer {
            return Ok(changed);
        }
        Err(self.unexpected(&answer))
    }

    /// What the change would do to the connections that were seen.
    pub fn effects(&self, change: Change) -> Result<Effects, LabError> {
        let answer = self.ask(Request::Effects(change))?;
        if let Answer::Effects(effects) = answer {
            return Ok(effects);
        }
        Err(self.unexpected(&answer))
    }

    /// Ends the agent of a node as a crash would.
    pub fn kill_agent(&self, node: &str) -> Result<(), LabError> {
        let answer = self.ask(Request::KillAgent { node: node.to_owned() })?;
        if matches!(answer, Answer::Killed) {
            return Ok(());
        }
        Err(self.unexpected(&answer))
    }

    /// Where the pins of a node's data plane can be seen from outside the lab.
    pub fn pins(&self, node: &str) -> Result<PathBuf, LabError> {
        let stream = UnixStream::connect(self.folder.socket()).map_err(|e| self.failed(e))?;
        let process = socket_peercred(&stream).map_err(|e| self.failed(e.into()))?.pid;
        let pins = agent::pins(node);
        let inside = pins.strip_prefix("/").unwrap_or(&pins);
        Ok(PathBuf::from(format!("/proc/{}/root", process.as_raw_nonzero())).join(inside))
    }

    /// Tries connections until `each` says `Break`; it is called several times a second, whether or not an
    /// attempt has ended.
    pub fn traffic(
        &self,
        request: TrafficRequest,
        mut each: impl FnMut(Vec<Attempt>) -> ControlFlow<()>,
    ) -> Result<(), LabError> {
        let mut stream = BufReader::new(self.send(Request::Traffic(request))?);
        loop {
            match read_line(&mut stream).map_err(|e| self.failed(e))? {
                Some(Answer::Attempts(attempts)) => {
                    if each(attempts).is_break() {
                        return Ok(());
                    }
                }
                Some(other) => return Err(self.unexpected(&other)),
                None => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }

    /// Ends the lab with this process, however that ends, or when the answer is dropped.
    pub fn bind(&self) -> Result<Bond, LabError> {
        let stream = self.send(Request::Bind)?;
        let mut input = BufReader::new(stream);
        match read_line(&mut input).map_err(|e| self.failed(e))? {
            Some(Answer::Bound) => Ok(Bond::new(input.into_inner())),
            Some(other) => Err(self.unexpected(&other)),
            None => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Ends the lab and waits until nothing of it is left.
    pub fn stop(&self) -> Result<(), LabError> {
        let answer = self.ask(Request::Stop)?;
        if !matches!(answer, Answer::Stopping) {
            return Err(self.unexpected(&answer));
        }
        let end = Instant::now() + PATIENCE;
        while !self.folder.remove_if_dead()? {
            if Instant::now() > end {
                return Err(LabError::Stuck { name: self.folder.name().to_owned() });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn ask(&self, request: Request) -> Result<Answer, LabError> {
        let stream = self.send(request)?;
        let answer = read_line(&mut BufReader::new(stream)).map_err(|e| self.failed(e))?;
        answer.ok_or_else(|| self.failed(io::ErrorKind::UnexpectedEof.into()))
    }

    fn send(&self, request: Request) -> Result<UnixStream, LabError> {
        let mut stream = UnixStream::connect(self.folder.socket()).map_err(|e| self.failed(e))?;
        let envelope = Envelope { version: VERSION.to_owned(), request };
        write_line(&mut stream, &envelope).map_err(|e| self.failed(e))?;
        Ok(stream)
    }

    fn failed(&self, source: io::Error) -> LabError {
        LabError::Talk { name: self.folder.name().to_owned(), source }
    }

    fn unexpected(&self, answer: &Answer) -> LabError {
        match answer {
            Answer::Refused(text) => LabError::Refused(text.clone()),
            Answer::Status(_)
            | Answer::State(_)
            | Answer::Entered { .. }
            | Answer::Cells(_)
            | Answer::Probed
            | Answer::Flows { .. }
            | Answer::FlowsEnd { .. }
            | Answer::Changed { .. }
            | Answer::Effects(_)
            | Answer::Killed
            | Answer::Attempts(_)
            | Answer::Bound
            | Answer::Stopping => {
                let name = self.folder.name().to_owned();
                LabError::Answer { name, answer: format!("{answer:?}") }
            }
        }
    }
}

/// One line, and the descriptor that came with its first byte.
fn receive_with(stream: &UnixStream) -> io::Result<(Answer, Option<OwnedFd>)> {
    let mut line = Vec::new();
    let mut file = None;
    while !line.ends_with(b"\n") {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            stream,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(mut files) = message {
                file = file.or(files.next());
            }
        }
        match bytes.get(..received.bytes) {
            Some(part) if !part.is_empty() => line.extend_from_slice(part),
            Some(_) | None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    Ok((serde_json::from_slice(&line)?, file))
}

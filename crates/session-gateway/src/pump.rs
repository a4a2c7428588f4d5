//! The loop of a running session.
//!
//! A direction is: read, record, wait until it is on disk where the mode asks for that, send. It reads no more while
//! the other side has not taken what was sent to it, or while too much waits for the disk. Each direction waits for
//! its own other side only, so two peers that both write cannot block each other; and one task polls both, so there
//! is neither a lock nor a hand-over between a byte that comes and the same byte that goes.

use crate::authorise::SessionLimits;
use crate::gateway::Gateway;
use crate::leg::Leg;
use crate::registry::{Ask, Phase};
use crate::session::Begun;
use crate::transport::{Incoming, TransportError};
use ledger_model::Fact;
use session_record::{Durability, Ending, Event};
use session_store::{Failure, Position, RecordError, Recording};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What may wait for the disk, or be held while a session is frozen, in one direction.
const WAITING_BYTES: usize = 256 << 10;
/// After the runtime's last word, what still belongs to the session comes at once or never.
const AFTER_STATUS: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Towards {
    Client,
    Upstream,
}

#[derive(Debug)]
pub(crate) struct Pump {
    client: Leg,
    upstream: Leg,
    begun: Begun,
    gateway: Arc<Gateway>,
    limits: SessionLimits,
    ping: Duration,
    /// How long the recorder may take for anything.
    stall: Duration,
    durability: Durability,
    terminal: bool,
    timer: Pin<Box<Sleep>>,
    to_upstream: Waiting,
    to_client: Waiting,
    last_byte: Instant,
    next_ping: Instant,
    is_frozen: bool,
    /// When the runtime said how it ended, and with which exit code.
    status: Option<(Instant, Option<i32>)>,
    /// The cluster's side said that it is done, or is gone; why, where it was not asked for.
    upstream_over: Option<String>,
}

/// What one direction holds back.
#[derive(Debug, Default)]
struct Waiting {
    /// Recorded. Goes on when the position beside it is on disk.
    recorded: VecDeque<(Event, Option<Position>)>,
    /// Held because the session is frozen; not recorded yet.
    held: VecDeque<Event>,
    bytes: usize,
}

/// What happens next.
#[derive(Debug)]
enum Next {
    Ended(Ending),
    Ask(Ask),
    Failed(Failure),
    Timer,
    Durable(Towards, Result<(), RecordError>),
    Pushed(Towards, Result<(), TransportError>),
    FromClient(Result<Incoming, TransportError>),
    FromUpstream(Result<Incoming, TransportError>),
}

/// What is left when a session is over: somebody to say it to, and a recording to seal.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) ending: Ending,
    pub(crate) client: Leg,
    pub(crate) begun: Begun,
}

impl Pump {
    pub(crate) fn new(
        (client, upstream): (Leg, Leg),
        begun: Begun,
        gateway: Arc<Gateway>,
        limits: SessionLimits,
    ) -> Self {
        let now = Instant::now();
        let (ping, stall) = (gateway.limits.ping, gateway.limits.recorder_stall);
        let opening = &begun.live().opening;
        let (durability, terminal) = (opening.durability, opening.access.terminal);
        Self {
            client,
            upstream,
            begun,
            gateway,
            limits,
            ping,
            stall,
            durability,
            terminal,
            timer: Box::pin(tokio::time::sleep_until(
                (now + ping).min(limits.end).min(now + limits.idle),
            )),
            to_upstream: Waiting::default(),
            to_client: Waiting::default(),
            last_byte: now,
            next_ping: now + ping,
            is_frozen: false,
            status: None,
            upstream_over: None,
        }
    }

    /// Runs until the session is over. The cluster's side is cut off when this returns, before anything else is said
    /// or written.
    pub(crate) async fn run(
        mut self,
        early_from_client: Vec<Event>,
        early_from_upstream: Vec<Event>,
    ) -> Over {
        self.begun.live().enter(Phase::Running);
        let mut ending = self.pass_all(Towards::Upstream, early_from_client).await;
        if ending.is_ok() {
            ending = self.pass_all(Towards::Client, early_from_upstream).await;
        }
        while ending.is_ok() {
            if let Some(over) = self.over() {
                ending = Err(over);
                break;
            }
            let next = self.next().await;
            ending = self.take(next).await;
        }
        self.begun.live().enter(Phase::Sealing);
        let ending = ending.err().unwrap_or(Ending::GatewayStopped);
        let Self { client, begun, upstream, .. } = self;
        drop(upstream);
        Over { ending, client, begun }
    }

    /// How the session ended, once nothing is left to pass.
    fn over(&self) -> Option<Ending> {
        // The client may take its time to read what is left; its limits are the session's.
        if !self.to_client.is_empty() || !self.client.sender.is_clear() {
            return None;
        }
        if self.client.is_over() {
            return Some(Ending::Finished { exit_code: None });
        }
        match (&self.status, &self.upstream_over) {
            (Some((_, exit_code)), Some(_)) => Some(Ending::Finished { exit_code: *exit_code }),
            (Some((at, exit_code)), None) if at.elapsed() >= AFTER_STATUS => {
                Some(Ending::Finished { exit_code: *exit_code })
            }
            (None, Some(why)) => Some(Ending::UpstreamLeft { why: why.clone() }),
            (Some(_) | None, None) => None,
        }
    }

    async fn next(&mut self) -> Next {
        let read_client = self.upstream.sender.is_clear() && self.to_upstream.has_room();
        let read_upstream = self.upstream_over.is_none()
            && self.client.sender.is_clear()
            && self.to_client.has_room();
        let Self { client, upstream, begun, timer, to_upstream, to_client, .. } = self;
        let (recording, live, asks) = begun.parts();
        let push_client = !client.sender.is_clear();
        let push_upstream = !upstream.sender.is_clear();
        let upstream_until = to_upstream.until();
        let client_until = to_client.until();
        tokio::select! {
            ending = live.ended() => Next::Ended(ending),
            failure = recording.failed() => Next::Failed(failure),
            Some(ask) = asks.recv() => Next::Ask(ask),
            () = timer => Next::Timer,
            durable = durable(recording, upstream_until), if upstream_until.is_some() => {
                Next::Durable(Towards::Upstream, durable)
            }
            durable = durable(recording, client_until), if client_until.is_some() => {
                Next::Durable(Towards::Client, durable)
            }
            pushed = client.sender.push(), if push_client => Next::Pushed(Towards::Client, pushed),
            pushed = upstream.sender.push(), if push_upstream => Next::Pushed(Towards::Upstream, pushed),
            came = client.receiver.next(), if read_client => Next::FromClient(came),
            came = upstream.receiver.next(), if read_upstream => Next::FromUpstream(came),
        }
    }

    async fn take(&mut self, next: Next) -> Result<(), Ending> {
        match next {
            Next::Ended(ending) => Err(ending),
            Next::Failed(failure) => Err(recording_failed(&failure)),
            Next::Durable(_, Err(error)) => Err(recording_failed(&error)),
            Next::Ask(ask) => self.answer(ask).await,
            Next::Timer => self.tick(),
            Next::Durable(towards, Ok(())) => self.release(towards),
            Next::Pushed(_, Ok(())) => Ok(()),
            Next::Pushed(Towards::Client, Err(_)) => Err(self.client_left()),
            Next::Pushed(Towards::Upstream, Err(error)) => {
                self.upstream_over.get_or_insert(crate::chain::chain(&error));
                self.upstream.sender.give_up();
                Ok(())
            }
            Next::FromClient(came) => self.client_sent(came).await,
            Next::FromUpstream(came) => self.upstream_sent(came).await,
        }
    }

    async fn client_sent(&mut self, came: Result<Incoming, TransportError>) -> Result<(), Ending> {
        let incoming = match came {
            Ok(incoming) => incoming,
            Err(TransportError::Io(_)) => return Err(self.client_left()),
            Err(error @ TransportError::Protocol(_)) => return Err(broke("the client", &error)),
        };
        let received = self.client.decode(incoming).map_err(|error| broke("the client", &error))?;
        self.pass_all(Towards::Upstream, received.events).await?;
        if received.over.is_some() { Err(self.client_left()) } else { Ok(()) }
    }

    async fn upstream_sent(
        &mut self,
        came: Result<Incoming, TransportError>,
    ) -> Result<(), Ending> {
        let incoming = match came {
            Ok(incoming) => incoming,
            Err(error @ TransportError::Io(_)) => {
                self.upstream_over = Some(crate::chain::chain(&error));
                return Ok(());
            }
            Err(error @ TransportError::Protocol(_)) => return Err(broke("the cluster", &error)),
        };
        let received =
            self.upstream.decode(incoming).map_err(|error| broke("the cluster", &error))?;
        self.pass_all(Towards::Client, received.events).await?;
        if let Some(why) = received.over {
            self.upstream_over = Some(why);
        }
        Ok(())
    }

    async fn pass_all(&mut self, towards: Towards, events: Vec<Event>) -> Result<(), Ending> {
        for event in events {
            if let Event::Status { text } = &event {
                self.status = Some((Instant::now(), session_proto::exit_code(text)));
                self.timer.as_mut().reset(Instant::now() + AFTER_STATUS);
            }
            if self.is_frozen {
                self.waiting(towards).hold(event);
            } else {
                self.pass(towards, event).await?;
            }
        }
        Ok(())
    }

    /// Records an event, and lets it go on or wait for the disk.
    async fn pass(&mut self, towards: Towards, event: Event) -> Result<(), Ending> {
        if let Event::Data { .. } = &event {
            self.last_byte = Instant::now();
        }
        let position = self.record(&event).await?;
        let waits = self.durability.waits_for(self.terminal, &event);
        if waits || !self.waiting(towards).recorded.is_empty() {
            self.waiting(towards).wait(event, waits.then_some(position));
            return Ok(());
        }
        self.send(towards, &event)
    }

    /// Nothing goes on that the recorder did not take. While it has no room nothing is read either, and the session
    /// can be ended.
    async fn record(&mut self, event: &Event) -> Result<Position, Ending> {
        let recorded = tokio::select! {
            biased;
            recorded = tokio::time::timeout(self.stall, self.begun.recording.record(event.clone())) => recorded,
            ending = self.begun.live().ended() => return Err(ending),
        };
        let position = match recorded {
            Ok(Ok(position)) => position,
            Ok(Err(failure)) => return Err(recording_failed(&failure)),
            Err(_) => return Err(stalled(self.stall)),
        };
        self.begun.live().passed(event);
        Ok(position)
    }

    fn send(&mut self, towards: Towards, event: &Event) -> Result<(), Ending> {
        let (leg, whose) = match towards {
            Towards::Client => (&mut self.client, "the client"),
            Towards::Upstream => (&mut self.upstream, "the cluster"),
        };
        leg.encode(event).map_err(|error| broke(whose, &error))
    }

    /// Sends on what waited for the disk, up to what waits for more of it.
    fn release(&mut self, towards: Towards) -> Result<(), Ending> {
        if let Some((_, until)) = self.waiting(towards).recorded.front_mut() {
            *until = None;
        }
        while let Some(event) = self.waiting(towards).free() {
            self.send(towards, &event)?;
        }
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Result<(), Ending> {
        match ask {
            Ask::Freeze { by } if !self.is_frozen => {
                let session = self.begun.id().to_string();
                self.record(&Event::Frozen { by: by.clone() }).await?;
                self.enter(Fact::SessionFrozen { session, by }).await?;
                self.is_frozen = true;
                self.begun.live().enter(Phase::Frozen);
                Ok(())
            }
            Ask::Thaw { by } if self.is_frozen => {
                let session = self.begun.id().to_string();
                self.record(&Event::Thawed { by: by.clone() }).await?;
                self.enter(Fact::SessionThawed { session, by }).await?;
                self.is_frozen = false;
                self.begun.live().enter(Phase::Running);
                let from_client = self.to_upstream.unhold();
                self.pass_all(Towards::Upstream, from_client).await?;
                let from_upstream = self.to_client.unhold();
                self.pass_all(Towards::Client, from_upstream).await
            }
            Ask::Freeze { .. } | Ask::Thaw { .. } => Ok(()),
            Ask::Mark { by, text } => {
                self.record(&Event::Marker { by, text }).await.map(|_position| ())
            }
        }
    }

    async fn enter(&self, fact: Fact) -> Result<(), Ending> {
        self.gateway.evidence.append(fact).await.map_err(|error| recording_failed(&error))
    }

    /// Looks at all limits, and sets the timer to the nearest.
    fn tick(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        let SessionLimits { idle, end, end_is } = self.limits;
        if now >= end {
            return Err(Ending::Limit { which: end_is.to_owned() });
        }
        if now >= self.last_byte + idle {
            let which = format!("nothing was sent for {} s", idle.as_secs());
            return Err(Ending::Limit { which });
        }
        if now >= self.next_ping {
            self.next_ping = now + self.ping;
            self.client.ping();
            self.upstream.ping();
        }
        let mut next = self.next_ping.min(end).min(self.last_byte + idle);
        if let Some((at, _)) = self.status {
            next = next.min(at + AFTER_STATUS);
        }
        self.timer.as_mut().reset(next);
        Ok(())
    }

    fn client_left(&self) -> Ending {
        match self.status {
            Some((_, exit_code)) if self.to_client.is_empty() => Ending::Finished { exit_code },
            Some(_) | None => Ending::ClientLeft,
        }
    }

    const fn waiting(&mut self, towards: Towards) -> &mut Waiting {
        match towards {
            Towards::Client => &mut self.to_client,
            Towards::Upstream => &mut self.to_upstream,
        }
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.recorded.is_empty() && self.held.is_empty()
    }

    const fn has_room(&self) -> bool {
        self.bytes < WAITING_BYTES
    }

    /// What has to be on disk before the next event goes on.
    fn until(&self) -> Option<Position> {
        self.recorded.front().and_then(|(_, until)| *until)
    }

    fn wait(&mut self, event: Event, until: Option<Position>) {
        self.bytes += weight(&event);
        self.recorded.push_back((event, until));
    }

    fn hold(&mut self, event: Event) {
        self.bytes += weight(&event);
        self.held.push_back(event);
    }

    /// The next event, if it waits for nothing.
    fn free(&mut self) -> Option<Event> {
        let (event, _) = self.recorded.pop_front_if(|(_, until)| until.is_none())?;
        self.bytes = self.bytes.saturating_sub(weight(&event));
        Some(event)
    }

    fn unhold(&mut self) -> Vec<Event> {
        let held: Vec<Event> = std::mem::take(&mut self.held).into();
        self.bytes = self.bytes.saturating_sub(held.iter().map(weight).sum());
        held
    }
}

/// What an event costs while it waits; small ones cost what keeping them does.
fn weight(event: &Event) -> usize {
    const KEPT: usize = 128;
    let bytes = match event {
        Event::Data { bytes, .. } | Event::Status { text: bytes } | Event::Call { json: bytes } => {
            bytes.len()
        }
        Event::ConnectionError { text, .. } => text.len(),
        Event::Notice { text } | Event::Marker { text, .. } => text.len(),
        Event::End { .. }
        | Event::Resize { .. }
        | Event::Connected { .. }
        | Event::Disconnected { .. }
        | Event::Frozen { .. }
        | Event::Thawed { .. } => 0,
    };
    bytes + KEPT
}

async fn durable(recording: &Recording, until: Option<Position>) -> Result<(), RecordError> {
    match until {
        Some(position) => recording.durable(position).await,
        None => Ok(()),
    }
}

fn recording_failed(error: &dyn std::error::Error) -> Ending {
    Ending::RecordingFailed { why: crate::chain::chain(error) }
}

fn stalled(after: Duration) -> Ending {
    let why = format!("the recorder took nothing for {} ms", after.as_millis());
    Ending::RecordingFailed { why }
}

fn broke(whose: &str, error: &dyn std::error::Error) -> Ending {
    Ending::Protocol { why: format!("{whose}: {}", crate::chain::chain(error)) }
}

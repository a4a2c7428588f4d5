//! The lab process: makes everything, holds it, and ends with it.
//!
//! It is the first process of its process namespace, with mounts and a network of its own, and was
//! started by `up` with pipes as standard input and output. Until `up` has confirmed, it ends when `up`
//! does: a half-made lab that nobody knows of does not stay.

use crate::agent::chain;
use crate::control;
use crate::error::LabError;
use crate::folder::{Folder, Lock};
use crate::running::Lab;
use crate::servers::{self, Service};
use crate::wire::{Confirmation, Progress, Start, read_line, write_line};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use std::env::set_current_dir;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the threads tell the main one before the lab is up.
enum Event {
    Made(Box<Result<Made, LabError>>),
    /// `up` knows that the lab is up. Where the lab is to end with `up`, this is what to wait for.
    Confirmed(Option<File>),
    /// `up` is gone.
    Abandoned,
}

struct Made {
    lab: Lab,
    asked: UnboundedReceiver<Service>,
    socket: UnixListener,
    lock: Lock,
}

/// The whole life of a lab process.
pub fn run(folder: &Folder) -> Result<(), LabError> {
    // Whoever waits for the end of a pipe, or wants to unmount a disk, does not wait for the lab.
    net_fabric::close_inherited()?;
    set_current_dir("/")
        .map_err(|source| LabError::Process { what: "leave the folder of `up`", source })?;
    match make(folder)? {
        Some((made, bond)) => {
            detach()?;
            serve(made, bond)
        }
        None => Ok(()),
    }
}

/// `None` if `up` went away before the lab was up.
fn make(folder: &Folder) -> Result<Option<(Made, Option<File>)>, LabError> {
    // A signal to the terminal of `up` is for `up`.
    setsid()
        .map_err(|error| LabError::Process { what: "start a session", source: error.into() })?;
    let (sender, events) = channel();
    let thread = {
        let (sender, folder) = (sender, folder.clone());
        move || listen_to_up(&folder, &sender)
    };
    thread::spawn(thread);
    let mut made = None;
    for event in events {
        match event {
            Event::Abandoned => return Ok(None),
            Event::Confirmed(bond) => return Ok(made.map(|made| (made, bond))),
            Event::Made(result) => match *result {
                Ok(result) => {
                    say(&Progress::Ready(result.lab.status()))?;
                    made = Some(result);
                }
                Err(error) => {
                    say(&Progress::Failed(chain(&error)))?;
                    return Ok(None);
                }
            },
        }
    }
    Ok(None)
}

fn say(progress: &Progress) -> Result<(), LabError> {
    write_line(&mut io::stdout().lock(), progress)
        .map_err(|source| LabError::Process { what: "tell that the lab is up", source })
}

/// Reads the setup, has another thread make the lab, and waits for the confirmation.
fn listen_to_up(folder: &Folder, sender: &Sender<Event>) {
    let mut input = BufReader::new(io::stdin());
    let event = match read_line::<Start>(&mut input) {
        Err(error) => Event::Made(Box::new(Err(LabError::Setup(error.to_string())))),
        Ok(None) => Event::Abandoned,
        Ok(Some(start)) => {
            let (sender, folder) = (sender.clone(), folder.clone());
            thread::spawn(move || {
                let made = set_up(start, &folder);
                // Nobody listens when `up` is gone.
                drop(sender.send(Event::Made(Box::new(made))));
            });
            confirmed(&read_line(&mut input))
        }
    };
    drop(sender.send(event));
}

fn confirmed(said: &io::Result<Option<Confirmation>>) -> Event {
    match said {
        Ok(Some(Confirmation::Stay)) => Event::Confirmed(None),
        Ok(Some(Confirmation::EndWithInput)) => match io::stdin().as_fd().try_clone_to_owned() {
            Ok(input) => Event::Confirmed(Some(input.into())),
            Err(_) => Event::Abandoned,
        },
        Ok(None) | Err(_) => Event::Abandoned,
    }
}

fn set_up(start: Start, folder: &Folder) -> Result<Made, LabError> {
    let lock = folder.lock()?;
    net_fabric::become_private()?;
    mount_pins()?;
    raise_descriptors()?;
    let (services, asked) = unbounded_channel();
    let lab = Lab::create(folder, start, services)?;
    let socket = UnixListener::bind(folder.socket())
        .map_err(|source| LabError::Folder { path: folder.path(), source })?;
    Ok(Made { lab, asked, socket, lock })
}

/// Pins of the lab's own, which go with its mounts.
fn mount_pins() -> Result<(), LabError> {
    let path = Path::new("/sys/fs/bpf");
    Ok(net_fabric::mount_bpf(path)?)
}

/// Each listening port is a descriptor, and each namespace two.
fn raise_descriptors() -> Result<(), LabError> {
    let Rlimit { current: _, maximum } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).map_err(|error| {
        LabError::Process { what: "raise the limit of files", source: error.into() }
    })
}

/// From here on the lab has nothing of the terminal that it was started from.
fn detach() -> Result<(), LabError> {
    let detach = || {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        io::Result::Ok(())
    };
    detach().map_err(|source| LabError::Process { what: "leave the terminal", source })
}

/// Returns when nobody has the other end any more.
fn end_with(mut bond: File, stop: &UnboundedSender<()>) {
    // However the reading ends, whoever was at the other end is gone.
    drop(io::copy(&mut bond, &mut io::sink()));
    // Who serves may have ended by itself.
    stop.send(()).unwrap_or_default();
}

fn serve(made: Made, bond: Option<File>) -> Result<(), LabError> {
    let Made { lab, asked, socket, lock } = made;
    let failed = |source| LabError::Process { what: "serve", source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (stop, mut stopped) = unbounded_channel();
    let lab = Arc::new(lab);
    if let Some(bond) = bond {
        let stop = stop.clone();
        thread::spawn(move || end_with(bond, &stop));
    }
    thread::spawn(move || control::listen(&socket, &lab, &stop));
    let local = tokio::task::LocalSet::new();
    let served = local.block_on(&runtime, async move {
        tokio::select! {
            served = servers::serve(asked) => served,
            // The other end lives as long as its thread, which is as long as this process.
            _ = stopped.recv() => Ok(()),
        }
    });
    lock.remove_folder()?;
    served.map_err(failed)
}

//! A command of the user's on the user's terminal: in a host's network, or beside the lab.

use crate::client::{Bond, Client, Entry};
use crate::error::LabError;
use crate::folder::Folder;
use net_fabric::{FabricError, spawn_with_files};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs the command to its end, or to that of the lab.
pub fn run_inside(
    entry: Entry,
    folder: &Folder,
    command: &mut Command,
) -> Result<ExitStatus, LabError> {
    leave_interrupts_to_the_command()?;
    let files = files(&entry);
    let mut child = spawn_with_files(command, entry.namespace.as_fd(), &folder.path(), &files)?;
    let ending = Arc::new(Mutex::new(()));
    end_with_lab(&child, entry, Arc::clone(&ending))?;
    let ended = child.wait();
    // Where the command ended because the lab did, what it started ends before this process does.
    drop(ending.lock());
    ended.map_err(|source| LabError::Process { what: "wait for the command", source })
}

/// Runs the command to its end, and then ends the lab.
pub fn run_beside(
    bond: Bond,
    folder: Folder,
    command: &mut Command,
) -> Result<ExitStatus, LabError> {
    leave_interrupts_to_the_command()?;
    let ended = command.status().map_err(|source| FabricError::Spawn {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    });
    Client::new(folder)?.stop()?;
    drop(bond);
    Ok(ended?)
}

/// Control-C goes to everything on the terminal; what it means is up to the command.
fn leave_interrupts_to_the_command() -> Result<(), LabError> {
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .map_err(|source| LabError::Process { what: "leave signals to the command", source })?;
    }
    Ok(())
}

/// What the command started ends too: whatever is still in the network of a lab that is gone.
fn end_with_lab(child: &Child, entry: Entry, ending: Arc<Mutex<()>>) -> Result<(), LabError> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())
        .map_err(io::Error::from)
        .map_err(|source| LabError::Process { what: "watch the command", source })?;
    thread::spawn(move || {
        entry.wait_for_end();
        let _until_all_ended = ending.lock();
        let network = File::from(entry.namespace).metadata();
        while network.as_ref().is_ok_and(|network| end_processes(network).unwrap_or(false)) {}
        match pidfd_send_signal(&process, Signal::KILL) {
            // It may have ended by itself; it may also have left the network.
            Ok(()) | Err(_) => {}
        }
    });
    Ok(())
}

/// Ends the processes in a network; whether there were any. A descriptor of a process names it even when it
/// has ended and its number was used again.
fn end_processes(network: &Metadata) -> io::Result<bool> {
    let mut found = false;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(number) = number.and_then(Pid::from_raw) else { continue };
        let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else { continue };
        // Without a network it is ending already.
        let Ok(of) = fs::metadata(entry.path().join("ns/net")) else { continue };
        if (of.dev(), of.ino()) == (network.dev(), network.ino()) {
            found |= pidfd_send_signal(&process, Signal::KILL).is_ok();
        }
    }
    Ok(found)
}

/// A file that the machine does not have cannot be covered without making it.
fn files(entry: &Entry) -> Vec<(&'static Path, String)> {
    let resolv_conf = entry.resolv_conf.clone().map(|text| ("/etc/resolv.conf", text));
    let hosts = Some(("/etc/hosts", entry.hosts.clone()));
    let files = [resolv_conf, hosts].into_iter().flatten();
    let files = files.map(|(path, text)| (Path::new(path), text));
    files.filter(|(path, _)| fs::exists(path).unwrap_or(false)).collect()
}

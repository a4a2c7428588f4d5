//! A command of the user's in a host's network, on the user's terminal.

use crate::client::Entry;
use crate::error::LabError;
use crate::folder::Folder;
use net_fabric::spawn_with_files;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    end_with_lab(&child, entry)?;
    child.wait().map_err(|source| LabError::Process { what: "wait for the command", source })
}

/// Control-C goes to everything on the terminal; what it means is up to the command.
fn leave_interrupts_to_the_command() -> Result<(), LabError> {
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .map_err(|source| LabError::Process { what: "leave signals to the command", source })?;
    }
    Ok(())
}

/// A descriptor of the process names it even when it has ended and its number was used again.
fn end_with_lab(child: &Child, entry: Entry) -> Result<(), LabError> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())
        .map_err(io::Error::from)
        .map_err(|source| LabError::Process { what: "watch the command", source })?;
    thread::spawn(move || {
        entry.wait_for_end();
        match pidfd_send_signal(&process, Signal::KILL) {
            // It may have ended by itself.
            Ok(()) | Err(_) => {}
        }
    });
    Ok(())
}

/// A file that the machine does not have cannot be covered without making it.
fn files(entry: &Entry) -> Vec<(&'static Path, String)> {
    let resolv_conf = entry.resolv_conf.clone().map(|text| ("/etc/resolv.conf", text));
    let hosts = Some(("/etc/hosts", entry.hosts.clone()));
    let files = [resolv_conf, hosts].into_iter().flatten();
    let files = files.map(|(path, text)| (Path::new(path), text));
    files.filter(|(path, _)| fs::exists(path).unwrap_or(false)).collect()
}

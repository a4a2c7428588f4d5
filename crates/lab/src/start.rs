//! How `up` starts a lab process and learns that the lab is up.

use crate::agent::HookChoice;
use crate::client::Bond;
use crate::error::LabError;
use crate::folder::Folder;
use crate::state::Setup;
use crate::wire::{Confirmation, Progress, Start, Status, read_line, write_line};
use net_fabric::spawn_apart;
use std::io::BufReader;
use std::process::{Child, ChildStdin, Command, Stdio};

/// `command` runs [`run`](crate::run) with the same folder. Whatever goes wrong, no lab is left.
pub fn start(
    folder: &Folder,
    command: &mut Command,
    setup: Setup,
    hook: HookChoice,
) -> Result<Status, LabError> {
    let start = Start { setup, hook };
    let (status, _input) = begin(folder, command, &start, Confirmation::Stay)?;
    Ok(status)
}

/// As [`start`], and the lab ends with this process, however that ends, or when the bond is dropped.
pub fn start_bound(
    folder: &Folder,
    command: &mut Command,
    setup: Setup,
    hook: HookChoice,
) -> Result<(Status, Bond), LabError> {
    let start = Start { setup, hook };
    let (status, input) = begin(folder, command, &start, Confirmation::EndWithInput)?;
    Ok((status, Bond::new(input)))
}

fn begin(
    folder: &Folder,
    command: &mut Command,
    start: &Start,
    confirmation: Confirmation,
) -> Result<(Status, ChildStdin), LabError> {
    if let Some(lack) = net_fabric::lack() {
        return Err(LabError::Privileges(lack));
    }
    let living = Folder::sweep(folder.parent())?;
    if living.contains(folder) {
        return Err(LabError::Exists { name: folder.name().to_owned() });
    }
    let mut child = spawn_apart(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let result = talk(&mut child, start, confirmation);
    if result.is_err() {
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
        folder.remove_if_dead()?;
    }
    result
}

fn talk(
    child: &mut Child,
    start: &Start,
    confirmation: Confirmation,
) -> Result<(Status, ChildStdin), LabError> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(LabError::Ended(String::new()));
    };
    let failed = |source| LabError::Process { what: "talk to the lab's process", source };
    let written = write_line(&mut input, start);
    match read_line(&mut BufReader::new(output)).map_err(failed)? {
        None => {
            written.map_err(failed)?;
            let status = child.wait().map_err(failed)?;
            Err(LabError::Ended(format!(" ({status})")))
        }
        Some(Progress::Failed(text)) => Err(LabError::Setup(text)),
        Some(Progress::Ready(status)) => {
            write_line(&mut input, &confirmation).map_err(failed)?;
            Ok((status, input))
        }
    }
}

//! `weir lab watch`: who talks to whom at this moment, on the whole terminal.

mod screen;
mod table;

use super::WhichArgs;
use super::flows::read;
use crate::{Console, ExpectedError, Outcome};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use screen::{Screen, View};
use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;
use table::Table;

/// How often the screen is drawn again.
const REDRAW: Duration = Duration::from_millis(200);

/// Watch who talks to whom, by which rule, as it happens
///
/// Keys: arrows or j and k select, Enter shows everything that is known of the newest flow, d only what is
/// denied, / a filter for names, q ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn run(args: &WatchArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if !io::stdout().is_terminal() {
        return Err(ExpectedError::Usage(
            "this is no terminal: `weir lab flows --follow` writes lines".to_owned(),
        ));
    }
    let client = args.which.client()?;
    let (sender, lines) = channel();
    let follower = thread::spawn(move || {
        client.flows(true, false, |lines, _| match sender.send(lines) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    });
    let mut screen = Screen::open(console.out_palette)?;
    let ended = watch(&mut screen, &lines);
    drop(screen);
    drop(lines);
    match ended? {
        Ended::ByUser => Ok(Outcome::Yes),
        Ended::ByLab => match follower.join() {
            Ok(result) => result.map(|()| Outcome::Yes).map_err(ExpectedError::Lab),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

enum Ended {
    ByUser,
    /// Its flows ended.
    ByLab,
}

fn watch(screen: &mut Screen, lines: &Receiver<Vec<String>>) -> io::Result<Ended> {
    let mut table = Table::default();
    let mut view = View::default();
    loop {
        loop {
            match lines.try_recv() {
                Ok(more) => {
                    for line in &more {
                        table.add(read(line)?);
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(Ended::ByLab),
            }
        }
        screen.draw(&table, &mut view)?;
        if event::poll(REDRAW)? && react(&event::read()?, &mut view).is_break() {
            return Ok(Ended::ByUser);
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
fn react(event: &Event, view: &mut View) -> ControlFlow<()> {
    let Event::Key(key) = event else { return ControlFlow::Continue(()) };
    if key.kind == KeyEventKind::Release {
        return ControlFlow::Continue(());
    }
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return ControlFlow::Break(());
    }
    if view.typing {
        match key.code {
            KeyCode::Enter => view.typing = false,
            KeyCode::Esc => (view.typing, view.filter) = (false, String::new()),
            KeyCode::Backspace => drop(view.filter.pop()),
            KeyCode::Char(c) => view.filter.push(c),
            _ => {}
        }
        return ControlFlow::Continue(());
    }
    match key.code {
        KeyCode::Char('q') => return ControlFlow::Break(()),
        KeyCode::Esc if view.details => view.details = false,
        KeyCode::Esc => view.filter.clear(),
        KeyCode::Char('d') => view.denied_only = !view.denied_only,
        KeyCode::Char('/') => view.typing = true,
        KeyCode::Char('j') | KeyCode::Down => view.selected = view.selected.saturating_add(1),
        KeyCode::Char('k') | KeyCode::Up => view.selected = view.selected.saturating_sub(1),
        KeyCode::Enter => view.details = !view.details,
        _ => {}
    }
    ControlFlow::Continue(())
}

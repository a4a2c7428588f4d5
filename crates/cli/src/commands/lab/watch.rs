//! `weir lab watch`: who talks to whom at this moment, on the whole terminal.

mod pane;
mod question;
mod screen;
mod table;

use super::WhichArgs;
use super::flows::read;
use crate::{Console, ExpectedError, Outcome};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use pane::Pane;
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
/// Keys: arrows or j and k select, Enter shows everything that is known of the newest flow, why it was decided so,
/// and what would allow a denied one, as `weir lab explain` says it; there the same keys, PageUp and PageDown
/// move, and Enter or Esc closes it. d shows only what is denied, / filters by names, q ends it.
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
    let ended = watch(&mut screen, &lines, &args.which);
    drop(screen);
    drop(lines);
    match ended? {
        Ended::ByUser => Ok(Outcome::Yes),
        Ended::ByLab => match follower.join() {
            Ok(result) => result.map(|_missing| Outcome::Yes).map_err(ExpectedError::Lab),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

enum Ended {
    ByUser,
    /// Its flows ended.
    ByLab,
}

fn watch(
    screen: &mut Screen,
    lines: &Receiver<Vec<String>>,
    which: &WhichArgs,
) -> io::Result<Ended> {
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
        if let Some(pane) = &mut view.pane {
            pane.refresh();
        }
        screen.draw(&table, &mut view)?;
        if event::poll(REDRAW)? && react(&event::read()?, (&table, which), &mut view).is_break() {
            return Ok(Ended::ByUser);
        }
    }
}

fn react(event: &Event, (table, which): (&Table, &WhichArgs), view: &mut View) -> ControlFlow<()> {
    let Event::Key(key) = event else { return ControlFlow::Continue(()) };
    if key.kind == KeyEventKind::Release {
        return ControlFlow::Continue(());
    }
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return ControlFlow::Break(());
    }
    if view.typing {
        type_filter(key.code, view);
    } else if key.code == KeyCode::Char('q') {
        return ControlFlow::Break(());
    } else if view.pane.is_some() {
        move_in_pane(key.code, view);
    } else {
        choose(key.code, (table, which), view);
    }
    ControlFlow::Continue(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
fn type_filter(key: KeyCode, view: &mut View) {
    match key {
        KeyCode::Enter => view.typing = false,
        KeyCode::Esc => (view.typing, view.filter) = (false, String::new()),
        KeyCode::Backspace => drop(view.filter.pop()),
        KeyCode::Char(c) => view.filter.push(c),
        _ => {}
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
fn move_in_pane(key: KeyCode, view: &mut View) {
    let Some(pane) = &mut view.pane else { return };
    let page = view.page.max(1);
    // Where it would go too far, drawing it says so.
    pane.scroll = match key {
        KeyCode::Char('j') | KeyCode::Down => pane.scroll.saturating_add(1),
        KeyCode::Char('k') | KeyCode::Up => pane.scroll.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => pane.scroll.saturating_add(page),
        KeyCode::PageUp => pane.scroll.saturating_sub(page),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => usize::MAX,
        _ => pane.scroll,
    };
    if matches!(key, KeyCode::Enter | KeyCode::Esc) {
        view.pane = None;
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
fn choose(key: KeyCode, (table, which): (&Table, &WhichArgs), view: &mut View) {
    match key {
        KeyCode::Esc => view.filter.clear(),
        KeyCode::Char('d') => view.denied_only = !view.denied_only,
        KeyCode::Char('/') => view.typing = true,
        KeyCode::Char('j') | KeyCode::Down => view.select(table, |at| at.saturating_add(1)),
        KeyCode::Char('k') | KeyCode::Up => view.select(table, |at| at.saturating_sub(1)),
        KeyCode::Enter => {
            view.select(table, |at| at);
            let row = view.selected.clone().and_then(|key| Some((table.row(&key)?, key)));
            view.pane = row.map(|(row, key)| Pane::open(key, row.telling(), which));
        }
        _ => {}
    }
}

//! A line on standard error that shows that work goes on, when it takes over a second.
//!
//! It is drawn by its own thread, so the work knows nothing of it, and only where a person is looking.

use crate::terminal::Console;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(100);
const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
/// To the start of the line, and clear to its end.
const CLEAR: &str = "\r\u{1b}[K";

/// Gone, and its line with it, when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// `what` is being done: `reading manifests`.
    pub(crate) fn start(console: &Console, what: &'static str) -> Self {
        if !console.shows_progress {
            return Self { running: None };
        }
        let (stop, stopped) = channel();
        let thread =
            std::thread::spawn(move || draw_until(&stopped, what, PATIENCE, &mut io::stderr()));
        Self { running: Some((stop, thread)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // A progress line that died is not worth failing for.
            drop(thread.join());
        }
    }
}

fn draw_until(stopped: &Receiver<()>, what: &str, patience: Duration, err: &mut dyn Write) {
    let mut passed = Duration::ZERO;
    let mut wait = patience;
    for frame in FRAMES.into_iter().cycle() {
        match stopped.recv_timeout(wait) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => passed += wait,
        }
        wait = REDRAW;
        if write!(err, "{CLEAR}{frame} {what} … {} s", passed.as_secs()).is_err() {
            return;
        }
    }
    if !passed.is_zero() {
        drop(write!(err, "{CLEAR}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_work_draws_nothing() {
        let (stop, stopped) = channel();
        drop(stop);
        let mut drawn = Vec::new();
        draw_until(&stopped, "reading", Duration::from_millis(1), &mut drawn);
        assert_eq!(drawn, b"");
    }

    #[test]
    fn long_work_draws_a_line_and_clears_it() {
        let (stop, stopped) = channel();
        let mut drawn = StopAfterFirst { stop: Some(stop), text: Vec::new() };
        draw_until(&stopped, "reading", Duration::from_millis(1), &mut drawn);
        let text = String::from_utf8(drawn.text).unwrap();
        assert_eq!(text, "\r\u{1b}[K| reading … 0 s\r\u{1b}[K");
    }

    /// Ends the work once something was drawn, so that no test has to sleep.
    struct StopAfterFirst {
        stop: Option<Sender<()>>,
        text: Vec<u8>,
    }

    impl Write for StopAfterFirst {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.stop = None;
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

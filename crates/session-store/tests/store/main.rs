//! Recordings in a folder: from the first event to what is found after a crash.

mod fixture;
mod recording;

//! Recordings in a folder: from the first event to what is found after a crash.
#![expect(clippy::expect_used, reason = "a test that cannot make what it looks at has failed")]

mod archive;
mod faults;
mod faulty;
mod fixture;
mod kill;
mod notes;
mod power;
mod random;
mod recording;
mod s3;

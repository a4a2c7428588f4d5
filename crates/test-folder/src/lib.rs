//! A folder for one test, below the system's for temporary files.
//!
//! It is named by the process and counted, so that tests that run at once have different ones. A test that was killed
//! leaves its folder behind: the next process that makes one removes it, when the process in its name is no more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "weir-test-";

/// An empty folder that is gone when this is dropped.
#[derive(Debug)]
pub struct TestFolder(PathBuf);

impl TestFolder {
    /// # Panics
    /// When it cannot be made: there is no test without it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "there is no test without it")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        let parent = std::env::temp_dir();
        SWEPT.call_once(|| sweep(&parent).expect("what killed tests left can be removed"));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}-{count}", process::id()));
        // A process of long ago had the same number.
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).expect("a temporary folder can be made");
        Self(path)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of something in it.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, in folders that are made where they are not there, and says where it is.
    ///
    /// # Panics
    /// When it cannot.
    #[expect(clippy::expect_used, reason = "there is no test without it")]
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, content)).expect("a temporary file can be written");
        path
    }
}

impl Default for TestFolder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        // A test may have removed it itself.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Removes the folders of processes that are no more. Where processes cannot be looked up nothing is removed.
fn sweep(parent: &Path) -> io::Result<()> {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_left = owner(&entry.file_name().to_string_lossy())
            .is_some_and(|owner| !processes.join(owner.to_string()).exists());
        if is_left {
            match fs::remove_dir_all(entry.path()) {
                // Another process sweeps at the same time.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

fn owner(name: &str) -> Option<u32> {
    let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    owner.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_test_left_is_removed_and_nothing_else() {
        let parent = TestFolder::new();
        let mut ended = process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let left = parent.join(format!("{PREFIX}{}-3", ended.id()));
        let used = parent.join(format!("{PREFIX}{}-3", process::id()));
        let others = parent.join(format!("{PREFIX}of-somebody"));
        for path in [&left, &used, &others] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("file"), "").unwrap();
        }
        sweep(parent.path()).unwrap();
        assert_eq!([&left, &used, &others].map(|path| path.exists()), [false, true, true]);
        let path = parent.path().to_owned();
        drop(parent);
        assert!(!path.exists());
    }
}

//! A memory cgroup whose limit takes the maps that were made in it, and no process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Of the first version of cgroups: the limit counts what the kernel allocates too.
const PARENT: &str = "/sys/fs/cgroup/memory";
/// And the process that made it.
const NAME: &str = "weir-faults-";

pub(crate) struct Limit {
    folder: PathBuf,
}

impl Limit {
    pub(crate) fn new() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let parent = own.lines().find_map(|line| line.split_once(":memory:"));
        let parent = parent.expect("this test needs the memory controller of cgroups version 1").1;
        let parent = Path::new(PARENT).join(parent.trim_start_matches('/'));
        remove_those_of_the_dead(&parent);
        let folder = parent.join(format!("{NAME}{}", std::process::id()));
        fs::create_dir(&folder).expect("this test needs to make a memory cgroup");
        Self { folder }
    }

    /// What the calling thread makes in the kernel meanwhile counts, also later.
    pub(crate) fn charge<T>(&self, work: impl FnOnce() -> T) -> T {
        self.write("tasks", "0");
        let done = work();
        fs::write(self.folder.with_file_name("tasks"), "0").unwrap();
        done
    }

    pub(crate) fn set_to_what_is_used(&self) {
        let used = fs::read_to_string(self.folder.join("memory.usage_in_bytes")).unwrap();
        self.write("memory.limit_in_bytes", used.trim());
    }

    pub(crate) fn lift(&self) {
        self.write("memory.limit_in_bytes", "-1");
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }
}

fn remove_those_of_the_dead(parent: &Path) {
    for folder in fs::read_dir(parent).unwrap().map(|folder| folder.unwrap()) {
        let name = folder.file_name().into_string().unwrap_or_default();
        let maker = name.strip_prefix(NAME).map(|maker| Path::new("/proc").join(maker));
        if maker.is_some_and(|maker| !maker.exists()) {
            fs::remove_dir(folder.path()).unwrap();
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // Maps of the plane may go a moment later; a cgroup of which only they are left can go before.
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                assert!(std::thread::panicking(), "{error}");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

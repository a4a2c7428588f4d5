//! A place apart for tests that attach programs: namespaces of their own, and a BPF file system in them.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::{Path, PathBuf};
use std::{fs, thread};

/// Runs in a network and a mount namespace of its own, with a BPF file system.
pub(crate) fn apart(test: impl FnOnce(&Path) + Send + 'static) {
    let folder: PathBuf = std::env::temp_dir().join(format!(
        "dataplane-{}-{:?}",
        std::process::id(),
        thread::current().id()
    ));
    fs::create_dir_all(&folder).unwrap();
    let root = folder.clone();
    let run = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .expect("the test needs root: it makes namespaces");
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).unwrap();
        mount(Some("bpf"), &root, Some("bpf"), MsFlags::empty(), none).unwrap();
        test(&root);
        umount2(&root, MntFlags::empty()).unwrap();
    };
    // Random worlds are deep trees, and all of them are made here.
    let thread = thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap();
    let result = thread.join();
    fs::remove_dir_all(&folder).unwrap();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

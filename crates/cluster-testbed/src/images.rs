//! Images without a registry: a layer, a config and a manifest in a tar file, as `docker save` writes them
//! (<https://github.com/moby/docker-image-spec/blob/main/spec.md>).

use crate::parts::{Part, alone, cache_folder};
use anyhow::{Context as _, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// What an image is made of.
struct Image {
    name: &'static str,
    tags: &'static [&'static str],
    /// Programs and where they go.
    files: Vec<(PathBuf, &'static str)>,
    /// Names that are links to another.
    links: Vec<(String, &'static str)>,
    entrypoint: &'static [&'static str],
}

/// The pause image is what each pod's sandbox runs; the others are for workloads.
pub(crate) const PAUSE: &str = "registry.k8s.io/pause:3.6";

const APPLETS: &[&str] = &[
    "sh",
    "ash",
    "cat",
    "sleep",
    "ls",
    "echo",
    "tar",
    "gzip",
    "nc",
    "vi",
    "less",
    "head",
    "tail",
    "sha256sum",
    "test",
    "true",
    "false",
    "env",
    "id",
    "ps",
    "stty",
    "tty",
    "mkdir",
    "rm",
    "cp",
    "mv",
    "dd",
    "wc",
    "od",
    "yes",
    "seq",
    "kill",
    "nslookup",
    "timeout",
    "ip",
    "date",
    "hostname",
    "touch",
    "find",
    "grep",
    "sed",
    "awk",
    "sort",
    "printf",
    "readlink",
    "stat",
    "ln",
    "chmod",
];

/// The tar files of all images; made now where they were not yet.
pub(crate) fn made() -> Result<Vec<PathBuf>> {
    let folder = cache_folder()?;
    images()?.iter().map(|image| image.made(&folder)).collect()
}

fn images() -> Result<Vec<Image>> {
    let busybox = PathBuf::from("/usr/bin/busybox");
    let links = APPLETS.iter().map(|applet| (format!("bin/{applet}"), "/bin/busybox")).collect();
    Ok(vec![
        Image {
            name: "busybox",
            tags: &["docker.io/library/busybox:1", PAUSE],
            files: vec![(busybox, "bin/busybox")],
            links,
            entrypoint: &["/bin/busybox", "sleep", "2147483647"],
        },
        Image {
            name: "agnhost",
            tags: &["registry.k8s.io/e2e-test-images/agnhost:2.63.0"],
            files: vec![(Part::Agnhost.program("agnhost")?, "agnhost")],
            links: Vec::new(),
            entrypoint: &["/agnhost"],
        },
        Image {
            name: "coredns",
            tags: &["registry.k8s.io/coredns/coredns:testbed"],
            files: vec![(Part::CoreDns.program("coredns")?, "coredns")],
            links: Vec::new(),
            entrypoint: &["/coredns"],
        },
    ])
}

impl Image {
    fn made(&self, folder: &Path) -> Result<PathBuf> {
        let key = self.key()?;
        let path = folder.join(format!("image-{}-{key}.tar", self.name));
        if path.exists() {
            return Ok(path);
        }
        let image = format!("image-{}", self.name);
        let _alone = alone(folder, &image)?;
        if !path.exists() {
            let unfinished = folder.join(format!("{image}.unfinished"));
            self.write(&unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        Ok(path)
    }

    /// Parts in the cache are named by what they were made from.
    fn key(&self) -> Result<String> {
        let mut digest = Sha256::new();
        for (file, place) in &self.files {
            let length =
                fs::metadata(file).with_context(|| format!("{} is missing", file.display()))?.len();
            digest.update(format!("{} {length} {place}\n", file.display()));
        }
        digest.update(format!("{:?} {:?} {:?}", self.links, self.tags, self.entrypoint));
        Ok(hex(&digest.finalize()).chars().take(12).collect())
    }

    fn write(&self, path: &Path) -> Result<()> {
        let layer = self.layer()?;
        let diff = hex(&Sha256::digest(&layer));
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "Env": ["PATH=/bin", "HOME=/"], "WorkingDir": "/" },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
            "history": [{ "created_by": "weir testbed" }],
        })
        .to_string();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let manifest =
            json!([{ "Config": config_name, "RepoTags": self.tags, "Layers": ["layer.tar"] }])
                .to_string();
        let mut archive = Builder::new(fs::File::create(path)?);
        append(&mut archive, "layer.tar", &layer, 0o644)?;
        append(&mut archive, &config_name, config.as_bytes(), 0o644)?;
        append(&mut archive, "manifest.json", manifest.as_bytes(), 0o644)?;
        archive.into_inner()?.sync_all().context("writing an image")
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        for folder in ["bin/", "tmp/", "etc/", "root/", "var/"] {
            let mut header = header(0, if folder == "tmp/" { 0o1777 } else { 0o755 });
            header.set_entry_type(EntryType::Directory);
            layer.append_data(&mut header, folder, &[][..])?;
        }
        append(
            &mut layer,
            "etc/passwd",
            b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
            0o644,
        )?;
        append(&mut layer, "etc/group", b"root:x:0:\nnobody:x:65534:\n", 0o644)?;
        for (file, place) in &self.files {
            append(&mut layer, place, &fs::read(file)?, 0o755)?;
        }
        for (place, target) in &self.links {
            let mut header = header(0, 0o777);
            header.set_entry_type(EntryType::Symlink);
            layer.append_link(&mut header, place, target)?;
        }
        Ok(layer.into_inner()?)
    }
}

fn header(size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn append<W: std::io::Write>(
    archive: &mut Builder<W>,
    name: &str,
    bytes: &[u8],
    mode: u32,
) -> Result<()> {
    archive
        .append_data(&mut header(bytes.len() as u64, mode), name, bytes)
        .context("writing an image")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use test_folder::TestFolder;

    #[test]
    fn one_that_many_need_at_once_is_made_for_all() {
        let folder = TestFolder::new();
        let program = folder.path().join("program");
        fs::write(&program, vec![7; 1 << 20]).unwrap();
        let image = Image {
            name: "some",
            tags: &["example/some:1"],
            files: vec![(program, "bin/program")],
            links: Vec::new(),
            entrypoint: &["/bin/program"],
        };
        let cache = folder.path().join("cache");
        thread::scope(|scope| {
            let each = || image.made(&cache).unwrap();
            let all: Vec<_> = (0..8).map(|_| scope.spawn(each)).collect();
            for made in all {
                assert!(fs::metadata(made.join().unwrap()).unwrap().len() > 1 << 20);
            }
        });
        let mut names: Vec<_> =
            fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 2, "the image and its lock: {names:?}");
    }
}

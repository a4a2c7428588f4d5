//! The whole terminal, as a person sees it: `script` gives the command one.

use crate::test_lab::{TestLab, WEIR};
use anyhow::{Context as _, Result, ensure};
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const CLOSED: &str = "
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
";

struct Terminal {
    child: Child,
    keys: ChildStdin,
    drawn: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn watch(lab: &TestLab) -> Result<Self> {
        let watch =
            format!("stty rows 40 cols 140; exec {WEIR} lab watch --dir {}", lab.dir.display());
        let mut child = Command::new("script")
            .args(["-qec", &watch, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("`script` is missing")?;
        let keys = child.stdin.take().context("no input")?;
        let mut output = child.stdout.take().context("no output")?;
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&drawn);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                sink.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Ok(Self { child, keys, drawn })
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        self.drawn.lock().unwrap().clear();
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    fn shows(&self, text: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let drawn = String::from_utf8_lossy(&self.drawn.lock().unwrap()).into_owned();
            if drawn.contains(text) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{text} is not shown: {drawn}");
            thread::yield_now();
        }
    }
}

#[test]
fn a_denial_that_is_selected_is_explained_and_its_fix_shown() -> Result<()> {
    let lab = TestLab::new("watch")?;
    let closed = lab.file("closed.yaml", CLOSED)?;
    lab.up(&[&closed])?;
    lab.done("probe", &["--from", "shop/web-0", "--to", "shop/db", "--port", "5432"])?;
    let mut terminal = Terminal::watch(&lab)?;
    terminal.shows("> denied  shop/web → shop/db:5432/tcp")?;
    terminal.press("\r")?;
    terminal.shows("shop/web-0 → shop/db-0 5432/tcp: denied")?;
    terminal.shows("NetworkPolicy: denied by default, because no rule matches")?;
    terminal.press("G")?;
    terminal.shows("fix: ")?;
    terminal.shows("app: web")?;
    // The same as the command says.
    let explain = ["--from", "shop/web-0", "--to", "shop/db-0", "--port", "5432"];
    let said = lab.run("explain", &explain)?;
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8(said.stdout)?;
    let fix = said.lines().find(|line| line.starts_with("fix: ")).context("no fix")?;
    terminal.shows(fix)?;
    terminal.press("\x1b")?;
    terminal.shows("Enter why, and what would allow it")?;
    terminal.press("q")?;
    ensure!(terminal.child.wait()?.success());
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

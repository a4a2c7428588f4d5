//! A key management service, reached through a program.
//!
//! Services have kits of their own in many languages, and where they are spoken to is the business of whoever runs
//! them; so the interface is a program with two verbs, in the way of credential helpers:
//!
//! ```text
//! PROGRAM ARGUMENTS… wrap   SESSION COMPARTMENT    32 bytes in, the wrapped key out
//! PROGRAM ARGUMENTS… unwrap SESSION COMPARTMENT    the wrapped key in, 32 bytes out
//! ```
//!
//! It ends with 0, or with anything else and a reason on standard error. The key passes through pipes only. Session and
//! compartment are for the service's own records, and can be bound to the wrapped key as its context.

use super::{KeyOf, UnwrapKey, WrapError, WrapKey, Wrapped};
use session_record::ContentKey;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Longest wrapped key, and longest reason.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;

/// A program that wraps and unwraps.
#[derive(Debug, Clone)]
pub struct CommandKms {
    /// How wrapped keys are marked, so that whoever reads them asks the right service.
    pub scheme: String,
    /// The name of the service's key, for people.
    pub key_name: String,
    pub program: String,
    pub arguments: Vec<String>,
}

impl CommandKms {
    fn run(&self, verb: &str, of: KeyOf, input: &[u8]) -> Result<Vec<u8>, WrapError> {
        let what = || format!("{verb} a key with `{}`", self.program);
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args([verb, &of.session.to_string(), of.compartment.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| WrapError::new(what(), why))?;
        let (output, reason) = exchange(&mut child, input);
        let status = child.wait().map_err(|why| WrapError::new(what(), why))?;
        if !status.success() {
            return Err(WrapError::new(
                what(),
                format!("{status}: {}", String::from_utf8_lossy(&reason).trim()),
            ));
        }
        Ok(output)
    }
}

/// Writes all input while both outputs are read, so that nobody waits for the other.
fn exchange(child: &mut Child, input: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let reason = scope.spawn(|| read_some(stderr));
        scope.spawn(|| {
            // A program that does not read its input says why with its status.
            let _written = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let output = read_some(stdout);
        (output, reason.join().unwrap_or_default())
    })
}

fn read_some(from: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = from.map(|from| from.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes));
    if matches!(read, Some(Ok(_))) { bytes } else { Vec::new() }
}

impl WrapKey for CommandKms {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn recipients(&self) -> Vec<String> {
        vec![self.key_name.clone()]
    }

    fn wrap(&self, of: KeyOf, key: &ContentKey) -> Result<Vec<u8>, WrapError> {
        let wrapped = self.run("wrap", of, key.expose())?;
        // A service that gives back what it got, or nothing, wraps nothing.
        if wrapped.is_empty()
            || wrapped.windows(key.expose().len()).any(|part| part == key.expose())
        {
            return Err(WrapError::plain(format!(
                "use what `{}` gave as a wrapped key: it is none",
                self.program
            )));
        }
        Ok(wrapped)
    }
}

impl UnwrapKey for CommandKms {
    fn unwrap_key(&self, of: KeyOf, wrapped: &Wrapped) -> Result<Option<ContentKey>, WrapError> {
        if wrapped.scheme != self.scheme {
            return Ok(None);
        }
        let key = self.run("unwrap", of, &wrapped.bytes)?;
        let key = <[u8; 32]>::try_from(key.as_slice());
        let key = key.map_err(|why| {
            WrapError::new(format!("use what `{}` gave as a key", self.program), why)
        })?;
        Ok(Some(ContentKey::new(key)))
    }
}

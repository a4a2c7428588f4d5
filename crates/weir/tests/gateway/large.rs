//! Much through one session, in every combination: both ends and the recording have the same bytes.
//! `WEIR_LARGE_MIB` says how much.

use crate::evidence;
use crate::world::{World, fed, said};
use session_record::{Event, SessionId, Stream};
use sha2::{Digest as _, Sha256};

const MIB: usize = 16;

type Sum = [u8; 32];

pub(crate) fn through_every_combination(world: &World) {
    let mib = std::env::var("WEIR_LARGE_MIB").map_or(MIB, |text| text.parse().unwrap());
    let sent = noise(mib << 20);
    let sum: Sum = Sha256::digest(&sent).into();
    for (client, sockets) in [
        ("kubectl", "true"),
        ("kubectl", "false"),
        ("kubectl-1.32", "true"),
        ("kubectl-1.32", "false"),
    ] {
        let before = evidence::sealed(world);
        let mut command = world.client(client, "ann");
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", sockets);
        let output = fed(command.args(["exec", "-i", "shell", "--", "cat"]), &sent);
        let what = format!("{client}, web sockets {sockets}");
        assert!(output.status.success(), "{what}: {}", said(&output));
        let came: Sum = Sha256::digest(&output.stdout).into();
        drop(output);
        world.until("the session is sealed", || evidence::sealed(world).len() > before.len());
        let new = evidence::sealed(world).difference(&before).copied().next().unwrap();
        assert!(recorded(world, new) == [sum, sum] && came == sum, "{what}: {mib} MiB differ");
        let keys = [world.key("shown.key"), world.key("typed.key")];
        let verify = ["--identity", &keys[0], "--identity", &keys[1]];
        let verified =
            world.weir(&[["sessions", "verify", &new.to_string()].as_slice(), &verify].concat());
        assert!(verified.status.success(), "{what}: {}", said(&verified));
    }
}

/// Bytes that do not compress and do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// SHA-256 of what went to the pod and of what came from it.
fn recorded(world: &World, session: SessionId) -> [Sum; 2] {
    let mut sums = [Sha256::new(), Sha256::new()];
    evidence::each(world, session, |event| match event {
        Event::Data { stream: Stream::Stdin, bytes } => sums[0].update(&bytes),
        Event::Data { stream: Stream::Stdout, bytes } => sums[1].update(&bytes),
        _ => {}
    });
    sums.map(|sum| sum.finalize().into())
}

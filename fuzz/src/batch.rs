//! Bytes of a batch of queries: every line is answered, the answer is one line of JSON, and it does not
//! depend on the lines before.

use cli::{Answered, BatchAnswerer, CheckWorld, PeerIndex};
use kube_import::import_texts;
use policy_engine::{Assumptions, Program, Semantics};
use std::sync::LazyLock;

/// All that a query can name: live pods, templates, a host-network pod, Services of every kind, nodes, and
/// policies of every tier.
static WORLD: LazyLock<CheckWorld<'static>> = LazyLock::new(|| {
    let imported = Box::leak(Box::new(import_texts([
        ("policies.yaml", include_str!("../seeds/manifest/policies.yaml")),
        ("workloads.yaml", include_str!("../seeds/manifest/workloads.yaml")),
    ])));
    let assumptions = Assumptions::new(Semantics::Upstream);
    let program = Box::leak(Box::new(Program::compile(imported.snapshot.clone(), assumptions)));
    let index = Box::leak(Box::new(PeerIndex::new(&imported.snapshot)));
    CheckWorld { program, snapshot: &imported.snapshot, files: &imported.files, index }
});

pub fn batch(bytes: &[u8]) {
    answered(bytes);
}

/// What became of each line.
pub fn answered(bytes: &[u8]) -> Vec<Answered> {
    let mut answerer = BatchAnswerer::new(*WORLD);
    let lines = bytes.split(|byte| *byte == b'\n');
    let answered = lines.map(|line| {
        let mut answer = Vec::new();
        let answered = answerer.answer(line, &mut answer);
        let mut alone = Vec::new();
        assert_eq!(answered, BatchAnswerer::new(*WORLD).answer(line, &mut alone));
        assert_eq!(answer, alone, "the lines before change the answer");
        is_an_answer(answered, &answer);
        answered
    });
    answered.collect()
}

fn is_an_answer(answered: Answered, answer: &[u8]) {
    if answered == Answered::Nothing {
        assert!(answer.is_empty());
        return;
    }
    let n_lines = answer.iter().filter(|byte| **byte == b'\n').count();
    assert!(n_lines == 1 && answer.ends_with(b"\n"), "{n_lines} lines for one query");
    let Ok(object) = serde_json::from_slice::<serde_json::Value>(answer) else {
        unreachable!("no JSON: {}", String::from_utf8_lossy(answer));
    };
    assert_eq!(object.get("error").is_some(), answered == Answered::Error);
    assert_eq!(object.get("verdict").is_some(), answered == Answered::Verdict);
}

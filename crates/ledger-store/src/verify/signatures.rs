//! Who signed, and whether what was signed or remembered before is still there.

use super::walk::Walk;
use super::{Found, Report, VerifyOptions, codes};
use finding_model::Severity;
use ledger_model::{
    CheckpointError, KeyHistory, SignedCheckpoint, TreeHead, VerifierKey, cosigned_at,
};

/// The ledger's key that signed the checkpoint, if it is one that is believed.
pub(super) fn ledger(
    checkpoint: &SignedCheckpoint,
    history: &KeyHistory,
    options: &VerifyOptions,
    found: &mut Found,
) -> Option<VerifierKey> {
    let size = checkpoint.head().size;
    let believed = history.believed(size, &options.keys);
    let signed = if believed.is_empty() {
        let key = history.at(size).map_or_else(|| "any key".to_owned(), VerifierKey::short);
        Err(format!(
            "by the entries {key} is in force, which does not follow from a key that is trusted"
        ))
    } else {
        own(checkpoint, believed).map_err(|error| error.to_string())
    };
    match signed {
        Ok(key) => Some(key),
        Err(why) => {
            found.error(
                codes::CHECKPOINT_UNSIGNED,
                format!("the checkpoint of {size} entries is not the ledger's: {why}"),
                "give the ledger's public key with --key, as it was kept when the ledger was made; if that is \
                 what was given, these files are not that ledger's",
            );
            None
        }
    }
}

/// The key that signed a checkpoint, whose origin is its name.
fn own<'a>(
    checkpoint: &SignedCheckpoint,
    believed: impl IntoIterator<Item = &'a VerifierKey>,
) -> Result<VerifierKey, CheckpointError> {
    let key = checkpoint.signed_by_one(believed)?;
    let origin = &checkpoint.checkpoint().origin;
    if origin == key.name() {
        Ok(key.clone())
    } else {
        let expected = key.name().to_owned();
        Err(CheckpointError::OtherOrigin { found: origin.clone(), expected })
    }
}

/// Which witnesses signed, in the checkpoint itself or in the one that was kept for them, and how many entries.
pub(super) fn witnesses(
    checkpoint: &SignedCheckpoint,
    cosigned: Option<&SignedCheckpoint>,
    walk: &Walk<'_>,
    options: &VerifyOptions,
    found: &mut Found,
) -> (u64, Vec<(VerifierKey, u64)>) {
    let mut best = (checkpoint.head().size, cosigners(checkpoint, options, found));
    unknown(checkpoint, walk.history(), options, "checkpoint", found);
    if let Some(cosigned) = cosigned {
        let size = cosigned.head().size;
        unknown(cosigned, walk.history(), options, "checkpoint for witnesses", found);
        if let Err(error) = own(cosigned, walk.history().believed(size, &options.keys)) {
            found.error(
                codes::COSIGNATURE_WRONG,
                format!(
                    "the checkpoint with the witnesses' signatures is not the ledger's: {error}"
                ),
                "restore it from a copy, or let the ledger ask its witnesses again",
            );
        }
        let signers = cosigners(cosigned, options, found);
        grown_from(cosigned.head(), "the checkpoint that witnesses were given", walk, found);
        if signers.len() > best.1.len() {
            best = (size, signers);
        }
    }
    enough(best.1.len(), options, found);
    best
}

/// Whether as many witnesses signed as are asked for.
pub(super) fn enough(signers: usize, options: &VerifyOptions, found: &mut Found) {
    if signers < options.quorum {
        found.error(
            codes::COSIGNATURES_MISSING,
            format!("{signers} of the {} witnesses that are asked for have signed", options.quorum),
            "let the ledger ask its witnesses again, and see what each of them answers",
        );
    }
}

/// The witnesses that signed a checkpoint, and when.
pub(super) fn cosigners(
    checkpoint: &SignedCheckpoint,
    options: &VerifyOptions,
    found: &mut Found,
) -> Vec<(VerifierKey, u64)> {
    let mut signers = Vec::new();
    for witness in &options.witnesses {
        match checkpoint.signed_by(witness) {
            Ok(signature) => {
                signers.push((witness.clone(), cosigned_at(witness, signature).unwrap_or_default()));
            }
            Err(CheckpointError::NotSigned { .. }) => {}
            Err(error) => found.error(
                codes::COSIGNATURE_WRONG,
                error.to_string(),
                "ask the witness again, and compare its public key with the one that its operator gave",
            ),
        }
    }
    signers
}

/// Says which signatures are of nobody who is known.
pub(super) fn unknown(
    checkpoint: &SignedCheckpoint,
    history: &KeyHistory,
    options: &VerifyOptions,
    name: &str,
    found: &mut Found,
) {
    let of_ledger = history.rotations().iter().flat_map(|change| [&change.old, &change.new]);
    let known: Vec<&VerifierKey> =
        options.keys.iter().chain(&options.witnesses).chain(of_ledger).collect();
    for signature in checkpoint.signatures() {
        let is_known =
            known.iter().any(|key| (key.name(), key.id()) == (signature.name(), signature.id()));
        if !is_known {
            found.add(
                codes::SIGNATURE_UNKNOWN,
                Severity::Info,
                format!(
                    "the {name} has a signature of {}+{:08x}, which was not given as a key",
                    signature.name(),
                    signature.id()
                ),
                "it proves nothing here; give the key with --key or --witness if it should be known",
            );
        }
    }
}

/// Whether the ledger still has what somebody remembers.
pub(super) fn remembered(
    report: &Report,
    walk: &Walk<'_>,
    options: &VerifyOptions,
    found: &mut Found,
) {
    let Some(remembered) = &options.remembered else { return };
    if remembered.origin == report.origin {
        grown_from(remembered.head, "the checkpoint that was remembered", walk, found);
    } else {
        found.error(
            codes::FORKED,
            format!(
                "what was remembered is of `{}`, and this is `{}`",
                remembered.origin, report.origin
            ),
            "compare with the checkpoint of the ledger that was remembered",
        );
    }
}

fn grown_from(before: TreeHead, what: &str, walk: &Walk<'_>, found: &mut Found) {
    let size = walk.head().size;
    match walk.head_at(before.size) {
        Some(head) if head == before => {}
        Some(_) => found.error(
            codes::FORKED,
            format!("the first {} entries are not those of {what}", before.size),
            "the ledger has two histories: keep both checkpoints, which are signed, and find out who had the key",
        ),
        None if before.size > size && walk.is_whole() => found.error(
            codes::ROLLED_BACK,
            format!("{what} is of {} entries, and this ledger has {size}", before.size),
            "an older state was put in the place of a newer one: look for the newer one",
        ),
        // Entries are missing, and that is said already.
        None => {}
    }
}

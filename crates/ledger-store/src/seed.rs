//! The randomness of a new key.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct SeedError;

/// 32 random bytes, of which a key can be made.
///
/// # Errors
/// When the system has none to give.
pub fn random_seed() -> Result<[u8; 32], SeedError> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_unspecified| SeedError)?;
    Ok(seed)
}

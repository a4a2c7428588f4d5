//! Tests of tests: a small shop, what is claimed of it, and what the claims come to.

#[cfg(test)]
mod checks {
    mod against_oracle;
    mod assertions;
    mod cases;
    mod coverage;
    pub(crate) mod fixture;
}

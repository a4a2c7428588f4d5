//! Policy unit tests: cases, set assertions and rule coverage.

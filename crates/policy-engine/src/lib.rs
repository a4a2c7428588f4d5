//! The compiled policy program: verdicts, maps, explanations, differences.

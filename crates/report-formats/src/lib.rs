//! Renders maps, differences, findings and test results.

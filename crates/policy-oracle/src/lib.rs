//! A naive evaluator, written from the API text alone, that checks the engine.

//! The `weir` binary: wiring only.

fn main() -> std::process::ExitCode {
    cli::main()
}

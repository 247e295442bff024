//! `pyagent-sandbox`: see `command` in the library.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    pyagent_sandbox::command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("pyagent-sandbox needs Linux");
    std::process::ExitCode::from(126)
}

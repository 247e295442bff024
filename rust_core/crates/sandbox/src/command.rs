//! The program's roles: the supervisor that PyAgent starts for each program, the first process inside, and a command.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use crate::channel::{Message, Streams, from_stdin, receive_profile};
use crate::profile::Profile;
use crate::{inside, outside, proxy};

const USAGE: &str = "usage: pyagent-sandbox exec [KEY=VALUE]… -- PROGRAM [ARGUMENT]…
  read=PATH write=PATH tmp=PATH   what it may see, change, and have as /tmp
  system=1                        the system's programs and libraries
  hide=PATH                       what it may not see within those
  network=none|loopback|all, or network=hosts host=NAME[:PORT]…  mode=required|best|off
  memory=BYTES cpu_seconds=N processes=N file_size=BYTES open_files=N disk=BYTES wall_ms=N
  env=NAME=VALUE cwd=PATH  without=user|mount|pid|net|ipc|landlock|seccomp";
/// Exit codes of our own, as a shell's: the program cannot be run.
const CANNOT_RUN: u8 = 126;

/// Do what the first argument says.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next().unwrap_or_default();
    close_others();
    let outcome = match role.to_str() {
        Some("serve") => serve(),
        Some("inside") => {
            let told = arguments.map(|argument| argument.to_string_lossy().into_owned());
            from_stdin().and_then(|channel| inside::run(channel, outside::heard(told))).map(|()| ExitCode::SUCCESS)
        }
        Some("proxy") => from_stdin().and_then(proxy::run).map(|()| ExitCode::SUCCESS),
        Some("exec") => exec(arguments),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("pyagent-sandbox: {error}");
        ExitCode::from(CANNOT_RUN)
    })
}

/// Close what was inherited by mistake: the program must not find it.
fn close_others() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        let _ = nix::unistd::close(descriptor);
    }
}

/// Take one profile from the engine by stdin, a socket; then its wishes, and tell it what happens, in lines of JSON.
fn serve() -> io::Result<ExitCode> {
    let mut channel = from_stdin()?;
    let (bytes, streams) = receive_profile(&mut channel)?;
    let mut engine = Engine { channel };
    match Profile::parse(&bytes) {
        Ok(profile) => outside::run(&profile, streams, &mut engine)?,
        Err(error) => engine.tell_failed(&error.to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

struct Engine {
    channel: UnixStream,
}

impl Engine {
    fn tell_failed(&mut self, what: &str) {
        outside::Client::tell(self, &Message::Failed { errno: libc::EINVAL, message: what.to_owned() }, "");
    }
}

impl outside::Client for Engine {
    fn tell(&mut self, message: &Message, more: &str) {
        // The engine may be gone; its end is seen elsewhere.
        let _ = self.channel.write_all(message.to_json(more).as_bytes());
    }

    fn channel(&self) -> Option<&UnixStream> {
        Some(&self.channel)
    }

    fn listen(&mut self) -> Option<Duration> {
        let mut line = [0; 64];
        let count = self.channel.read(&mut line).ok().filter(|count| *count > 0)?;
        let text = std::str::from_utf8(&line[..count]).ok()?;
        Duration::try_from_secs_f64(text.trim().strip_prefix("stop ")?.parse().ok()?).ok()
    }
}

/// Run a program from the command line.
fn exec(arguments: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let mut profile = Profile::default();
    let mut entries = true;
    for argument in arguments {
        if !entries {
            profile.argv.push(argument);
            continue;
        }
        let bytes = argument.as_bytes();
        match bytes.iter().position(|byte| *byte == b'=') {
            _ if bytes == b"--" => entries = false,
            Some(at) => profile.set(&bytes[..at], &bytes[at + 1..]).map_err(io::Error::other)?,
            None => return Err(io::Error::other(format!("{} is no KEY=VALUE\n{USAGE}", argument.display()))),
        }
    }
    profile.check().map_err(|error| io::Error::other(format!("{error}\n{USAGE}")))?;
    let own = |stream: std::os::fd::BorrowedFd<'_>| stream.try_clone_to_owned();
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let streams: Streams = [own(stdin.as_fd())?, own(stdout.as_fd())?, own(stderr.as_fd())?];
    let mut person = Person { code: CANNOT_RUN };
    outside::run(&profile, streams, &mut person)?;
    Ok(ExitCode::from(person.code))
}

struct Person {
    code: u8,
}

impl outside::Client for Person {
    fn tell(&mut self, message: &Message, _: &str) {
        match message {
            Message::Started { missing, .. } => {
                for each in missing {
                    eprintln!("pyagent-sandbox: not kept: {each}");
                }
            }
            Message::Refused(missing) => eprintln!("pyagent-sandbox: not run; not kept: {}", missing.join("; ")),
            Message::Failed { message, .. } => eprintln!("pyagent-sandbox: {message}"),
            Message::Exited { code, exceeded } => {
                if !exceeded.is_empty() {
                    eprintln!("pyagent-sandbox: it used more than its {exceeded}");
                }
                let shown = if *code < 0 { 128 - *code } else { *code };
                self.code = u8::try_from(shown).unwrap_or(u8::MAX);
            }
        }
    }

    fn channel(&self) -> Option<&UnixStream> {
        None
    }

    fn listen(&mut self) -> Option<Duration> {
        None
    }
}

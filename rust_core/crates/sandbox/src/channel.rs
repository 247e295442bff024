//! What the processes say to each other: bytes with descriptors, such as a profile with three, then lines.

use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The longest profile: the kernel takes 2 MiB of arguments and environment.
const LONGEST: usize = 8 << 20;

/// The program's stdin, stdout and stderr.
pub type Streams = [OwnedFd; 3];

/// A channel made of this process's stdin, which is replaced by nothing.
///
/// # Errors
/// Stdin is no socket, or the system's.
pub fn from_stdin() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Send a profile's bytes with the streams.
///
/// # Errors
/// The system's.
pub fn send_profile(channel: &mut UnixStream, profile: &[u8], streams: &Streams) -> io::Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = streams.iter().map(AsFd::as_fd).collect();
    send_with(channel, profile, &borrowed)
}

/// Take what `send_profile` sent.
///
/// # Errors
/// The system's, and `InvalidData` for what is no profile with its streams.
pub fn receive_profile(channel: &mut UnixStream) -> io::Result<(Vec<u8>, Streams)> {
    let (profile, found) = receive_with(channel)?;
    let streams = Streams::try_from(found);
    Ok((profile, streams.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "three streams are needed"))?))
}

/// Send bytes with at most three descriptors.
///
/// # Errors
/// The system's.
pub fn send_with(channel: &mut UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(descriptors));
    sendmsg(&*channel, &[io::IoSlice::new(&length)], &mut rights, SendFlags::NOSIGNAL)?;
    channel.write_all(bytes)
}

/// Take what `send_with` sent.
///
/// # Errors
/// The system's, and `InvalidData` for what has no length, or too much of it.
pub fn receive_with(channel: &mut UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut length)];
    let received = recvmsg(&*channel, &mut into, &mut rights, RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL)?.bytes;
    let mut found: Vec<OwnedFd> = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            found.extend(descriptors);
        }
    }
    let size = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if received != length.len() || size > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no profile"));
    }
    let mut bytes = vec![0; size];
    channel.read_exact(&mut bytes)?;
    Ok((bytes, found))
}

/// What the first process inside says to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The program runs. What holds it, and what does not hold.
    Started {
        /// Names of mechanisms in force.
        held: Vec<String>,
        /// What is not kept, for people.
        missing: Vec<String>,
    },
    /// The profile cannot be kept here, so it was not run.
    Refused(Vec<String>),
    /// It could not be run.
    Failed {
        /// The system's error number.
        errno: i32,
        /// The same for people.
        message: String,
    },
    /// It ended, with what `waitpid` said in one number, perhaps because it exceeded a limit.
    Exited {
        /// Its exit status; minus the signal's number if a signal ended it.
        code: i32,
        /// The limit's name, or empty.
        exceeded: String,
    },
}

impl Message {
    /// As one line of JSON; `more`: members to put in, as JSON.
    #[must_use]
    pub fn to_json(&self, more: &str) -> String {
        let list = |texts: &[String]| texts.iter().map(|each| quoted(each)).collect::<Vec<_>>().join(",");
        let members = match self {
            Self::Started { held, missing } => format!("\"held\":[{}],\"missing\":[{}]", list(held), list(missing)),
            Self::Refused(missing) => format!("\"refused\":[{}]", list(missing)),
            Self::Failed { errno, message } => format!("\"failed\":{errno},\"message\":{}", quoted(message)),
            Self::Exited { code, exceeded } => format!("\"ended\":{code},\"exceeded\":{}", quoted(exceeded)),
        };
        if more.is_empty() { format!("{{{members}}}\n") } else { format!("{{{members},{more}}}\n") }
    }

    /// As one line between the two processes.
    #[must_use]
    pub fn to_line(&self) -> String {
        let clean = |text: &String| text.replace(['\t', '\n', '\x1f'], " ");
        let join = |texts: &[String]| texts.iter().map(clean).collect::<Vec<_>>().join("\x1f");
        match self {
            Self::Started { held, missing } => format!("started\t{}\t{}\n", join(held), join(missing)),
            Self::Refused(missing) => format!("refused\t{}\n", join(missing)),
            Self::Failed { errno, message } => format!("failed\t{errno}\t{}\n", clean(message)),
            Self::Exited { code, exceeded } => format!("exited\t{code}\t{}\n", clean(exceeded)),
        }
    }

    /// Read a line, without its end.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let list = |text: &str| text.split('\x1f').filter(|each| !each.is_empty()).map(str::to_owned).collect();
        let mut fields = line.split('\t');
        Some(match fields.next()? {
            "started" => Self::Started { held: list(fields.next()?), missing: list(fields.next()?) },
            "refused" => Self::Refused(list(fields.next()?)),
            "failed" => Self::Failed { errno: fields.next()?.parse().ok()?, message: fields.next()?.to_owned() },
            "exited" => Self::Exited { code: fields.next()?.parse().ok()?, exceeded: fields.next()?.to_owned() },
            _ => return None,
        })
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for each in text.chars() {
        match each {
            '"' | '\\' => out.extend(['\\', each]),
            each if u32::from(each) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(each))),
            each => out.push(each),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{Message, Streams, receive_profile, send_profile};
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    fn streams() -> std::io::Result<Streams> {
        let open = || std::fs::File::open("/dev/null").map(Into::into);
        Ok([open()?, open()?, open()?])
    }

    #[test]
    fn a_profile_arrives_whole_with_its_streams() -> std::io::Result<()> {
        let (mut one, mut other) = UnixStream::pair()?;
        let bytes = vec![7; 300_000];
        let (sent, given) = (bytes.clone(), streams()?);
        let sender = std::thread::spawn(move || send_profile(&mut one, &sent, &given));
        let (found, mut received) = receive_profile(&mut other)?;
        assert_eq!(found, bytes);
        let mut file = std::fs::File::from(received[0].try_clone()?);
        assert_eq!(file.read(&mut [0; 8])?, 0);
        received.reverse();
        assert!(sender.join().is_ok_and(|outcome| outcome.is_ok()));
        Ok(())
    }

    #[test]
    fn a_profile_without_streams_is_refused() -> std::io::Result<()> {
        let (mut one, mut other) = UnixStream::pair()?;
        one.write_all(&[4, 0, 0, 0, 1, 2, 3, 4])?;
        assert!(receive_profile(&mut other).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn every_message_comes_back_from_its_line(code in any::<i32>(), text in "[^\t\n\u{1f}]{0,40}") {
            for message in [
                Message::Failed { errno: code, message: text.clone() },
                Message::Exited { code, exceeded: text.clone() },
                Message::Refused(if text.is_empty() { vec![] } else { vec![text.clone(), text.clone()] }),
            ] {
                prop_assert_eq!(Message::from_line(message.to_line().trim_end_matches('\n')), Some(message));
            }
        }

        #[test]
        fn any_line_is_read_without_a_panic(line in ".{0,80}") {
            let _ = Message::from_line(&line);
        }
    }
}

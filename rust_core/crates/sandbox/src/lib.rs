//! Runs a program with nothing but what its profile allows, and ends with nothing of it left.
//!
//! Three processes, each from a fresh exec, so that none of them needs unsafe code: the supervisor (`outside`) enters a
//! user namespace and waits; the first process of the new world (`inside`) builds the file tree, gives up its rights,
//! locks itself in with Landlock and seccomp, and starts the program, which inherits all of it. Where a profile names
//! hosts, a fourth (`proxy`) stands outside the program's network and connects it to those.
#![cfg(target_os = "linux")]

pub mod calls;
pub mod channel;
pub mod command;
pub mod files;
pub mod hosts;
pub mod inside;
pub mod limits;
pub mod namespaces;
pub mod outside;
pub mod places;
pub mod plan;
pub mod processes;
pub mod profile;
pub mod proxy;
pub mod request;
pub mod tree;

//! What the program says when it cannot go on: what was wrong, where it looked, what to do.

use std::fmt;

/// The exit codes of the program, as `--help` lists them.
pub mod exit_code {
    /// Something failed on the way.
    pub const FAILED: u8 = 1;
    /// The command, a setting or the folder is not what it should be; nothing was done.
    pub const USAGE: u8 = 2;
    /// Ctrl-C; what was reached is kept.
    pub const INTERRUPTED: u8 = 130;
}

/// An error for the eyes of the user.
#[derive(Debug)]
pub struct Complaint {
    what: String,
    details: Vec<(&'static str, String)>,
    code: u8,
}

impl Complaint {
    /// The user asked for something that cannot be; nothing was done.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::with_code(what, exit_code::USAGE)
    }

    /// Something failed on the way.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::with_code(what, exit_code::FAILED)
    }

    /// The user pressed Ctrl-C.
    pub fn interrupted(what: impl Into<String>) -> Self {
        Self::with_code(what, exit_code::INTERRUPTED)
    }

    fn with_code(what: impl Into<String>, code: u8) -> Self {
        Self { what: what.into(), details: vec![], code }
    }

    /// Adds a line `name: value`.
    pub fn detail(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.details.push((name, value.to_string()));
        self
    }

    /// Adds what to do.
    pub fn fix(self, fix: impl fmt::Display) -> Self {
        self.detail("fix", fix)
    }

    /// With what the program ends.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for (name, value) in &self.details {
            write!(f, "\n  {name}: {value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}

//! Ctrl-C: once to stop at the next safe place, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::complaint::{Complaint, exit_code};
use crate::console;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C and for a polite request to end.
pub fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(exit_code::INTERRUPTED.into());
        }
        console::print("\nstopping: writing a checkpoint (Ctrl-C again stops at once)");
    })?;
    Ok(())
}

/// Whether the user wants the program to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// An error if the user wants the program to stop, for places with nothing to save.
pub fn check() -> Result<(), Complaint> {
    if requested() { Err(stopped()) } else { Ok(()) }
}

/// What the program says when it stops at the user's wish.
pub fn stopped() -> Complaint {
    Complaint::interrupted("stopped").fix("the same command goes on from here")
}

//! Ctrl-C: once to stop at the next safe place, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::complaint::{Complaint, exit_code};
use crate::console;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static GOES_ON: AtomicBool = AtomicBool::new(true);

/// Listens for Ctrl-C and for a polite request to end; `goes_on` says whether the same command then
/// goes on from where it was stopped.
///
/// # Errors
/// The system does not let us listen.
pub fn listen(goes_on: bool) -> anyhow::Result<()> {
    GOES_ON.store(goes_on, Ordering::SeqCst);
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(exit_code::INTERRUPTED.into());
        }
        let how = if goes_on { "writing a checkpoint" } else { "nothing is kept" };
        console::print(&format!("\nstopping: {how} (Ctrl-C again stops at once)"));
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
    Complaint::interrupted("stopped").fix(match GOES_ON.load(Ordering::SeqCst) {
        true => "the same command goes on from here",
        false => "nothing was kept: the same command begins anew",
    })
}

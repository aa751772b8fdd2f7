//! Mounts the explorer.

use std::time::Duration;

use leptos::prelude::set_timeout;

fn main() {
    // In a task of its own: the one that starts the file has done enough.
    set_timeout(web::app::mount, Duration::ZERO);
}

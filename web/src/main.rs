//! Mounts the explorer.

fn main() {
    web::app::mount();
}

//! The engine on the processor.

use web::engine;

fn main() {
    engine::tell_panics();
    engine::serve(burn::prelude::Device::flex());
}

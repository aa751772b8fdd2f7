//! The engine on the processor.

fn main() {
    web::engine::serve(burn::prelude::Device::flex());
}

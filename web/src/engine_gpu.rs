//! The engine on a graphics card.

use burn::prelude::Device;
use web::engine;

fn main() {
    engine::tell_panics();
    wasm_bindgen_futures::spawn_local(async {
        match Device::wgpu_options().init_async().await {
            Ok(device) => engine::serve(device),
            Err(error) => engine::fail(&error.to_string()),
        }
    });
}

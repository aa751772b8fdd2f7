//! The engine on a graphics card.

use burn::prelude::Device;

fn main() {
    wasm_bindgen_futures::spawn_local(async {
        match Device::wgpu_options().init_async().await {
            Ok(device) => web::engine::serve(device),
            Err(error) => web::engine::fail(&error.to_string()),
        }
    });
}

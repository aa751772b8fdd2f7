//! Fast forms for the processor of what tensors express slowly. Each agrees with a plain tensor form,
//! which stays the reference and serves every other device.

#[cfg(all(feature = "flex", not(target_family = "wasm")))]
pub mod adam;
#[cfg(all(feature = "flex", not(target_family = "wasm")))]
pub mod char_lm;
#[cfg(all(feature = "flex", not(target_family = "wasm")))]
pub mod csae;
#[cfg(all(feature = "flex", not(target_family = "wasm")))]
mod exp;
#[cfg(all(feature = "flex", not(target_family = "wasm")))]
mod lanes;
pub mod partners;
#[cfg(all(feature = "flex", not(target_family = "wasm")))]
mod product;

use burn::prelude::Device;

/// Whether tensors on this device lie in the processor's memory, where a kernel can read them.
#[cfg(feature = "flex")]
pub fn on_processor(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Without burn's processor backend no tensor does.
#[cfg(not(feature = "flex"))]
pub fn on_processor(_device: &Device) -> bool {
    false
}

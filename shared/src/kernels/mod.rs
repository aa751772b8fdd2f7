//! Fast forms for the processor of what tensors express slowly. Each agrees with a plain tensor form,
//! which stays the reference and serves every other device.

#[cfg(feature = "flex")]
pub mod adam;
#[cfg(feature = "flex")]
pub mod char_lm;
#[cfg(feature = "flex")]
pub mod csae;
#[cfg(feature = "flex")]
mod exp;
#[cfg(feature = "flex")]
pub mod gram;
#[cfg(feature = "flex")]
mod lanes;
pub mod partners;
#[cfg(feature = "flex")]
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

//! Which device this machine gives, and what to tell the user about it.

use burn::prelude::Device;

use crate::complaint::Complaint;
use crate::settings::DeviceChoice;

/// The device of a run.
#[derive(Clone, Debug)]
pub struct ChosenDevice {
    /// For tensors.
    pub device: Device,
    /// What it is, as in `wgpu NVIDIA RTX 4070`.
    pub name: String,
    /// Why it is this one, and how to change it.
    pub hint: String,
    /// Whether it is a card of its own, for which experiments are made larger.
    pub is_large: bool,
}

/// Finds the device that was asked for. Without a wish: a graphics card if there is one, never one
/// that the processor imitates, else the processor.
///
/// # Errors
/// The device that was asked for is not here, or this build has no support for it.
pub fn choose(choice: DeviceChoice) -> Result<ChosenDevice, Complaint> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu("CSAE_DEVICE=auto takes a graphics card".into())),
        DeviceChoice::Auto => Ok(graphics_card().unwrap_or_else(|reason| {
            cpu(format!("{reason}; CSAE_DEVICE=wgpu|cuda|software changes it"))
        })),
        DeviceChoice::Wgpu => graphics_card().map_err(|reason| {
            Complaint::usage(format!("CSAE_DEVICE=wgpu: {reason}"))
                .fix("install the card's Vulkan driver, or set CSAE_DEVICE=cpu")
        }),
        DeviceChoice::Software => software(),
        DeviceChoice::Cuda => cuda(),
    }
}

fn cpu(hint: String) -> ChosenDevice {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    ChosenDevice {
        device: Device::flex(),
        name: "cpu".into(),
        hint: format!("{threads} threads; {hint}"),
        is_large: false,
    }
}

#[cfg(feature = "wgpu")]
mod with_wgpu {
    use super::*;
    use burn::prelude::DeviceKind;
    use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor};

    /// The names of the adapters that wgpu finds, with their kind.
    fn adapters() -> Vec<(DeviceType, String)> {
        // OpenGL is left out: burn does not compute with it, and its driver talks on standard error.
        let mut wanted = InstanceDescriptor::new_without_display_handle();
        wanted.backends = Backends::PRIMARY;
        let instance = Instance::new(wanted);
        pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY))
            .iter()
            .map(|adapter| adapter.get_info())
            .map(|info| (info.device_type, info.name))
            .collect()
    }

    /// The best graphics card, or why there is none.
    pub fn graphics_card() -> Result<ChosenDevice, String> {
        let adapters = adapters();
        let kinds = [
            (DeviceType::DiscreteGpu, DeviceKind::DiscreteGpu(0)),
            (DeviceType::IntegratedGpu, DeviceKind::IntegratedGpu(0)),
            (DeviceType::VirtualGpu, DeviceKind::VirtualGpu(0)),
        ];
        for (device_type, kind) in kinds {
            if let Some((_, name)) = adapters.iter().find(|(found, _)| *found == device_type) {
                return open(kind, name, "CSAE_DEVICE=cpu changes it");
            }
        }
        Err(match adapters.first() {
            None => "no graphics card found".into(),
            Some((_, name)) => format!("no graphics card found, only {name}"),
        })
    }

    /// A software adapter, such as lavapipe.
    pub fn software() -> Result<ChosenDevice, Complaint> {
        let absent = |reason: String| {
            Complaint::usage(format!("CSAE_DEVICE=software: {reason}")).fix(
                "install a software Vulkan driver (Debian: apt-get install mesa-vulkan-drivers), \
                 or set CSAE_DEVICE=cpu",
            )
        };
        let adapters = adapters();
        let Some((_, name)) = adapters.iter().find(|(kind, _)| *kind == DeviceType::Cpu) else {
            return Err(absent("no software adapter found".into()));
        };
        open(DeviceKind::Cpu, name, "CSAE_DEVICE=cpu is much faster").map_err(absent)
    }

    fn open(kind: DeviceKind, name: &str, hint: &str) -> Result<ChosenDevice, String> {
        let is_large = matches!(kind, DeviceKind::DiscreteGpu(_));
        let device = Device::wgpu_options()
            .device_kind(kind)
            .init()
            .map_err(|error| format!("{name} does not open: {error}"))?;
        Ok(ChosenDevice { device, name: format!("wgpu {name}"), hint: hint.into(), is_large })
    }
}
#[cfg(feature = "wgpu")]
use with_wgpu::{graphics_card, software};

#[cfg(not(feature = "wgpu"))]
fn graphics_card() -> Result<ChosenDevice, String> {
    Err("this build has no wgpu".into())
}

#[cfg(not(feature = "wgpu"))]
fn software() -> Result<ChosenDevice, Complaint> {
    Err(Complaint::usage("CSAE_DEVICE=software: this build has no wgpu")
        .fix("build with the feature wgpu, which is on by default"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<ChosenDevice, Complaint> {
    let device = Device::cuda(burn::prelude::DeviceIndex::Default);
    // Without a driver, burn panics where it first needs one.
    let name = std::panic::catch_unwind(|| device.identity().map(|identity| identity.name));
    let name = name.map_err(|_| {
        Complaint::usage("CSAE_DEVICE=cuda: no CUDA driver, or no card that it knows")
            .fix("install NVIDIA's driver, or set CSAE_DEVICE=wgpu or cpu")
    })?;
    Ok(ChosenDevice {
        device,
        name: format!("cuda {}", name.as_deref().unwrap_or("card 0")),
        hint: "CSAE_DEVICE=cpu changes it".into(),
        is_large: true,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<ChosenDevice, Complaint> {
    Err(Complaint::usage("CSAE_DEVICE=cuda: this build has no CUDA").fix(
        "build with cargo build --release -p trainer --features cuda \
             (fetches an LLVM bundle once), or set CSAE_DEVICE=wgpu",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there() {
        let chosen = choose(DeviceChoice::Cpu).unwrap();

        assert_eq!(chosen.name, "cpu");
        assert!(!chosen.is_large);
    }

    #[test]
    fn nobody_gets_a_software_adapter_without_asking() {
        let chosen = choose(DeviceChoice::Auto).unwrap();

        assert!(!chosen.name.contains("llvmpipe"), "{}", chosen.name);
    }
}

//! One training step on a graphics card's path gives what the processor gives.
//!
//! The card is one that the processor imitates (lavapipe); where there is none, this says so and tests
//! nothing. `CSAE_TEST_DEVICE=software|wgpu|cuda` names a device that has to be there.

#![allow(clippy::unwrap_used)] // what fails here is a failed test

use std::sync::OnceLock;

use anyhow::Result;
use burn::prelude::*;
use shared::weights::Weights;
use shared::{AttentionConfig, CharLmConfig, CsaeConfig, UnitsConfig, random};
use trainer::data::languages::{Language, Split};
use trainer::data::{Corpus, Rows};
use trainer::device;
use trainer::plan::{Profile, ProfileName, Schedule};
use trainer::settings::DeviceChoice;
use trainer::speed::with_parts;
use trainer::train::autoencoder::{self, AutoencoderTask};
use trainer::train::lm::{self, LmTask};
use trainer::train::rows::RecordedRows;
use trainer::train::{Observer, Snapshot};

/// Keeps the snapshot that a training offers at its end.
#[derive(Default)]
struct Keeper(Snapshot);

impl Observer for Keeper {
    fn progress(&mut self, _step: u64, _message: &dyn Fn() -> String) {}

    fn save(&mut self, snapshot: Snapshot) -> Result<()> {
        self.0 = snapshot;
        Ok(())
    }
}

/// The device opens once in a process.
fn card() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let wanted = std::env::var("CSAE_TEST_DEVICE");
    let choice = match wanted.as_deref() {
        Err(_) | Ok("software") => DeviceChoice::Software,
        Ok("wgpu") => DeviceChoice::Wgpu,
        Ok("cuda") => DeviceChoice::Cuda,
        Ok(other) => panic!("CSAE_TEST_DEVICE={other} is none of software, wgpu, cuda"),
    };
    let open = || match device::choose(choice) {
        Ok(chosen) => {
            eprintln!("tested: {}", chosen.name);
            Some(chosen.device)
        }
        Err(complaint) => {
            assert!(wanted.is_err(), "{complaint}");
            eprintln!("not tested: {complaint}");
            None
        }
    };
    DEVICE.get_or_init(open).clone()
}

/// A step's gradients are a tenth of Adam's first memory; they must agree to a thousandth of the
/// largest entry of their tensor, as must the loss.
fn assert_close(one: &Snapshot, other: &Snapshot) {
    let first = |weights: &Weights| -> Vec<(String, Vec<f32>)> {
        let memories = weights.iter().filter(|(name, _)| name.starts_with("first."));
        memories.map(|(name, weight)| (name.clone(), weight.values.clone())).collect()
    };
    let (one_first, other_first) = (first(&one.weights), first(&other.weights));
    let names = |all: &[(String, Vec<f32>)]| -> Vec<String> {
        all.iter().map(|(name, _)| name.clone()).collect()
    };
    assert!(!one_first.is_empty());
    assert_eq!(names(&one_first), names(&other_first));
    for ((name, one), (_, other)) in one_first.iter().zip(&other_first) {
        let largest = one.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (one, other) in one.iter().zip(other) {
            assert!((one - other).abs() <= 1e-3 * largest, "{name}: {one} and {other}");
        }
    }
    for (one, other) in one.metrics.iter().zip(&other.metrics) {
        for (name, value) in &one.values {
            assert!((value - other.values[name]).abs() <= 1e-3, "{name} at {}", one.step);
        }
    }
}

#[test]
fn a_step_of_the_language_model_agrees() {
    let Some(card) = card() else { return };
    let text = Language::Arithmetic.generate(1, Split::Train, 400).text;
    let corpus = Corpus::from_text("arithmetic", &text, "generated", 100).unwrap();
    let mut training = Profile::named(ProfileName::Smoke).lm_training;
    training.iterations = 1;
    training.eval_batches = 1;
    let config = CharLmConfig::new(corpus.vocab.len())
        .with_n_layers(2)
        .with_n_heads(2)
        .with_d_model(32)
        .with_block_size(16);
    let step = |device: &Device| {
        let task =
            LmTask { config: &config, training: &training, corpus: &corpus, seed: 1, device };
        let mut keeper = Keeper::default();
        lm::train(&task, None, &mut keeper).unwrap();
        keeper.0
    };

    assert_close(&step(&Device::flex()), &step(&card));
}

#[test]
fn steps_of_the_autoencoders_agree() {
    let Some(card) = card() else { return };
    let values = random::normal(&mut random::stream(1, "rows"), 64 * 16, 1.0);
    let mut training = Profile::named(ProfileName::Smoke).autoencoder_training;
    // The attention's output starts at 0, so that the rest of it learns from the second step on.
    training.steps = 2;
    training.batch_size = 64;
    training.composition.at = 2.0; // Never: units have parts from the start.
    let attention = AttentionConfig::new().with_d_compose(16).with_n_heads(2).with_gate(true);
    let plain = CsaeConfig::new(16).with_n_features(40).with_sparsity_k(6);
    let triples = attention.clone().with_combination_size(3);
    let units = UnitsConfig::new().with_n_units(12);
    for config in [
        plain.clone(),
        plain.clone().with_attention(Some(attention)),
        plain.clone().with_attention(Some(triples)),
        plain.with_units(Some(units)).with_refit_steps(3),
    ] {
        let step = |device: &Device| {
            let rows = Rows { values: values.clone(), width: 16 };
            let task = AutoencoderTask {
                name: "test",
                config: &config,
                schedule: Schedule::default(),
                training: &training,
                learning_rate: 1e-3,
                seed: 1,
            };
            let mut keeper = Keeper::default();
            let mut source = RecordedRows::new(&rows, training.batch_size, 1, device);
            let resume = config.units.is_some().then(|| with_parts(&config, device));
            autoencoder::train(&task, &mut source, resume, &mut keeper).unwrap();
            keeper.0
        };

        assert_close(&step(&Device::flex()), &step(&card));
    }
}

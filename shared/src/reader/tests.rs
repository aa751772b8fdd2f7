use std::collections::BTreeMap;

use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::numbers::LEAST_ATTENTION;
use super::*;
use crate::bundle::{AutoencoderInfo, Manifest, Normalization, SCHEMA};
use crate::report::Quality;
use crate::weights::{self, Precision, Weight, Weights};
use crate::{AttentionConfig, CharLmConfig, CsaeConfig, UnitsConfig, random};

/// A bundle whose weights are all noise, so that everything has an effect.
fn bundle(config: CsaeConfig) -> Bundle {
    let device = Device::flex();
    let vocab = Vocab::of("abcd\n");
    let lm = CharLmConfig::new(5).with_n_layers(2).with_n_heads(2).with_d_model(8);
    let lm = lm.with_block_size(6);
    let mut rng = random::stream(4, "noise");
    let mut noisy = |weights: Weights| -> Weights {
        let noise = |(name, weight): (String, Weight)| {
            let values = match name.ends_with("units.parts") {
                true => weight.values.clone(),
                false => random::normal(&mut rng, weight.values.len(), 0.4),
            };
            (name, Weight { values, ..weight })
        };
        weights.into_iter().map(noise).collect()
    };
    let mut all = Weights::new();
    weights::put(&mut all, "lm.", noisy(weights::of(&lm.init(1, &device))));
    let mut part = noisy(weights::of(&config.init(3, &device)));
    if let Some(parts) = part.get_mut("units.parts") {
        // Unit 1 of 2 has the parts 1 and 4.
        for feature in [1, 4] {
            parts.values[feature * 2 + 1] = 1.0;
        }
    }
    if let Some(threshold) = part.get_mut("units.threshold") {
        threshold.values.fill(0.0);
    }
    Normalization { mean: vec![0.1; 8], scale: 1.7 }.put_into(&mut part);
    weights::put(&mut all, "csae.", part);
    let info = AutoencoderInfo { config, quality: Quality::default() };
    let manifest = Manifest {
        schema: SCHEMA,
        made_by: "test".into(),
        dataset: "abcd".into(),
        vocab,
        lm,
        layer: 1,
        precision: Precision::F32,
        autoencoders: [("csae".to_string(), info)].into(),
        files: BTreeMap::new(),
    };
    Bundle { manifest, weights: all, features: BTreeMap::new(), combinations: BTreeMap::new() }
}

fn attention() -> CsaeConfig {
    let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
    CsaeConfig::new(8).with_n_features(16).with_sparsity_k(5).with_attention(Some(attention))
}

fn units() -> CsaeConfig {
    let units = UnitsConfig::new().with_n_units(2);
    CsaeConfig::new(8).with_n_features(6).with_sparsity_k(6).with_units(Some(units))
}

fn read(reader: &Reader, text: &str) -> Result<Reading, ReadError> {
    // The processor answers at once.
    let mut reading = std::pin::pin!(reader.read(text));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match reading.as_mut().poll(&mut context) {
        std::task::Poll::Ready(reading) => reading,
        std::task::Poll::Pending => panic!("the processor answered later"),
    }
}

fn reader(config: CsaeConfig) -> Reader {
    Reader::new(&bundle(config), "csae", &Device::flex()).unwrap()
}

#[test]
fn the_shares_of_features_and_combinations_are_one_in_sum() {
    for config in [attention(), units()] {
        let reading = read(&reader(config), "abcdabcdabcddcbaabcd").unwrap();

        for position in reading.positions.iter().filter(|position| !position.active.is_empty()) {
            let shares: f32 = position.active.iter().map(|active| active.share).sum();
            assert!((shares + position.composed_share - 1.0).abs() < 1e-4, "{position:?}");
        }
        let composed = reading.positions.iter().map(|position| position.composed_share.abs());
        assert!(composed.fold(0.0, f32::max) > 0.001);
    }
}

#[test]
fn a_long_text_is_read_as_its_windows_are() {
    let reader = reader(attention());
    let text = "abcd\nabddcabcdaab";

    let whole = read(&reader, text).unwrap();

    assert_eq!(whole.positions.len(), text.len());
    for window in windows(text.len(), 6) {
        let part = read(&reader, &text[window.start..window.end]).unwrap();
        for at in window.from..window.end {
            let (one, other) = (&whole.positions[at], &part.positions[at - window.start]);
            assert_eq!(one.active.len(), other.active.len());
            for (one, other) in one.active.iter().zip(&other.active) {
                assert_eq!(one.feature, other.feature);
                assert!((one.strength - other.strength).abs() < 1e-4);
            }
            assert!((one.next[0].clean - other.next[0].clean).abs() < 1e-4);
        }
    }
}

#[test]
fn losses_are_the_language_models_own() {
    let device = Device::flex();
    let bundle = bundle(attention());
    let reading = read(&reader(attention()), "abcd").unwrap();

    let ids = bundle.manifest.vocab.encode("abcd").unwrap();
    let data = TensorData::new(ids.iter().map(|id| *id as i32).collect(), [1, 4]);
    let logits = bundle.lm(&device).unwrap().logits(Tensor::from_data(data, &device));
    let probabilities = weights::to_vec(softmax(logits, 2));
    for at in 0..3 {
        let expected = -probabilities[at * 5 + ids[at + 1] as usize].ln();
        let found = reading.positions[at].clean_loss.unwrap();
        assert!((expected - found).abs() < 1e-4, "{expected} {found}");
    }
    assert_eq!(reading.positions[3].clean_loss, None);
    let guesses: f32 = reading.positions[0].next.iter().map(|guess| guess.clean).sum();
    assert!((guesses - 1.0).abs() < 1e-4); // five characters, six guesses
}

/// Every number of a reading, and where it stands.
fn numbers(reading: &Reading) -> Vec<(String, f32)> {
    let mut all = vec![];
    for (at, position) in reading.positions.iter().enumerate() {
        let mut put = |what: String, value: f32| all.push((format!("{what} at {at}"), value));
        for active in &position.active {
            put(format!("strength of {}", active.feature), active.strength);
            put(format!("share of {}", active.feature), active.share);
        }
        let units = position.units.iter();
        units.for_each(|unit| put(format!("unit {} {:?}", unit.unit, unit.parts), unit.strength));
        for pair in &position.attention {
            put(format!("attention {} {} {}", pair.head, pair.from, pair.to), pair.weight);
        }
        put("share of combinations".into(), position.composed_share);
        put("error".into(), position.error);
        for guess in &position.next {
            put(format!("chance of {:?}", guess.character), guess.clean);
            put(format!("rebuilt chance of {:?}", guess.character), guess.reconstructed);
        }
        put("loss".into(), position.clean_loss.unwrap_or(-1.0));
        put("rebuilt loss".into(), position.reconstructed_loss.unwrap_or(-1.0));
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn kernels_read_what_tensors_read() {
    let plain = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(3);
    let refitted = units().with_refit_steps(3).with_sparsity_k(5);
    for config in [plain.clone(), plain.with_refit_steps(2), units(), refitted, attention()] {
        for layer in 0..=2 {
            let mut bundle = bundle(config.clone());
            bundle.manifest.layer = layer;
            let device = Device::flex();
            let [kernels, tensors] = [Models::of_kernels, Models::of_tensors].map(|of| Reader {
                models: of(&bundle, "csae", &device).unwrap(),
                ..Reader::new(&bundle, "csae", &device).unwrap()
            });
            for text in ["a", "abcd", "abcdab", "abcd\nabddcabcdaabddcb"] {
                let found = numbers(&read(&kernels, text).unwrap());
                let expected = numbers(&read(&tensors, text).unwrap());
                assert_eq!(found.len(), expected.len());
                for ((what, found), (other, expected)) in found.iter().zip(&expected) {
                    assert_eq!(what, other);
                    let near = (found - expected).abs() < 1e-4 * expected.abs().max(1.0);
                    assert!(
                        near,
                        "{config:?}, layer {layer}, {text:?}: {what}: {found} {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn speaking_units_are_told_with_their_parts() {
    let reading = read(&reader(units()), "abcdabcdabcddcbaabcd").unwrap();

    let speaking: Vec<&SpeakingUnit> =
        reading.positions.iter().flat_map(|position| &position.units).collect();
    assert!(!speaking.is_empty());
    for unit in speaking {
        assert_eq!((unit.unit, unit.parts.as_slice()), (1, [1, 4].as_slice()));
    }
}

#[test]
fn attention_is_told_between_features_that_fire() {
    let reading = read(&reader(attention()), "abcdab").unwrap();

    let mut told = 0;
    for position in &reading.positions {
        let fires = |feature| position.active.iter().any(|active| active.feature == feature);
        for pair in &position.attention {
            assert!(fires(pair.from) && fires(pair.to) && pair.from != pair.to);
            assert!((LEAST_ATTENTION..=1.0).contains(&pair.weight) && pair.head < 2);
            told += 1;
        }
    }
    assert!(told > 0);
}

#[test]
fn a_foreign_character_is_an_error_and_no_panic() {
    let error = read(&reader(attention()), "abx").unwrap_err().to_string();

    assert!(error.contains("does not know 'x'"), "{error}");
}

#[test]
fn numbers_keep_six_digits() {
    assert_eq!(rounded(0.000_012_345_678), 0.000_012_345_7);
    assert_eq!(rounded(-1_234.567_8), -1_234.57);
    assert_eq!(rounded(0.0), 0.0);
}

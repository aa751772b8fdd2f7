//! The shared models in a browser: a bundle's bytes are read and compute there what they should.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used)] // what fails here is a failed test

use std::collections::BTreeMap;

use burn::prelude::Device;
use shared::bundle::{AutoencoderInfo, Bundle, Manifest, Normalization, SCHEMA, WEIGHTS};
use shared::reader::Reader;
use shared::report::Quality;
use shared::weights::{self, Precision, Weights};
use shared::{AttentionConfig, CharLmConfig, CsaeConfig, Vocab, random};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn bundle(precision: Precision) -> Bundle {
    let device = Device::flex();
    let lm = CharLmConfig::new(3).with_n_layers(2).with_n_heads(2).with_d_model(8);
    let lm = lm.with_block_size(8);
    let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
    let config = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(4);
    let config = config.with_attention(Some(attention));
    let mut part = weights::of(&config.init(3, &device));
    let mut rng = random::stream(1, "noise");
    for weight in part.values_mut() {
        weight.values = random::normal(&mut rng, weight.values.len(), 0.5);
    }
    Normalization { mean: vec![0.0; 8], scale: 40.0 }.put_into(&mut part);
    let mut all = Weights::new();
    weights::put(&mut all, "lm.", weights::of(&lm.init(1, &device)));
    weights::put(&mut all, "csae.", part);
    let info = AutoencoderInfo { config, quality: Quality::default() };
    let manifest = Manifest {
        schema: SCHEMA,
        made_by: "test".into(),
        dataset: "abc".into(),
        vocab: Vocab::of("abc"),
        lm,
        layer: 1,
        precision,
        autoencoders: [("csae".to_string(), info)].into(),
        files: BTreeMap::new(),
    };
    Bundle { manifest, weights: all, features: BTreeMap::new(), combinations: BTreeMap::new() }
}

#[wasm_bindgen_test]
async fn a_bundle_from_bytes_reads_a_text() {
    let files = bundle(Precision::F32).to_files().unwrap();
    let bundle = Bundle::from_files(&files).unwrap();
    let reader = Reader::new(&bundle, "csae", &Device::flex()).unwrap();

    let reading = reader.read("abcabcaabbcc").await.unwrap();

    assert_eq!(reading.positions.len(), 12);
    for position in &reading.positions {
        let shares: f32 = position.active.iter().map(|active| active.share).sum();
        assert!((shares + position.composed_share - 1.0).abs() < 1e-3, "{position:?}");
        let clean: f32 = position.next.iter().map(|guess| guess.clean).sum();
        assert!((clean - 1.0).abs() < 1e-4);
    }
}

#[wasm_bindgen_test]
async fn half_precision_reads_nearly_the_same() {
    let mut strengths = vec![];
    for precision in [Precision::F32, Precision::F16] {
        let files = bundle(precision).to_files().unwrap();
        let bundle = Bundle::from_files(&files).unwrap();
        let reader = Reader::new(&bundle, "csae", &Device::flex()).unwrap();
        let reading = reader.read("cab").await.unwrap();
        strengths.push(reading.positions[2].active[0].strength);
    }

    assert!((strengths[0] / strengths[1] - 1.0).abs() < 0.02, "{strengths:?}");
}

#[wasm_bindgen_test]
fn damaged_bytes_are_an_error_and_no_panic() {
    let mut files = bundle(Precision::F16).to_files().unwrap();
    let weights = files.get_mut(WEIGHTS).unwrap();
    weights[100] ^= 1;

    let error = Bundle::from_files(&files).unwrap_err().to_string();

    assert!(error.contains("weights.safetensors is damaged"), "{error}");
}

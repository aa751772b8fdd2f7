use super::*;
use crate::AttentionConfig;

fn bundle(precision: Precision) -> Bundle {
    let device = Device::flex();
    let vocab = Vocab::of("abc");
    let lm =
        CharLmConfig::new(3).with_n_layers(1).with_n_heads(2).with_d_model(8).with_block_size(4);
    let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);
    let config =
        CsaeConfig::new(8).with_n_features(16).with_sparsity_k(3).with_attention(Some(attention));
    let mut part = weights::of(&config.init(3, &device));
    let normalization = Normalization { mean: vec![0.1; 8], scale: 1.7 };
    normalization.put_into(&mut part);
    let mut all = Weights::new();
    weights::put(&mut all, "lm.", weights::of(&lm.init(1, &device)));
    weights::put(&mut all, "csae.", part);
    Bundle {
        manifest: Manifest {
            schema: SCHEMA,
            made_by: "test".into(),
            dataset: "abc".into(),
            vocab,
            lm,
            layer: 1,
            precision,
            autoencoders: [(
                "csae".to_string(),
                AutoencoderInfo { config, quality: Quality::default() },
            )]
            .into(),
            files: BTreeMap::new(),
        },
        weights: all,
        features: [("csae".to_string(), vec![FeatureStats::default()])].into(),
        combinations: BTreeMap::new(),
    }
}

#[test]
fn a_reloaded_bundle_computes_the_same_bits() {
    let device = Device::flex();
    let bundle = bundle(Precision::F32);
    let reconstruct = |bundle: &Bundle| {
        let (model, normalization) = bundle.autoencoder("csae", &device).unwrap();
        let rows = random_rows(&device);
        let limits = bundle.manifest.autoencoders["csae"].config.limits();
        let output = model.forward(normalization.apply(rows), limits);
        normalization.undo(output.reconstruction).into_data()
    };

    let reloaded = Bundle::from_files(&bundle.to_files().unwrap()).unwrap();

    reconstruct(&reloaded).assert_eq(&reconstruct(&bundle), true);
    let ids = || Tensor::from_data([[0, 1, 2]], &device);
    let logits = |bundle: &Bundle| bundle.lm(&device).unwrap().logits(ids()).into_data();
    logits(&reloaded).assert_eq(&logits(&bundle), true);
}

fn random_rows(device: &Device) -> Tensor<2> {
    let values = crate::random::normal(&mut crate::random::stream(2, "rows"), 40, 1.0);
    Tensor::from_data(TensorData::new(values, [5, 8]), device)
}

#[test]
fn half_precision_halves_the_weights() {
    let size = |precision| bundle(precision).to_files().unwrap()[WEIGHTS].len();

    let ratio = size(Precision::F16) as f64 / size(Precision::F32) as f64;

    assert!(ratio < 0.75, "{ratio}");
}

#[test]
fn damaged_missing_foreign_and_newer_bundles_are_errors() {
    let files = bundle(Precision::F32).to_files().unwrap();
    let error = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        Bundle::from_files(&files).unwrap_err()
    };
    let edit = |from: &str, to: &str| {
        let text = String::from_utf8(files[MANIFEST].clone()).unwrap();
        assert!(text.contains(from));
        let bytes = text.replace(from, to).into_bytes();
        error(&|files| drop(files.insert(MANIFEST.into(), bytes.clone())))
    };

    let missing = error(&|files| drop(files.remove(WEIGHTS)));
    assert!(matches!(missing, BundleError::MissingFile(name) if name == WEIGHTS));
    let truncated = error(&|files| files.get_mut(WEIGHTS).unwrap().truncate(100));
    assert!(matches!(truncated, BundleError::Damaged { .. }));
    let flipped = error(&|files| files.get_mut(FEATURES).unwrap()[9] ^= 1);
    assert!(matches!(flipped, BundleError::Damaged { .. }));
    let foreign = error(&|files| drop(files.insert(MANIFEST.into(), b"<html>".to_vec())));
    assert!(matches!(foreign, BundleError::Json { .. }));
    let newer = edit("\"schema\":1", "\"schema\":2");
    assert!(matches!(newer, BundleError::NewerSchema { found: 2 }));
    for (from, to) in [
        ("\"d_model\":8", "\"d_model\":8000000000000"),
        ("\"block_size\":4", "\"block_size\":60000"),
        ("\"n_heads\":2", "\"n_heads\":0"),
        ("\"n_heads\":2", "\"n_heads\":3"),
        ("\"sparsity_k\":3", "\"sparsity_k\":17"),
        ("\"layer\":1", "\"layer\":2"),
    ] {
        assert!(matches!(edit(from, to), BundleError::Implausible(_)), "{to}");
    }
}

#[test]
fn combinations_come_back_and_those_of_foreign_features_are_refused() {
    let with = |name: &str, parts: Vec<usize>| {
        let mut bundle = bundle(Precision::F32);
        let one = Combination { parts, seeds: Some([2, 3]), ..Default::default() };
        bundle.combinations.insert(name.into(), vec![one]);
        bundle
    };
    let read = |bundle: &Bundle| Bundle::from_files(&bundle.to_files().unwrap());

    let found = read(&with("csae", vec![3, 15])).unwrap();
    assert_eq!(found.combinations["csae"][0].parts, [3, 15]);
    assert!(!bundle(Precision::F32).to_files().unwrap().contains_key(COMBINATIONS));
    let refused =
        [("csae", vec![3, 16]), ("csae", vec![3]), ("csae", vec![5, 3]), ("x", vec![0, 1])];
    for (name, parts) in refused {
        assert!(read(&with(name, parts)).is_err(), "{name}");
    }
}

#[test]
fn models_come_without_statistics_and_no_less_checked() {
    let whole = bundle(Precision::F32);
    let mut files = whole.to_files().unwrap();

    let models = Bundle::models_of_files(&files).unwrap();

    assert_eq!(models.weights, whole.weights);
    assert_eq!(models.manifest.lm, whole.manifest.lm);
    assert!(models.features.is_empty() && !Bundle::from_files(&files).unwrap().features.is_empty());
    files.get_mut(FEATURES).unwrap()[9] ^= 1;
    assert!(matches!(Bundle::models_of_files(&files), Err(BundleError::Damaged { .. })));
}

#[test]
fn tensors_that_do_not_fit_the_configuration_are_errors() {
    let mut bundle = bundle(Precision::F32);
    bundle.manifest.lm.d_model = 16;

    let error = bundle.lm(&Device::flex()).unwrap_err();

    assert!(matches!(error, BundleError::Weights(WeightsError::Shape { .. })));
}

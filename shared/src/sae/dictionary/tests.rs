use super::*;
use crate::weights;
use crate::{CsaeConfig, UnitsConfig};

fn rows(device: &Device) -> Tensor<2> {
    let values = random::normal(&mut random::stream(2, "rows"), 20 * 8, 1.0);
    Tensor::from_data(TensorData::new(values, [20, 8]), device)
}

fn dictionary(sparsity: Sparsity) -> Dictionary {
    DictionaryConfig::new(8, sparsity).with_n_features(16).init(1, &Device::flex())
}

fn active(code: Tensor<2>) -> usize {
    to_vec(code).iter().filter(|value| **value > 0.0).count()
}

#[test]
fn batch_topk_keeps_k_times_batch_features_in_all_and_not_k_in_each_row() {
    let dictionary = dictionary(Sparsity::BatchTopK(3));

    let code = dictionary.forward_training(rows(&Device::flex())).code;

    assert_eq!(active(code.clone()), 60);
    let in_rows = to_vec(code.greater_scalar(0.0).float().sum_dim(1));
    assert!(in_rows.iter().any(|count| *count != 3.0), "{in_rows:?}");
}

#[test]
fn the_threshold_is_the_running_mean_of_the_smallest_that_stayed() {
    let device = Device::flex();
    let code = |least: f32| Tensor::<2>::from_data([[0.0, least], [3.0, 2.0 * least]], &device);
    let dictionary = dictionary(Sparsity::BatchTopK(3));

    let once = dictionary.after_step(code(1.0));
    let twice = once.clone().after_step(code(2.0));

    assert_eq!(to_vec(once.threshold.val()), [1.0]);
    assert!((to_vec(twice.threshold.val())[0] - 1.01).abs() < 1e-6);
    let code = twice.forward(rows(&device));
    let least = to_vec(code.code).into_iter().filter(|value| *value > 0.0);
    assert!(least.fold(f32::MAX, f32::min) > 1.01);
}

#[test]
fn every_prefix_of_a_matryoshka_reconstructs_by_its_own_features_alone() {
    let device = Device::flex();
    let dictionary = dictionary(Sparsity::Matryoshka(3));

    let output = dictionary.forward_training(rows(&device));

    assert_eq!(output.prefixes.len(), 3);
    for (prefix, count) in output.prefixes.into_iter().zip([2, 4, 8]) {
        let kept = Tensor::<1, Int>::arange(0..16, &device).lower_scalar(count).float();
        let cut = output.code.clone() * kept.unsqueeze();
        let expected = dictionary.decode_dense(cut);
        assert!((prefix - expected).abs().max().into_scalar::<f32>() < 1e-6);
    }
}

#[test]
fn the_penalty_of_l1_is_the_mean_of_the_rows_sums() {
    let dictionary = dictionary(Sparsity::L1(0.5));

    let output = dictionary.forward_training(rows(&Device::flex()));

    let sum: f32 = to_vec(output.code).iter().sum();
    let penalty = output.penalty.unwrap().into_scalar::<f32>();
    assert!((penalty - 0.5 * sum / 20.0).abs() < 1e-5);
}

#[test]
fn a_steered_penalty_grows_while_too_many_features_are_active() {
    let device = Device::flex();
    let weight = |model: &Dictionary| to_vec(model.penalty_weight.clone().unwrap().val())[0];
    let code = |active: usize| {
        let code: Vec<f32> = (0..16).map(|i| if i < active { 2.0 } else { 0.0 }).collect();
        Tensor::<2>::from_data(TensorData::new(code, [1, 16]), &device)
    };
    let start = dictionary(Sparsity::SteeredL1(4));
    let first = weight(&start);

    let more = start.clone().after_step(code(8));
    let same = start.clone().after_step(code(4));
    let less = start.clone().after_step(code(2));

    assert!((weight(&more) / first - 2.0_f32.powf(STEERING)).abs() < 1e-4);
    assert_eq!(weight(&same), first);
    assert!((weight(&less) / first - 0.5_f32.powf(STEERING)).abs() < 1e-4);
    let output = more.forward_training(rows(&device));
    let sum: f32 = to_vec(output.code).iter().sum();
    let penalty = output.penalty.unwrap().into_scalar::<f32>();
    assert!((penalty - weight(&more) * sum / 20.0).abs() < 1e-5);
}

#[test]
fn topk_without_a_hidden_layer_is_the_csae_without_composition() {
    let device = Device::flex();
    let csae = CsaeConfig::new(8).with_n_features(16).with_sparsity_k(3);
    let limits = csae.limits();
    let csae = csae.init(1, &device);
    let mut dictionary = dictionary(Sparsity::TopK(3));
    dictionary.encoder = csae.encoder.clone();
    dictionary.decoder = csae.decoder.clone();

    let one = dictionary.forward(rows(&device)).reconstruction;
    let other = csae.forward(rows(&device), limits).reconstruction;

    one.into_data().assert_eq(&other.into_data(), true);
}

#[test]
fn an_encoder_with_a_hidden_layer_starts_as_a_linear_one() {
    let device = Device::flex();
    for width in [8, 12] {
        let config = DictionaryConfig::new(8, Sparsity::TopK(3)).with_n_features(16);
        let model = config.with_hidden(Some(width)).init(1, &device);
        let rows = rows(&device) * 0.3;

        let features = model.features(rows.clone());

        let expected = relu(rows.matmul(model.decoder.val().transpose()));
        assert!((features - expected).abs().max().into_scalar::<f32>() < 1e-4);
    }
}

#[test]
fn an_encoder_with_a_hidden_layer_has_as_many_parameters_as_units() {
    let device = Device::flex();
    let config = DictionaryConfig::new(8, Sparsity::TopK(3)).with_n_features(16);
    let model = config.with_hidden(Some(8)).init(1, &device);
    let units = UnitsConfig::new().with_n_units(8);
    let csae = CsaeConfig::new(8).with_n_features(16).with_units(Some(units)).init(1, &device);
    let count = |weights: weights::Weights, ignored: &str| -> usize {
        let counted = weights.iter().filter(|(name, _)| *name != ignored);
        counted.map(|(_, weight)| weight.values.len()).sum()
    };

    // The units' parts are found, not fitted; so is the threshold of a batch.
    let one = count(weights::of(&model), "threshold");
    assert_eq!(one, count(weights::of(&csae), "units.parts"));
    assert_eq!(model.forward(rows(&device)).code.dims(), [20, 16]);
}

//! What a trial does without is done without by whoever learns.

use super::*;

#[test]
fn what_the_kernel_does_not_know_is_learned_by_tensors() {
    let device = Device::flex();
    let by_kernel = |config: &CsaeConfig, by_tensors: bool| {
        let model = config.init(1, &device.clone().autodiff());
        matches!(Learner::new(model, &device, by_tensors), Learner::ByKernel(_))
    };
    let plain = CsaeConfig::new(8).with_n_features(12).with_sparsity_k(3);
    let without = |principle| {
        let units = UnitsConfig::new().with_n_units(4).with_without(principle);
        by_kernel(&plain.clone().with_units(Some(units)), false)
    };
    let attention = AttentionConfig::new().with_d_compose(8).with_n_heads(2);

    assert!(by_kernel(&plain, false) && !by_kernel(&plain, true));
    assert!(without(None) && without(Some(UnitsPrinciple::Orthogonality)));
    assert!(!without(Some(UnitsPrinciple::Detachment)));
    assert!(!without(Some(UnitsPrinciple::Residual)));
    let attending = |rounds| {
        let attention = attention.clone().with_rounds(rounds);
        by_kernel(&plain.clone().with_attention(Some(attention)), false)
    };
    assert!(attending(1) && attending(2) && !attending(3));
}

/// The largest cosine between an effect and a direction of one of its parts.
fn most_said(model: &Csae, parts: &[Vec<usize>]) -> f32 {
    let Parameters { decoder, effects, .. } = Parameters::of(model);
    let [_, d_model] = model.decoder.val().dims();
    let row = |matrix: &[f32], row: usize| matrix[row * d_model..][..d_model].to_vec();
    let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let cosine = |one: Vec<f32>, other: Vec<f32>| {
        let product: f32 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
        (product / (length(&one) * length(&other)).max(1e-6)).abs()
    };
    let pairs = parts
        .iter()
        .enumerate()
        .flat_map(|(unit, parts)| parts.iter().map(move |part| (unit, *part)));
    pairs.fold(0.0, |most: f32, (unit, part)| {
        most.max(cosine(row(&effects, unit), row(&decoder, part)))
    })
}

#[test]
fn effects_leave_out_what_parts_say_unless_they_do_without_orthogonality() {
    let mut case = Case::new(7);
    for without in [None, Some(UnitsPrinciple::Orthogonality)] {
        case.model.units.as_mut().unwrap().without = without;
        let mut learners = [
            Learner::new(case.model.clone(), &Device::flex(), false),
            Learner::new(case.model.clone(), &Device::flex(), true),
        ];
        for learner in &mut learners {
            learner.learn(case.lesson());

            let said = most_said(&learner.model(), &case.parts);
            assert_eq!(said < 1e-4, without.is_none(), "{without:?}: {said}");
        }
    }
}

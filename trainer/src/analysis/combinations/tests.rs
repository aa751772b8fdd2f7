use super::*;
use shared::weights::param;
use shared::{CharLmConfig, CsaeConfig, UnitsConfig, Vocab};

/// Four features along the axes; unit 0 joins 0 and 1 to 3 along axis 2, unit 1 joins 0 and 3.
fn model() -> FinishedCsae {
    let device = Device::flex();
    let units = UnitsConfig::new().with_n_units(3).with_n_heads(1);
    let config = CsaeConfig::new(4).with_n_features(4).with_sparsity_k(3).with_units(Some(units));
    let mut model = config.init(1, &device);
    let axes = (0..16).map(|place| if place % 5 == 0 { 1.0 } else { 0.0 }).collect();
    model.decoder = param(axes, [4, 4], &device);
    let units = model.units.as_mut().unwrap();
    let mut parts = vec![0.0; 12];
    for (feature, unit) in [(0, 0), (1, 0), (0, 1), (3, 1)] {
        parts[feature * 3 + unit] = 1.0;
    }
    units.parts = param(parts, [4, 3], &device);
    let mut effects = vec![0.0; 12];
    effects[2] = 3.0;
    effects[4 + 2] = 1.0;
    units.effects = param(effects, [3, 4], &device);
    FinishedCsae { model, limits: config.limits() }
}

/// 40 rows: 0 and 1 fire together on 20 of them (strengths 1 and 4), 0 alone on 10, 2 on all.
fn active() -> ActiveRows {
    let mut active = ActiveRows { k: 3, ..ActiveRows::default() };
    for row in 0..40 {
        let one = if row < 30 { 1.0 } else { 0.0 };
        let other = if row < 20 { 4.0 } else { 0.0 };
        active.features.extend([0, 1, 2]);
        active.values.extend([one, other, 0.5]);
    }
    active
}

fn told() -> Vec<Combination> {
    let (model, active) = (model(), active());
    let vocab = Vocab::of("abcde");
    let ids = vocab.encode(&"abcde".repeat(10)).unwrap();
    let lm = CharLmConfig::new(5).with_n_layers(1).with_n_heads(1).with_d_model(4);
    let lm = lm.init(1, &Device::flex());
    let text = RowText { ids: &ids, first: 5, vocab: &vocab };
    let read = ReadText { model: &model, active: &active, text, lm: &lm, scale: 1.0 };
    let sets = of_units(&model);
    assert_eq!(sets, [vec![0, 1], vec![0, 3]]);
    statistics(&read, &sets)
}

#[test]
fn the_interaction_is_what_the_unit_says_at_the_mean_strengths() {
    let told = told();

    assert_eq!(told.len(), 1, "0 and 3 never meet");
    let pair = &told[0];
    // The geometric mean of 1 and 4, times 3 along axis 2.
    assert!((pair.interaction - 6.0).abs() < 1e-5, "{pair:?}");
    assert!((pair.interaction_in_context - 6.0).abs() < 1e-5);
    let [low, high] = pair.ci95.unwrap();
    assert!((low - 6.0).abs() < 1e-4 && (high - 6.0).abs() < 1e-4, "all strengths are the same");
    assert_eq!(pair.adds[0], (2, 6.0));
}

#[test]
fn support_and_lift_count_rows() {
    let pair = &told()[0];

    assert_eq!((pair.parts.clone(), pair.support), (vec![0, 1], 20));
    // 30 and 20 of 40 rows: 15 by chance.
    assert!((pair.lift - 20.0 / 15.0).abs() < 1e-9);
    assert!((pair.pmi - (20.0_f64 / 15.0).ln()).abs() < 1e-9);
    let ([fewest, most], [low, high]) = (pair.support_ci95.unwrap(), pair.lift_ci95.unwrap());
    assert!(fewest < 20.0 && most > 20.0, "{fewest} {most}");
    // It is more than 1 because some rows have neither: every new text has some of them.
    assert!(low > 1.0 && low < pair.lift && high > pair.lift, "{low} {high}");
}

#[test]
fn examples_of_one_part_have_no_other_part() {
    let pair = &told()[0];

    let strengths = |values: &[f32]| values.iter().filter(|value| **value > 0.0).count();
    assert!(pair.together.iter().all(|example| example.values[example.at] == 2.0));
    assert_eq!(pair.together.len(), 3, "20 rows hold 3 places that are 8 apart");
    assert!(pair.alone[0].iter().all(|example| example.values[example.at] == 1.0));
    assert!(strengths(&pair.alone[0][0].values) <= 10);
    assert!(pair.alone[1].is_empty(), "1 never fires without 0");
}

//! Combinations of small samples that can be checked by eye.

use rand::RngExt;
use shared::random::{normal, stream};

use super::sparse::SparseRows;
use super::*;

/// Not a multiple of what is added up at once.
const WIDTH: usize = 35;
const FEATURES: usize = 12;
const ROWS: usize = 6_000;

/// Codes in which each feature fires on a fifth of the rows and all parts of a rule on a few more,
/// orthonormal directions, and residuals of noise and of the effects of `rules`: their parts and
/// along which axis they act.
pub(super) struct Sample {
    codes: SparseRows,
    residuals: Vec<f32>,
    directions: Vec<f32>,
}

impl Sample {
    pub(super) fn new(rules: &[(&[usize], usize)]) -> Self {
        let mut random = stream(7, "sample");
        let mut codes = SparseRows::default();
        let mut residuals = Vec::new();
        for _ in 0..ROWS {
            let event = rules.iter().find(|_| random.random::<f32>() < 0.02);
            let by_event = |feature| event.is_some_and(|(parts, _)| parts.contains(&feature));
            let active = (0..FEATURES).filter(|&f| random.random::<f32>() < 0.2 || by_event(f));
            let active: Vec<u32> = active.map(|feature| feature as u32).collect();
            let mut residual = normal(&mut random, WIDTH, 0.2);
            residual[..FEATURES].fill(0.0);
            for (parts, axis) in rules {
                if parts.iter().all(|&part| active.contains(&(part as u32))) {
                    residual[*axis] += 1.0;
                }
            }
            let strengths: Vec<(u32, f32)> =
                active.into_iter().map(|id| (id, random.random_range(0.8..1.2))).collect();
            codes.push(strengths);
            residuals.extend(residual);
        }
        let axis = |place: usize| f32::from(u8::from(place / WIDTH == place % WIDTH));
        let directions = (0..FEATURES * WIDTH).map(axis).collect();
        Self { codes, residuals, directions }
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            codes: &self.codes,
            residuals: &self.residuals,
            directions: &self.directions,
            d_model: WIDTH,
        }
    }

    fn found(&self) -> Vec<Vec<usize>> {
        let screening = screen(&self.evidence(), &ScreeningConfig::default()).unwrap();
        let mut found: Vec<_> = screening.found.into_iter().map(|one| one.parts).collect();
        found.sort();
        found
    }
}

#[test]
fn finds_pairs_that_share_a_part_a_triple_and_a_quadruple() {
    let rules: [(&[usize], usize); 4] =
        [(&[0, 1], 20), (&[0, 2], 21), (&[3, 4, 5], 22), (&[6, 7, 8, 9], 23)];

    let found = Sample::new(&rules).found();

    assert_eq!(found, [vec![0, 1], vec![0, 2], vec![3, 4, 5], vec![6, 7, 8, 9]]);
}

#[test]
fn a_set_that_is_never_active_together_has_no_effect() {
    let mut sample = Sample::new(&[(&[0, 1], 20)]);
    let mut codes = SparseRows::default();
    for row in 0..ROWS {
        // Feature 11 on even rows, all others on odd ones.
        let entries = sample.codes.entries_of(row).filter(|(id, _)| (*id == 11) == (row % 2 == 0));
        codes.push(entries.map(|(id, strength)| (id as u32, strength)));
    }
    sample.codes = codes;
    let sets = [vec![0, 1], vec![0, 11]];

    let fitted = fitted(&sample.evidence(), &ScreeningConfig::default(), &sets).unwrap();

    let never = fitted.iter().find(|one| one.parts == [0, 11]).unwrap();
    assert_eq!((never.support, never.gain), (0, 0.0));
}

#[test]
fn all_rows_are_cleared_as_one_by_one() {
    let mut sample = Sample::new(&[]);
    sample.directions = normal(&mut stream(1, "directions"), FEATURES * WIDTH, 1.0);
    let (evidence, config) = (sample.evidence(), ScreeningConfig::default());

    let bench = Bench::new(&evidence, &config).unwrap();

    for row in [0, 1_023, 1_024, ROWS - 1] {
        let mut plain = sample.residuals[row * WIDTH..][..WIDTH].to_vec();
        bench.projection.clear(sample.codes.row(row).0, &mut plain);
        assert_eq!(plain, bench.residuals[row * WIDTH..][..WIDTH]);
    }
}

#[test]
fn given_sets_get_the_effects_that_they_have() {
    let sample = Sample::new(&[(&[0, 1], 20)]);
    let sets = [vec![0, 1], vec![4, 7]];

    let fitted = fitted(&sample.evidence(), &ScreeningConfig::default(), &sets).unwrap();

    let along = |set: &[usize]| fitted.iter().find(|one| one.parts == set).unwrap().effect[20];
    assert!(along(&[0, 1]) > 0.9 && along(&[4, 7]).abs() < 0.1);
}

#[test]
fn finds_nothing_where_there_is_nothing() {
    assert!(Sample::new(&[]).found().is_empty());
}

#[test]
fn what_a_feature_does_alone_is_no_combination() {
    assert!(Sample::new(&[(&[3], 20), (&[4], 20)]).found().is_empty());
}

#[test]
fn what_the_active_features_can_say_is_no_combination() {
    let mut sample = Sample::new(&[]);
    for row in 0..ROWS {
        if sample.codes.value(row, 1).is_some() && sample.codes.value(row, 2).is_some() {
            sample.residuals[row * WIDTH + 1] += 3.0;
        }
    }

    assert!(sample.found().is_empty());
}

#[test]
fn what_another_feature_says_is_no_combination() {
    // The effect of 0 and 1 lies along the direction of feature 11, which is never on.
    let mut sample = Sample::new(&[(&[0, 1], 20)]);
    sample.directions[11 * WIDTH..].fill(0.0);
    sample.directions[11 * WIDTH + 20] = 1.0;
    let mut codes = SparseRows::default();
    for row in 0..ROWS {
        let others = sample.codes.entries_of(row).filter(|(feature, _)| *feature != 11);
        codes.push(others.map(|(feature, strength)| (feature as u32, strength)));
    }
    sample.codes = codes;

    assert!(sample.found().is_empty());
}

#[test]
fn a_fourth_part_that_is_always_there_belongs_to_it() {
    let mut sample = Sample::new(&[(&[0, 1, 2, 3], 20)]);
    // Wherever three of them are on, the fourth is as well.
    let mut codes = SparseRows::default();
    for row in 0..ROWS {
        let mut entries: Vec<(u32, f32)> =
            sample.codes.entries_of(row).map(|(f, strength)| (f as u32, strength)).collect();
        let on = |feature: u32| entries.iter().any(|(other, _)| *other == feature);
        if on(0) && on(1) && on(2) && !on(3) {
            entries.push((3, 1.0));
            sample.residuals[row * WIDTH + 20] += 1.0;
        }
        codes.push(entries);
    }
    sample.codes = codes;

    assert_eq!(sample.found(), [vec![0, 1, 2, 3]]);
}

#[test]
fn two_causes_of_one_effect_are_two_combinations() {
    let found = Sample::new(&[(&[0, 1], 20), (&[2, 3], 20)]).found();

    assert_eq!(found, [vec![0, 1], vec![2, 3]]);
}

#[test]
fn the_effect_is_measured_and_stands_outside_the_parts() {
    let sample = Sample::new(&[(&[0, 1], 20)]);

    let screening = screen(&sample.evidence(), &ScreeningConfig::default()).unwrap();
    let left = without_effects(&sample.evidence(), &screening.found).unwrap();

    let [found] = screening.found.as_slice() else { panic!("{screening:?}") };
    assert!((found.effect[20] - 1.0).abs() < 0.1, "{}", found.effect[20]);
    assert!(found.effect[0].abs() < 1e-3 && found.effect[1].abs() < 1e-3);
    assert!(found.gain > screening.threshold);
    let energy = |residuals: &[f32]| dot(residuals, residuals);
    assert!(energy(&left) < energy(&sample.residuals));
}

#[test]
fn the_limits_hold() {
    let sample = Sample::new(&[(&[0, 1], 20), (&[3, 4, 5], 22)]);
    let found = |config| screen(&sample.evidence(), &config).unwrap().found;

    let pairs = found(ScreeningConfig { largest: 2, ..ScreeningConfig::default() });
    let one = found(ScreeningConfig { limit: 1, ..ScreeningConfig::default() });

    assert!(pairs.iter().all(|found| found.parts.len() == 2));
    assert_eq!(one.len(), 1);
}

#[test]
fn one_thread_finds_what_many_find_to_the_last_bit() {
    let sample = Sample::new(&[(&[0, 1], 20), (&[3, 4, 5], 22)]);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let run = || screen(&sample.evidence(), &ScreeningConfig::default()).unwrap();

    assert_eq!(alone.install(run), run());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let sample = Sample::new(&[]);
    let refused = |evidence: Evidence| {
        screen(&evidence, &ScreeningConfig::default()).unwrap_err().to_string()
    };

    let short = Evidence { residuals: &sample.residuals[1..], ..sample.evidence() };
    assert!(refused(short).contains("residuals"));
    let few = Evidence { directions: &sample.directions[..WIDTH], ..sample.evidence() };
    assert!(refused(few).contains("names feature"));
    let broken = vec![f32::NAN; sample.residuals.len()];
    assert!(refused(Evidence { residuals: &broken, ..sample.evidence() }).contains("not a number"));
}

#[test]
fn no_rows_hold_no_combination() {
    let (codes, directions) = (SparseRows::default(), vec![1.0; WIDTH]);
    let evidence =
        Evidence { codes: &codes, residuals: &[], directions: &directions, d_model: WIDTH };

    assert!(screen(&evidence, &ScreeningConfig::default()).unwrap().found.is_empty());
}

use super::*;

fn rows(rows: &[&[(u32, f32)]]) -> SparseRows {
    let mut sparse = SparseRows::default();
    rows.iter().for_each(|row| sparse.push(row.iter().copied()));
    sparse
}

fn of<'a>(columns: &'a SparseRows, values: &'a [i8]) -> ProbeRows<'a> {
    ProbeRows { columns, values }
}

fn part(column: u32, at_least: f32) -> Part {
    Part { column, at_least }
}

#[test]
fn the_best_single_column_and_its_bound_by_hand() {
    let columns = rows(&[
        &[(0, 1.0), (2, 5.0)], // yes
        &[(0, 1.0), (2, 4.0)], // yes
        &[(0, 2.0), (2, 1.0)], // no
        &[(0, 2.0)],           // no
        &[(2, 3.0)],           // yes
        &[(2, 9.0)],           // undefined
    ]);
    let train = of(&columns, &[1, 1, 0, 0, 1, -1]);

    let probes = probe(train, train, &ProbeConfig { largest: 1, beam: 1 }).unwrap();

    // Column 2 from 3 on: three of three. Column 0 from 2 on: two of two.
    let [no, yes] = &probes[..] else { panic!("two values") };
    assert_eq!((yes.value, yes.rows, yes.positives), (1, 5, 3));
    assert_eq!(yes.best[0].parts, [part(2, 3.0)]);
    assert_eq!((yes.best[0].chosen_f1, yes.best[0].f1), (1.0, 1.0));
    assert!((yes.f1_of_always - 2.0 * 0.6 / 1.6).abs() < 1e-12);
    assert_eq!(no.best[0].parts, [part(0, 2.0)]);
    assert_eq!(no.best.len(), 1);
}

#[test]
fn a_bound_that_keeps_every_row_is_none_so_weaker_rows_count_as_well() {
    let columns = rows(&[&[(0, 2.0)], &[(0, 3.0)], &[]]);
    let weaker = rows(&[&[(0, 0.5)], &[]]);

    let probes = probe(of(&columns, &[1, 1, 0]), of(&weaker, &[1, 0]), &ProbeConfig::default());

    let yes = &probes.unwrap()[1].best[0];
    assert_eq!((yes.parts[0], yes.f1), (part(0, 0.0), 1.0));
}

#[test]
fn of_two_bounds_as_good_the_lower_is_taken() {
    let columns = rows(&[&[(0, 3.0)], &[(0, 2.0)], &[(0, 1.5)], &[(0, 1.0)], &[(0, 0.5)]]);
    let train = of(&columns, &[1, 0, 0, 1, 0]);

    let yes = probe(train, train, &ProbeConfig::default()).unwrap().remove(1).best.remove(0);

    // One of one, or two of four: 2 / 3 with two positives.
    assert_eq!((yes.parts[0], yes.f1), (part(0, 1.0), 2.0 / 3.0));
}

#[test]
fn detectors_are_judged_on_other_rows() {
    let columns = rows(&[&[(0, 1.0)], &[]]);
    let others = rows(&[&[(0, 1.0)], &[(0, 1.0)], &[(0, 1.0)], &[], &[], &[]]);

    let probes = probe(
        of(&columns, &[1, 0]),
        of(&others, &[1, 1, 0, 1, 1, 0]), // yes, yes, wrong, missed, missed
        &ProbeConfig::default(),
    );

    let yes = &probes.unwrap()[1].best[0];
    assert_eq!((yes.chosen_f1, yes.precision, yes.recall), (1.0, 2.0 / 3.0, 0.5));
    assert!((yes.f1 - 4.0 / 7.0).abs() < 1e-12);
}

/// Eight rows of every combination of three features; the value is 0 AND 1, or all three.
fn truth(parts: &[usize]) -> (SparseRows, Vec<i8>) {
    let mut columns = SparseRows::default();
    let mut values = vec![];
    for row in 0..8_usize {
        let on = (0..3).filter(|bit| row >> bit & 1 == 1);
        columns.push(on.map(|bit| (bit as u32, 1.0)));
        values.push(i8::from(parts.iter().all(|bit| row >> bit & 1 == 1)));
    }
    (columns, values)
}

#[test]
fn a_conjunction_of_two_is_found_where_no_column_is_enough() {
    let (columns, values) = truth(&[0, 1]);

    let probes = probe(of(&columns, &values), of(&columns, &values), &ProbeConfig::default());

    let best = &probes.unwrap()[1].best;
    assert_eq!(best[0].parts, [part(0, 0.0)]);
    assert!((best[0].f1 - 2.0 / 3.0).abs() < 1e-12); // 2 of 4 yeses, 2 of 2 positives
    assert_eq!(best[1].parts, [part(0, 0.0), part(1, 0.0)]);
    assert_eq!(best[1].f1, 1.0);
}

#[test]
fn three_parts_need_a_size_of_three() {
    let (columns, values) = truth(&[0, 1, 2]);
    let config = ProbeConfig { largest: 3, ..ProbeConfig::default() };

    let probes = probe(of(&columns, &values), of(&columns, &values), &config).unwrap();

    let f1: Vec<f64> = probes[1].best.iter().map(|found| found.f1).collect();
    assert_eq!(f1, [2.0 / 5.0, 2.0 / 3.0, 1.0]); // 1 of 4, 1 of 2, 1 of 1 yeses are right
}

/// Alone at its best bound, column 0 keeps only its strongest row. Together with column 1 all
/// of its rows are wanted.
#[test]
fn a_conjunction_may_need_a_lower_bound_than_its_part_alone() {
    let columns = rows(&[
        &[(0, 9.0), (1, 1.0)], // yes
        &[(0, 1.0), (1, 1.0)], // yes
        &[(0, 1.0)],
        &[(0, 1.0)],
        &[(0, 1.0)],
        &[(0, 1.0)],
        &[(1, 1.0)],
        &[(1, 1.0)],
        &[(1, 1.0)],
    ]);
    let train = of(&columns, &[1, 1, 0, 0, 0, 0, 0, 0, 0]);
    let config = ProbeConfig { largest: 2, beam: 1 };

    let best = probe(train, train, &config).unwrap().remove(1).best;

    assert_eq!(best[0].parts, [part(0, 9.0)]);
    assert_eq!(best[1].parts, [part(0, 0.0), part(1, 0.0)]);
    assert_eq!(best[1].f1, 1.0);
}

#[test]
fn a_control_is_told_no_better_than_always() {
    use rand::RngExt;
    let mut random = shared::random::stream(0, "control");
    let mut draw = |count: usize| {
        let mut columns = SparseRows::default();
        let mut values: Vec<[i8; 2]> = vec![];
        for _ in 0..count {
            let yes: bool = random.random();
            let noise = (1..20).filter(|_| random.random_bool(0.2)).collect::<Vec<u32>>();
            let told = (yes != random.random_bool(0.05)).then_some(0);
            let active = told.into_iter().chain(noise);
            columns.push(active.map(|id| (id, 1.0)).collect::<Vec<_>>());
            values.push([i8::from(yes), i8::from(random.random::<bool>())]);
        }
        let values = [0, 1].map(|place| values.iter().map(|pair| pair[place]).collect());
        (columns, values)
    };
    let (train, of_train): (_, [Vec<i8>; 2]) = draw(2_000);
    let (test, of_test) = draw(2_000);

    let best = [0, 1].map(|place| {
        let (train, test) = (of(&train, &of_train[place]), of(&test, &of_test[place]));
        let probes = probe(train, test, &ProbeConfig::default()).unwrap();
        (probes[1].best[0].f1, probes[1].f1_of_always)
    });

    let [(variable, _), (control, always)] = best;
    assert!(variable > 0.93, "{variable}");
    assert!(control < always, "{control} {always}");
}

#[test]
fn values_that_do_not_fit_are_refused_and_nothing_gives_nothing() {
    let columns = rows(&[&[(0, 1.0)]]);
    let config = ProbeConfig::default();

    let error = probe(of(&columns, &[1]), of(&columns, &[]), &config).unwrap_err();
    assert_eq!(error.to_string(), "probing: 1 rows have 0 values of the variable");
    let undefined = probe(of(&columns, &[-1]), of(&columns, &[1]), &config);
    assert_eq!(undefined, Ok(vec![]));
    let silent = rows(&[&[]]);
    let probes = probe(of(&silent, &[0]), of(&silent, &[0]), &config).unwrap();
    assert_eq!((probes[0].best.len(), probes[0].f1_of_always), (0, 1.0));
}

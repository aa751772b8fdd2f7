//! What methods leave unexplained, from few active features to many.

use std::fmt::Write;

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::report::Quality;

use crate::analysis::paired::interval;
use crate::results::{Method, Results};

/// How many times as many active features as asked for a method may have to be called the best.
const MORE: f64 = 1.1;

/// `pareto.md` and `pareto.csv`, if methods were tried with several numbers of active features.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    match curves(&results.methods) {
        curves if curves.is_empty() => vec![],
        curves => {
            vec![("pareto.md".into(), markdown(&curves)), ("pareto.csv".into(), csv(&curves))]
        }
    }
}

/// The part of `notes.txt`: who is best at each number of active features.
pub fn notes(results: &Results) -> Option<String> {
    let curves = curves(&results.methods);
    (!curves.is_empty()).then(|| winners(&curves))
}

/// FVU and what is recovered of the loss over the number of active features.
pub fn charts(results: &Results) -> Vec<(String, Chart)> {
    let curves = curves(&results.methods);
    if curves.is_empty() {
        return vec![];
    }
    let chart = |title: &str, label: &str, scale: Scale, value: Value| Chart {
        title: title.into(),
        subtitle: Some(
            "on held-out rows; whiskers: 95 % interval where there are several seeds".into(),
        ),
        x: Axis { label: "active features in a row (L0)".into(), scale: Scale::Log10 },
        y: Axis { label: label.into(), scale },
        series: curves.iter().map(|curve| series(curve, value)).collect(),
    };
    let fvu = chart("Unexplained variance", "FVU, lower is better", Scale::Log10, |q| q.fvu);
    let title = "Loss of the language model";
    let ce = chart(title, "CE recovered, higher is better", Scale::Linear, recovered);
    vec![("pareto_fvu".into(), fvu), ("pareto_ce_recovered".into(), ce)]
}

/// Takes one number out of a quality.
type Value = fn(&Quality) -> f64;

fn recovered(quality: &Quality) -> f64 {
    quality.ce_recovered_zero
}

/// The methods with several numbers of active features, each in ascending order.
fn curves(methods: &[Method]) -> Vec<Vec<&Method>> {
    let mut curves: Vec<Vec<&Method>> = vec![];
    for method in methods {
        match curves.iter_mut().find(|curve| curve[0].method == method.method) {
            Some(curve) => curve.push(method),
            None => curves.push(vec![method]),
        }
    }
    curves.retain(|curve| curve.len() > 1);
    curves.iter_mut().for_each(|curve| curve.sort_by_key(|method| method.sparsity_k));
    curves
}

fn series(curve: &[&Method], value: Value) -> Series {
    let ends = |method: &&Method| {
        let values: Vec<f64> = method.qualities.iter().map(value).collect();
        interval(&values).map(|[low, high]| (low, high))
    };
    Series {
        label: curve[0].method.clone(),
        mark: Mark::LinePoints,
        points: curve.iter().map(|one| (one.mean(|q| q.l0), one.mean(value))).collect(),
        intervals: curve.iter().map(ends).collect(),
    }
}

fn markdown(curves: &[Vec<&Method>]) -> String {
    let mut text = "# From few active features to many\n\n\
        +-: half a 95 % interval (Student's t over seeds), where there are several. On the front: no other \
        method has a lower FVU with as few active features.\n\n\
        | method | k | setting | seeds | L0 | FVU | CE recovered (zero) | on the front |\n\
        |---|---|---|---|---|---|---|---|\n"
        .to_string();
    for method in curves.iter().flatten() {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} | {} | {} | {} |",
            method.method,
            method.sparsity_k,
            method.setting,
            method.seeds.len(),
            method.mean(|quality| quality.l0),
            with_interval(method, |quality| quality.fvu),
            with_interval(method, recovered),
            if is_on_front(method, curves) { "yes" } else { "" }
        );
    }
    text + "\n" + &winners(curves) + "\n"
}

fn with_interval(method: &Method, value: Value) -> String {
    let values: Vec<f64> = method.qualities.iter().map(value).collect();
    let half = interval(&values).map(|[low, high]| (high - low) / 2.0);
    let half = half.map_or(String::new(), |half| format!(" +- {half:.5}"));
    format!("{:.5}{half}", method.mean(value))
}

/// Whether nobody with as few active features, rounding aside, leaves less.
fn is_on_front(method: &Method, curves: &[Vec<&Method>]) -> bool {
    let of = |method: &Method| (method.mean(|q| q.l0), method.mean(|q| q.fvu));
    let (l0, fvu) = of(method);
    !curves
        .iter()
        .flatten()
        .map(|other| of(other))
        .any(|(other_l0, other_fvu)| other_l0 <= l0 * 1.01 && other_fvu < fvu)
}

/// Who leaves least and recovers most at each number of active features, among those that have hardly
/// more than asked for.
fn winners(curves: &[Vec<&Method>]) -> String {
    let mut ks: Vec<usize> = curves.iter().flatten().map(|method| method.sparsity_k).collect();
    ks.sort_unstable();
    ks.dedup();
    let of_k = |k: &usize| {
        let is_sparse = |method: &&&Method| {
            method.sparsity_k == *k && method.mean(|quality| quality.l0) <= MORE * *k as f64
        };
        let at_k = || curves.iter().flatten().filter(is_sparse);
        let least = |value: fn(&Method) -> f64| {
            at_k().min_by(|one, other| value(one).total_cmp(&value(other)))
        };
        let fvu = least(|method| method.mean(|quality| quality.fvu))?;
        let ce = least(|method| -method.mean(recovered))?;
        Some(format!(
            "k = {k}: {} has the lowest FVU ({:.5}), {} recovers most of the loss ({:.5}).",
            fvu.method,
            fvu.mean(|quality| quality.fvu),
            ce.method,
            ce.mean(recovered)
        ))
    };
    ks.iter().filter_map(of_k).collect::<Vec<_>>().join("\n")
}

fn csv(curves: &[Vec<&Method>]) -> String {
    let mut text =
        "method,k,setting,seeds,l0,fvu,fvu_low,fvu_high,ce_recovered,ce_low,ce_high,on_front\n"
            .to_string();
    for method in curves.iter().flatten() {
        let numbers = |value: Value| {
            let values: Vec<f64> = method.qualities.iter().map(value).collect();
            let ends = interval(&values).map(|ends| ends.map(|end| format!("{end:?}")));
            let [low, high] = ends.unwrap_or_default();
            format!("{:?},{low},{high}", method.mean(value))
        };
        let _ = writeln!(
            text,
            "{},{},{},{},{:?},{},{},{}",
            method.method,
            method.sparsity_k,
            method.setting,
            method.seeds.len(),
            method.mean(|quality| quality.l0),
            numbers(|quality| quality.fvu),
            numbers(recovered),
            is_on_front(method, curves)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str, k: usize, fvu: &[f64]) -> Method {
        let quality = |fvu: &f64| Quality {
            fvu: *fvu,
            l0: k as f64,
            ce_recovered_zero: 1.0 - fvu / 10.0,
            ..Quality::default()
        };
        Method {
            name: format!("{name}_k{k}"),
            method: name.into(),
            sparsity_k: k,
            setting: "lr=0.001".into(),
            seeds: (0..fvu.len() as u64).collect(),
            qualities: fvu.iter().map(quality).collect(),
        }
    }

    fn methods() -> Vec<Method> {
        vec![
            method("a", 16, &[0.25]),
            method("a", 8, &[0.5]),
            method("b", 8, &[0.375]),
            method("b", 16, &[0.5, 0.75]),
            method("alone", 8, &[0.1]),
        ]
    }

    #[test]
    fn the_table_has_a_line_for_each_method_and_number_in_ascending_order() {
        let methods = methods();
        let text = csv(&curves(&methods));

        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "a,8,lr=0.001,1,8.0,0.5,,,0.95,,,false");
        assert_eq!(lines[1], "a,16,lr=0.001,1,16.0,0.25,,,0.975,,,true");
        assert!(lines[2].starts_with("b,8,") && lines[2].ends_with(",true"), "{}", lines[2]);
        // The mean is 0.625, the standard error 0.125, and 12.706 of them are 1.58825.
        assert!(lines[3].starts_with("b,16,lr=0.001,2,16.0,0.625,-0.963"), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn the_best_is_named_at_each_number_of_active_features() {
        let methods = methods();
        let text = markdown(&curves(&methods));

        assert!(text.contains("k = 8: b has the lowest FVU (0.37500), b recovers most"), "{text}");
        assert!(text.contains("k = 16: a has the lowest FVU (0.25000)"), "{text}");
        assert!(text.contains("| 0.62500 +- 1.58825 |"), "{text}");
    }
}

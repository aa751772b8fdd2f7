//! What tells the hidden variables of a generated language, as tables and a line for a person.

use std::fmt::Write;

use shared::plot::{Axis, Chart, Mark, Scale, Series};

use crate::analysis::hidden::{ANYWHERE, PROBED, Told};
use crate::analysis::probing::Detection;
use crate::analysis::truth_table::TruthTable;
use crate::results::Results;

/// The tables of each autoencoder: their names and texts.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    let mut files = vec![];
    for (name, hidden) in models(results) {
        files.push((format!("hidden/{name}.csv"), csv(hidden)));
        for told in with_tables(hidden) {
            let variable = told.variable.replace(' ', "_");
            files.push((format!("hidden/{name}_truth_{variable}.csv"), truth(told)));
        }
    }
    files
}

/// For each variable that has a truth table, the place where a unit tells it best.
fn with_tables(hidden: &[Told]) -> Vec<&Told> {
    let mut best: Vec<&Told> = vec![];
    for told in hidden.iter().filter(|told| told.table.is_some()) {
        match best.iter_mut().find(|one| one.variable == told.variable) {
            None => best.push(told),
            Some(one) if told.unit_edge() > one.unit_edge() => *one = told,
            Some(_) => {}
        }
    }
    best
}

/// The models that were asked about hidden variables, by name.
fn models(results: &Results) -> impl Iterator<Item = (&str, &[Told])> {
    let exports = results.exports.iter().map(|export| (export.name.as_str(), &export.hidden[..]));
    let transcoder = results.transcoder.iter().map(|it| ("transcoder", &it.hidden[..]));
    exports.chain(transcoder).filter(|(_, hidden)| !hidden.is_empty())
}

/// The truth tables as pictures: what the unit that tells a variable best does for each combination of
/// what the variable is computed from.
pub fn charts(results: &Results) -> Vec<(String, Chart)> {
    let all = models(results)
        .flat_map(|(name, hidden)| with_tables(hidden).into_iter().map(move |told| (name, told)));
    let chart = |(model, told): (&str, &Told)| {
        let name = format!("{model}_truth_{}", told.variable.replace(' ', "_"));
        Some((name, truth_chart(model, told, told.table.as_ref()?, told.unit.as_ref()?)))
    };
    all.filter_map(chart).collect()
}

fn truth_chart(model: &str, told: &Told, table: &TruthTable, unit: &Detection) -> Chart {
    let word = |value: &bool| if *value { "yes" } else { "no" };
    let name = |values: &[bool]| values.iter().map(word).collect::<Vec<_>>().join(", ");
    let column = unit.parts.first().map_or(0, |part| part.column);
    let rates = table.cells.iter().map(|cell| cell.rate.unwrap_or(f64::NAN));
    Chart {
        title: format!(
            "Does unit {column} of {model} compute {}? Place: {}",
            told.variable, told.place
        ),
        subtitle: Some(format!(
            "F1 {:.2}; the best feature {}, two features {}, always yes {:.2}; whiskers: 95 % (Wilson)",
            unit.f1,
            score(told.feature.as_ref()),
            score(told.pair.as_ref()),
            told.always
        )),
        x: Axis {
            label: table.variables.join(", "),
            scale: Scale::Categories(table.cells.iter().map(|cell| name(&cell.values)).collect()),
        },
        y: Axis { label: "share of rows on which it fires".into(), scale: Scale::Linear },
        series: vec![Series {
            label: "fires".into(),
            mark: Mark::Bars,
            points: rates.enumerate().map(|(place, rate)| (place as f64, rate)).collect(),
            intervals: table.cells.iter().map(|cell| Some(cell.interval.into())).collect(),
        }],
    }
}

fn score(found: Option<&Detection>) -> String {
    found.map_or("-".into(), |found| format!("{:.2}", found.f1))
}

/// The task and what tells its variables, for `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    let task = results.task.as_ref()?;
    let mut text = format!(
        "The language model gives {} of {} characters right that the rules decide ({:.2} %), and all of \
         them in {} of {} lines ({:.2} %).",
        task.right,
        task.answers,
        100.0 * task.of_answers(),
        task.lines_right,
        task.lines,
        100.0 * task.of_lines()
    );
    if let Some(transcoder) = &results.transcoder {
        let _ = write!(
            text,
            "\nThe transcoder predicts what the perceptron adds to the stream: FVU {:.4}, with its {} \
             combinations silent {:.4}; {:.1} features are active on average.",
            transcoder.fvu, transcoder.combinations, transcoder.fvu_silent, transcoder.l0
        );
    }
    for (name, hidden) in models(results) {
        let _ = write!(
            text,
            "\n\nWhat of {} tells hidden variables: F1 on rows that it was not chosen on (in brackets on \
             a control variable), anywhere and where it is told best; behind it the balanced accuracy of a \
             logistic probe on the 1, 2 or 5 features that differ most.\n{:<20} {:<6} {:<16} {:>7} {:>15} \
             {:>15} {:>15}  {:>5} {:>5} {:>5}",
            name,
            "variable",
            "value",
            "place",
            "always",
            "unit",
            "feature",
            "two features",
            1,
            2,
            5
        );
        for told in anywhere_and_best(hidden) {
            let [feature, pair, unit] = told.control;
            let _ = write!(
                text,
                "\n{:<20} {:<6} {:<16} {:>7.3} {:>15} {:>15} {:>15} ",
                told.variable,
                told.value,
                told.place,
                told.always,
                beside_control(&told.unit, unit),
                beside_control(&told.feature, feature),
                beside_control(&told.pair, pair)
            );
            for accuracy in told.sparse {
                let _ =
                    write!(text, " {:>5}", accuracy.map_or("-".into(), |it| format!("{it:.3}")));
            }
        }
    }
    Some(text)
}

/// Of each value of a variable what tells it anywhere, and the place where it is told best.
fn anywhere_and_best(hidden: &[Told]) -> Vec<&Told> {
    let of_value = |told: &Told| (told.variable.clone(), told.value.clone());
    let anywhere = hidden.iter().filter(|told| told.place == ANYWHERE);
    let both = anywhere.flat_map(|all| {
        let places =
            hidden.iter().filter(|it| it.place != ANYWHERE && of_value(it) == of_value(all));
        [Some(all), places.max_by(|one, other| one.edge().total_cmp(&other.edge()))]
    });
    both.flatten().collect()
}

fn beside_control(found: &Option<Detection>, control: Option<f64>) -> String {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
    format!("{} ({})", number(found.as_ref().map(|found| found.f1)), number(control))
}

fn csv(all: &[Told]) -> String {
    let mut text = "variable,value,place,rows,positives,f1_always".to_string();
    for kind in ["unit", "feature", "two_features"] {
        let _ = write!(text, ",{kind},{kind}_f1,{kind}_precision,{kind}_recall,{kind}_control_f1");
    }
    for count in PROBED {
        let _ = write!(text, ",balanced_accuracy_{count}");
    }
    text.push('\n');
    for told in all {
        let [rows, positives] = told.rows;
        let _ = write!(text, "{},{},", told.variable, told.value);
        let _ = write!(text, "{},{rows},{positives},{:.5}", quoted(&told.place), told.always);
        let [feature, pair, unit] = told.control;
        for (found, control) in [(&told.unit, unit), (&told.feature, feature), (&told.pair, pair)] {
            let control = control.map_or(String::new(), |f1| format!("{f1:.5}"));
            let _ = match found {
                None => write!(text, ",,,,,{control}"),
                Some(found) => {
                    let parts: Vec<String> =
                        found.parts.iter().map(|part| part.column.to_string()).collect();
                    let (precision, recall) = (found.precision, found.recall);
                    write!(
                        text,
                        ",{},{:.5},{precision:.5},{recall:.5},{control}",
                        parts.join(" "),
                        found.f1
                    )
                }
            };
        }
        for accuracy in told.sparse {
            let _ = write!(text, ",{}", accuracy.map_or(String::new(), |it| format!("{it:.5}")));
        }
        text.push('\n');
    }
    text
}

/// A field that may hold a comma.
fn quoted(field: &str) -> String {
    if field.contains(',') { format!("\"{field}\"") } else { field.into() }
}

fn truth(told: &Told) -> String {
    let Some(table) = &told.table else { return String::new() };
    let mut text =
        format!("place,{},rows,fires,low,high,mean_strength\n", table.variables.join(","));
    for cell in &table.cells {
        let values: Vec<&str> =
            cell.values.iter().map(|value| if *value { "yes" } else { "no" }).collect();
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.5}"));
        let [low, high] = cell.interval;
        let (rate, strength) = (number(cell.rate), number(cell.mean_strength));
        let rows = cell.rows;
        let _ = write!(text, "{},{},", quoted(&told.place), values.join(","));
        let _ = writeln!(text, "{rows},{rate},{low:.5},{high:.5},{strength}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::probing::Part;
    use crate::analysis::truth_table::Cell;

    fn told() -> Told {
        let unit = Detection {
            parts: vec![Part { column: 7, at_least: 0.0 }],
            chosen_f1: 0.9,
            precision: 1.0,
            recall: 0.5,
            f1: 2.0 / 3.0,
        };
        let cell = |values: [bool; 2], rows: usize, fired: usize| Cell {
            values: values.into(),
            rows,
            fired,
            mean_strength: (rows > 0).then_some(0.5),
            rate: (rows > 0).then(|| fired as f64 / rows as f64),
            interval: [0.25, 0.75],
        };
        let cells = vec![
            cell([false, false], 10, 0),
            cell([false, true], 0, 0),
            cell([true, false], 10, 1),
            cell([true, true], 10, 9),
        ];
        let variables = vec!["left".into(), "right".into()];
        Told {
            variable: "carry".into(),
            value: "yes".into(),
            place: "right, digit 2".into(),
            rows: [30, 10],
            always: 0.5,
            unit: Some(unit),
            feature: None,
            pair: None,
            sparse: [Some(0.5), Some(0.75), None],
            control: [None, None, Some(0.125)],
            table: Some(TruthTable { variables, cells }),
        }
    }

    #[test]
    fn tables_leave_empty_what_is_not_known() {
        assert_eq!(
            csv(&[told()]),
            "variable,value,place,rows,positives,f1_always,\
             unit,unit_f1,unit_precision,unit_recall,unit_control_f1,\
             feature,feature_f1,feature_precision,feature_recall,feature_control_f1,\
             two_features,two_features_f1,two_features_precision,two_features_recall,\
             two_features_control_f1,\
             balanced_accuracy_1,balanced_accuracy_2,balanced_accuracy_5\n\
             carry,yes,\"right, digit 2\",30,10,0.50000,7,0.66667,1.00000,0.50000,0.12500,,,,,,,,,,,0.50000,0.75000,\n"
        );
        let lines: Vec<String> = truth(&told()).lines().map(String::from).collect();
        assert_eq!(lines[0], "place,left,right,rows,fires,low,high,mean_strength");
        assert_eq!(lines[2], "\"right, digit 2\",no,yes,0,,0.25000,0.75000,");
        assert_eq!(lines[4], "\"right, digit 2\",yes,yes,10,0.90000,0.25000,0.75000,0.50000");
    }

    #[test]
    fn a_truth_table_is_a_bar_for_each_cell_and_names_the_unit() {
        let told = told();

        let chart =
            truth_chart("units", &told, told.table.as_ref().unwrap(), told.unit.as_ref().unwrap());

        assert_eq!(chart.title, "Does unit 7 of units compute carry? Place: right, digit 2");
        assert!(chart.subtitle.unwrap().starts_with("F1 0.67; the best feature -"));
        assert!(matches!(chart.x.scale, Scale::Categories(names) if names[3] == "yes, yes"));
        assert_eq!(chart.series[0].points[3], (3.0, 0.9));
        assert!(chart.series[0].points[1].1.is_nan());
    }
}

//! The explorer's tables for other programs: numbers as the run's files have them, not as they are
//! shown. The columns' names are those of the files.

use shared::site::{CombinationRow, Figure, MethodFigures, RunIndex};

use crate::figures::one_line;

/// The features with these numbers, in this order. `reuse` says in how many combinations each is.
pub fn features(index: &RunIndex, reuse: &[usize], numbers: &[usize]) -> String {
    let line = |number: &usize| {
        let row = &index.features[*number];
        let counts: Vec<String> = row.histogram.iter().map(u8::to_string).collect();
        [
            number.to_string(),
            row.density.to_string(),
            row.mean.to_string(),
            row.max.to_string(),
            reuse[*number].to_string(),
            quoted(&row.raises),
            quoted(&row.example),
            counts.join(" "),
        ]
    };
    let heads = "feature,density,mean,max,reuse,raises,example,histogram";
    table(heads, numbers.iter().map(line))
}

/// The combinations with these numbers, in this order.
pub fn combinations(rows: &[CombinationRow], numbers: &[usize]) -> String {
    let line = |number: &usize| {
        let row = &rows[*number];
        let parts: Vec<String> = row.parts.iter().map(usize::to_string).collect();
        let [found, of] = row.seeds.map_or([None; 2], |seeds| seeds.map(Some));
        let [low, high] = row.ci95.map_or([None; 2], |interval| interval.map(Some));
        [
            number.to_string(),
            parts.join(" "),
            row.parts.len().to_string(),
            row.interaction.to_string(),
            written(low),
            written(high),
            row.support.to_string(),
            row.lift.to_string(),
            written(found),
            written(of),
            quoted(&row.raises),
        ]
    };
    let heads = "combination,parts,size,interaction,low,high,support,lift,seeds_found,seeds,raises";
    table(heads, numbers.iter().map(line))
}

/// All methods.
pub fn methods(methods: &[MethodFigures]) -> String {
    let line = |method: &MethodFigures| {
        let Figure { mean, stderr } = method.fvu;
        [
            quoted(&method.name),
            quoted(&method.setting),
            written(mean),
            written(stderr),
            written(method.l0.mean),
            written(method.dead_share.mean),
            written(method.ce_recovered.mean),
        ]
    };
    let heads = "method,setting,fvu,fvu_stderr,l0,dead_share,ce_recovered";
    table(heads, methods.iter().map(line))
}

/// All methods of all runs.
pub fn comparison(runs: &[RunIndex]) -> String {
    let of_run = |run: &RunIndex| {
        let text = methods(&run.methods);
        let lines = text.lines().skip(1).map(|line| format!("{},{line}\n", quoted(&run.name)));
        lines.collect::<String>()
    };
    let heads = methods(&[]);
    format!("run,{heads}{}", runs.iter().map(of_run).collect::<String>())
}

fn table<const N: usize>(heads: &str, lines: impl Iterator<Item = [String; N]>) -> String {
    let mut text = format!("{heads}\n");
    for line in lines {
        text += &line.join(",");
        text.push('\n');
    }
    text
}

/// What is not known leaves its field empty.
fn written(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A field as RFC 4180 has it, with line breaks as signs.
fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use shared::site::FeatureRow;

    use super::*;

    #[test]
    fn features_come_in_the_order_in_which_they_are_shown() {
        let row = |density: f64, raises: &str| FeatureRow {
            density,
            raises: raises.into(),
            example: "he said\n\"no".into(),
            histogram: vec![0, 100],
            ..FeatureRow::default()
        };
        let features_of = vec![row(0.5, "ab"), row(0.25, "\"")];
        let index = RunIndex { features: features_of, ..RunIndex::default() };

        let text = features(&index, &[3, 0], &[1, 0]);

        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "1,0.25,0,0,0,\"\"\"\",\"he said⏎\"\"no\",0 100");
        assert_eq!(lines[2], "0,0.5,0,0,3,\"ab\",\"he said⏎\"\"no\",0 100");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split(',').count(), 8);
    }

    #[test]
    fn what_is_not_known_of_a_combination_is_left_empty() {
        let known = CombinationRow {
            parts: vec![3, 17],
            interaction: 0.5,
            ci95: Some([0.25, 0.75]),
            support: 12,
            lift: 2.0,
            seeds: Some([4, 5]),
            raises: "a".into(),
        };
        let unknown = CombinationRow { ci95: None, seeds: None, ..known.clone() };

        let text = combinations(&[known, unknown], &[0, 1]);

        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "0,3 17,2,0.5,0.25,0.75,12,2,4,5,\"a\"");
        assert_eq!(lines[2], "1,3 17,2,0.5,,,12,2,,,\"a\"");
        assert_eq!(lines[0].split(',').count(), lines[2].split(',').count());
    }

    #[test]
    fn methods_have_their_errors_beside_them() {
        let method = MethodFigures {
            name: "pca".into(),
            setting: "first 32, centred".into(),
            fvu: Figure { mean: Some(0.5), stderr: Some(0.125) },
            ..MethodFigures::default()
        };

        let expected = "method,setting,fvu,fvu_stderr,l0,dead_share,ce_recovered\n\
                        \"pca\",\"first 32, centred\",0.5,0.125,,,\n";
        assert_eq!(methods(std::slice::from_ref(&method)), expected);

        let run = |name: &str| RunIndex {
            name: name.into(),
            methods: vec![method.clone()],
            ..RunIndex::default()
        };
        let text = comparison(&[run("run_1"), run("run_3")]);
        let starts: Vec<&str> = text.lines().map(|line| &line[..10]).collect();
        assert_eq!(starts, ["run,method", "\"run_1\",\"p", "\"run_3\",\"p"]);
    }
}

//! Combinations as a table for other programs, and the first of them for a person.

use std::fmt::Write;

use shared::report::{Combination, Example};

use crate::analysis::consistency::Consistency;
use crate::analysis::reuse::Reuse;
use crate::results::{Export, Results};

/// How many combinations `notes.txt` shows.
const SHOWN: usize = 10;
/// How many characters of an example are shown before the one at which a combination acts.
const BEFORE: usize = 20;
/// An interval that nobody knows.
const UNKNOWN: [f64; 2] = [f64::NAN; 2];

/// One file for each autoencoder that has combinations: its name and its bytes.
pub fn tables(results: &Results) -> impl Iterator<Item = (String, String)> {
    let some = results.exports.iter().filter(|export| !export.combinations.is_empty());
    some.map(|export| (format!("combinations/{}.csv", export.name), csv(&export.combinations)))
}

fn csv(combinations: &[Combination]) -> String {
    let mut text = "parts,size,interaction,low,high,interaction_in_context,support,\
                    support_low,support_high,lift,lift_low,lift_high,pmi,pmi_low,pmi_high,\
                    seeds_found,seeds,raises,lowers,adds,example\n"
        .to_string();
    for one in combinations {
        let [low, high] = one.ci95.unwrap_or(UNKNOWN);
        let [fewest, most] = one.support_ci95.unwrap_or(UNKNOWN);
        let [least_lift, most_lift] = one.lift_ci95.unwrap_or(UNKNOWN);
        let [found, of] = one.seeds.unwrap_or([1, 1]);
        let adds: Vec<String> =
            one.adds.iter().map(|(feature, much)| format!("{feature}:{much}")).collect();
        let _ = writeln!(
            text,
            "{},{},{:.6},{low:.6},{high:.6},{:.6},{},{fewest:.0},{most:.0},{:.4},{least_lift:.4},\
             {most_lift:.4},{:.4},{:.4},{:.4},{found},{of},{},{},{},{}",
            parts(one),
            one.size(),
            one.interaction,
            one.interaction_in_context,
            one.support,
            one.lift,
            one.pmi,
            least_lift.ln(),
            most_lift.ln(),
            quoted(&characters(&one.raises)),
            quoted(&characters(&one.lowers)),
            adds.join(" "),
            quoted(&one.together.first().map_or(String::new(), passage)),
        );
    }
    text
}

/// How many combinations each model has, and what the strongest of them do.
pub fn notes(results: &Results) -> Option<String> {
    let some: Vec<String> = results
        .exports
        .iter()
        .filter(|export| export.config.units.is_some())
        .map(of_export)
        .collect();
    (!some.is_empty()).then(|| some.join("\n\n"))
}

fn of_export(export: &Export) -> String {
    let of_size = |size| export.combinations.iter().filter(|one| one.size() == size).count();
    let mut text = format!(
        "Combinations of {}: {} of its {} units act on enough held-out rows: {} pairs, {} triples, \
         {} quadruples.\n",
        export.name,
        export.combinations.len(),
        export.units,
        of_size(2),
        of_size(3),
        of_size(4)
    );
    if let Some(reuse) = &export.reuse {
        text += &told(reuse);
    }
    if let Some(consistency) = &export.consistency {
        text += &agreed(consistency);
    }
    let _ = write!(
        text,
        "The strongest, each with a passage that ends where it acts; raised characters by the direct \
         path to the logits:\n{:<20} {:>11} {:>17} {:>10} {:>7} {:>8} {:>5}  {:<10} passage",
        "parts", "interaction", "95 %", "in context", "support", "lift", "seeds", "raises"
    );
    for one in export.combinations.iter().take(SHOWN) {
        let [low, high] = one.ci95.unwrap_or(UNKNOWN);
        let seeds = one.seeds.map_or("-".into(), |[found, of]| format!("{found}/{of}"));
        let raised: String = one.raises.iter().take(5).map(|(character, _)| *character).collect();
        let _ = write!(
            text,
            "\n{:<20} {:>11.4} {:>17} {:>10.4} {:>7} {:>8.2} {seeds:>5}  {:<10} {}",
            parts(one),
            one.interaction,
            format!("{low:.4} {high:.4}"),
            one.interaction_in_context,
            one.support,
            one.lift,
            escaped(&raised),
            escaped(&one.together.first().map_or(String::new(), passage)),
        );
    }
    text
}

fn told(reuse: &Reuse) -> String {
    let [low, high] = reuse.entropy_by_chance;
    let [even, uneven] = reuse.gini_by_chance;
    format!(
        "{} features take part, one of them in {}. Entropy of use {:.3} nats (by chance {low:.3} to \
         {high:.3}), Gini {:.3} (by chance {even:.3} to {uneven:.3}).\n",
        reuse.used, reuse.most, reuse.entropy, reuse.gini
    )
}

fn agreed(consistency: &Consistency) -> String {
    let Consistency { trainings, found, features, possible, again } = consistency;
    let at_least = |wanted: &usize| found.iter().filter(|found| *found >= wanted).count();
    let counts: Vec<String> =
        (1..=*trainings).map(|wanted| format!("{} in {wanted}", at_least(&wanted))).collect();
    let again = again.map_or(String::new(), |share| {
        format!(", and of these {:.1} % are found there", 100.0 * share)
    });
    format!(
        "Found from {trainings} seeds, at least: {}. So {} of them count: found from four of five \
         seeds.\nAnother seed has {:.1} % of the features (cosine 0.7 or more), so {:.1} % of the \
         combinations have all their parts there{again}.\n",
        counts.join(", "),
        consistency.counted(),
        100.0 * features,
        100.0 * possible
    )
}

fn parts(one: &Combination) -> String {
    one.parts.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

fn characters(effects: &[(char, f64)]) -> String {
    effects.iter().map(|(character, _)| *character).collect()
}

/// The end of an example's text up to the character at which it fires.
fn passage(example: &Example) -> String {
    let from = (example.at + 1).saturating_sub(BEFORE);
    example.text.chars().skip(from).take(example.at + 1 - from).collect()
}

/// Line breaks as a reader of one line sees them.
fn escaped(text: &str) -> String {
    text.replace('\n', "\u{23ce}")
}

/// A field of a table, as RFC 4180 has it; spreadsheets must not take it for a formula.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_has_every_column_once() {
        let example = Example { text: "say \"no\",\nnow".into(), at: 9, values: vec![] };
        let one = Combination {
            parts: vec![3, 17],
            interaction: 0.5,
            ci95: Some([0.25, 0.75]),
            support: 20,
            support_ci95: Some([15.0, 26.0]),
            lift: 2.0,
            lift_ci95: Some([1.0, 3.0]),
            pmi: 0.75,
            raises: vec![(',', 1.0), ('"', 0.5)],
            adds: vec![(4, -0.25)],
            together: vec![example],
            seeds: Some([2, 3]),
            ..Default::default()
        };

        let text = csv(&[one]);

        let line = text.lines().nth(1).unwrap();
        let expected = "3 17,2,0.500000,0.250000,0.750000,0.000000,20,15,26,2.0000,1.0000,3.0000,\
                        0.7500,0.0000,1.0986,2,3,\",\"\"\",\"\",4:-0.25,\"say \"\"no\"\",\u{23ce}\"";
        assert_eq!(line, expected);
    }
}

//! What exchanging features between rows does to the language model, as a table and for a person.

use std::fmt::Write;

use crate::analysis::interchange::{Interchanged, What};
use crate::results::Results;

/// The tables of each autoencoder: their names and texts.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    let exports = results.exports.iter().filter(|export| !export.interchange.is_empty());
    let table =
        |name: &str, all: &[Interchanged]| (format!("hidden/{name}_interchange.csv"), csv(all));
    exports.map(|export| table(&export.name, &export.interchange)).collect()
}

/// A table for each autoencoder, for `notes.txt`.
pub fn notes(results: &Results) -> Option<String> {
    let exports = results.exports.iter().filter(|export| !export.interchange.is_empty());
    let mut text = exports.fold(String::new(), |mut text, export| {
        let _ = write!(
            text,
            "Does the language model read hidden variables off the features of {}? These get the strengths \
             of another row, which\ndiffers in nothing else that decides what follows (cause: the share of \
             pairs in which the other row's character is now\nexpected), or has the same value where \
             something else follows (isolation: the share in which the row's own still is).\nScore: the \
             mean of both.\n\
             {:<20} {:<38} {:>7} {:>7} {:>10} {:>7} {:>7}\n",
            export.name, "variable", "exchanged", "cause", "pairs", "isolation", "pairs", "score"
        );
        for one in &export.interchange {
            let _ = writeln!(
                text,
                "{:<20} {:<38} {:>7.3} {:>7} {:>10.3} {:>7} {:>7.3}",
                one.variable,
                exchanged(one),
                one.cause.0,
                one.cause.1,
                one.isolation.0,
                one.isolation.1,
                one.score()
            );
        }
        text.push('\n');
        text
    });
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

/// What is exchanged, in words.
fn exchanged(one: &Interchanged) -> String {
    let what = match one.what {
        What::Best(1) => "the best feature".into(),
        What::Best(count) => format!("the best {count} features"),
        What::Random(1) => "a feature by chance".into(),
        What::Random(count) => format!("{count} features by chance"),
        What::All => "all features".into(),
        What::Row => "the whole row".into(),
    };
    if one.with_combinations { what + ", with combinations" } else { what }
}

fn csv(all: &[Interchanged]) -> String {
    let mut text =
        "variable,exchanged,cause,cause_pairs,isolation,isolation_pairs,score\n".to_string();
    for one in all {
        let (cause, isolation) = (one.cause, one.isolation);
        let _ = writeln!(
            text,
            "{},\"{}\",{:.5},{},{:.5},{},{:.5}",
            one.variable,
            exchanged(one),
            cause.0,
            cause.1,
            isolation.0,
            isolation.1,
            one.score()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_exchanged_and_what_came_of_it() {
        let one = Interchanged {
            variable: "carry".into(),
            what: What::Best(5),
            with_combinations: true,
            cause: (0.75, 8),
            isolation: (0.25, 4),
        };

        let text = csv(&[one]);

        let line = text.lines().nth(1).unwrap();
        assert_eq!(
            line,
            "carry,\"the best 5 features, with combinations\",0.75000,8,0.25000,4,0.50000"
        );
    }
}

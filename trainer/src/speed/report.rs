//! What a person reads of times.

use std::fmt::Write;

use super::growth::Growth;
use super::ratios::{Comparison, Spread};

/// The table on standard output.
pub fn table(comparisons: &[Comparison]) -> String {
    let mut text =
        format!("{:<66} {:>10} {:>10} {:>22} {:>6}", "task", "ours", "peer", "share", "goal");
    for comparison in comparisons {
        let time = |spread: Option<Spread>| spread.map_or("-".into(), |one| shown(one.middle));
        let _ = write!(
            text,
            "\n{:<66} {:>10} {:>10} {:>22} {:>6}",
            comparison.task.title(),
            time(comparison.ours()),
            time(comparison.theirs()),
            comparison.ratio().map_or("-".into(), share),
            comparison.task.goal(),
        );
    }
    text
}

/// How growths look on standard output.
pub fn growth_table(growths: &[Growth]) -> String {
    let mut text = format!("{:<18} {:>9}  {}", "what grows", "exponent", "size: seconds");
    for growth in growths {
        let (exponent, points) = (growth.exponent(), growth.points_in_words());
        let _ = write!(text, "\n{:<18} {exponent:>9.2}  {points}", growth.name);
    }
    text
}

/// `speed.md`.
pub fn markdown(
    machine: &str,
    comparisons: &[Comparison],
    growths: &[Growth],
    plots: &[String],
) -> String {
    let mut text = format!(
        "# Speed\n\n{}, {machine}.\n\nMedians over rounds; ours and the peer's were measured in turns. \
         A share is ours over the peer's within a round: the median, then the least and the most.\n\n\
         | task | ours | peer | share of the peer's time | goal | peer is |\n|---|---|---|---|---|---|\n",
        crate::version()
    );
    for comparison in comparisons {
        let time = |spread: Option<Spread>| spread.map_or(String::new(), |one| shown(one.middle));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            comparison.task.title(),
            time(comparison.ours()),
            time(comparison.theirs()),
            comparison.ratio().map_or(String::new(), share),
            comparison.task.goal(),
            comparison.peer.as_deref().unwrap_or_default(),
        );
    }
    if !growths.is_empty() {
        text += "\n| what grows | exponent | seconds by size | what is done |\n|---|---|---|---|\n";
    }
    for growth in growths {
        let (name, exponent, points) = (growth.name, growth.exponent(), growth.points_in_words());
        let _ = writeln!(text, "| {name} | {exponent:.2} | {points} | {} |", growth.what);
    }
    for plot in plots {
        let _ = writeln!(text, "\n![{plot}](plots/{plot}.svg)");
    }
    text
}

/// Milliseconds with the digits that a person can use.
fn shown(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 1.0 => format!("{:.0} us", ms * 1e3),
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms => format!("{ms:.1} ms"),
    }
}

fn share(ratio: Spread) -> String {
    let Spread { middle, least, most } = ratio;
    format!("{middle:.2} [{least:.2}, {most:.2}]")
}

#[cfg(test)]
mod tests {
    use super::super::ratios::{Round, Times};
    use super::super::tasks::Task;
    use super::*;

    #[test]
    fn a_table_has_times_and_shares() {
        let times = |median| Times { tenth: median, median, ninetieth: median, count: 9 };
        let compared = Comparison {
            task: Task::Topk,
            peer: Some("PyTorch 9".into()),
            rounds: vec![Round { ours: times(0.5), theirs: Some(times(4.0)) }],
        };
        let rounds = vec![Round { ours: times(12.34), theirs: None }];
        let alone = Comparison { rounds, ..Comparison::new(Task::Pca) };

        let text = table(&[compared.clone(), alone]);

        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("500 us") && lines[1].contains("4.00 ms"), "{text}");
        assert!(lines[1].contains("0.12 [0.12, 0.12]"), "{text}");
        assert!(lines[2].contains("12.3 ms"), "{text}");
        assert!(markdown("a machine", &[compared], &[], &[]).contains("| PyTorch 9 |"));
    }
}

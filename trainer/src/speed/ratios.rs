//! Times side by side.

use serde_json::{Value, json};

use super::tasks::Task;

/// How long calls took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// A tenth took less.
    pub tenth: f64,
    /// Half took less.
    pub median: f64,
    /// A tenth took longer.
    pub ninetieth: f64,
    /// How many calls there were.
    pub count: usize,
}

impl Times {
    /// The quantiles of some times; `None` of none.
    pub fn of(mut milliseconds: Vec<f64>) -> Option<Self> {
        let count = milliseconds.len();
        milliseconds.sort_by(f64::total_cmp);
        let at = |share: f64| milliseconds.get(((count as f64 * share) as usize).min(count - 1));
        let last = milliseconds.last()?;
        let quantile = |share| at(share).copied().unwrap_or(*last);
        let [tenth, median, ninetieth] = [0.1, 0.5, 0.9].map(quantile);
        Some(Self { tenth, median, ninetieth, count })
    }

    fn to_json(self) -> Value {
        let Self { tenth, median, ninetieth, count } = self;
        json!({ "tenth": tenth, "median": median, "ninetieth": ninetieth, "count": count })
    }
}

/// What was measured in one round, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Our times.
    pub ours: Times,
    /// The peer's, if there is one.
    pub theirs: Option<Times>,
}

impl Round {
    /// Our median as a share of the peer's.
    fn ratio(&self) -> Option<f64> {
        self.theirs.map(|theirs| self.ours.median / theirs.median)
    }
}

/// A task with all its rounds.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was done.
    pub task: Task,
    /// What the peer calls itself.
    pub peer: Option<String>,
    /// One after the other.
    pub rounds: Vec<Round>,
}

/// The middle one of some numbers, then the smallest and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub middle: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of these numbers; `None` of none.
    pub fn of(numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let (least, most) = (*numbers.first()?, *numbers.last()?);
        let upper = numbers[numbers.len() / 2];
        let lower = numbers[(numbers.len() - 1) / 2];
        Some(Self { middle: (lower + upper) / 2.0, least, most })
    }
}

impl Comparison {
    /// Nothing measured yet.
    pub fn new(task: Task) -> Self {
        Self { task, peer: None, rounds: vec![] }
    }

    /// Our medians over the rounds, in milliseconds.
    pub fn ours(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| round.ours.median))
    }

    /// The peer's.
    pub fn theirs(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| Some(round.theirs?.median)))
    }

    /// Our share of the peer's time, round by round.
    pub fn ratio(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(Round::ratio))
    }

    /// As `speed.json` has it.
    pub fn to_json(&self) -> Value {
        let round = |round: &Round| json!({ "ours": round.ours.to_json(), "theirs": round.theirs.map(Times::to_json) });
        let ratio = self.ratio().map(
            |ratio| json!({ "median": ratio.middle, "least": ratio.least, "most": ratio.most }),
        );
        json!({
            "task": self.task.name(),
            "peer": self.peer,
            "ratio": ratio,
            "goal": self.task.goal(),
            "milliseconds": self.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times = Times::of((1..=10).rev().map(f64::from).collect()).unwrap();

        assert_eq!(times, Times { tenth: 2.0, median: 6.0, ninetieth: 10.0, count: 10 });
        assert_eq!(Times::of(vec![3.0]).unwrap().ninetieth, 3.0);
        assert!(Times::of(vec![]).is_none());
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let times = |median| Times { tenth: median, median, ninetieth: median, count: 1 };
        // The machine was half as fast in the second round.
        let round = |ours, theirs| Round { ours: times(ours), theirs: Some(times(theirs)) };
        let comparison = Comparison {
            rounds: vec![round(1.0, 4.0), round(2.0, 8.0), round(3.0, 10.0)],
            ..Comparison::new(Task::Topk)
        };

        let ratio = comparison.ratio().unwrap();

        assert_eq!(ratio, Spread { middle: 0.25, least: 0.25, most: 0.3 });
        assert_eq!(comparison.ours().unwrap().middle, 2.0);
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let ours = Times { tenth: 1.0, median: 1.0, ninetieth: 1.0, count: 1 };
        let rounds = vec![Round { ours, theirs: None }];
        let comparison = Comparison { rounds, ..Comparison::new(Task::Topk) };

        assert_eq!(comparison.ratio(), None);
        assert!(comparison.to_json()["ratio"].is_null());
    }
}

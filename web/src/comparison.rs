//! Several runs side by side: what is compared, and which methods they have. Numbers only.

use shared::site::{Figure, MethodFigures, RunIndex};

use crate::figures::{number, percent};

/// What of a method is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Fraction of variance unexplained.
    #[default]
    Unexplained,
    /// Mean number of active features.
    Active,
    /// Share of features that never fire.
    Dead,
    /// Share of the loss that reconstructions keep.
    LossKept,
}

impl Measure {
    /// All of them with their names in addresses, which are those of the files, and on the page.
    pub const ALL: [(Self, &str, &str); 4] = [
        (Self::Unexplained, "fvu", "Variance unexplained"),
        (Self::Active, "l0", "Active features"),
        (Self::Dead, "dead_share", "Dead features"),
        (Self::LossKept, "ce_recovered", "Loss kept"),
    ];

    /// The measure of that name in addresses.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(measure, _, _)| *measure)
    }

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(measure, _, _)| *measure == self).map_or("fvu", |(_, name, _)| name)
    }

    /// What it is of a method.
    pub fn of(self, method: &MethodFigures) -> Figure {
        match self {
            Self::Unexplained => method.fvu,
            Self::Active => method.l0,
            Self::Dead => method.dead_share,
            Self::LossKept => method.ce_recovered,
        }
    }

    /// How its numbers are written.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::Active => number(value),
            Self::Unexplained | Self::Dead | Self::LossKept => percent(value),
        }
    }
}

/// A method as some of the runs have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What it is in each run, in their order; nothing where a run does not have the method.
    pub figures: Vec<Option<Figure>>,
}

/// The methods of all `runs` in the order in which they are first met.
pub fn compare(runs: &[RunIndex], measure: Measure) -> Vec<Compared> {
    let mut names: Vec<&str> = vec![];
    for method in runs.iter().flat_map(|run| &run.methods) {
        if !names.contains(&method.name.as_str()) {
            names.push(&method.name);
        }
    }
    let figure = |run: &RunIndex, name: &str| {
        let method = run.methods.iter().find(|method| method.name == name)?;
        Some(measure.of(method))
    };
    let compared = |name: &str| Compared {
        name: name.to_string(),
        figures: runs.iter().map(|run| figure(run, name)).collect(),
    };
    names.into_iter().map(compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(methods: &[(&str, f64)]) -> RunIndex {
        let method = |(name, fvu): &(&str, f64)| MethodFigures {
            name: name.to_string(),
            fvu: Figure { mean: Some(*fvu), stderr: None },
            ..MethodFigures::default()
        };
        RunIndex { methods: methods.iter().map(method).collect(), ..RunIndex::default() }
    }

    #[test]
    fn a_method_that_a_run_lacks_leaves_its_place_empty() {
        let runs = [run(&[("pca", 0.5), ("topk", 0.25)]), run(&[("units", 0.125), ("pca", 0.75)])];

        let compared = compare(&runs, Measure::Unexplained);

        let told: Vec<(&str, Vec<Option<f64>>)> = compared
            .iter()
            .map(|method| {
                let mean = |figure: &Option<Figure>| figure.and_then(|figure| figure.mean);
                (method.name.as_str(), method.figures.iter().map(mean).collect())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("pca", vec![Some(0.5), Some(0.75)]),
                ("topk", vec![Some(0.25), None]),
                ("units", vec![None, Some(0.125)]),
            ]
        );
    }

    #[test]
    fn measures_are_found_by_their_names() {
        for (measure, name, _) in Measure::ALL {
            assert_eq!((Measure::named(name), measure.name()), (Some(measure), name));
        }
        assert_eq!(Measure::named("beauty"), None);
    }
}

//! Combinations that somebody else found: read, checked, mapped to the truth and scored.

use std::path::Path;

use serde::Deserialize;

use super::config::WorldConfig;
use super::mapping::Mapping;
use super::outcomes::{Answer, outcomes};
use super::score::Proposal;
use super::tracks::{MethodScore, sizes_of};
use super::world::World;
use crate::analysis::screening::FoundCombination;
use crate::analysis::screening::sparse::SparseRows;
use crate::complaint::Complaint;

/// The file of somebody else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// What the method is called.
    #[serde(default = "unnamed")]
    pub name: String,
    /// The `config` of the exported world, if the world is not given by arguments.
    pub world: Option<WorldConfig>,
    /// Learned directions; without them `parts` are true features.
    directions: Option<Vec<Vec<f32>>>,
    /// When the learned features fire.
    firing: Option<Firing>,
    /// Combinations with a lower score are ranked, not deployed.
    threshold: Option<f64>,
    /// What was found.
    combinations: Vec<Combination>,
}

/// On which of the first `rows` threshold rows each learned feature fires.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Firing {
    rows: usize,
    features: Vec<Vec<u32>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Combination {
    parts: Vec<usize>,
    score: f64,
    effect: Option<Vec<f32>>,
}

fn unnamed() -> String {
    "foreign".to_string()
}

impl Foreign {
    /// Reads a file.
    ///
    /// # Errors
    /// There is no such file, or it is not what `docs/benchmark.md` describes.
    pub fn read(path: &Path) -> Result<Self, Complaint> {
        let complain = |what: String| {
            Complaint::usage(what)
                .detail("file", path.display())
                .fix("docs/benchmark.md has an example: \"Scoring combinations that others found\"")
        };
        let bytes = std::fs::read(path)
            .map_err(|error| complain(format!("the combinations cannot be read: {error}")))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| complain(format!("the combinations are not as expected: {error}")))
    }

    /// What its features are matched by.
    pub fn matched_by(&self) -> &'static str {
        match (&self.directions, &self.firing) {
            (None, _) => "true feature ids",
            (Some(_), None) => "cosine alone",
            (Some(_), Some(_)) => "cosine and firing",
        }
    }

    /// Scores it against the truth.
    ///
    /// # Errors
    /// Directions, firing or combinations do not fit the world or one another.
    pub fn score(&self, world: &World) -> Result<MethodScore, Complaint> {
        let directions = self.unit_directions(world)?;
        let mapping = match &directions {
            Some(directions) => self.mapping(world, directions)?,
            None => Mapping::identity(world.config.n_features),
        };
        let ranking: Vec<Proposal> = self.checked(world, mapping.truth.len())?;
        let ranking = mapping.translate(&ranking);
        let least = self.threshold.unwrap_or(f64::NEG_INFINITY);
        let deployed: Vec<Proposal> =
            ranking.iter().filter(|proposal| proposal.score >= least).cloned().collect();
        let effect = |combination: &Combination| {
            let effect = combination.effect.clone()?;
            let (parts, gain) = (combination.parts.clone(), combination.score);
            Some(FoundCombination { parts, effect, gain, support: 0 })
        };
        let found: Vec<FoundCombination> = self.combinations.iter().filter_map(effect).collect();
        let answer = Answer { deployed: &deployed, found: &found, mapping: &mapping };
        Ok(MethodScore {
            sizes: sizes_of(world, &mapping, &deployed, &ranking),
            mcc: directions.as_ref().map(|directions| mapping.mcc(directions, world)),
            rules: outcomes(world, &answer, None, &[]),
            ..MethodScore::default()
        })
    }

    fn unit_directions(&self, world: &World) -> Result<Option<Vec<f32>>, Complaint> {
        let Some(directions) = &self.directions else { return Ok(None) };
        let d_model = world.config.d_model;
        let mut all = Vec::with_capacity(directions.len() * d_model);
        for (place, direction) in directions.iter().enumerate() {
            let length = direction.iter().map(|value| value * value).sum::<f32>().sqrt();
            if direction.len() != d_model || !(length.is_finite() && length > 0.0) {
                let have = direction.len();
                return Err(Complaint::usage(format!(
                    "direction {place} has {have} numbers and length {length}"
                ))
                .fix(format!("give {d_model} finite numbers, not all of them 0")));
            }
            all.extend(direction.iter().map(|value| value / length));
        }
        Ok(Some(all))
    }

    fn mapping(&self, world: &World, directions: &[f32]) -> Result<Mapping, Complaint> {
        let d_model = world.config.d_model;
        let Some(firing) = &self.firing else {
            return Ok(Mapping::by_cosine(directions, &world.directions, d_model));
        };
        let learned = directions.len() / d_model;
        let late = firing.features.iter().flatten().any(|row| *row as usize >= firing.rows);
        let doubled = firing.features.iter().any(|rows| !rows.is_sorted_by(|a, b| a < b));
        if firing.features.len() != learned || firing.rows == 0 || late || doubled {
            return Err(Complaint::usage(format!(
                "the firing of {} features on {} rows does not fit {learned} directions",
                firing.features.len(),
                firing.rows
            ))
            .fix("give ascending row numbers below `rows` for each direction"));
        }
        let columns: Vec<Vec<(u32, f32)>> = firing
            .features
            .iter()
            .map(|rows| rows.iter().map(|row| (*row, 1.0)).collect())
            .collect();
        let codes = SparseRows::from_columns(&columns, firing.rows);
        let active = world.rows("threshold rows", firing.rows).active;
        Ok(Mapping::new(directions, &world.directions, d_model, &codes, &active))
    }

    /// The combinations, each with parts that exist and differ.
    fn checked(&self, world: &World, features: usize) -> Result<Vec<Proposal>, Complaint> {
        let d_model = world.config.d_model;
        let one = |(place, combination): (usize, &Combination)| {
            let mut parts = combination.parts.clone();
            parts.sort_unstable();
            parts.dedup();
            let complain = |what: String| Complaint::usage(format!("combination {place} {what}"));
            if parts.len() != combination.parts.len() || !(2..=4).contains(&parts.len()) {
                let what = format!("has the parts {:?}", combination.parts);
                return Err(complain(what).fix("give two, three or four different features"));
            }
            if let Some(part) = parts.iter().find(|part| **part >= features) {
                let last = features.saturating_sub(1);
                return Err(complain(format!("names the feature {part}"))
                    .fix(format!("features are counted from 0, the last one is {last}")));
            }
            if combination.effect.as_ref().is_some_and(|effect| effect.len() != d_model) {
                return Err(complain("has an effect of another width".into())
                    .fix(format!("give {d_model} numbers, or no effect")));
            }
            Ok(Proposal::of(&parts, combination.score))
        };
        self.combinations.iter().enumerate().map(one).collect()
    }
}

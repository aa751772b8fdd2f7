//! What a trained model proposes, and what it deploys of that.

use shared::composition::units::MOST_PARTS;

use super::and_mining::mine;
use super::learned::Learned;
use super::methods::Proposer;
use super::rivals::{Counts, Rival};
use super::score::Proposal;
use crate::analysis::interaction::Interactions;
use crate::analysis::screening::sparse::SparseRows;

/// Combinations on fewer rows are ranked nowhere.
const SUPPORT: usize = 15;

/// What a method proposes, in terms of true features.
#[derive(Clone, Debug)]
pub enum Proposed {
    /// It decides itself how many.
    Chosen(Vec<Proposal>),
    /// It ranks, and is given the threshold that does best on the threshold rows.
    Ranked {
        /// The ranking on threshold rows.
        threshold: Vec<Proposal>,
        /// The ranking on test rows.
        test: Vec<Proposal>,
    },
}

/// What `proposer` proposes of a trained model.
pub fn proposed(learned: &Learned, proposer: Proposer) -> Proposed {
    let mapping = &learned.mapping;
    let ranked = |rank: &dyn Fn(&SparseRows) -> Vec<Proposal>| Proposed::Ranked {
        threshold: mapping.translate(&rank(&learned.threshold_codes)),
        test: mapping.translate(&rank(&learned.test_codes)),
    };
    match proposer {
        Proposer::Units => Proposed::Chosen(mapping.proposals(&learned.combinations)),
        Proposer::Screening => Proposed::Chosen(mapping.proposals(&learned.screened)),
        Proposer::Interactions => ranked(&|codes| by_interaction(learned, codes)),
        Proposer::AndMining => ranked(&|codes| mine(codes, mapping.truth.len(), SUPPORT)),
        Proposer::Statistic(rival) => {
            let d_model = learned.directions.len() / mapping.truth.len();
            ranked(&|codes| by_statistic(rival, codes, &learned.directions, d_model))
        }
    }
}

/// Combinations of all sizes by the size of their interaction.
fn by_interaction(learned: &Learned, codes: &SparseRows) -> Vec<Proposal> {
    let mut interactions = Interactions::new(&*learned.model, codes, SUPPORT);
    let found = interactions.ranked(MOST_PARTS).into_iter().flatten();
    found.map(|interaction| Proposal::of(&interaction.parts, interaction.size)).collect()
}

/// Pairs and triples by a statistic of the code; `directions` as [`Counts`] wants them.
pub fn by_statistic(
    rival: Rival,
    codes: &SparseRows,
    directions: &[f32],
    d_model: usize,
) -> Vec<Proposal> {
    let counts = Counts::new(codes, directions, d_model, SUPPORT);
    [2, 3].into_iter().flat_map(|size| counts.ranking(rival, size)).collect()
}

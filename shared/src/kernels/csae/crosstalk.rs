//! What the products of directions add to the decoder's gradient, where there is a table of them.
//!
//! A step of refitting gives the product of features `i` and `j` the slope `-pace u_i v_j`. Summed
//! over steps and rows, and with `i` and `j` exchanged, these are the weights with which all
//! directions add up to a direction's gradient.

use super::block::{Context, Firing};
use crate::kernels::product::product;

/// The weights for some features, one task's.
#[derive(Debug)]
pub(super) struct Crosstalk<'a> {
    context: &'a Context<'a>,
    /// `[features, n_features]`.
    weights: Vec<f32>,
    /// One firing's, for the features that are active with it.
    together: Vec<f32>,
    times: Vec<f32>,
    rows: Vec<&'a [f32]>,
}

impl<'a> Crosstalk<'a> {
    /// For so many features.
    pub(super) fn new(context: &'a Context, features: usize) -> Self {
        let n_features = context.model.parameters.n_features();
        let weights = vec![0.0; features * n_features];
        Self { context, weights, together: vec![], times: vec![], rows: vec![] }
    }

    /// Adds a firing of the feature in this place; gives the sum of the slopes along its changes.
    pub(super) fn add(&mut self, place: usize, firing: &Firing<'a>) -> f32 {
        self.times.clear();
        self.rows.clear();
        let mut sum = 0.0;
        for (values, pulls) in firing.steps() {
            let (value, pull) = (values[firing.slot], pulls[firing.slot]);
            sum += pull;
            self.times.extend([-pull, -value]);
            self.rows.extend([values, pulls]);
        }
        let active = firing.active();
        self.together.resize(self.rows.first().map_or(0, |row| row.len()), 0.0);
        self.context.lanes.weighted_sum(&mut self.together, &self.times, &self.rows);
        let n_features = self.context.model.parameters.n_features();
        let weights = &mut self.weights[place * n_features..][..n_features];
        for (other, weight) in active.iter().zip(&self.together) {
            weights[*other as usize] += weight;
        }
        sum
    }

    /// Adds what was collected to the gradient of the features' directions.
    pub(super) fn finish(self, gradient: &mut [f32]) {
        let mut change = vec![0.0; gradient.len()];
        let Context { lanes, directions, .. } = self.context;
        product(*lanes, &mut change, &self.weights, directions, &[], &mut vec![]);
        gradient.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
    }
}

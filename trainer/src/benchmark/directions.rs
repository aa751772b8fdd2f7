//! Where features and effects point: at random, with the cosines and pushes that decoys plant.

use rand::RngExt;
use shared::random::{normal, stream};

use super::config::WorldConfig;
use super::rules::{Decoy, DecoyKind, Rule, RuleKind};
use crate::analysis::vectors::{add, dot_in_order};

/// The features' directions `[n_features, d_model]`; gives the rules their effects on the way.
pub(super) fn directions(config: &WorldConfig, rules: &mut [Rule], decoys: &[Decoy]) -> Vec<f32> {
    let width = config.d_model;
    let mut random = stream(config.seed, "directions");
    let mut fresh = || unit(normal(&mut random, width, 1.0));
    let mut all: Vec<Vec<f32>> = (0..config.n_features).map(|_| fresh()).collect();
    for rule in rules.iter_mut() {
        let own = fresh();
        let push = config.delta * rule.kind.main_effect(rule.parts.len());
        // XOR ends at 0 and OR at delta when all parts are active.
        let sign = if push > 0.0 { -1.0 } else { 1.0 };
        rule.effect = own.iter().map(|value| sign * value).collect();
        rule.parts.iter().for_each(|&part| add(&mut all[part], push as f32, &own));
    }
    for decoy in decoys.iter().filter(|decoy| decoy.kind == DecoyKind::Additive) {
        let own = fresh();
        let push = config.decoy_push as f32;
        decoy.parts.iter().for_each(|&part| add(&mut all[part], push, &own));
    }
    all.iter_mut().for_each(|direction| *direction = unit(std::mem::take(direction)));
    let mut signs = stream(config.seed, "signs of cosines");
    for decoy in decoys.iter().filter(|decoy| decoy.kind == DecoyKind::Cosine) {
        let signs: Vec<f32> =
            decoy.order.iter().map(|_| if signs.random() { 1.0 } else { -1.0 }).collect();
        plant(&mut all, &decoy.order, &signs, config.decoy_cosine as f32);
    }
    for rule in rules.iter_mut() {
        rule.effect = match (rule.kind, rule.target) {
            (RuleKind::Negating, Some(target)) => all[target].iter().map(|v| -v).collect(),
            (RuleKind::Modulating, Some(target)) => all[target].clone(),
            (RuleKind::Inhibiting, _) => vec![0.0; width],
            _ => std::mem::take(&mut rule.effect),
        };
    }
    all.concat()
}

/// Turns all features of `order` but the first until each two have the cosine
/// `sign_i sign_j cosine`.
///
/// With orthonormal `b_1, b_2, ..` the k-th direction becomes
/// `sign_k (t_1 b_1 + .. + t_(k-1) b_(k-1) + rest b_k)`, where `t` is row k of the Cholesky factor
/// of the wanted cosines.
fn plant(all: &mut [Vec<f32>], order: &[usize], signs: &[f32], cosine: f32) {
    let mut basis: Vec<Vec<f32>> = Vec::new();
    let mut factor: Vec<Vec<f32>> = Vec::new();
    for (place, (&feature, &sign)) in order.iter().zip(signs).enumerate() {
        let mut own = all[feature].clone();
        for other in &basis {
            let along = dot_in_order(&own, other);
            add(&mut own, -along, other);
        }
        let mut row: Vec<f32> = Vec::new();
        for earlier in factor.iter().take(place) {
            let known: f32 = row.iter().zip(earlier).map(|(a, b)| a * b).sum();
            row.push((cosine - known) / earlier[row.len()]);
        }
        row.push((1.0 - row.iter().map(|t| t * t).sum::<f32>()).max(0.0).sqrt());
        // The first keeps its direction, so its sign belongs to the basis.
        let own_sign = if place == 0 { sign } else { 1.0 };
        basis.push(unit(own.iter().map(|value| own_sign * value).collect()));
        if place > 0 {
            let mut turned = vec![0.0; own.len()];
            row.iter().zip(&basis).for_each(|(t, b)| add(&mut turned, sign * t, b));
            all[feature] = turned;
        }
        factor.push(row);
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot_in_order(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}

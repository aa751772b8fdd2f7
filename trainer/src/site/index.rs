//! What the explorer's first page needs of a run.

use shared::report::{Combination, DatasetInfo, FeatureStats};
use shared::site::{
    CombinationRow, CompositionKind, FeatureRow, Figure, MethodFigures, RunIndex, SCHEMA,
};

use super::source::FinishedRun;

/// How many characters a table shows that something makes likelier.
const RAISED: usize = 4;
/// How many characters of an example a table shows.
const EXAMPLE: usize = 14;

/// The index of a run with these stored `texts`.
pub(super) fn of(source: &FinishedRun, texts: &[String]) -> RunIndex {
    let manifest = &source.bundle.manifest;
    let shape = &manifest.autoencoders[&source.model].config;
    let word = |key: &str| source.info.final_info_dict.get(key).and_then(|value| value.as_str());
    let features = source.bundle.features.get(&source.model);
    RunIndex {
        schema: SCHEMA,
        name: source.name.clone(),
        question: source.config["question"].as_str().unwrap_or_default().to_string(),
        made_by: manifest.made_by.clone(),
        dataset: manifest.dataset.clone(),
        profile: word("profile").unwrap_or_default().to_string(),
        layer: manifest.layer,
        n_layers: manifest.lm.n_layers,
        d_model: manifest.lm.d_model,
        vocab: manifest.vocab.clone(),
        clean_loss: figure(&source.info, "held_out_ce_clean"),
        ablated_loss: figure(&source.info, "held_out_ce_zero_ablation"),
        held_out_rows: source.info.final_info_dict["held_out_rows"].as_u64().unwrap_or(0),
        methods: methods(&source.info),
        model: source.model.clone(),
        sparsity_k: shape.sparsity_k,
        composition: match (&shape.units, &shape.attention) {
            (Some(_), _) => CompositionKind::Units,
            (None, Some(_)) => CompositionKind::Attention,
            (None, None) => CompositionKind::None,
        },
        features: features.into_iter().flatten().map(feature_row).collect(),
        combinations: source.combinations.iter().map(combination_row).collect(),
        texts: texts.to_vec(),
    }
}

fn figure(info: &DatasetInfo, name: &str) -> Figure {
    Figure {
        mean: info.means.get(&format!("{name}_mean")).map(|value| rounded(*value)),
        stderr: info.stderrs.get(&format!("{name}_stderr")).map(|value| rounded(*value)),
    }
}

/// Every method whose setting is recorded, the one that explains least first.
fn methods(info: &DatasetInfo) -> Vec<MethodFigures> {
    let mut methods: Vec<MethodFigures> = info
        .final_info_dict
        .iter()
        .filter_map(|(key, setting)| {
            let name = key.strip_suffix("_setting")?;
            Some(MethodFigures {
                name: name.to_string(),
                setting: setting.as_str().unwrap_or_default().to_string(),
                fvu: figure(info, &format!("{name}_fvu")),
                l0: figure(info, &format!("{name}_l0")),
                dead_share: figure(info, &format!("{name}_dead_share")),
                ce_recovered: figure(info, &format!("{name}_ce_recovered_zero")),
            })
        })
        .collect();
    let unexplained = |method: &MethodFigures| method.fvu.mean.unwrap_or(f64::INFINITY);
    methods.sort_by(|one, other| unexplained(other).total_cmp(&unexplained(one)));
    methods
}

fn feature_row(stats: &FeatureStats) -> FeatureRow {
    let most = stats.histogram.counts.iter().max().copied().unwrap_or(0).max(1);
    FeatureRow {
        density: rounded(stats.density),
        mean: rounded(stats.mean_active),
        max: rounded(stats.max),
        raises: first(&stats.raises),
        example: stats.examples.first().map_or(String::new(), |example| {
            let from = (example.at + 1).saturating_sub(EXAMPLE);
            example.text.chars().skip(from).take(example.at + 1 - from).collect()
        }),
        histogram: stats
            .histogram
            .counts
            .iter()
            .map(|count| (count * 100).div_ceil(most) as u8)
            .collect(),
    }
}

fn combination_row(combination: &Combination) -> CombinationRow {
    CombinationRow {
        parts: combination.parts.clone(),
        interaction: rounded(combination.interaction),
        ci95: combination.ci95.map(|interval| interval.map(rounded)),
        support: combination.support,
        lift: rounded(combination.lift),
        seeds: combination.seeds,
        raises: first(&combination.raises),
    }
}

fn first(effects: &[(char, f64)]) -> String {
    effects.iter().take(RAISED).map(|(character, _)| *character).collect()
}

/// Four significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::report::{Example, Histogram};

    #[test]
    fn a_row_shows_the_example_up_to_where_the_feature_fires() {
        let example = Example { text: "0123456789abcdefghij".into(), at: 17, values: vec![] };
        let histogram = Histogram { high: 2.0, counts: vec![400, 1, 0] };
        let stats = FeatureStats { examples: vec![example], histogram, ..Default::default() };

        let row = feature_row(&stats);

        assert_eq!(row.example, "456789abcdefgh");
        assert_eq!(row.histogram, [100, 1, 0]); // what happens once is not nothing
    }

    #[test]
    fn methods_stand_in_the_order_of_what_they_leave_unexplained() {
        let mut info = DatasetInfo::default();
        for (name, fvu) in [("a", 0.01), ("b", 0.2)] {
            info.add(&format!("{name}_fvu"), &[fvu]);
            info.final_info_dict.insert(format!("{name}_setting"), "k=1".into());
        }

        let methods = methods(&info);

        assert_eq!((methods[0].name.as_str(), methods[0].fvu.mean), ("b", Some(0.2)));
        assert_eq!(methods[1].l0, Figure::default());
    }
}

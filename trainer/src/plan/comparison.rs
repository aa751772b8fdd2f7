//! run_5: the model beside what others proposed, from few active features to many.

use super::{CsaeTrial, Plan, RatesAt, Relation, Rival, Trial, csae, full, refitted, rival, topk};

/// As many features as the units' model has features and units.
const WIDE: usize = 384;
/// What the others are compared with.
const OURS: &str = "units";

/// Every method chooses its learning rate at one number of active features; a rival at a bad setting
/// proves nothing. The wide TopK that is refitted is the strongest one that units could be replaced by.
pub(super) fn run_5() -> Plan {
    let wide = |trial: CsaeTrial| CsaeTrial { n_features: WIDE, ..trial };
    let unexported = |trial: Trial| Trial { exported: false, ..trial };
    Plan {
        name: "run_5",
        question: "How do combinations compare with what others proposed, at every sparsity?",
        trials: vec![
            unexported(csae("topk", topk())),
            unexported(csae("topk_refit", refitted())),
            unexported(csae("topk_384", wide(topk()))),
            unexported(csae("topk_384_refit", wide(refitted()))),
            rival("mlp_encoder", Rival::MlpEncoder),
            rival("batch_topk", Rival::BatchTopK),
            rival("matryoshka", Rival::Matryoshka),
            rival("relu_l1", Rival::SteeredL1),
            rival("poly_sae", Rival::PolySae),
            rival("literal", Rival::Literal),
            csae(OURS, full()),
        ],
        every_text: false,
        relation: Relation::Rivals(OURS),
        curve: Some(RatesAt::Swept),
        costly: false,
        transcoder: None,
    }
}

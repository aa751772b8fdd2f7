//! How many of the rules a list of proposed combinations found, and what else it holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::rules::{Decoy, DecoyKind, Rule, RuleKind};

/// A combination that some method proposes.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// True features, as a [`Mapping`](super::mapping::Mapping) gives them; `None` for a feature
    /// that was matched with none.
    pub parts: Vec<Option<usize>>,
    /// Proposals of larger scores come first.
    pub score: f64,
}

impl Proposal {
    /// A proposal in terms of true features.
    pub fn of(parts: &[usize], score: f64) -> Self {
        Self { parts: parts.iter().copied().map(Some).collect(), score }
    }

    fn features(&self) -> Option<Vec<usize>> {
        let mut features: Vec<usize> = self.parts.iter().copied().collect::<Option<_>>()?;
        features.sort_unstable();
        features.windows(2).all(|two| two[0] != two[1]).then_some(features)
    }
}

/// What a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This rule.
    Hit(usize),
    /// Neither right nor wrong: within a larger rule, or a rule of a kind that is not counted.
    Ignored,
    /// A decoy, or within one.
    Decoy(DecoyKind),
    /// A part was matched with no feature or with the same as another part.
    Unmatched,
    /// Anything else.
    Wrong,
}

impl Verdict {
    fn is_hit(self) -> bool {
        matches!(self, Self::Hit(_))
    }
}

/// The truth that proposals of one size are held against.
#[derive(Clone, Debug)]
pub struct Truth<'a> {
    rules: &'a [Rule],
    size: usize,
    counted: Vec<usize>,
    of_size: HashMap<&'a [usize], usize>,
    decoys: HashMap<Vec<usize>, DecoyKind>,
    inside: HashSet<Vec<usize>>,
}

impl<'a> Truth<'a> {
    /// The rules of `size` whose kind is `counted`, and everything that is no mistake or a decoy.
    pub fn new(
        rules: &'a [Rule],
        decoys: &[Decoy],
        size: usize,
        counted: impl Fn(RuleKind) -> bool,
    ) -> Self {
        let same = || rules.iter().enumerate().filter(|(_, rule)| rule.parts.len() == size);
        let counted = same().filter(|(_, rule)| counted(rule.kind)).map(|(id, _)| id).collect();
        let larger = rules.iter().filter(|rule| rule.parts.len() > size);
        let decoys = decoys.iter().filter(|decoy| decoy.parts.len() >= size);
        Self {
            rules,
            size,
            counted,
            of_size: same().map(|(id, rule)| (rule.parts.as_slice(), id)).collect(),
            decoys: decoys
                .flat_map(|decoy| subsets(&decoy.parts, size).map(|set| (set, decoy.kind)))
                .collect(),
            inside: larger.flat_map(|rule| subsets(&rule.parts, size)).collect(),
        }
    }

    /// What one proposal of this size is.
    pub fn judge(&self, proposal: &Proposal) -> Verdict {
        let Some(features) = proposal.features() else { return Verdict::Unmatched };
        if let Some(&rule) = self.of_size.get(features.as_slice()) {
            let counted = self.counted.contains(&rule);
            return if counted { Verdict::Hit(rule) } else { Verdict::Ignored };
        }
        if self.inside.contains(&features) {
            return Verdict::Ignored;
        }
        self.decoys.get(&features).map_or(Verdict::Wrong, |&kind| Verdict::Decoy(kind))
    }

    /// The verdicts on the proposals of this size, best first, ignored ones left out; a rule that
    /// is found again is a mistake.
    fn verdicts(&self, proposals: &[Proposal]) -> Vec<(Verdict, f64)> {
        let of_size = proposals.iter().filter(|proposal| proposal.parts.len() == self.size);
        let mut order: Vec<&Proposal> = of_size.collect();
        order.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut hit = HashSet::new();
        let once = order.into_iter().map(|proposal| match self.judge(proposal) {
            Verdict::Hit(rule) if !hit.insert(rule) => (Verdict::Wrong, proposal.score),
            verdict => (verdict, proposal.score),
        });
        once.filter(|(verdict, _)| *verdict != Verdict::Ignored).collect()
    }
}

/// The scores of one size of combination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SizeScore {
    /// How many parts a combination has.
    pub size: usize,
    /// How many rules there are to find.
    pub rules: usize,
    /// How many of them have parts that were all recovered.
    pub recoverable: usize,
    /// How many combinations the method proposes, ignored ones left out.
    pub proposed: usize,
    /// How many of those are rules.
    pub hits: usize,
    /// How many are decoys, or within one, by kind.
    pub decoys: BTreeMap<String, usize>,
    /// How many have a part that was matched with no feature.
    pub unmatched: usize,
    /// `2 hits / (proposed + rules)`: the method itself decides how many it proposes.
    pub deployed_f1: f64,
    /// The same for the first `rules` of the ranking, ties in every order.
    pub f1_at_r: f64,
    /// The mean over all rules of the precision where the rule stands in the ranking (0 where it
    /// does not), ties in every order.
    pub average_precision: f64,
    /// `hits / recoverable`.
    pub recall_on_recoverable: f64,
    /// Of each kind of rule, how many were found and how many there are.
    pub kinds: BTreeMap<String, [usize; 2]>,
}

/// Scores the proposals of one size: those the method would deploy, and its whole ranking.
///
/// `recovered` says which true features some learned one stands for.
pub fn score(
    truth: &Truth,
    deployed: &[Proposal],
    ranking: &[Proposal],
    recovered: impl Fn(usize) -> bool,
) -> SizeScore {
    let rules = truth.counted.len();
    let ranked = truth.verdicts(ranking);
    let verdicts: Vec<Verdict> = truth.verdicts(deployed).into_iter().map(|v| v.0).collect();
    let hits = verdicts.iter().filter(|verdict| verdict.is_hit()).count();
    let complete = |rule: &&usize| truth.rules[**rule].parts.iter().all(|&part| recovered(part));
    let recoverable = truth.counted.iter().filter(complete).count();
    SizeScore {
        size: truth.size,
        rules,
        recoverable,
        proposed: verdicts.len(),
        hits,
        decoys: decoys_of(&verdicts),
        unmatched: verdicts.iter().filter(|verdict| **verdict == Verdict::Unmatched).count(),
        deployed_f1: f1(hits as f64, verdicts.len(), rules),
        f1_at_r: f1(hits_among(&ranked, rules), ranked.len().min(rules), rules),
        average_precision: average_precision(&ranked, rules),
        recall_on_recoverable: hits as f64 / recoverable.max(1) as f64,
        kinds: kinds_of(truth, &verdicts),
    }
}

/// How many proposals are decoys of each kind.
fn decoys_of(verdicts: &[Verdict]) -> BTreeMap<String, usize> {
    let mut decoys = BTreeMap::new();
    for verdict in verdicts {
        if let Verdict::Decoy(kind) = verdict {
            *decoys.entry(name(kind)).or_default() += 1;
        }
    }
    decoys
}

/// How many rules of each kind were found, and how many there are.
fn kinds_of(truth: &Truth, verdicts: &[Verdict]) -> BTreeMap<String, [usize; 2]> {
    let mut kinds: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for &rule in &truth.counted {
        let entry = kinds.entry(name(&truth.rules[rule].kind)).or_default();
        entry[0] += usize::from(verdicts.contains(&Verdict::Hit(rule)));
        entry[1] += 1;
    }
    kinds
}

/// The lowest score that a method should deploy if it is to have the best F1 on these proposals.
///
/// It reads the truth: a rival without a threshold of its own gets this one from threshold rows.
pub fn best_threshold(truth: &Truth, ranking: &[Proposal]) -> f64 {
    let verdicts = truth.verdicts(ranking);
    let (mut hits, mut best) = (0, (0.0, f64::INFINITY));
    for (place, (verdict, score)) in verdicts.iter().enumerate() {
        hits += usize::from(verdict.is_hit());
        let ends = verdicts.get(place + 1).is_none_or(|next| next.1 < *score);
        let reached = f1(hits as f64, place + 1, truth.counted.len());
        if ends && reached > best.0 {
            best = (reached, *score);
        }
    }
    best.1
}

fn f1(hits: f64, proposed: usize, rules: usize) -> f64 {
    2.0 * hits / (proposed + rules).max(1) as f64
}

/// Groups of equal scores, best first: how many proposals, how many of them hits.
fn ties(ranked: &[(Verdict, f64)]) -> impl Iterator<Item = (usize, usize)> {
    ranked
        .chunk_by(|a, b| a.1 == b.1)
        .map(|tie| (tie.len(), tie.iter().filter(|(verdict, _)| verdict.is_hit()).count()))
}

/// The expected number of hits among the first `count`, ties in every order.
fn hits_among(ranked: &[(Verdict, f64)], count: usize) -> f64 {
    let (mut left, mut sum) = (count, 0.0);
    for (size, hits) in ties(ranked) {
        let taken = size.min(left);
        sum += hits as f64 * taken as f64 / size as f64;
        left -= taken;
    }
    sum
}

/// The expected average precision, ties in every order: the k-th of a tie of `n` with `h` hits is
/// one with probability `h / n`, and then `(k - 1) (h - 1) / (n - 1)` hits of the tie precede it.
fn average_precision(ranked: &[(Verdict, f64)], rules: usize) -> f64 {
    let (mut before, mut hits_before, mut sum) = (0, 0, 0.0);
    for (size, hits) in ties(ranked).filter(|_| rules > 0) {
        for place in 1..=if hits > 0 { size } else { 0 } {
            let share = (hits - 1) as f64 / (size.max(2) - 1) as f64;
            let expected = hits_before as f64 + 1.0 + (place - 1) as f64 * share;
            sum += hits as f64 / size as f64 * expected / (before + place) as f64;
        }
        before += size;
        hits_before += hits;
    }
    sum / rules.max(1) as f64
}

/// The name of a kind as the result files have it.
pub fn name(kind: &impl Serialize) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value.as_str().unwrap_or_default().to_string()
}

/// All subsets of `size`, in the order of `parts`.
fn subsets(parts: &[usize], size: usize) -> impl Iterator<Item = Vec<usize>> {
    let chosen = move |mask: &u32| mask.count_ones() as usize == size;
    let pick = move |mask: u32| {
        let each = parts.iter().enumerate().filter(move |(place, _)| mask >> place & 1 == 1);
        each.map(|(_, &part)| part).collect()
    };
    (0..1_u32 << parts.len()).filter(chosen).map(pick)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(parts: &[usize], kind: RuleKind) -> Rule {
        let effect = vec![1.0, 0.0];
        Rule { parts: parts.to_vec(), kind, rate: 0.01, target: None, effect }
    }

    fn rules() -> Vec<Rule> {
        vec![
            rule(&[0, 1], RuleKind::Emergent),
            rule(&[2, 3], RuleKind::Negating),
            rule(&[4, 5], RuleKind::Modulating),
            rule(&[6, 7, 8], RuleKind::Emergent),
        ]
    }

    fn decoys() -> Vec<Decoy> {
        let (kind, rate) = (DecoyKind::Cosine, 0.01);
        vec![Decoy { parts: vec![9, 10, 11], kind, rate, order: vec![9, 10, 11] }]
    }

    fn pairs(rules: &[Rule]) -> Truth<'_> {
        Truth::new(rules, &decoys(), 2, RuleKind::is_visible)
    }

    #[test]
    fn every_proposal_has_its_verdict() {
        let rules = rules();
        let truth = pairs(&rules);
        let judge = |parts: &[usize]| truth.judge(&Proposal::of(parts, 1.0));

        assert_eq!(judge(&[1, 0]), Verdict::Hit(0));
        assert_eq!(judge(&[4, 5]), Verdict::Ignored);
        assert_eq!(judge(&[6, 8]), Verdict::Ignored);
        assert_eq!(judge(&[9, 11]), Verdict::Decoy(DecoyKind::Cosine));
        assert_eq!(judge(&[0, 2]), Verdict::Wrong);
        assert_eq!(judge(&[3, 3]), Verdict::Unmatched);
        let unknown = Proposal { parts: vec![Some(0), None], score: 1.0 };
        assert_eq!(truth.judge(&unknown), Verdict::Unmatched);
    }

    #[test]
    fn scores_agree_with_those_computed_by_hand() {
        let rules = rules();
        let list = [
            Proposal::of(&[0, 1], 5.0),
            Proposal::of(&[6, 7], 4.0),
            Proposal::of(&[9, 10], 3.0),
            Proposal::of(&[2, 3], 2.0),
            Proposal::of(&[0, 1], 1.0),
            Proposal::of(&[6, 7, 8], 9.0),
        ];

        let score = score(&pairs(&rules), &list, &list, |feature| feature != 3);

        // Left: hit, decoy, hit, the first rule again.
        assert_eq!((score.rules, score.proposed, score.hits), (2, 4, 2));
        assert_eq!(score.deployed_f1, 4.0 / 6.0);
        assert_eq!(score.f1_at_r, 0.5);
        assert!((score.average_precision - 0.5 * (1.0 + 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(score.decoys["cosine"], 1);
        assert_eq!((score.recoverable, score.recall_on_recoverable), (1, 2.0));
        assert_eq!(score.kinds["emergent"], [1, 1]);
        assert!(!score.kinds.contains_key("modulating"));
    }

    #[test]
    fn ties_count_as_the_mean_of_all_orders() {
        let rules = rules();
        let list = [Proposal::of(&[0, 1], 1.0), Proposal::of(&[0, 9], 1.0)];

        let score = score(&pairs(&rules), &list, &list, |_| true);

        // First: precision 1. Second: precision 1/2. The other rule is never found.
        assert!((score.average_precision - 0.5 * 0.75).abs() < 1e-12);
        assert_eq!(score.f1_at_r, 0.5);
        let verdicts = [(Verdict::Hit(0), 1.0), (Verdict::Wrong, 1.0), (Verdict::Wrong, 1.0)];
        assert!((hits_among(&verdicts, 2) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_best_threshold_stands_where_f1_is_largest() {
        let rules = rules();
        let list = [
            Proposal::of(&[0, 1], 5.0),
            Proposal::of(&[0, 9], 4.0),
            Proposal::of(&[2, 3], 3.0),
            Proposal::of(&[1, 9], 2.0),
        ];

        // F1: 2/3, 1/2, 4/5, 4/6.
        assert_eq!(best_threshold(&pairs(&rules), &list), 3.0);
        assert_eq!(best_threshold(&pairs(&rules), &list[1..2]), f64::INFINITY);
    }
}

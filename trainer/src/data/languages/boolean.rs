//! Truth values, combined and evaluated, one expression a line: `(T&!F=T)|F=T`.
//!
//! `&` is and, `|` is or, `^` is exclusive or, `!` negates what follows it. A combination has two
//! operands, and says what comes out; one that is an operand itself stands in brackets. Brackets are
//! up to three deep. Operators and truth values are equally likely; an operand is negated once in
//! four. Held out are whole expressions.
//!
//! Where brackets do not say what comes out of them, `(T&!F)|F=T`, no small model learned more than to
//! guess: there are ten characters to every answer, and nothing in between tells what is right.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Line, Reader, Variable};

/// An expression of up to 29 characters, the last equals sign and answer, and the line break.
pub const LONGEST_LINE: usize = 32;

/// How likely an operand is a combination, by how many brackets it is in already.
const GROUP: [f64; 3] = [0.5, 0.4, 0.3];
const NEGATION: f64 = 0.25;

const FALSE_TRUE: [&str; 2] = ["false", "true"];

/// The hidden variables, in the order of [`variables`].
#[derive(Clone, Copy)]
enum Hidden {
    Position,
    Depth,
    Operator,
    Negated,
    Left,
    Decided,
    First,
    CombinedBy,
    Second,
    And,
    Or,
    Xor,
    LastValue,
    Whole,
}

/// What kind of character stands here; the place among the values of `position`.
#[derive(Clone, Copy)]
enum Position {
    Literal,
    Not,
    Operator,
    Open,
    Close,
    Equals,
    Answer,
    End,
}

/// What is behind an expression.
///
/// - `depth`, `operator`: of the innermost combination that is not closed yet.
/// - `negated`: whether the operand that is awaited will be negated.
/// - `left`: the value of its left operand, negation included, while the right one is awaited.
/// - `decided`: whether `left` and `operator` leave the right operand nothing to change.
/// - `first`, `combined by`, `second`: the last complete combination, from the character that
///   completes it up to the next operand, operator or negation. `and`, `or` and `xor` are what comes
///   out, each defined for its own operator only, and until the answer is read, which tells.
/// - `last value`: what came out of the last complete combination, up to the end of the line.
/// - `whole`: the last answer, from where the expression is complete until it is read.
pub fn variables() -> Vec<Variable> {
    let positions = ["literal", "not", "operator", "open", "close", "equals", "answer", "end"];
    let operators = ["&", "|", "^"];
    vec![
        Variable::new("position", &positions),
        Variable::new("depth", &["0", "1", "2", "3"]),
        Variable::new("operator", &operators),
        Variable::new("negated", &["no", "yes"]),
        Variable::new("left", &FALSE_TRUE),
        Variable::new("decided", &["no", "yes"]),
        Variable::new("first", &FALSE_TRUE),
        Variable::new("combined by", &operators),
        Variable::new("second", &FALSE_TRUE),
        Variable::new("and", &FALSE_TRUE),
        Variable::new("or", &FALSE_TRUE),
        Variable::new("xor", &FALSE_TRUE),
        Variable::new("last value", &FALSE_TRUE),
        Variable::new("whole", &FALSE_TRUE),
    ]
}

/// A random line; it may be too long.
pub fn line(random: &mut ChaCha8Rng) -> Line {
    let mut content = String::new();
    let value = write_combination(random, 0, &mut content);
    Line { text: format!("{content}={}", letter(value)), content }
}

/// Writes two operands and an operator at this depth; what comes out.
fn write_combination(random: &mut ChaCha8Rng, depth: usize, text: &mut String) -> bool {
    let first = write_operand(random, depth, text);
    let operator = Operator::ALL[random.random_range(0..Operator::ALL.len())];
    text.push(operator.sign());
    let second = write_operand(random, depth, text);
    operator.apply(first, second)
}

fn letter(value: bool) -> char {
    if value { 'T' } else { 'F' }
}

fn write_operand(random: &mut ChaCha8Rng, depth: usize, text: &mut String) -> bool {
    let negated = random.random_bool(NEGATION);
    if negated {
        text.push('!');
    }
    let group = GROUP.get(depth).is_some_and(|group| random.random_bool(*group));
    let value = if group {
        text.push('(');
        let value = write_combination(random, depth + 1, text);
        text.push('=');
        text.push(letter(value));
        text.push(')');
        value
    } else {
        let value = random.random();
        text.push(letter(value));
        value
    };
    value != negated
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Xor,
}

/// An expression as far as it is read.
pub struct Expression {
    /// The combinations that are not closed yet, the innermost last; never empty.
    open: Vec<Combination>,
    /// The last complete combination, until something else begins.
    complete: Option<Complete>,
    /// Whether its answer is read.
    told: bool,
    /// What came out of the last complete combination.
    last_value: Option<bool>,
    /// Whether the line is not of the language.
    lost: bool,
}

/// A combination as far as it is read.
#[derive(Clone, Copy, Default)]
struct Combination {
    /// Whether the operand that is awaited will be negated.
    negated: bool,
    first: Option<bool>,
    operator: Option<Operator>,
    second: Option<bool>,
    /// Whether its equals sign is read.
    equals: bool,
    /// Whether its answer is read.
    answered: bool,
}

/// A combination with both operands.
#[derive(Clone, Copy)]
struct Complete {
    first: bool,
    operator: Operator,
    second: bool,
}

impl Default for Expression {
    fn default() -> Self {
        Self {
            open: vec![Combination::default()],
            complete: None,
            told: false,
            last_value: None,
            lost: false,
        }
    }
}

impl Reader for Expression {
    fn read(&mut self, character: char, known: &mut [i8]) -> Option<char> {
        if character == '\n' {
            *self = Self::default();
            known[Hidden::Position as usize] = Position::End as i8;
            return None;
        }
        let position = if self.lost { None } else { self.advance(character) };
        self.lost = position.is_none();
        known[Hidden::Position as usize] = position? as i8;
        self.describe(known)?;
        self.answer()
    }
}

impl Expression {
    /// Takes in a character; what kind it is, or `None` if it cannot stand here.
    fn advance(&mut self, character: char) -> Option<Position> {
        let answer = self.answer();
        let depth = self.open.len() - 1;
        let innermost = self.open.last_mut()?;
        if let Some(answer) = answer {
            innermost.answered = true;
            self.told = true;
            return (answer == character).then_some(Position::Answer);
        }
        if !matches!(character, ')' | '=') {
            self.complete = None;
        }
        let awaits_operand = innermost.awaits_operand();
        match character {
            'T' | 'F' if awaits_operand => {
                self.take_operand(character == 'T');
                Some(Position::Literal)
            }
            '!' if awaits_operand => {
                innermost.negated = !innermost.negated;
                Some(Position::Not)
            }
            '(' if awaits_operand && depth < GROUP.len() => {
                self.open.push(Combination::default());
                Some(Position::Open)
            }
            ')' if depth > 0 && innermost.answered => {
                let value = innermost.complete()?.value();
                self.open.pop();
                self.take_operand(value);
                Some(Position::Close)
            }
            '=' if innermost.complete().is_some() && !innermost.equals => {
                innermost.equals = true;
                Some(Position::Equals)
            }
            _ if innermost.first.is_some() && innermost.operator.is_none() => {
                innermost.operator = Some(Operator::of(character)?);
                Some(Position::Operator)
            }
            _ => None,
        }
    }

    /// Gives the innermost open combination its next operand.
    fn take_operand(&mut self, value: bool) {
        let Some(innermost) = self.open.last_mut() else { return };
        let value = value != std::mem::take(&mut innermost.negated);
        if innermost.first.is_none() {
            innermost.first = Some(value);
        } else {
            innermost.second = Some(value);
        }
        if let Some(complete) = innermost.complete() {
            self.complete = Some(complete);
            self.told = false;
            self.last_value = Some(complete.value());
        }
    }

    /// What must follow: the truth value after the equals sign.
    fn answer(&self) -> Option<char> {
        let awaiting = self.open.last().filter(|innermost| innermost.equals && !innermost.answered);
        Some(letter(awaiting?.complete()?.value()))
    }

    /// What comes out of the expression, once it is complete.
    fn whole(&self) -> Option<bool> {
        let [outermost] = self.open[..] else { return None };
        Some(outermost.complete()?.value())
    }

    fn describe(&self, known: &mut [i8]) -> Option<()> {
        let mut set = |hidden: Hidden, value: i8| known[hidden as usize] = value;
        let truth = i8::from;
        let innermost = self.open.last()?;
        set(Hidden::Depth, self.open.len() as i8 - 1);
        if innermost.awaits_operand() {
            set(Hidden::Negated, truth(innermost.negated));
        }
        if let Some(operator) = innermost.operator {
            set(Hidden::Operator, operator as i8);
        }
        if let (Some(first), None) = (innermost.first, innermost.second) {
            set(Hidden::Left, truth(first));
            if let Some(operator) = innermost.operator {
                let decided = operator.apply(first, false) == operator.apply(first, true);
                set(Hidden::Decided, truth(decided));
            }
        }
        if let Some(complete) = self.complete {
            set(Hidden::First, truth(complete.first));
            set(Hidden::CombinedBy, complete.operator as i8);
            set(Hidden::Second, truth(complete.second));
            let own = [Hidden::And, Hidden::Or, Hidden::Xor][complete.operator as usize];
            if !self.told {
                set(own, truth(complete.value()));
            }
        }
        if let Some(value) = self.last_value {
            set(Hidden::LastValue, truth(value));
        }
        if let Some(whole) = self.whole().filter(|_| !self.told) {
            set(Hidden::Whole, truth(whole));
        }
        Some(())
    }
}

impl Combination {
    fn awaits_operand(&self) -> bool {
        self.first.is_none() || (self.operator.is_some() && self.second.is_none())
    }

    fn complete(&self) -> Option<Complete> {
        Some(Complete { first: self.first?, operator: self.operator?, second: self.second? })
    }
}

impl Complete {
    fn value(&self) -> bool {
        self.operator.apply(self.first, self.second)
    }
}

impl Operator {
    const ALL: [Self; 3] = [Self::And, Self::Or, Self::Xor];

    fn of(character: char) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.sign() == character)
    }

    fn sign(self) -> char {
        match self {
            Self::And => '&',
            Self::Or => '|',
            Self::Xor => '^',
        }
    }

    fn apply(self, first: bool, second: bool) -> bool {
        match self {
            Self::And => first && second,
            Self::Or => first || second,
            Self::Xor => first != second,
        }
    }
}

#[cfg(test)]
mod tests;

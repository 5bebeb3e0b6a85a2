//! Parsing expressions.

use super::functions::{CONSTANTS, known, names};
use super::{Expression, Part, Tree};
use crate::error::printable;
use unicode_width::UnicodeWidthStr;

/// The largest depth of nested brackets.
const DEEPEST: usize = 100;
/// The largest length of an expression, in characters.
const LONGEST: usize = 4_000;

/// An error in an expression, with its place. It is printed as three lines: the message, the expression, and a caret
/// below the column.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("column {column}: {message}\n  {source_line}\n  {:>below$}", '^')]
pub struct Mistake {
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What was expected and what was found.
    pub message: String,
    source_line: String,
    /// The column on the screen, where some characters are two columns wide.
    below: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Sign(char),
    End,
}

impl Token {
    fn said(&self) -> String {
        match self {
            Token::Number(c) => format!("the number {c}"),
            Token::Name(n) => format!("the name {n}"),
            Token::Sign(c) => c.to_string(),
            Token::End => "the end".into(),
        }
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// A [`Mistake`], with the column and what was expected there.
    pub fn parse(source: &str) -> Result<Self, Mistake> {
        // A caret needs the expression on one line.
        let source: String = source.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let mut p = Parser {
            source: &source,
            tokens: Vec::new(),
            at: 0,
            depth: 0,
            variables: Vec::new(),
            parts: Vec::new(),
        };
        p.tokens = p.read()?;
        loop {
            let name = match (&p.tokens[p.at].1, p.tokens.get(p.at + 1).map(|t| &t.1)) {
                (Token::Name(name), Some(Token::Sign('='))) => Some(name.clone()),
                _ => None,
            };
            if let Some(name) = &name {
                p.may_be_named(name)?;
                p.at += 2;
            }
            let tree = p.sum()?;
            p.parts.push(Part { name, tree });
            match p.here() {
                Token::End => break,
                Token::Sign(';') => p.at += 1,
                // A semicolon at the end is allowed.
                found => {
                    return Err(p.wrong(&format!("expected an operator or the end, found {}", found.said())));
                }
            }
            if *p.here() == Token::End {
                break;
            }
        }
        Ok(Expression { source: source.trim_end().to_owned(), variables: p.variables, parts: p.parts })
    }
}

struct Parser<'s> {
    source: &'s str,
    /// The tokens, each with its column.
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    variables: Vec<String>,
    parts: Vec<Part>,
}

impl Parser<'_> {
    fn mistake(&self, column: usize, message: impl Into<String>) -> Mistake {
        // Of a long expression, the part around the place is shown. Invisible characters are replaced, since they must
        // not steer the terminal and need a column each.
        let seen =
            |c: char| if printable(&c.to_string()).starts_with('\\') && c != '\\' { '\u{fffd}' } else { c };
        let all: Vec<char> = self.source.chars().map(seen).collect();
        let start = if column > 70 { column - 60 } else { 0 };
        let source_line: String = all.iter().skip(start).take(100).collect();
        let before: String = all.iter().skip(start).take(column - start - 1).collect();
        let below = before.width() + 1;
        let mut mistake =
            Mistake { column: column - start, message: printable(&message.into()), source_line, below };
        if start > 0 {
            mistake.message = format!("{} (column {column} of the whole)", mistake.message);
        }
        mistake
    }

    fn wrong(&self, message: &str) -> Mistake {
        self.mistake(self.tokens[self.at].0, message)
    }

    fn here(&self) -> &Token {
        &self.tokens[self.at].1
    }

    fn read(&self) -> Result<Vec<(usize, Token)>, Mistake> {
        let text: Vec<char> = self.source.chars().collect();
        if self.source.trim().is_empty() {
            return Err(self.mistake(1, "expected an expression, found nothing"));
        }
        if text.len() > LONGEST {
            return Err(
                self.mistake(1, format!("expected at most {LONGEST} characters, found {}", text.len()))
            );
        }
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (c, start) = (text[at], at);
            if c.is_whitespace() {
                at += 1;
                continue;
            }
            let token = if c.is_ascii_digit() || c == '.' {
                let digits = |at: &mut usize| {
                    while text.get(*at).is_some_and(char::is_ascii_digit) {
                        *at += 1;
                    }
                };
                digits(&mut at);
                if text.get(at) == Some(&'.') {
                    at += 1;
                    digits(&mut at);
                }
                if matches!(text.get(at), Some('e' | 'E')) {
                    let signed = usize::from(matches!(text.get(at + 1), Some('+' | '-')));
                    if text.get(at + 1 + signed).is_some_and(char::is_ascii_digit) {
                        at += 1 + signed;
                        digits(&mut at);
                    }
                }
                let written: String = text[start..at].iter().collect();
                let value: f64 = written
                    .parse()
                    .map_err(|_| self.mistake(start + 1, format!("expected a number, found {written}")))?;
                if !value.is_finite() {
                    return Err(self.mistake(start + 1, format!("{written} is too large for a number")));
                }
                Token::Number(value)
            } else if c.is_alphabetic() || c == '_' {
                while text.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_' || *c == '\'') {
                    at += 1;
                }
                Token::Name(text[start..at].iter().collect())
            } else {
                at += 1;
                match c {
                    '*' if text.get(at) == Some(&'*') => {
                        at += 1;
                        Token::Sign('^')
                    }
                    '+' | '-' | '*' | '/' | '^' | '(' | ')' | ',' | ';' | '=' => Token::Sign(c),
                    '·' | '×' => Token::Sign('*'),
                    '−' => Token::Sign('-'),
                    '÷' => Token::Sign('/'),
                    '[' | '{' => return Err(self.mistake(start + 1, format!("expected (, found {c}"))),
                    c => {
                        let what = format!("expected a number, a name, an operator or a bracket, found {c}");
                        return Err(self.mistake(start + 1, what));
                    }
                }
            };
            tokens.push((start + 1, token));
        }
        tokens.push((self.source.trim_end().chars().count().max(text.len()) + 1, Token::End));
        Ok(tokens)
    }

    /// Returns an error unless a part may have this name.
    fn may_be_named(&self, name: &str) -> Result<(), Mistake> {
        if known(name).is_some() || CONSTANTS.iter().any(|(c, _)| *c == name) {
            return Err(self.wrong(&format!("expected a new name before =, {name} has a meaning already")));
        }
        let taken = self.variables.iter().any(|v| v == name)
            || self.parts.iter().any(|p| p.name.as_deref() == Some(name));
        if taken {
            return Err(self.wrong(&format!("expected a new name before =, {name} was used before")));
        }
        Ok(())
    }

    fn sum(&mut self) -> Result<Tree, Mistake> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(&format!("expected at most {DEEPEST} brackets, one in another")));
        }
        let mut left = self.product()?;
        while let Token::Sign(sign @ ('+' | '-')) = *self.here() {
            self.at += 1;
            left = Tree::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Tree, Mistake> {
        let mut left = self.signed()?;
        while let Token::Sign(sign @ ('*' | '/')) = *self.here() {
            self.at += 1;
            left = Tree::Binary(sign, Box::new(left), Box::new(self.signed()?));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Tree, Mistake> {
        let mut negative = false;
        while let Token::Sign(sign @ ('-' | '+')) = *self.here() {
            self.at += 1;
            negative ^= sign == '-';
        }
        let tree = self.power()?;
        Ok(match tree {
            Tree::Number(c) if negative => Tree::Number(-c),
            tree if negative => Tree::Neg(Box::new(tree)),
            tree => tree,
        })
    }

    fn power(&mut self) -> Result<Tree, Mistake> {
        let base = self.atom()?;
        if *self.here() != Token::Sign('^') {
            return Ok(base);
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(&format!("expected at most {DEEPEST} powers of powers")));
        }
        let exponent = self.signed()?;
        self.depth -= 1;
        Ok(Tree::Binary('^', Box::new(base), Box::new(exponent)))
    }

    fn atom(&mut self) -> Result<Tree, Mistake> {
        let token = self.here().clone();
        match token {
            Token::Number(c) => {
                self.at += 1;
                if let Token::Name(name) = self.here() {
                    let what = format!(
                        "expected an operator, found the name {name}; a product is written {c}*{name}"
                    );
                    return Err(self.wrong(&what));
                }
                Ok(Tree::Number(c))
            }
            Token::Sign('(') => {
                self.at += 1;
                let inner = self.sum()?;
                self.expect(')')?;
                Ok(inner)
            }
            Token::Name(name) => {
                if self.tokens[self.at + 1].1 == Token::Sign('(') {
                    return self.call(&name);
                }
                self.at += 1;
                if let Some((_, c)) = CONSTANTS.iter().find(|(c, _)| *c == name) {
                    return Ok(Tree::Number(*c));
                }
                if known(&name).is_some() {
                    return Err(self.wrong(&format!(
                        "expected ( after the function {name}, found {}",
                        self.here().said()
                    )));
                }
                if let Some(part) = self.parts.iter().position(|p| p.name.as_ref() == Some(&name)) {
                    return Ok(Tree::Part(part));
                }
                let place = self.variables.iter().position(|v| *v == name);
                Ok(Tree::Variable(place.unwrap_or_else(|| {
                    self.variables.push(name);
                    self.variables.len() - 1
                })))
            }
            found => Err(self.wrong(&format!("expected a number, a name, - or (, found {}", found.said()))),
        }
    }

    fn call(&mut self, name: &str) -> Result<Tree, Mistake> {
        let Some((function, count)) = known(name) else {
            let like = crate::like(name, names());
            let hint = match &like[..] {
                [] => "; the functions are those of Elementary, such as tanh, exp, log, sqrt, sin".to_owned(),
                some => format!("; did you mean {}?", some.join(" or ")),
            };
            return Err(self.wrong(&format!("there is no function {name}{hint}")));
        };
        let start = self.at;
        self.at += 2;
        let mut arguments = vec![self.sum()?];
        while *self.here() == Token::Sign(',') {
            self.at += 1;
            arguments.push(self.sum()?);
        }
        self.expect(')')?;
        if arguments.len() != count {
            self.at = start;
            let s = if count == 1 { "" } else { "s" };
            let found = arguments.len();
            return Err(self.wrong(&format!("{name} takes {count} argument{s}, found {found}")));
        }
        Ok(Tree::Call(function, arguments))
    }

    fn expect(&mut self, sign: char) -> Result<(), Mistake> {
        if *self.here() == Token::Sign(sign) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(&format!("expected an operator or {sign}, found {}", self.here().said())))
    }
}

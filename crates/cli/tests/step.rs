//! `wengert step` from the user's side: what it prints, and the interactive view in a pseudo-terminal.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

fn wengert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wengert")).arg("step").args(arguments).output().unwrap()
}

#[track_caller]
fn prints(arguments: &[&str]) -> String {
    let output = wengert(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {message}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let output = wengert(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(message.contains(word), "{arguments:?}: {message:?} does not say {word:?}");
    }
}

const TANH: [&str; 3] = ["tanh(w*x + b)^2", "--at", "w=2,x=-1,b=0.5"];

#[test]
fn text_where_the_output_is_no_terminal() {
    let text = prints(&TANH);
    assert!(text.contains("v₅ = tanh(v₄)") && text.contains("∂v₆/∂w  0.327133"), "{text}");
    assert!(!text.contains('\u{1b}'));
    let scalar = prints(&["mlp", "--widths", "2,3,1"]);
    assert!(scalar.contains("δ₃⁽¹⁾ · h₁⁽⁰⁾"), "{scalar}");
    let vector = prints(&["mlp", "--vector"]);
    assert!(vector.contains("δ⁽¹⁾ (h⁽⁰⁾)ᵀ"), "{vector}");
    let why = prints(&["x*sin(x)", "--at", "x=2", "--explain", "x"]);
    assert!(why.starts_with("∂v₂/∂x = 0.077"), "{why}");
}

/// A model of the zoo is shown with named parameters and all values, and a run with its trained weights.
#[test]
fn models_of_the_zoo_and_runs() {
    for (model, parameter, operation) in [
        ("lenet", "7.weight", "conv2d"),
        ("char-rnn", "lstm.", "lstm"),
        ("vae", "encoder.0.weight", "bce_with_logits"),
        ("gan", "generator.0.weight", "leaky_relu"),
    ] {
        let text = prints(&[model]);
        assert!(text.contains(parameter) && text.contains(operation), "{model}: {text}");
        assert!(!text.contains("freed"), "{model}: {text}");
        assert!(text.starts_with(&format!("{model}: the loss of two samples\n")), "{model}: {text}");
        assert!(text.contains("∂loss/∂"), "{model}: {text}");
        // Source lines of the library do not describe a model.
        assert!(!text.contains(".rs:"), "{model}: {text}");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("step-run");
    let _ = std::fs::remove_dir_all(&folder);
    let run = folder.to_str().unwrap();
    let arguments = ["train", "autoencoder", "--epochs", "1", "--latent", "3", "--hidden", "5", "--out", run];
    let trained = Command::new(env!("CARGO_BIN_EXE_wengert")).args(arguments).output().unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let text = prints(&[run]);
    assert!(text.contains("encoder.0.bias") && text.contains("[5, 64]"), "{text}");
    fails(&[run, "--widths", "2,1"], 1, &["--widths is for the model mlp"]);
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    fails(&[run], 1, &["weights", "model.safetensors"]);
}

#[test]
fn files_in_every_format_and_a_trace_read_again() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("step-files");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for (name, begins) in
        [("a.txt", "tanh"), ("a.dot", "digraph"), ("a.json", "{"), ("a.html", "<!doctype html>")]
    {
        let said = prints(&[&TANH[..], &["--out", &file(name)]].concat());
        assert!(said.starts_with("11 steps in "), "{said}");
        assert!(std::fs::read_to_string(file(name)).unwrap().starts_with(begins));
    }
    assert_eq!(prints(&[&file("a.json")]), prints(&TANH));
    std::fs::write(file("cut.json"), &std::fs::read_to_string(file("a.json")).unwrap()[..200]).unwrap();
    fails(&[&file("cut.json")], 1, &["cut.json", "the trace is damaged", "EOF"]);
    fails(&[&file("none.json")], 1, &["none.json cannot be read"]);
    fails(&[&TANH[..], &["--out", &file("a.pdf")]].concat(), 1, &["expected a file that ends in"]);
    let later = std::fs::read_to_string(file("a.json")).unwrap().replace("\"version\": 1", "\"version\": 2");
    std::fs::write(file("later.json"), later).unwrap();
    fails(&[&file("later.json")], 1, &["later.json", "its version is 2, this program reads 1"]);
    // A file that cannot be written completely is not written, and leaves no temporary file.
    std::fs::create_dir_all(file("taken.html")).unwrap();
    fails(&[&TANH[..], &["--out", &file("taken.html")]].concat(), 1, &["taken.html cannot be written"]);
    fails(&[&TANH[..], &["--out", &file("none/a.html")]].concat(), 1, &["a.html cannot be written"]);
    let left = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with(".tmp")).count(), 0);
    // A path that is not a regular file is written to directly.
    let said = prints(&[&TANH[..], &["--format", "dot", "--out", "/dev/stdout"]].concat());
    assert!(said.starts_with("digraph"), "{said}");
}

/// The value of a gradient, its terms and its paths in words; the numbers are computed by hand.
#[test]
fn why_a_gradient_has_its_value() {
    // d(x sin x)/dx = sin 2 + 2 cos 2.
    let why = prints(&["x*sin(x)", "--at", "x=2", "--explain", "x"]);
    let lines: Vec<&str> = why.lines().collect();
    assert_eq!(lines[0], "∂v₂/∂x = 0.0770038 is the sum of 2 terms");
    assert_eq!(lines[1], "  1180.8 %  0.909297 through v₂, mul");
    assert_eq!(lines[2], "  -1080.8 %  -0.832294 through v₁, sin");
    assert_eq!(lines[3], "It comes along 2 paths:");
    assert_eq!(lines[4], "  1180.8 %  0.909297 along v₂ → x");
    assert_eq!(lines[5], "  -1080.8 %  2 · (-0.416147) = -0.832294 along v₂ → v₁ → x");
    let one = prints(&["exp(3*x)", "--at", "x=0", "--explain", "x"]);
    assert_eq!(
        one.lines().collect::<Vec<_>>(),
        [
            "∂v₂/∂x = 3 is one term, through v₁, mul",
            "It comes along one path:",
            "  1 · 3 = 3 along v₂ → v₁ → x"
        ]
    );
    let none = prints(&["x^3 - 3*x", "--at", "x=1", "--explain", "x"]);
    assert!(none.contains("= 0 is the sum of 2 terms") && none.contains("The terms cancel."), "{none}");
    // Values too large to be kept have only their norm, and a long path is shown by its two ends.
    let tied = prints(&["gpt", "--explain", "tokens.weight"]);
    assert!(tied.contains("is the sum of 2 terms") && tied.contains("  norm "), "{tied}");
    let deep = prints(&["gpt", "--explain", "blocks.layers.0.norm1.weight"]);
    assert!(deep.contains("loss → v₁₁₁ cross_entropy → ") && deep.contains(" more → "), "{deep}");
    let both = [&TANH[..], &["--explain", "w", "--out", "why.txt"]].concat();
    fails(&both, 2, &["--explain", "cannot be used with", "--out"]);
}

#[test]
fn mistakes() {
    fails(&["tanh(w*x"], 1, &["column 9: expected an operator or ), found the end\n  tanh(w*x\n          ^"]);
    fails(&["thanh(x)"], 1, &["did you mean tanh?"]);
    fails(&["w*x", "--at", "w=2"], 1, &["x has no value: add x=.."]);
    fails(&["w*x", "--at", "w"], 2, &["expected a name and a number such as w=2"]);
    fails(&["w*x", "--widths", "2,1"], 1, &["--widths is for the model mlp"]);
    fails(&["mlp", "--at", "w=1"], 1, &["--at is for the variables of an expression"]);
    fails(&["mlp", "--widths", "3"], 1, &["at least two widths"]);
    fails(&["mlp", "--widths", "512,512"], 1, &["with --vector, a matrix is one"]);
    fails(&["x^2", "--at", "x=1", "--explain", "y"], 1, &["there is no node y"]);
    fails(&[""], 1, &["error: column 1: expected an expression, found nothing"]);
    fails(&["x*x", "--at", "x=1,x=2"], 1, &["--at gives x two values"]);
    fails(&["gptt"], 1, &["gptt is no model, run or file", "wengert models", "gptt has no value"]);
    fails(&["runs/none"], 1, &["runs/none is no model, run or file"]);
    let folder = env!("CARGO_TARGET_TMPDIR");
    fails(&[folder], 1, &["is a folder without the config.toml of a run"]);
}

/// A terminal that runs the command.
struct Terminal {
    pty: pty_process::blocking::Pty,
    child: std::process::Child,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    fn new(arguments: &[&str], rows: u16, columns: u16) -> Self {
        Terminal::with(arguments, rows, columns, &[("TERM", "xterm-256color")])
    }

    fn with(arguments: &[&str], rows: u16, columns: u16, variables: &[(&str, &str)]) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(pty_process::Size::new(rows, columns)).unwrap();
        let command = pty_process::blocking::Command::new(env!("CARGO_BIN_EXE_wengert"));
        let child = command.arg("step").args(arguments).envs(variables.iter().copied()).spawn(pts).unwrap();
        let (send, output) = channel();
        let mut read = std::fs::File::from(second_handle(&pty));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = read.read(&mut buffer) {
                if n == 0 || send.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { pty, child, output, screen: vt100::Parser::new(rows, columns, 0) }
    }

    fn keys(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.screen.screen_mut().set_size(rows, columns);
        self.pty.resize(pty_process::Size::new(rows, columns)).unwrap();
    }

    /// Waits until the screen shows all of these words.
    #[track_caller]
    fn shows(&mut self, words: &[&str]) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let screen = self.screen.screen().contents();
            if words.iter().all(|w| screen.contains(w)) {
                return screen;
            }
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(e) => {
                    let why = if e == RecvTimeoutError::Timeout { "in time" } else { "before the end" };
                    panic!("{words:?} did not show {why}; the screen:\n{screen}");
                }
            }
        }
    }

    #[track_caller]
    fn ends(mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the command did not end");
    }
}

/// A second handle of the terminal, for reading on another thread.
fn second_handle(pty: &pty_process::blocking::Pty) -> std::os::fd::OwnedFd {
    use std::os::fd::AsFd;
    pty.as_fd().try_clone_to_owned().unwrap()
}

const RIGHT: &str = "\u{1b}[C";
const LEFT: &str = "\u{1b}[D";

#[test]
fn arrow_keys_step_forward_and_back() {
    let mut t = Terminal::new(&TANH, 30, 110);
    t.shows(&["tanh(w*x + b)^2", "0/11", "→ takes the first step", "v₆ = ·"]);
    t.keys(RIGHT);
    t.shows(&["1/11", "v₃ is computed: mul, -2", "v₃ = w · x = 2 · (-1) = -2", "∂v₃/∂w = x = -1"]);
    t.keys(&RIGHT.repeat(3));
    t.shows(&["4/11", "v₆ = v₅² = (-0.905148)² = 0.819293"]);
    t.keys(RIGHT);
    t.shows(&["5/11", "the sweep starts at v₆", "v̄₆ = 1"]);
    t.keys(&RIGHT.repeat(2));
    t.shows(&[
        "7/11",
        "v₅ gives -0.327133 to v₄",
        "∂v₅/∂v₄ = 1 - v₅² = 1 - (-0.905148)² = 0.180707",
        "v̄₄ = -0.327133",
    ]);
    t.keys(LEFT);
    t.shows(&["6/11", "v₆ gives -1.8103 to v₅"]);
    t.keys("\u{1b}[F");
    t.shows(&["11/11", "v₃ gives -0.654265 to x", "w̄ = 0.327133"]);
    t.keys("\u{1b}[H");
    t.shows(&["0/11", "→ takes the first step"]);
    t.keys("q");
    t.ends();
}

#[test]
fn search_jump_and_help() {
    let mut t = Terminal::new(&["mlp"], 40, 120);
    t.shows(&["0/", "multilayer perceptron 2-3-1, scalar form"]);
    t.keys("gz_1^(2)\r");
    t.shows(&["z₁⁽²⁾ is computed: affine", "7/"]);
    t.keys("gnothing\r");
    t.shows(&["there is no node nothing"]);
    t.keys("/square\r");
    t.shows(&["L: square", "it is what the sweep starts from"]);
    t.keys("/no such thing\r");
    t.shows(&["nothing has \"no such thing\" in it"]);
    t.keys("\u{1b}");
    std::thread::sleep(Duration::from_millis(100));
    t.keys("?");
    t.shows(&["jump to the step that computes a node"]);
    t.keys("x");
    t.keys("\u{1b}[F");
    t.shows(&["gives 1.37687 to b₁⁽¹⁾", "δ₁⁽¹⁾ = 1.37687"]);
    t.keys("\u{3}");
    t.ends();
}

#[test]
fn narrow_windows_and_a_resize() {
    let mut t = Terminal::new(&TANH, 18, 36);
    t.shows(&["tanh(w*x + b)^2", "0/11  ? help"]);
    t.keys(RIGHT);
    // The step is above the list, and nothing important is cut.
    let screen = t.shows(&["v₃ is computed: mul, -2", "v₃ = w · x = 2 · (-1) = -2", "nodes"]);
    assert!(screen.find("computed").unwrap() < screen.find("nodes").unwrap());
    t.resize(30, 120);
    let screen = t.shows(&["q quit", "v₃ is computed: mul, -2"]);
    let first = screen.lines().next().unwrap();
    assert!(first.contains("nodes") && first.contains("forward"), "side by side: {first}");
    t.resize(6, 20);
    t.shows(&["1/11"]);
    t.keys(RIGHT);
    t.shows(&["2/11"]);
    // Too small to show anything, but it must not crash.
    t.resize(1, 2);
    t.keys(RIGHT);
    t.resize(24, 80);
    t.shows(&["3/11", "v₅ is computed: tanh"]);
    t.keys("q");
    t.ends();
}

#[test]
fn what_does_not_fit_is_shortened_or_scrolled() {
    // A model has long names, large values, and descriptions of nodes with more lines than the window.
    let mut t = Terminal::new(&["gpt"], 24, 80);
    t.shows(&["gpt: the loss of two samples", "…cks.layers.0.norm1.weight = [96] all 1"]);
    t.keys("gblocks.layers.0.norm1.weight\r");
    let screen = t.shows(&["gives blocks.layers.0.norm1.weight a cotangent", " ] more "]);
    assert!(!screen.contains("13 more"), "{screen}");
    t.keys("]]]]]");
    t.shows(&["13 more → v₁₉ squeeze", " [ back "]);
    t.keys("[[[[[");
    t.shows(&[" ] more "]);
    t.resize(20, 40);
    t.keys("?");
    t.shows(&["one step forward", " ] more "]);
    t.keys("]]]");
    t.shows(&["q           quit"]);
    t.keys("\r");
    t.shows(&["nodes", "reverse"]);
    t.keys("q");
    t.ends();
}

#[test]
fn no_colours_and_a_terminal_that_can_do_nothing() {
    let mut t = Terminal::with(&TANH, 24, 100, &[("TERM", "xterm-256color"), ("NO_COLOR", "1")]);
    t.shows(&["0/11"]);
    t.keys(&RIGHT.repeat(3));
    t.keys("gv4\r");
    t.shows(&["2/11", "v₄: add"]);
    let screen = t.screen.screen();
    let cells = (0..24).flat_map(|row| (0..100).filter_map(move |column| screen.cell(row, column)));
    let cells: Vec<_> = cells.collect();
    assert!(
        cells.iter().all(|c| c.fgcolor() == vt100::Color::Default && c.bgcolor() == vt100::Color::Default)
    );
    // Other marks replace the colours of the step, the selected node and the path to the output.
    assert!(cells.iter().any(|c| c.bold()) && cells.iter().any(|c| c.inverse()));
    assert!(cells.iter().any(|c| c.underline()));
    t.keys("q");
    t.ends();
    let mut t = Terminal::with(&TANH, 60, 100, &[("TERM", "dumb")]);
    t.shows(&["Gradients", "∂v₆/∂w  0.327133"]);
    t.ends();
}

#[test]
fn a_key_pressed_while_the_window_is_resized_is_not_lost() {
    let mut t = Terminal::new(&TANH, 24, 80);
    t.shows(&["0/11"]);
    for round in 0..40 {
        let (key, place) = if round % 2 == 0 { (RIGHT, "1/11") } else { (LEFT, "0/11") };
        // The signal and the key arrive together.
        t.resize(24 + round % 3, 80 + round);
        t.keys(key);
        t.resize(24, 80);
        t.shows(&[place]);
    }
    t.keys("q");
    t.ends();
}

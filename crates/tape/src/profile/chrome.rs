//! A profile as a Chrome trace: JSON in the Trace Event Format, which Perfetto and `chrome://tracing` read.

use super::report::{Event, Profile};
use std::fmt::{self, Display, Write};
use std::path::Path;
use std::time::Duration;

impl Profile {
    /// The profile as a Chrome trace, to be opened with <https://ui.perfetto.dev> or `chrome://tracing`: one bar per operation and
    /// span, in their order in time, and a curve of the memory that tensors use.
    ///
    /// A trace has at most 1,048,576 events; later ones are only in the tables.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f32>::new();
    /// let x = tape.var(1.0);
    /// let (_, profile) = tape.profile(|| x.exp().backward().map(drop));
    /// let trace = profile.chrome_trace();
    /// assert!(trace.contains(r#""name":"exp","cat":"forward","ph":"X""#));
    /// ```
    #[doc(alias = "export_chrome_trace")]
    pub fn chrome_trace(&self) -> String {
        let mut out = String::from("{\"traceEvents\":[\n");
        // Writing to a string does not fail.
        let _ = self.write_events(&mut out);
        out.push_str("\n],\"displayTimeUnit\":\"ms\"}\n");
        out
    }

    /// Writes the [Chrome trace](Profile::chrome_trace) to a file.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f32>::new();
    /// let ((), profile) = tape.profile(|| ());
    /// let path = std::env::temp_dir().join(format!("wengert-profile-{}.json", std::process::id()));
    /// profile.write_chrome_trace(&path)?;
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_chrome_trace(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        std::fs::write(path, self.chrome_trace())
    }

    fn write_events(&self, out: &mut String) -> fmt::Result {
        let named = |out: &mut String, what, name| {
            writeln!(out, r#"{{"name":"{what}","ph":"M","pid":1,"tid":1,"args":{{"name":"{name}"}}}},"#)
        };
        named(out, "process_name", "wengert")?;
        named(out, "thread_name", "the profiled thread")?;
        let wall = Micros(self.wall());
        write!(out, r#"{{"name":"profile","cat":"other","ph":"X","pid":1,"tid":1,"ts":0,"dur":{wall}}}"#)?;
        for e in self.events() {
            let Event { operation, module, pass, start, duration, work, live } = e;
            out.push_str(",\n{\"name\":");
            text(out, operation)?;
            out.push_str(",\"cat\":");
            text(out, &pass.to_string())?;
            let (start, duration) = (Micros(*start), Micros(*duration));
            write!(out, r#","ph":"X","pid":1,"tid":1,"ts":{start},"dur":{duration},"args":{{"module":"#)?;
            text(out, module)?;
            let (flops, read, written) = (work.flops, work.bytes_read, work.bytes_written);
            write!(out, r#","flops":{flops},"bytes_read":{read},"bytes_written":{written}}}}}"#)?;
            let end = Micros(e.start + e.duration);
            out.push_str(",\n");
            write!(
                out,
                r#"{{"name":"memory of tensors","ph":"C","pid":1,"tid":1,"ts":{end},"args":{{"bytes":{live}}}}}"#
            )?;
        }
        Ok(())
    }
}

/// Microseconds with all digits, so that bars nest exactly.
struct Micros(Duration);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        write!(f, "{}.{:03}", ns / 1000, ns % 1000)
    }
}

/// A JSON string.
fn text(out: &mut String, text: &str) -> fmt::Result {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

// SPDX-License-Identifier: Apache-2.0
//! Renders the cases of ./x bench template with the minijinja crate, set up for chat templates: JSON lines of
//! {"name", "us" (median)} or {"name", "error"}. The variables are converted once, outside the clock.
use std::time::{Duration, Instant};

use minijinja::{Environment, Error, ErrorKind, Value};

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn measure(case: &serde_json::Value, seconds: f64) -> Result<f64, Error> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", |_: String| "26 Jul 2024");
    environment.add_template("chat", case["source"].as_str().unwrap_or_default())?;
    let template = environment.get_template("chat")?;
    let context = Value::from_serialize(&case["context"]);
    template.render(&context)?;
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let begin = Instant::now();
        std::hint::black_box(template.render(&context)?);
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (path, seconds) = (arguments.next().expect("CASES"), arguments.next().expect("SECONDS"));
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(path).expect("cases")).expect("JSON");
    for case in &cases {
        let line = match measure(case, seconds.parse().expect("a number")) {
            Ok(us) => serde_json::json!({"name": case["name"], "us": us}),
            Err(error) => serde_json::json!({"name": case["name"], "error": error.to_string()}),
        };
        println!("{line}");
    }
}

//! `weir check --batch -` as a program uses it that asks one query at a time: each answer comes before the
//! next query is written.

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result, ensure};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// Only ever waited for by a test that fails.
    const LONGEST_WAIT: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_comes_before_the_next_query_is_written() -> Result<()> {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/fixtures/check");
        let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["check", "shop.yaml", "--batch", "-"])
            .current_dir(fixtures)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut queries = weir.stdin.take().context("it has a standard input")?;
        let output = weir.stdout.take().context("it has a standard output")?;
        let (sender, answers) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut verdicts = Vec::new();
        for (id, port) in [(1, 5432), (2, 80), (3, 5432)] {
            writeln!(
                queries,
                r#"{{"id":{id},"from":"shop/web","to":"pay/db","protocol":"TCP","port":{port}}}"#
            )?;
            let answer = answers.recv_timeout(LONGEST_WAIT);
            let Ok(answer) = answer else {
                weir.kill()?;
                anyhow::bail!("no answer to query {id} while the next one is held back");
            };
            let start: String = answer.chars().take(26).collect();
            verdicts.push(start);
        }
        drop(queries);
        ensure!(weir.wait()?.success(), "it could not answer");
        ensure!(reader.join().is_ok() && answers.recv().is_err(), "it says more than was asked");
        let expected = [
            r#"{"id":1,"verdict":"allow","#,
            r#"{"id":2,"verdict":"deny",""#,
            r#"{"id":3,"verdict":"allow","#,
        ];
        ensure!(verdicts == expected, "{verdicts:?}");
        Ok(())
    }
}

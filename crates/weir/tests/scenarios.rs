//! Scenarios for real, as root, with the real binary: one that holds, one in which nothing does, and what
//! is left where the command is killed.

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result, ensure};
    use serde_json::Value;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    const WEIR: &str = env!("CARGO_BIN_EXE_weir");
    const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

    fn labs(name: &str) -> Result<PathBuf> {
        let dir = std::env::temp_dir().join(format!("weir-run-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    fn command(dir: &Path, scenario: &str) -> Command {
        let mut weir = Command::new(WEIR);
        weir.args(["lab", "run", "-o", "json", "--dir"]).arg(dir).arg(scenario);
        weir.current_dir(SCENARIOS);
        weir
    }

    /// The exit code and the one scenario's result. No lab is left.
    fn run(name: &str, scenario: &str) -> Result<(Option<i32>, Value)> {
        let dir = labs(name)?;
        let output = command(&dir, scenario).output()?;
        let left: Vec<_> = fs::read_dir(&dir).into_iter().flatten().collect();
        ensure!(left.is_empty(), "left behind: {left:?}");
        drop(fs::remove_dir(&dir));
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let result = report["scenarios"][0].clone();
        Ok((output.status.code(), result))
    }

    fn items<'r>(result: &'r Value, list: &str) -> Result<&'r Vec<Value>> {
        result[list].as_array().with_context(|| format!("no {list}: {result}"))
    }

    #[test]
    fn traffic_goes_on_while_policies_change_and_agents_die() -> Result<()> {
        let (code, result) = run("die", "agents-die.yaml")?;
        assert_eq!(code, Some(0), "{result:#}");
        assert_eq!(items(&result, "steps")?.len(), 16);
        let tried = |name: &str, field: &str| {
            let all = items(&result, "traffic")?;
            let one = all.iter().find(|of| of["title"] == name).context("no such traffic")?;
            one[field].as_u64().context("no number")
        };
        // Each is tried many times, and one is let in and kept out.
        ensure!(tried("sales", "attemptsPassed")? > 50, "{result:#}");
        ensure!(tried("kept sales", "attemptsPassed")? > 50, "{result:#}");
        ensure!(tried("spying", "attemptsFailed")? > 10, "{result:#}");
        ensure!(tried("looking", "attemptsPassed")? > 2, "{result:#}");
        ensure!(tried("looking", "attemptsFailed")? > 2, "{result:#}");
        Ok(())
    }

    #[test]
    fn traffic_between_misspelt_ends_is_an_error_before_there_is_a_lab() -> Result<()> {
        let dir = labs("misspelt")?;
        let text = fs::read_to_string(Path::new(SCENARIOS).join("shop.yaml"))?;
        let scenario = "apiVersion: weir.dev/v1alpha1\nkind: Scenario\nmetadata: {name: misspelt}\n\
                        spec:\n  manifests: [shop.yaml]\n  steps: [{waitMs: 60000}]\n  traffic:\n  \
                        - {from: shop/wbe, to: shop/db, port: 5432}\n";
        fs::write(dir.join("shop.yaml"), text)?;
        fs::write(dir.join("misspelt.yaml"), scenario)?;
        let path = dir.join("misspelt.yaml").display().to_string();
        let output = command(&dir.join("labs"), &path).output()?;
        let errors = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{errors}");
        ensure!(errors.contains("misspelt.yaml:8:5: traffic"), "{errors}");
        ensure!(errors.contains("did you mean shop/web?"), "{errors}");
        ensure!(!dir.join("labs").exists(), "a lab was made");
        Ok(fs::remove_dir_all(dir)?)
    }

    #[test]
    fn traffic_goes_on_while_pods_are_replaced() -> Result<()> {
        let (code, result) = run("rolls", "rolls.yaml")?;
        assert_eq!(code, Some(0), "{result:#}");
        let notes: Vec<String> = items(&result, "steps")?
            .iter()
            .flat_map(|step| step["notes"].as_array().into_iter().flatten())
            .map(|note| note.as_str().unwrap_or_default().to_owned())
            .collect();
        let replaced = [
            "Deployment shop/stock: stock-2, stock-3 replaced stock-0, stock-1",
            "Deployment shop/web: web-1 replaced web-0",
            "StatefulSet shop/db: its pods are new, under the names of before",
            "Deployment shop/stock: stock-4, stock-5 replaced stock-2, stock-3",
        ];
        assert_eq!(notes, replaced);
        for (place, attempts) in
            [(0, "attemptsPassed"), (1, "attemptsFailed"), (2, "attemptsFailed")]
        {
            let traffic = &items(&result, "traffic")?[place];
            ensure!(traffic[attempts].as_u64().context("no number")? > 30, "{traffic}");
        }
        Ok(())
    }

    #[test]
    fn the_example_holds() -> Result<()> {
        let example =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/parcel-shop-lab/release-day.yaml");
        let (code, result) = run("example", example)?;
        assert_eq!(code, Some(0), "{result:#}");
        ensure!(items(&result, "steps")?.len() > 12, "{result:#}");
        for (traffic, attempts) in items(&result, "traffic")?.iter().zip([
            "attemptsPassed",
            "attemptsPassed",
            "attemptsFailed",
        ]) {
            ensure!(traffic[attempts].as_u64().context("no number")? > 20, "{traffic}");
        }
        Ok(())
    }

    #[test]
    fn what_does_not_hold_is_told_with_its_place() -> Result<()> {
        let (code, result) = run("wrong", "wrong.yaml")?;
        assert_eq!(code, Some(1), "{result:#}");
        let of = |list: &str| -> Result<Vec<String>> {
            let outcome = |of: &Value| {
                format!("{}: {} {}", of["line"], of["outcome"], of["problems"]).replace('"', "")
            };
            Ok(items(&result, list)?.iter().map(outcome).collect())
        };
        let steps = of("steps")?;
        let says = |line: &str, text: &str| {
            let step = steps.iter().find(|step| step.starts_with(line)).context("no such step")?;
            ensure!(step.contains(text), "{step} is not: {text}");
            Ok(())
        };
        says("12: failed", "deny was expected, and shop/db-0 5432 answered; egress: allow")?;
        says("12: failed", "it must hold because: it is late")?;
        says(
            "13: failed",
            "ingress[0] was expected to decide: ingress: no rule of NetworkPolicy shop/db",
        )?;
        says("14: failed", "there is no such connection, because nothing listens there")?;
        says("15: passed", "[]")?;
        says("17: broken", "the input has no pod or workload `shop/nobody`")?;
        says("18: not-run", "a step before it could not be done")?;
        let traffic = of("traffic")?;
        let [cut, kept, let_in] = traffic.as_slice() else { anyhow::bail!("{traffic:?}") };
        ensure!(cut.contains("8: failed") && cut.contains("nothing came back"), "{cut}");
        ensure!(kept.contains("9: failed") && kept.contains("nothing came back"), "{kept}");
        ensure!(
            let_in.contains("10: failed") && let_in.contains("shop/web-0 80 answered"),
            "{let_in}"
        );
        Ok(())
    }

    #[test]
    fn a_scenario_with_an_error_is_not_run() -> Result<()> {
        let dir = labs("error")?;
        let file = dir.join("s.yaml");
        fs::write(
            &file,
            "apiVersion: weir.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  steps: [{prove: all}]\n",
        )?;
        let output = command(&dir, &file.to_string_lossy()).output()?;
        fs::remove_dir_all(&dir)?;
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr)?;
        ensure!(said.contains("unknown field `prove` in a step"), "{said}");
        ensure!(said.contains("s.yaml:5:12"), "{said}");
        Ok(())
    }

    #[test]
    fn manifests_of_a_step_are_read_before_a_lab_is_made() -> Result<()> {
        let dir = labs("step")?;
        let file = dir.join("s.yaml");
        let scenario = |manifests: &str| {
            format!(
                "apiVersion: weir.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  manifests: \
                 {manifests}\n  steps:\n  - apply: {{inline: '{{kind: Namespace, apiVersion: v1, \
                 metadata: {{nome: a}}}}'}}\n"
            )
        };
        let said = |manifests: &str| -> Result<String> {
            fs::write(&file, scenario(manifests))?;
            let output = command(&dir, &file.to_string_lossy()).output()?;
            assert_eq!(output.status.code(), Some(2));
            Ok(String::from_utf8(output.stderr)?)
        };
        let step = said(&format!("{SCENARIOS}/shop.yaml"))?;
        ensure!(step.contains("error[missing-field]"), "{step}");
        ensure!(step.contains("s.yaml (inline manifests of line 7):1:"), "{step}");
        let path = said("shup.yaml")?;
        ensure!(path.contains("s.yaml:5:14: cannot find `"), "{path}");
        Ok(fs::remove_dir_all(&dir)?)
    }

    #[test]
    fn a_command_that_is_killed_takes_its_lab_along() -> Result<()> {
        let dir = labs("killed")?;
        let file = dir.join("wait.yaml");
        fs::write(
            &file,
            format!(
                "{{apiVersion: weir.dev/v1alpha1, kind: Scenario, metadata: {{name: s}}, spec: {{\
                 manifests: {SCENARIOS}/shop.yaml, steps: [{{waitMs: 600000}}]}}}}"
            ),
        )?;
        let mut running = command(&dir, &file.to_string_lossy()).stdout(Stdio::null()).spawn()?;
        let name = format!("run-{}-0", running.id());
        let status = || -> Result<bool> {
            let mut weir = Command::new(WEIR);
            weir.args(["lab", "status", "--name", &name, "--dir"]).arg(&dir);
            Ok(weir.output()?.status.success())
        };
        let end = Instant::now() + Duration::from_secs(30);
        while !status()? {
            ensure!(Instant::now() < end, "the lab does not come up");
            std::thread::yield_now();
        }
        running.kill()?;
        running.wait()?;
        while status()? || dir.join(&name).exists() {
            ensure!(Instant::now() < end, "the lab does not go away");
            std::thread::yield_now();
        }
        Ok(fs::remove_dir_all(&dir)?)
    }
}

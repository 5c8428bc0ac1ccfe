//! The system-mode suite against KVM on this host.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use judged::run;

/// # Errors
/// Always.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn run() -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("`--oracle kvm` needs Linux on an x86-64 host")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod judged {
    use crate::conform::DISAGREES;
    use anyhow::Result;
    use std::collections::BTreeMap;
    use std::process::ExitCode;
    use test_roms::system::kvm::{KvmJudge, Verdict};
    use test_roms::system::{Case, cases};

    /// What has become of the cases of a family.
    #[derive(Clone, Copy, Default)]
    struct Row {
        agreed: usize,
        disagreed: usize,
        mistaken: usize,
        set_aside: usize,
        not_judged: usize,
    }

    impl Row {
        fn count(&mut self, verdict: &Verdict) {
            *match verdict {
                Verdict::Agreed => &mut self.agreed,
                Verdict::Disagreed(_) => &mut self.disagreed,
                Verdict::Mistaken(_) => &mut self.mistaken,
                Verdict::SetAside(_) => &mut self.set_aside,
                Verdict::NotJudged(_) => &mut self.not_judged,
            } += 1;
        }

        fn print(&self, name: &str) {
            let Self { agreed, disagreed, mistaken, set_aside, not_judged } = self;
            let judged = agreed + disagreed + mistaken;
            println!(
                "{name:28} {judged:5} judged, {agreed:5} agreed, {mistaken:5} KVM mistaken; {set_aside:5} beyond this \
                 KVM, {not_judged:5} not judged"
            );
        }
    }

    fn tell(case: &Case, verdict: &Verdict) {
        match verdict {
            Verdict::Disagreed(disagreement) => println!("{disagreement}"),
            Verdict::Mistaken(why) => println!("{}: {}: KVM is mistaken: {why}", case.family, case.name),
            Verdict::Agreed | Verdict::SetAside(_) | Verdict::NotJudged(_) => {}
        }
    }

    /// Prints what KVM disagrees with, and a row for each family.
    ///
    /// # Errors
    /// The host has no KVM.
    pub fn run() -> Result<ExitCode> {
        let mut judge = KvmJudge::new()?;
        let mut families: BTreeMap<&'static str, Row> = BTreeMap::new();
        let mut total = Row::default();
        for case in cases() {
            let verdict = judge.judge(&case);
            tell(&case, &verdict);
            families.entry(case.family).or_default().count(&verdict);
            total.count(&verdict);
        }
        families.iter().for_each(|(family, row)| row.print(family));
        total.print("all");
        Ok(if total.disagreed == 0 { ExitCode::SUCCESS } else { DISAGREES.into() })
    }
}

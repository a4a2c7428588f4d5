//! How much work a screen does for what it is sent.
//!
//! Three bytes can fill a screen and five can print a letter 65,535 times, so a megabyte could keep a reader busy for
//! hours. Work is counted in units of about sixteen cells that are written; what is sent earns some, and what costs
//! more than is left is not done. Nothing that people do comes near: a shell earns ten times what it spends.

use avt::parser::Function;

/// Units at the beginning: a quarter of a second.
const FREE: u64 = 1 << 24;
const PER_BYTE: u64 = 64;
/// Who drags a window makes many sizes, each of which costs like a screen.
const PER_RESIZE: u64 = 1 << 10;

#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: FREE }
    }
}

impl Budget {
    pub(crate) fn earn(&mut self, bytes: usize) {
        self.left = self.left.saturating_add((bytes as u64).saturating_mul(PER_BYTE));
    }

    /// Whether there is enough left for it.
    pub(crate) fn spend(&mut self, cost: u64) -> bool {
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    pub(crate) fn resize(&mut self, from: (usize, usize), to: (usize, usize)) -> bool {
        self.left = self.left.saturating_add(PER_RESIZE);
        self.spend(screens(from) + screens(to))
    }
}

/// What a function costs on a screen of this size.
pub(crate) fn cost(function: &Function, size: (usize, usize)) -> u64 {
    let (columns, rows) = size;
    let (row, lines) = (1 + columns as u64 / 16, 1 + rows as u64 / 16);
    match function {
        Function::Rep(n) => u64::from(*n),
        Function::Lf | Function::Nel | Function::Ri => row + lines,
        Function::El(_)
        | Function::Ech(_)
        | Function::Ich(_)
        | Function::Dch(_)
        | Function::Ctc(_)
        | Function::Tbc(_)
        | Function::Hts => row,
        Function::Il(_) | Function::Dl(_) | Function::Su(_) | Function::Sd(_) => {
            lines + screens(size)
        }
        Function::Ed(_) | Function::Decset(_) | Function::Decrst(_) => screens(size),
        // Cell by cell, and both screens.
        Function::Decaln | Function::Ris => 4 * screens(size),
        Function::Bs
        | Function::Cbt(_)
        | Function::Cha(_)
        | Function::Cht(_)
        | Function::Cnl(_)
        | Function::Cpl(_)
        | Function::Cr
        | Function::Cub(_)
        | Function::Cud(_)
        | Function::Cuf(_)
        | Function::Cup(..)
        | Function::Cuu(_)
        | Function::Decrc
        | Function::Decsc
        | Function::Decstbm(..)
        | Function::Decstr
        | Function::G1d4(_)
        | Function::Gzd4(_)
        | Function::Ht
        | Function::Osc(_)
        | Function::Print(_)
        | Function::Rm(_)
        | Function::Scorc
        | Function::Scosc
        | Function::Sgr(_)
        | Function::Si
        | Function::Sm(_)
        | Function::So
        | Function::Vpa(_)
        | Function::Vpr(_)
        | Function::Xtwinops(_) => 1,
    }
}

const fn screens((columns, rows): (usize, usize)) -> u64 {
    1 + (columns * rows) as u64 / 16
}

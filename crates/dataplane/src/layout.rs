//! Entries of one layout, read as entries of another: fields are matched by their names.
//!
//! Every pinned map names its types, with names and places of all fields, in the kernel (BTF). A field that
//! the older layout lacks is zero, one that the newer lacks is dropped. **Invariant.** A field's name never
//! changes its meaning or its width; `abi.h` takes another name instead.

use libbpf_rs::btf::types::{Array, Enum, Int, MemberAttr, Struct};
use libbpf_rs::btf::{Btf, BtfType, HasSize as _, TypeId};
use std::ops::Range;
use thiserror::Error;

/// Why entries of one layout are none of another.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum LayoutError {
    #[error("the kernel does not say how its entries are laid out")]
    Unknown,
    #[error("`{field}` is of another type now")]
    Changed { field: String },
}

/// Where each byte of a newer entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    size: usize,
    /// Of the older entry, and where they begin in the newer.
    copies: Vec<(Range<usize>, usize)>,
}

/// A type, or a field of one, in one layout.
#[derive(Clone, Copy)]
struct Place<'types> {
    types: &'types Btf<'types>,
    of: BtfType<'types>,
    /// Bytes from the entry's beginning.
    at: usize,
}

impl<'types> Place<'types> {
    fn new(types: &'types Btf<'types>, of: TypeId, at: usize) -> Result<Self, LayoutError> {
        let of: BtfType<'_> = types.type_by_id(of).ok_or(LayoutError::Unknown)?;
        Ok(Self { types, of: of.skip_mods_and_typedefs(), at })
    }

    fn named(types: &'types Btf<'types>, name: &str) -> Result<Self, LayoutError> {
        let of: Struct<'_> = types.type_by_name(name).ok_or(LayoutError::Unknown)?;
        Self::new(types, of.type_id(), 0)
    }

    /// The first of an array, and how long each is.
    fn element(self, array: &Array<'_>) -> Result<(Self, usize), LayoutError> {
        let element = Self::new(self.types, array.ty(), self.at)?;
        Ok((element, element.size().ok_or(LayoutError::Unknown)?))
    }

    fn size(self) -> Option<usize> {
        if let Ok(array) = Array::try_from(self.of) {
            return Some(array.capacity() * self.element(&array).ok()?.1);
        }
        let of_struct = Struct::try_from(self.of).map(|found| found.size());
        let of_int = of_struct.or_else(|of| Int::try_from(of).map(|found| found.size()));
        of_int.or_else(|of| Enum::try_from(of).map(|found| found.size())).ok()
    }
}

impl Layout {
    /// Types by their numbers.
    pub(crate) fn between<'types>(
        (old, old_type): (&'types Btf<'types>, u32),
        (new, new_type): (&'types Btf<'types>, u32),
    ) -> Result<Self, LayoutError> {
        Self::of(Place::new(old, old_type.into(), 0)?, Place::new(new, new_type.into(), 0)?)
    }

    /// Structures by their name.
    pub(crate) fn between_named<'types>(
        name: &str,
        old: &'types Btf<'types>,
        new: &'types Btf<'types>,
    ) -> Result<Self, LayoutError> {
        Self::of(Place::named(old, name)?, Place::named(new, name)?)
    }

    fn of(old: Place<'_>, new: Place<'_>) -> Result<Self, LayoutError> {
        let mut copies = Vec::new();
        collect(&mut copies, old, new, "")?;
        Ok(Self { size: new.size().ok_or(LayoutError::Unknown)?, copies })
    }

    /// `None` if the bytes are fewer than an older entry has.
    pub(crate) fn convert(&self, old: &[u8]) -> Option<Vec<u8>> {
        let mut new = vec![0; self.size];
        for (from, to) in &self.copies {
            let bytes = old.get(from.clone())?;
            new.get_mut(*to..*to + bytes.len())?.copy_from_slice(bytes);
        }
        Some(new)
    }
}

fn collect(
    copies: &mut Vec<(Range<usize>, usize)>,
    old: Place<'_>,
    new: Place<'_>,
    field: &str,
) -> Result<(), LayoutError> {
    if let (Ok(of_old), Ok(of_new)) = (Struct::try_from(old.of), Struct::try_from(new.of)) {
        return collect_members(copies, (old, of_old), (new, of_new));
    }
    if let (Ok(of_old), Ok(of_new)) = (Array::try_from(old.of), Array::try_from(new.of)) {
        let (from, old_size) = old.element(&of_old)?;
        let (to, new_size) = new.element(&of_new)?;
        for index in 0..of_old.capacity().min(of_new.capacity()) {
            let from = Place { at: from.at + index * old_size, ..from };
            let to = Place { at: to.at + index * new_size, ..to };
            collect(copies, from, to, field)?;
        }
        return Ok(());
    }
    match (old.size(), new.size()) {
        (Some(size), Some(same)) if size == same => copies.push((old.at..old.at + size, new.at)),
        _ => return Err(LayoutError::Changed { field: field.to_owned() }),
    }
    Ok(())
}

fn collect_members(
    copies: &mut Vec<(Range<usize>, usize)>,
    (old, of_old): (Place<'_>, Struct<'_>),
    (new, of_new): (Place<'_>, Struct<'_>),
) -> Result<(), LayoutError> {
    for member in of_new.iter() {
        let Some(before) = of_old.iter().find(|before| before.name == member.name) else {
            continue;
        };
        let name = member.name.unwrap_or_default().to_string_lossy();
        let (Some(from), Some(to)) = (byte_offset(before.attr), byte_offset(member.attr)) else {
            return Err(LayoutError::Changed { field: name.into_owned() });
        };
        let from = Place::new(old.types, before.ty, old.at + from)?;
        let to = Place::new(new.types, member.ty, new.at + to)?;
        collect(copies, from, to, &name)?;
    }
    Ok(())
}

fn byte_offset(of: MemberAttr) -> Option<usize> {
    match of {
        MemberAttr::Normal { offset } => usize::try_from(offset / 8).ok(),
        MemberAttr::BitField { .. } => None,
    }
}

//! Which places of the file system a profile opens: real paths, and the symbolic links on the way to them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::profile::Profile;

/// What every program needs: programs, libraries, and settings that hold no secrets.
const SYSTEM: [&str; 42] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/usr",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/ca-certificates",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
];
/// As many symbolic links as the kernel follows.
const LINKS: usize = 40;

/// A file or folder that a program sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it really is; without symbolic links.
    pub source: PathBuf,
    /// Where the program sees it.
    pub path: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
    /// Whether it is a folder.
    pub folder: bool,
}

/// All that a program sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Sorted by path, so that what is inside another comes after it.
    pub places: Vec<Place>,
    /// Symbolic links on the way to them: path and target. Those inside a place are there already.
    pub links: BTreeMap<PathBuf, PathBuf>,
    /// What lies within a place and is not seen, by its path there, and whether it is a folder.
    pub masks: BTreeMap<PathBuf, bool>,
}

impl Places {
    /// Find the places of a profile. What may be read and is not there, or is hidden, is left out.
    ///
    /// # Errors
    /// A writable place that does not exist, is hidden, or cannot be looked at.
    pub fn find(profile: &Profile) -> Result<Self, String> {
        let mut found = Self::default();
        let hidden: Vec<PathBuf> = profile.hide.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let is_hidden = |path: &Path| hidden.iter().any(|each| path.starts_with(each));
        let system = profile.system.then_some(SYSTEM.iter()).into_iter().flatten();
        for path in system.map(Path::new).chain(profile.read.iter().map(PathBuf::as_path)) {
            if let Ok(real) = found.resolve(path)
                && !is_hidden(&real)
            {
                found.add(&real, &real, false);
            }
        }
        for path in profile.write.iter().chain(&profile.tmp) {
            let real = found.resolve(path).map_err(|error| format!("{}: {error}", path.display()))?;
            if is_hidden(&real) {
                return Err(format!("{}: this is hidden from programs", path.display()));
            }
            found.add(&real, &real, true);
            if profile.tmp.as_ref() == Some(path) {
                found.add(&real, Path::new("/tmp"), true);
            }
        }
        found.places.sort_by(|one, other| one.path.cmp(&other.path));
        for (place, path) in found.places.iter().flat_map(|place| hidden.iter().map(move |path| (place, path))) {
            if let Ok(rest) = path.strip_prefix(&place.source) {
                found.masks.insert(place.path.join(rest), path.is_dir());
            }
        }
        Ok(found)
    }

    /// Whether the path is in a writable place: the nearest place around it decides. What is masked is not.
    #[must_use]
    pub fn is_writable(&self, path: &Path) -> bool {
        if self.masks.contains_key(path) {
            return false;
        }
        let around = self.places.iter().filter(|place| path.starts_with(&place.path));
        around.max_by_key(|place| place.path.as_os_str().len()).is_some_and(|place| place.writable)
    }

    fn add(&mut self, source: &Path, path: &Path, writable: bool) {
        if let Some(known) = self.places.iter_mut().find(|place| place.path == path) {
            if writable {
                known.writable = true;
                known.source = source.to_owned();
            }
            return;
        }
        let folder = source.is_dir();
        self.places.push(Place { source: source.to_owned(), path: path.to_owned(), writable, folder });
    }

    /// The real path; the symbolic links on the way are noted.
    fn resolve(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut left: VecDeque<PathBuf> = parts(path);
        let mut real = PathBuf::from("/");
        let mut followed = 0;
        while let Some(part) = left.pop_front() {
            if part.as_os_str() == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&part);
            if !next.symlink_metadata()?.is_symlink() {
                real = next;
                continue;
            }
            followed += 1;
            if followed > LINKS {
                return Err(io::Error::other("too many symbolic links"));
            }
            let target = next.read_link()?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                left.push_front(part);
            }
            self.links.insert(next, target);
        }
        Ok(real)
    }
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::profile::Profile;
    use std::fs;
    use std::io;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn folder(name: &str) -> io::Result<PathBuf> {
        let path = std::env::temp_dir().join(format!("pyagent-places-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        path.canonicalize()
    }

    #[test]
    fn links_are_followed_and_noted() -> io::Result<()> {
        let base = folder("links")?;
        fs::create_dir(base.join("real"))?;
        symlink("real", base.join("alias"))?;
        let profile = Profile { read: vec![base.join("alias")], ..Profile::default() };
        let found = Places::find(&profile).map_err(io::Error::other)?;
        assert_eq!(found.places.iter().map(|place| &place.path).collect::<Vec<_>>(), [&base.join("real")]);
        assert_eq!(found.links.get(&base.join("alias")), Some(&PathBuf::from("real")));
        fs::remove_dir_all(base)
    }

    #[test]
    fn a_ring_of_links_ends() -> io::Result<()> {
        let base = folder("ring")?;
        symlink("b", base.join("a"))?;
        symlink("a", base.join("b"))?;
        let profile = Profile { write: vec![base.join("a")], ..Profile::default() };
        assert!(Places::find(&profile).is_err());
        fs::remove_dir_all(base)
    }

    #[test]
    fn what_is_hidden_is_masked_within_places_and_is_none_itself() -> io::Result<()> {
        let base = folder("hidden")?;
        fs::create_dir_all(base.join("shown/own/inner"))?;
        fs::create_dir(base.join("tmp"))?;
        fs::write(base.join("tmp/key"), "")?;
        symlink(base.join("shown/own"), base.join("alias"))?;
        let mut profile = Profile {
            read: vec![base.join("shown"), base.join("shown/own"), base.join("shown/own/inner")],
            tmp: Some(base.join("tmp")),
            hide: vec![base.join("alias"), base.join("tmp/key"), base.join("missing")],
            ..Profile::default()
        };
        let found = Places::find(&profile).map_err(io::Error::other)?;
        let seen: Vec<_> = found.places.iter().map(|place| place.path.clone()).collect();
        assert_eq!(seen, [PathBuf::from("/tmp"), base.join("shown"), base.join("tmp")].map(|path| path));
        let expected = [("/tmp/key".into(), false), (base.join("shown/own"), true), (base.join("tmp/key"), false)];
        assert_eq!(found.masks, expected.into_iter().collect());
        profile.write = vec![base.join("shown/own/inner")];
        assert!(Places::find(&profile).is_err());
        fs::remove_dir_all(base)
    }

    #[test]
    fn the_nearest_place_decides_whether_a_path_may_be_changed() -> io::Result<()> {
        let base = folder("nearest")?;
        fs::create_dir_all(base.join("open/closed"))?;
        let profile =
            Profile { read: vec![base.join("open/closed")], write: vec![base.join("open")], ..Profile::default() };
        let found = Places::find(&profile).map_err(io::Error::other)?;
        assert!(found.is_writable(&base.join("open/x")));
        assert!(!found.is_writable(&base.join("open/closed/x")));
        assert!(!found.is_writable(&base));
        fs::remove_dir_all(base)
    }
}

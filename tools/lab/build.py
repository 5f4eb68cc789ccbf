"""Builds the tree and its packages, installs these on nodes, and runs ctest over everything.

ctest's summary is the last thing `./lab test` prints: whoever reads the log's end sees the verdict.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from . import deps, disk, image, lab as labs, places, sh

PACKAGES = places.TREE / "build/deb"
SANITIZERS = ("asan", "tsan")
ON_NODES = ("hamirror",)            # the packages a node of the pair gets
ON_WITNESS = ("hamirror-witness",)
SHAPES_PACKAGE = re.compile(r"^(?!tests/|build/|\.ci/|tools/(?!build-deb)|lab$)")


def show(*argv, timeout):
    """Runs a command in the tree with its output shown as it comes."""
    words = [str(word) for word in argv]
    sh.say(" ".join(words))
    try:
        return subprocess.run(words, cwd=places.TREE, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired as late:
        raise sh.LabError(f"no end after {timeout} s: {' '.join(words)}") from late


def must(*argv, timeout):
    status = show(*argv, timeout=timeout)
    if status != 0:
        raise sh.LabError(f"exit {status}: {' '.join(str(word) for word in argv)}")


def presets():
    text = (places.TREE / "CMakePresets.json").read_text(encoding="utf-8")
    return {preset["name"] for preset in json.loads(text)["configurePresets"]}


def cmake(preset, *settings):
    must("cmake", "--preset", preset, *settings, timeout=300)
    must("cmake", "--build", f"build/{preset}", timeout=3000)


# packages

def sources():
    """The files the packages are made from: tracked ones and new ones, less tests and lab."""
    listed = sh.output("git", "-C", places.TREE, "ls-files", "-z", "-co", "--exclude-standard")
    return sorted(name for name in listed.split("\0")
                  if name and SHAPES_PACKAGE.match(name) and (places.TREE / name).is_file())


def fingerprint(names):
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (places.TREE / name).read_bytes() + b"\0")
    return digest.hexdigest()


def packages():
    """Makes build/deb/*.deb, unless they were made from these very sources."""
    if not (places.TREE / "debian/control").exists():
        raise sh.LabError("this tree has no debian/ yet, so there is nothing to install on nodes")
    names = sources()
    mark, stamp = fingerprint(names), PACKAGES / "made-from"
    if stamp.exists() and stamp.read_text(encoding="ascii") == mark:
        return found_packages()
    PACKAGES.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    log = PACKAGES / "build.log"
    sh.say(f"building the Debian package (log: {log})")
    with open(log, "w", encoding="utf-8") as out:
        done = sh.run("tools/build-deb", cwd=places.TREE, check=False, quiet=False, timeout=3000,
                      stdout=out, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise sh.LabError("the Debian package does not build:\n" + "\n".join(tail))
    stamp.write_text(mark, encoding="ascii")
    return found_packages()


def found_packages():
    found = sorted(path for path in PACKAGES.glob("*.deb") if "-dbgsym_" not in path.name)
    if not found:
        raise sh.LabError(f"no package in {PACKAGES}; run: ./lab build")
    return found


def packages_for(names):
    return [path for path in found_packages() if path.name.split("_")[0] in names]


def install_on(nodes, names=None):
    """dpkg -i in each node, all at once; the nodes have no network beyond the switch."""
    running = []
    for node in nodes:
        wanted = names or (ON_NODES if node.name in places.PAIR else ON_WITNESS)
        files = packages_for(wanted)
        if not files:
            sh.say(f"{node} stays bare: there is no package {' or '.join(wanted)}")
            continue
        inside = pathlib.Path(f"/proc/{node.leader()}/root/var/tmp")
        for path in files:
            shutil.copyfile(path, inside / path.name)
        words = ["timeout", "120", "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i",
                 *(f"/var/tmp/{path.name}" for path in files)]
        running.append((node, node.popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)))
    for node, dpkg in running:
        out, _ = dpkg.communicate(timeout=150)
        if dpkg.returncode != 0:
            raise sh.LabError(f"{node}: dpkg -i failed:\n" + "\n".join(out.splitlines()[-15:]))


def installed_template(lab):
    """A disk on which the packages are installed already, made once for each build of them."""
    digest = hashlib.sha256(f"{image.folder().name} {disk.SIZE} {disk.FILE_SYSTEM}".encode())
    for path in packages_for(ON_NODES):
        digest.update(path.read_bytes())
    template = places.STATE / "templates" / f"{digest.hexdigest()[:16]}.img"
    if template.exists():
        return template
    template.parent.mkdir(parents=True, exist_ok=True)
    for old in template.parent.glob("*"):
        old.unlink()
    node = lab.node1
    node.new_disk()
    node.boot()
    install_on([node])
    node.run("journalctl --rotate; rm -rf /var/log/journal/*; rm -f /var/lib/systemd/random-seed;"
             " : > /etc/machine-id; rm -f /var/tmp/*.deb")
    node.poweroff()
    making = template.with_suffix(".making")
    disk.copy(disk.image(node.name), making)
    making.rename(template)
    return template


# tests

PROOFS = "explore|sim"  # tests whose counts belong into the log even if they pass


def ctest(*choice, timeout):
    return show("ctest", "--test-dir", "build/dev", "-j", os.cpu_count(), *choice, timeout=timeout)


def test(names, everything):
    deps.install()
    cmake("dev", "-DHAMIRROR_CI=ON", f"-DHAMIRROR_PYTHON={sys.executable}")
    left_out = [] if everything else ["demand"]
    choice = ["-R", "|".join(names)] if names else ["-LE", "|".join(left_out)] if left_out else []
    listed = sh.output("ctest", "--test-dir", "build/dev", "-N", *choice, cwd=places.TREE)
    for preset in SANITIZERS:
        if f"{preset}.unit" in listed:
            cmake(preset)
    if "scene." in listed:
        packages()
        with sh.machine_lock():
            labs.refuse_if_foreign()
            image.ensure()
    timeout = 86400 if everything or names else 5400
    if names:
        return ctest("--output-on-failure", *choice, timeout=timeout)
    proofs = ctest("--verbose", "-L", PROOFS, *choice, timeout=timeout)
    rest = ctest("--output-on-failure", "-LE", "|".join([PROOFS, *left_out]), timeout=timeout)
    if proofs != 0:
        sh.say("the explorer or the simulator FAILED: see above")
    return proofs or rest

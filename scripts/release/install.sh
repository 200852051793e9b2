#!/bin/sh
# Installs tsign @VERSION@: the program, its policy engine, manual pages and completions. The archive is downloaded, compared
# with the digest in this script, and only then unpacked.
#
#   sh install.sh [--prefix DIR] [--from DIR-OR-URL] [--bin-dir DIR] [--cache DIR] [--cosign]
#
# --prefix DIR      installs below DIR: /usr/local if it can be written to, else ~/.local, by default
# --bin-dir DIR     puts the link to the program there instead of PREFIX/bin
# --from PLACE      a folder or URL with the archives of the release (to install without a network)
# --cache DIR       keeps the archive there, and takes it from there if it has the right digest
# --cosign          adds a link named cosign
set -eu

version='@VERSION@'
from='@BASE_URL@'
prefix=
bin=
cache=
cosign=

fail() {
  echo "Error: $1" >&2
  [ -z "${2-}" ] || echo "hint: $2" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --from | --bin-dir | --cache) [ $# -gt 1 ] || fail "$1 requires a value" ;;
  esac
  case $1 in
    --prefix) prefix=$2 && shift 2 ;;
    --from) from=$2 && shift 2 ;;
    --bin-dir) bin=$2 && shift 2 ;;
    --cache) cache=$2 && shift 2 ;;
    --cosign) cosign=yes && shift ;;
    *) fail "unknown argument $1" "run sh install.sh [--prefix DIR] [--bin-dir DIR] [--from PLACE] [--cosign]" ;;
  esac
done

case $(uname -s) in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  MINGW* | MSYS* | CYGWIN*) system=windows ;;
  *) fail "unsupported system $(uname -s)" "install the npm package, which also runs on Node.js" ;;
esac
case $(uname -m) in
  x86_64 | amd64) processor=x64 ;;
  arm64 | aarch64) processor=arm64 ;;
  *) fail "unsupported processor $(uname -m)" "install the npm package, which also runs on Node.js" ;;
esac
platform=$system-$processor
if [ "$system" = linux ] && [ ! -e /lib64/ld-linux-x86-64.so.2 ] && [ ! -e /lib/ld-linux-aarch64.so.1 ]; then
  platform=$platform-musl
fi

case $platform in
@DIGESTS@
  *) fail "this release has no archive for $platform" "install the npm package, which also runs on Node.js" ;;
esac

if [ -z "$prefix" ]; then
  if [ -w /usr/local/bin ] && [ -w /usr/local/lib ]; then prefix=/usr/local; else prefix=${HOME:?}/.local; fi
fi
case $prefix in
  /* | [A-Za-z]:*) ;;
  *) prefix=$PWD/$prefix ;; # the link to the program contains it
esac
bin=${bin:-$prefix/bin}
lib=$prefix/lib/tsign
new=$lib/.new
program=tsign
[ "$system" != windows ] || program=tsign.exe

# starts_tsign PATH: whether it is what this script installs there.
starts_tsign() {
  if [ "$system" = windows ]; then
    grep -q "/lib/tsign/$program\"" "$1"
  else
    case $(readlink "$1") in */lib/tsign/"$program") ;; *) return 1 ;; esac
  fi
}

for name in tsign ${cosign:+cosign}; do
  if [ -e "$bin/$name" ] || [ -L "$bin/$name" ]; then
    starts_tsign "$bin/$name" || fail "$bin/$name exists and was not installed by this script" "remove it, or choose another folder with --bin-dir"
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 1' HUP INT TERM

sha256() {
  if command -v sha256sum >/dev/null; then
    set -- $(sha256sum <"$1")
  elif command -v shasum >/dev/null; then
    set -- $(shasum -a 256 <"$1")
  elif command -v openssl >/dev/null; then
    set -- $(openssl dgst -sha256 -r <"$1")
  else
    fail "none of sha256sum, shasum and openssl is installed"
  fi
  echo "$1"
}

if [ -n "$cache" ] && [ -f "$cache/$archive" ] && [ "$(sha256 "$cache/$archive")" = "$digest" ]; then from=$cache; fi
case $from in
  http://* | https://*)
    if command -v curl >/dev/null; then
      curl --fail --silent --show-error --location --retry 3 --output "$work/$archive" "$from/$archive"
    elif command -v wget >/dev/null; then
      wget -q -O "$work/$archive" "$from/$archive" || fail "download $from/$archive: wget exited with $?"
    else
      fail "neither curl nor wget is installed"
    fi ;;
  *) cp "$from/$archive" "$work/$archive" ;;
esac

actual=$(sha256 "$work/$archive")
[ "$actual" = "$digest" ] || fail "$archive: sha256 mismatch: got $actual, want $digest" "nothing was installed; download it again"
if [ -n "$cache" ] && [ "$from" != "$cache" ]; then
  mkdir -p "$cache"
  cp "$work/$archive" "$cache/$archive.new"
  mv "$cache/$archive.new" "$cache/$archive"
fi

case $archive in
  *.zip) (cd "$work" && unzip -q "$archive") ;;
  *) tar -xzf "$work/$archive" -C "$work" ;;
esac
unpacked=$work/tsign-$version-$platform
# The new files replace those of an earlier version only once the program runs. Others in the folder are left alone: the program
# looks for packages in node_modules there.
rm -rf "$new"
mkdir -p "$bin" "$new" "$lib/policy" "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
  "$prefix/share/zsh/site-functions" "$prefix/share/fish/vendor_completions.d"
cp -R "$unpacked/$program" "$unpacked/policy" "$unpacked/LICENSE" "$unpacked/THIRD-PARTY-LICENSES.txt" "$new/"
"$new/$program" version >/dev/null ||
  fail "start $program: it does not run on this machine" "install the npm package, which also runs on Node.js"
mv -f "$new"/policy/* "$lib/policy/"
rmdir "$new/policy"
mv -f "$new"/* "$lib/"
cp "$unpacked"/man/man1/* "$prefix/share/man/man1/"
cp "$unpacked/completions/tsign.bash" "$prefix/share/bash-completion/completions/tsign"
cp "$unpacked/completions/_tsign" "$prefix/share/zsh/site-functions/_tsign"
cp "$unpacked/completions/tsign.fish" "$prefix/share/fish/vendor_completions.d/tsign.fish"
for name in tsign ${cosign:+cosign}; do
  if [ "$system" = windows ]; then
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$lib/$program" >"$bin/$name"
    printf '@"%s" %%*\r\n' "$(cygpath -w "$lib/$program")" >"$bin/$name.cmd"
  else
    ln -sf "$lib/$program" "$bin/$name"
  fi
done
echo "tsign $version is installed: $bin/tsign"

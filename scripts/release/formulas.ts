import { sha256 } from "./archive.ts";
import { DESCRIPTION, HOMEPAGE, PROGRAM } from "./names.ts";

/** An archive of the release. */
export interface Archive {
  readonly platform: string;
  readonly name: string;
  readonly content: Uint8Array;
}

/** Returns a Homebrew formula for the archives of macOS and Linux. */
export function homebrewFormula(archives: readonly Archive[], release: { version: string; baseUrl: string }): string {
  const source = (platform: string) => {
    const archive = archives.find((each) => each.platform === platform);
    if (archive === undefined) return "";
    const [, processor] = platform.split("-");
    return `    on_${processor === "arm64" ? "arm" : "intel"} do
      url "${release.baseUrl}/${archive.name}"
      sha256 "${sha256(archive.content)}"
    end
`;
  };
  const system = (name: string, platforms: readonly string[]) => {
    const sources = platforms.map(source).join("");
    return sources === "" ? "" : `  on_${name} do\n${sources}  end\n\n`;
  };
  const systems = system("macos", ["darwin-arm64", "darwin-x64"]) + system("linux", ["linux-arm64", "linux-x64"]);
  return `class ${PROGRAM[0]?.toUpperCase()}${PROGRAM.slice(1)} < Formula
  desc "${DESCRIPTION}"
  homepage "${HOMEPAGE}"
  version "${release.version}"
  license "Apache-2.0"

${systems}  def install
    libexec.install "${PROGRAM}", "policy"
    bin.install_symlink libexec/"${PROGRAM}"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/${PROGRAM}.bash" => "${PROGRAM}"
    zsh_completion.install "completions/_${PROGRAM}"
    fish_completion.install "completions/${PROGRAM}.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/${PROGRAM} version")
  end
end
`;
}

/** Returns a Scoop manifest; undefined for a release without Windows. */
export function scoopManifest(
  archives: readonly Archive[],
  release: { version: string; baseUrl: string },
): string | undefined {
  const archive = archives.find(({ platform }) => platform === "windows-x64");
  if (archive === undefined) return undefined;
  const manifest = {
    version: release.version,
    description: DESCRIPTION,
    homepage: HOMEPAGE,
    license: "Apache-2.0",
    architecture: {
      "64bit": {
        url: `${release.baseUrl}/${archive.name}`,
        hash: sha256(archive.content),
        extract_dir: archive.name.replace(/\.zip$/, ""),
      },
    },
    bin: `${PROGRAM}.exe`,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

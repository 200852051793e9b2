import { defineCommand, flag } from "../cli/parser/define.ts";
import { DEFAULT_MIRROR } from "../services/tuf/addresses.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Fetch the trust root that signatures are made and verified with",
  about:
    "Follows a TUF repository from a root that is trusted to its trusted root and signing config, and keeps them in " +
    "$TUF_ROOT or ~/.sigstore/root, where later commands find them. Without flags it is Sigstore's public instance, whose " +
    "root tsign carries; another mirror needs its --root once.",
  examples: [
    "tsign initialize",
    "tsign initialize --mirror https://tuf.example --root root.json --root-checksum sha256:…",
    "tsign initialize --mirror file:///media/usb/repository --root root.json",
    "tsign initialize --staging",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    mirror: flag.string("URL of the TUF repository, or of a folder with a copy", { default: DEFAULT_MIRROR }),
    root: flag.string("file or URL of the repository's root"),
    rootChecksum: flag.string("SHA-256 or SHA-512 checksum of that root, in hex, needed where it comes from a URL"),
    staging: flag.bool("use Sigstore's test instance"),
  },
});

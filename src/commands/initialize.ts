import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";
import { DEFAULT_MIRROR } from "../services/tuf/addresses.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Fetch the TUF trust root",
  about:
    "Fetches the trusted root and the signing config from a TUF repository, verifies them starting from its root, and stores them in $TUF_ROOT or ~/.sigstore/root for later commands. The default is Sigstore's public instance, whose root is built in; another mirror requires --root the first time.",
  examples: [
    "# Use Sigstore's public instance",
    "tsign initialize",
    "# Use another TUF repository",
    "tsign initialize --mirror https://tuf.example --root root.json --root-checksum sha256:…",
    "# Use a copy of a TUF repository in a folder",
    "tsign initialize --mirror file:///media/usb/repository --root root.json",
    "# Use Sigstore's staging instance",
    "tsign initialize --staging",
  ],
  result: shape.object({
    mirror: shape.text("URL of the TUF repository"),
    folder: shape.text("where its metadata is stored"),
  }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    mirror: flag.string("TUF repository URL; file:// for a folder", { default: DEFAULT_MIRROR }),
    root: flag.string("initial TUF root: a file or URL"),
    rootChecksum: flag.string(
      "SHA-256 or SHA-512 checksum of the initial TUF root in hex, required if --root is a URL",
    ),
    staging: flag.bool("use Sigstore's staging instance"),
  },
});

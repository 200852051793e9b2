import { flag } from "../parser/define.ts";

/** The flags of commands that take images from files. */
export const imageSourceFlags = {
  from: flag.texts(
    "file of images, - for standard input: list, JSON array, Kubernetes, Helm output, compose, Dockerfile, kustomization",
    { unbound: true },
  ),
  fromFormat: flag.choice(
    ["auto", "list", "kubernetes", "compose", "dockerfile", "kustomize", "json"],
    "format of the --from files; auto detects it by the content",
    { default: "auto", needs: "from", unbound: true },
  ),
};

/** The flag of commands that write the file of --from with verified digests. */
export const pinFlags = {
  pin: flag.string("file to write the --from file to, with its tags replaced by the verified digests", {
    output: true,
    unbound: true, // COSIGN_PIN is the PIN of a token
  }),
};

import { TsignError } from "../../errors.ts";

/** Which stored forms a signing writes. */
export interface Forms {
  readonly bundle: boolean;
  readonly legacy: boolean;
}

/**
 * Returns the forms of --format or, without it, of cosign's --new-bundle-format.
 *
 * @param given the flags that were set, by name
 * @throws TsignError "usage" when the two contradict each other
 */
export function formsOf(
  flags: { readonly format: string; readonly newBundleFormat: boolean },
  given: ReadonlySet<string>,
): Forms {
  const { format, newBundleFormat } = flags;
  if (format === "") return { bundle: newBundleFormat, legacy: !newBundleFormat };
  const forms = { bundle: format !== "legacy", legacy: format !== "bundle" };
  if (given.has("newBundleFormat") && newBundleFormat !== forms.bundle) {
    throw new TsignError(
      "usage",
      `--format ${format} and --new-bundle-format=${newBundleFormat} cannot be used together`,
    );
  }
  return forms;
}

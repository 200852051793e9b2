import { TsignError } from "./errors.ts";

/** The libraries of the services, none of which tsign brings along, in the versions tested (package.json says the same). */
export const PACKAGES = {
  "@aws-sdk/client-ecr": "3.1164.0",
  "@aws-sdk/client-ecr-public": "3.1108.0",
  "@aws-sdk/client-kms": "3.1164.0",
  "@azure/identity": "4.13.1",
  "@azure/keyvault-keys": "4.10.2",
  "@google-cloud/kms": "5.7.0",
  "@kubernetes/client-node": "2.0.1",
  pkcs11js: "2.1.7",
} as const;

export type PackageName = keyof typeof PACKAGES;

/** Loads a library by name; tests give their own. */
export type LoadPackage = (name: PackageName) => Promise<unknown>;

const importPackage: LoadPackage = (name) => import(name);

/**
 * Loads the libraries of a service. Their types are the caller's word: none of them is installed where tsign is built.
 *
 * @param by `purpose`: what needs them, as the user wrote it, e.g. `awskms://`
 * @throws TsignError "unsupported", saying in one line what to install
 */
export async function loadPackages<T extends readonly unknown[]>(
  names: readonly PackageName[],
  by: { purpose: string; load?: LoadPackage | undefined },
): Promise<T> {
  const { load = importPackage } = by;
  try {
    return (await Promise.all(names.map((name) => load(name)))) as unknown as T;
  } catch (cause) {
    const wanted = names.map((name) => `${name}@${PACKAGES[name]}`).join(" ");
    if (isMissing(cause, names)) {
      throw new TsignError("unsupported", `${by.purpose} needs a package that is not installed: ${names.join(", ")}`, {
        hint: `npm install ${wanted}, with -g if tsign was installed so`,
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TsignError(
      "unsupported",
      `${by.purpose}: ${names.join(", ")} is installed but does not load: ${reason}`,
      {
        hint: `install it again, its build scripts allowed: npm install --allow-scripts=${names.join(",")} ${wanted}`,
        cause,
      },
    );
  }
}

/** Whether it is these packages that are not there, and not a part of theirs. */
function isMissing(error: unknown, names: readonly string[]): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ERR_MODULE_NOT_FOUND" && names.some((name) => error.message.includes(`'${name}'`));
}

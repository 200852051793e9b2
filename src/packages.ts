import { TsignError } from "./errors.ts";

/** The optional packages, which are not installed with tsign, with the tested versions (the same as in package.json). */
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

/** Loads a package by name; replaced in tests. */
export type LoadPackage = (name: PackageName) => Promise<unknown>;

let prepare: () => Promise<void> = async () => {};

/** Sets what is done before a package is loaded, such as choosing the CA certificates that its connections trust. */
export function beforePackages(step: () => Promise<void>): void {
  prepare = step;
}

const importPrepared: LoadPackage = async (name) => {
  await prepare();
  const { importPackage } = await import("./import-package.ts");
  return importPackage(name);
};

/**
 * Loads optional packages. The caller supplies their types, because they are not installed where tsign is built.
 *
 * @param options `purpose`: what requires them, as the user wrote it, such as `awskms://`
 * @throws TsignError "unsupported" with a hint that names the packages to install
 */
export async function loadPackages<T extends readonly unknown[]>(
  names: readonly PackageName[],
  options: { purpose: string; load?: LoadPackage | undefined },
): Promise<T> {
  const { purpose, load = importPrepared } = options;
  try {
    return (await Promise.all(names.map((name) => load(name)))) as unknown as T;
  } catch (cause) {
    const versions = names.map((name) => `${name}@${PACKAGES[name]}`).join(" ");
    if (isMissing(cause, names)) {
      throw new TsignError("unsupported", `${purpose} requires a package that is not installed: ${names.join(", ")}`, {
        hint: `run npm install ${versions} (with -g if tsign is installed globally)`,
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TsignError("unsupported", `load ${names.join(", ")} for ${purpose}: ${reason}`, {
      hint: `install it again with build scripts: npm install --allow-scripts=${names.join(",")} ${versions}`,
      cause,
    });
  }
}

/** Reports whether these packages are missing, rather than one of their dependencies. */
function isMissing(error: unknown, names: readonly string[]): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ERR_MODULE_NOT_FOUND" && names.some((name) => error.message.includes(`'${name}'`));
}
